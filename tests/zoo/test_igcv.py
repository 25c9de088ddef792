"""IGCV2 and IGCV3-D: published sizes, structure, knobs, bad knobs."""

from __future__ import annotations

import pytest

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, ChannelShuffle, Conv2d, ReLU, ReLU6
from archspace.zoo.config import make_config
from archspace.zoo.igcv import FAMILIES

OPTIONS = {member: (name, options) for name, family in FAMILIES.items() for member, options in family.members.items()}


def make(name: str, **options: object) -> Graph:
    family, member = OPTIONS.get(name, (name, {}))
    config = make_config(family, FAMILIES[family].config, {**member, **options})
    return FAMILIES[family].build(config, Builder(family))


def size(name: str, **options: object) -> tuple[int, int]:
    found = total_counts(make(name, **options))
    return found.madds, found.params


def groups_of(graph: Graph, ending: str) -> set[int]:
    return {node.op.groups for node in graph if isinstance(node.op, Conv2d) and node.name.endswith(f"{ending}.conv")}


def last_of_stages(graph: Graph, stages: int) -> list[tuple[int, ...]]:
    """Channels, height and width that each stage hands on."""
    return [[node.shape[1:] for node in graph if node.name.startswith(f"stage{i}.")][-1] for i in range(1, stages + 1)]


@pytest.mark.parametrize(
    ("member", "millions", "madds", "params"),
    [
        ("igcv2_0.25x", 46, 45_160_384, 464_480),
        ("igcv2_0.5x", 156, 151_134_080, 1_283_272),
        ("igcv2_1x", 564, 561_176_320, 3_988_168),
        ("igcv3_d_0.7x", 210, 219_749_636, 2_806_824),
        ("igcv3_d_1x", 318, 312_970_176, 3_491_688),
        ("igcv3_d_1.4x", 610, 590_016_420, 6_023_004),
    ],
)  # ShuffleNet v2, table 8
def test_igcv_lies_within_5_percent_of_the_published_complexity(member: str, millions: int, madds: int, params: int) -> None:
    assert size(member) == (madds, params)
    assert abs(madds / 1e6 / millions - 1) <= 0.05


@pytest.mark.parametrize(
    ("width", "params"), [(1.0, 3_491_688), (0.75, 2_638_084), (0.5, 1_985_528), (0.25, 1_534_020)]
)  # pytorchcv's igcv3_w1, igcv3_w3d4, igcv3_wd2, igcv3_wd4
def test_igcv3_has_the_parameters_of_an_independent_implementation_to_the_last_digit(width: float, params: int) -> None:
    assert size("igcv3_d", width=width)[1] == params


def test_igcv3_d_has_mobilenet_v2s_stages_with_more_blocks() -> None:
    graph = make("igcv3_d_1x")
    channels = (16, 24, 32, 64, 96, 160, 320)  # MobileNetV2, table 2
    sides = (112, 56, 28, 14, 14, 7, 7)
    assert last_of_stages(graph, 7) == [(c, side, side) for c, side in zip(channels, sides, strict=True)]
    blocks = [len({n.block for n in graph if n.name.startswith(f"stage{i}.")}) for i in range(1, 8)]
    assert blocks == [1, 4, 6, 8, 6, 6, 1]  # the authors' code
    # A shortcut in all but the first block of each stage.
    assert sum(isinstance(node.op, Add) for node in graph) == sum(blocks) - 7


def test_an_igcv3_block_permutes_after_both_group_convolutions_and_activates_once() -> None:
    graph = make("igcv3_d_1x")
    block = [node for node in graph if node.block == "stage2.unit1"]
    assert [node.name.removeprefix("stage2.unit1.") for node in block] == [
        *("expand.conv", "expand.bn", "shuffle1", "dw.conv", "dw.bn", "dw.act", "project.conv", "project.bn", "shuffle2", "add")
    ]
    assert (graph["stage2.unit1.shuffle1"].op, graph["stage2.unit1.shuffle2"].op) == (ChannelShuffle(2), ChannelShuffle(24 // 2))
    assert groups_of(graph, "expand") == groups_of(graph, "project") == {2}
    assert sum(isinstance(node.op, ReLU6) for node in block) == 1


def test_the_first_igcv3_block_keeps_its_expansion_by_one() -> None:
    assert make("igcv3_d_1x")["stage1.unit0.expand.conv"].op == Conv2d(32, 32, 1, groups=2)


def test_igcv3_rounds_odd_channels_up() -> None:
    channels = [c for c, _, _ in last_of_stages(make("igcv3_d", width=0.7), 7)]
    # 0.7 times 16, 24, 32, 64, 96, 160, 320 is 11.2, 16.8, 22.4, 44.8, 67.2, 112 and 224: 11, 17, 45 and 67 are odd.
    assert channels == [12, 18, 22, 46, 68, 112, 224]


def test_a_multiplier_of_0_7_lies_far_below_the_published_0_7x() -> None:
    assert round(size("igcv3_d", width=0.7)[0] / 1e6) == 175  # published: 210


def test_igcv2_has_one_and_a_half_times_mobilenets_channels_and_its_features() -> None:
    graph = make("igcv2_1x")
    channels = (64, 128, 256, 512)  # MobileNets, table 1
    assert [c for c, _, _ in last_of_stages(graph, 5)] == [3 * c // 2 for c in channels] + [1024]
    assert [side for _, side, _ in last_of_stages(graph, 5)] == [112, 56, 28, 14, 7]
    assert graph["stage5.unit0.pw2.bn"].shape[1] == graph["stage5.unit1.pw1.bn"].shape[1] == 3 * 1024 // 2
    assert graph["stem.conv1.bn"].shape[1] == 3 * 32 // 2


def test_an_igcv2_block_is_a_product_of_three_sparse_kernels_with_one_activation() -> None:
    graph = make("igcv2_1x")
    block = [node for node in graph if node.block == "stage3.unit1"]
    assert [node.op.groups for node in block if isinstance(node.op, Conv2d)] == [384, 8, 4]  # a channel each, 8 and 4 groups
    assert [node.op for node in block if isinstance(node.op, ChannelShuffle)] == [ChannelShuffle(8)]
    assert [node.name for node in block if isinstance(node.op, ReLU)] == ["stage3.unit1.pw2.act"]


def test_igcv2_takes_any_number_of_group_convolutions() -> None:
    graph = make("igcv2", groups=(4, 4, 4))
    assert sum(node.name.endswith("pw3.conv") for node in graph) == 13
    dense = make("igcv2", groups=1, stage_channels=(64, 128, 256, 512, 1024), stem_channels=32)
    assert total_counts(dense).madds == 568_740_352  # MobileNet v1


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "igcv2",
            {"stage_channels": (60, 128, 256, 512, 1024)},
            r"stage1.unit0.pw1.conv: groups must divide out_channels.*near 8: 6, 10\.",
        ),
        ("igcv2", {"stage_channels": (64, 128)}, "igcv2: stage_channels must have one value or 5, but got 2"),
        ("igcv3_d", {"stage_channels": (16, 24, 33, 64, 96, 160, 320)}, "stage3.unit0.project.conv: groups must divide out_channels"),
        ("igcv3_d", {"groups": (2, 2, 2)}, "igcv3_d: groups must have one value or 2, but got 3"),
        ("igcv3_d", {"expansion": (1, 6)}, "igcv3_d: expansion must have one value or 7, but got 2"),
    ],
)
def test_a_network_that_cannot_exist_breaks_a_law(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError, match=words):
        make(name, **options)
