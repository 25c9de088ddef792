"""DenseNet, its light form and CondenseNet: published sizes to the last digit, structure, knobs, bad knobs."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import pytest

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.ir.ops import AdaptiveAvgPool2d, AvgPool2d, ChannelShuffle, ChannelSlice, Conv2d, Linear, Op, ReLU
from archspace.zoo.config import make_config
from archspace.zoo.densenet import FAMILIES

OPTIONS = {member: (name, options) for name, family in FAMILIES.items() for member, options in family.members.items()}


def make(name: str, **options: object) -> Graph:
    family, member = OPTIONS.get(name, (name, {}))
    config = make_config(family, FAMILIES[family].config, {**member, **options})
    return FAMILIES[family].build(config, Builder(family))


def size(name: str, **options: object) -> tuple[int, int]:
    found = total_counts(make(name, **options))
    return found.madds, found.params


def convs(graph: Graph) -> list[Conv2d]:
    return [node.op for node in graph if isinstance(node.op, Conv2d)]


def elements(graph: Graph, *kinds: type[Op]) -> int:
    """How many elements go into nodes of these kinds."""
    return sum(prod(graph.input_shapes(node)[0]) for node in graph if isinstance(node.op, kinds))


def out_channels(graph: Graph, stage: str) -> int:
    """The channels that a stage hands on."""
    return [node.shape[1] for node in graph if node.name.startswith(f"{stage}.")][-1]


@pytest.mark.parametrize(
    ("member", "madds", "params"),
    [
        ("densenet121", 2_834_161_664, 7_978_856),
        ("densenet161", 7_727_907_072, 28_681_000),
        ("densenet169", 3_359_843_328, 14_149_480),
        ("densenet201", 4_291_365_888, 20_013_928),
    ],
)  # torchvision's models, which agree convolution by convolution
def test_densenets_are_torchvisions_to_the_last_digit(member: str, madds: int, params: int) -> None:
    assert size(member) == (madds, params)


@pytest.mark.parametrize("depth", [121, 161, 169, 201])
def test_the_depth_counts_the_convolutions_and_the_classifier(depth: int) -> None:
    assert len(convs(make("densenet", depth=depth))) + 1 == depth


def test_a_dense_block_of_n_layers_adds_n_growth_rates_and_a_transition_halves() -> None:
    graph = make("densenet121")  # stem 64, growth rate 32, blocks of 6, 12, 24 and 16 layers: DenseNet, table 1
    assert [out_channels(graph, f"stage{i}") for i in (1, 2, 3, 4)] == [
        64 + 6 * 32,
        (64 + 6 * 32) // 2 + 12 * 32,
        512 // 2 + 24 * 32,
        1024 // 2 + 16 * 32,
    ]
    assert [graph[f"stage{i}.unit0.concat"].shape[2] for i in (1, 2, 3, 4)] == [56, 28, 14, 7]


@pytest.mark.parametrize(
    ("member", "millions", "madds", "params"),
    [
        ("densenet_light_0.5x", 42, 42_269_064, 1_226_120),
        ("densenet_light_1x", 142, 146_904_840, 1_707_296),
        ("densenet_light_1.5x", 295, 289_294_920, 2_314_636),
        ("densenet_light_2x", 519, 524_469_928, 4_624_796),
    ],
)  # ShuffleNet v2, table 8
def test_light_densenets_lie_within_5_percent_of_the_published_complexity(member: str, millions: int, madds: int, params: int) -> None:
    assert size(member) == (madds, params)
    assert abs(madds / 1e6 / millions - 1) <= 0.05


@pytest.mark.parametrize(
    ("member", "millions"),
    [("densenet_light_0.5x", 42), ("densenet_light_1x", 142), ("densenet_light_1.5x", 295), ("densenet_light_2x", 519)],
)
def test_no_other_growth_rate_comes_nearer_to_the_published_complexity(member: str, millions: int) -> None:
    k = OPTIONS[member][1]["growth_rate"]
    off = {growth: abs(size(member, growth_rate=growth)[0] / 1e6 - millions) for growth in (k - 1, k, k + 1)}
    assert min(off, key=off.__getitem__) == k


def test_a_light_densenet_has_the_resolutions_and_the_ends_of_shufflenet_v2() -> None:
    graph = make("densenet_light_1x")
    assert graph["stem.conv1.conv"].shape == (1, 24, 112, 112)  # ShuffleNet v2, table 5
    assert [graph[f"stage{i}.unit0.concat"].shape[2] for i in (2, 3, 4)] == [28, 14, 7]
    assert [sum(n.name.startswith(f"stage{i}.") and n.name.endswith("concat") for n in graph) for i in (2, 3, 4)] == [4, 8, 4]
    assert graph["conv5.pw.conv"].shape == (1, 1024, 7, 7)
    assert out_channels(graph, "stage2") == 24 // 2 + 4 * 22


@pytest.mark.parametrize(
    ("member", "published", "params"), [("condensenet_g4", 529, 4_773_944), ("condensenet_g8", 274, 2_935_416)]
)  # ShuffleNet v2, table 8; the parameters are those of pytorchcv's condensenet74_c4_g4 and condensenet74_c8_g8
def test_condensenet_has_its_published_size_as_its_authors_count(member: str, published: int, params: int) -> None:
    graph = make(member)
    found = total_counts(graph)
    assert found.params == params
    authors = found.madds + elements(graph, ReLU) + elements(graph, AvgPool2d, AdaptiveAvgPool2d) + 1000  # 1000 biases of the classifier
    assert round(authors / 1e6) == published
    assert abs(found.madds / 1e6 / published - 1) <= 0.05


def test_condensenet_74_has_36_dense_layers_and_74_layers_in_all() -> None:
    graph = make("condensenet_g4")
    assert len(convs(graph)) + 1 == 2 * (4 + 6 + 8 + 10 + 8) + 2 == 74
    # 16 + 4 * 8 = 48, + 6 * 16 = 144, + 8 * 32 = 400, + 10 * 64 = 1040, + 8 * 128 = 2064, at half the resolution from block to block
    assert [out_channels(graph, f"stage{i}") for i in (1, 2, 3, 4, 5)] == [48, 144, 400, 1040, 2064]
    assert [graph[f"stage{i}.unit0.concat"].shape[2] for i in (1, 2, 3, 4, 5)] == [112, 56, 28, 14, 7]


def test_every_dense_layer_of_condensenet_is_indexed_shuffled_and_grouped() -> None:
    graph = make("condensenet_g8")
    stem, *layers = convs(graph)
    assert stem.groups == 1
    assert {conv.groups for conv in layers} == {8}
    assert sum(isinstance(node.op, ChannelShuffle) for node in graph) == len(layers) == 72


def test_half_of_condensenets_features_reach_the_classifier() -> None:
    graph = make("condensenet_g4")
    (index,) = [node for node in graph if isinstance(node.op, ChannelSlice)]
    (fc,) = [node.op for node in graph if isinstance(node.op, Linear)]
    assert index.shape == (1, 2064 // 2)
    assert fc.in_features == 2064 // 2
    assert size("condensenet_g4", classifier_share=1.0)[1] - size("condensenet_g4")[1] == 1000 * 2064 // 2


def test_condensenet_with_one_group_is_neither_indexed_nor_shuffled() -> None:
    assert not [node for node in make("condensenet", groups=1) if isinstance(node.op, ChannelShuffle)]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_wider_network_costs_more(name: str) -> None:
    sizes = [size(name, width=width, input=(64, 64)) for width in (0.5, 1.0, 2.0)]
    assert all(low[0] < high[0] and low[1] < high[1] for low, high in pairwise(sizes))


def test_the_knobs_of_a_dense_layer_set_its_channels() -> None:
    graph = make("densenet", growth_rate=10, bottleneck=3, repeats=(1, 1, 1, 1), stem_channels=16, compression=1.0)
    assert graph["stage1.unit0.conv1.conv"].shape[1] == 3 * 10
    assert out_channels(graph, "stage4") == 16 + 4 * 10


def test_growth_rates_may_differ_from_stage_to_stage() -> None:
    graph = make("densenet_light", growth_rate=(4, 8, 16), repeats=(1, 1, 1))
    assert [graph[f"stage{i}.unit0.conv2.conv"].shape[1] for i in (2, 3, 4)] == [4, 8, 16]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("densenet", {"depth": 120}, "densenet: depth must be one of 121, 161, 169, 201, but got 120"),
        ("densenet", {"repeats": (6, 12)}, "densenet: repeats must have one value or 4, but got 2"),
        ("densenet_light", {"growth_rate": (10, 20)}, "densenet_light: growth_rate must have one value or 3, but got 2"),
        ("condensenet", {"groups": 3}, "condensenet: groups must divide every growth rate, but got groups=3, .*Groups near 3: 2, 4."),
        ("condensenet", {"groups": 16}, "Groups near 16: 8."),
        ("densenet", {"compression": 1.5}, "compression must be at most 1, but got 1.5"),
        ("condensenet", {"classifier_share": 0.0}, "classifier_share must be above 0, but got 0"),
    ],
)
def test_a_network_that_cannot_exist_breaks_a_law(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError, match=words):
        make(name, **options)


@pytest.mark.parametrize("groups", [2, 4])
def test_the_groups_that_the_error_names_do_work(groups: int) -> None:
    assert size("condensenet", groups=groups, input=(32, 32))[0] > 0
