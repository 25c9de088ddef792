"""The families: what the papers print, to their last digit, and what every knob does."""

from __future__ import annotations

from dataclasses import Field, fields
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.analysis import analyze, total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Counts, Graph, Node
from archspace.ir.ops import AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, ChannelShuffle, Conv2d, Linear, SparseShift
from archspace.zoo import MEMBERS, ZOO, build, build_config, resolve
from archspace.zoo.config import make_config

SHUFFLENETS = ("shufflenet_v1", "shufflenet_v2")


def counts(name: str, **options: object) -> Counts:
    return total_counts(build(name, **options))


def conv_madds(graph: Graph) -> int:
    return sum(graph.counts(node).madds for node in graph if isinstance(node.op, Conv2d))


def nodes_of(graph: Graph, kind: type, ending: str = "") -> list[Node]:
    return [node for node in graph if isinstance(node.op, kind) and node.name.endswith(ending)]


def units_per_stage(graph: Graph) -> dict[str, int]:
    """How many blocks each stage has, the stem and the head left out."""
    blocks = {node.block for node in graph if ".unit" in node.block}
    return {
        stage: sum(block.startswith(f"{stage}.") for block in blocks) for stage in sorted({block.partition(".")[0] for block in blocks})
    }


def stage_outputs(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The shape that each stage hands on."""
    return {node.stage: node.shape for node in graph}


# What the papers print ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("groups", "millions"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])  # ShuffleNet v1, table 1
def test_shufflenet_v1_has_the_complexity_of_table_1_in_its_convolutions(groups: int, millions: int) -> None:
    assert round(conv_madds(build("shufflenet_v1", groups=groups)) / 1e6) == millions


@pytest.mark.parametrize(
    ("width", "millions", "params_millions"), [(0.5, 41, 1.4), (1.0, 146, 2.3), (1.5, 299, 3.5), (2.0, 591, 7.4)]
)  # ShuffleNet v2, table 5
def test_shufflenet_v2_has_the_size_of_table_5_and_its_complexity_within_1_5_percent(
    width: float, millions: int, params_millions: float
) -> None:
    found = counts("shufflenet_v2", width=width)
    assert round(found.params / 1e6, 1) == params_millions
    assert abs(found.madds / 1e6 / millions - 1) <= 0.015


@pytest.mark.parametrize(("width", "millions"), [(1.0, 569), (0.75, 325), (0.5, 149), (0.25, 41)])  # MobileNets, tables 6 and 8
def test_mobilenet_v1_has_its_published_complexity(width: float, millions: int) -> None:
    assert round(counts("mobilenet_v1", width=width).madds / 1e6) == millions


def test_mobilenet_v2_has_300_million_madds_and_3_5_million_params() -> None:
    found = counts("mobilenet_v2")
    assert abs(found.madds / 300e6 - 1) <= 0.005
    assert round(found.params / 1e6, 1) == 3.5  # as the authors' code gives; the paper's table 4 prints 3.4


def test_fenet_1_375x_has_563_million_madds_and_5_9_million_params() -> None:
    found = counts("fenet_1.375x")
    assert round(found.madds / 1e6) == 563  # SSL paper, table 5
    assert round(found.params / 1e6, 1) == 5.9


def test_fenet_1x_lies_within_1_percent_of_301_million_madds() -> None:
    assert abs(counts("fenet_1x").madds / 301e6 - 1) <= 0.01  # SSL paper, table 5


def test_fenet_cuts_fractions_of_channels_and_rounds_to_no_multiple() -> None:
    graph = build("fenet_1.375x")
    channels = [graph[name].shape[1] for name in ("stem.conv1.conv.bn", "stem.ib_ssl.project.bn", "stem.ib_pool.project.bn")]
    channels += [shape[1] for stage, shape in stage_outputs(graph).items() if stage.startswith("stage")]
    channels.append(graph["last.pw.bn"].shape[1])
    published = (16, 16, 32, 64, 128, 128, 256, 256, 1380)  # SSL paper, table 4
    assert channels == [int(1.375 * c) for c in published] == [22, 22, 44, 88, 176, 176, 352, 352, 1897]


@pytest.mark.parametrize(
    ("name", "madds", "params"), [("resnet18", 1_814_073_344, 11_689_512), ("resnet50", 4_089_184_256, 25_557_032)]
)  # torchvision's models
def test_resnets_are_torchvisions_to_the_last_digit(name: str, madds: int, params: int) -> None:
    found = counts(name)
    assert (found.madds, found.params) == (madds, params)


def test_a_stride_on_the_first_1x1_computes_that_convolution_at_half_the_resolution() -> None:
    ours, papers = counts("resnet50"), counts("resnet50_v1")
    # Stages 2 to 4 begin with a unit whose 1x1 works at 4 times the pixels when the stride is on the 3x3: c1 = 256, 512, 1024 into c1 / 2.
    first_1x1s = [256 * 128 * 28 * 28, 512 * 256 * 14 * 14, 1024 * 512 * 7 * 7]
    assert ours.madds - papers.madds == 3 * sum(first_1x1s)
    assert ours.params == papers.params


# What holds for the seed families (the others are tested in files of their own), and for all ---------------------------------------


SEEDS = ("shufflenet_v1", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", "resnet", "fenet")
SEED_MEMBERS = [member for member, (family, _) in MEMBERS.items() if family in SEEDS]


@pytest.mark.parametrize("member", SEED_MEMBERS)
def test_the_last_feature_map_is_the_input_over_the_stride(member: str) -> None:
    graph = build(member)
    family, _ = resolve(member)
    (pool,) = nodes_of(graph, AdaptiveAvgPool2d)
    ((_, _, height, width),) = graph.input_shapes(pool)
    assert ZOO[family].stride == 32
    assert (height, width) == (graph.input_shape[2] // 32, graph.input_shape[3] // 32)
    assert graph.nodes[graph.outputs[0]].shape == (1, 1000)


@pytest.mark.parametrize("family", SEEDS)
def test_a_family_takes_other_resolutions_and_batches(family: str) -> None:
    graph = build(family, input=(128, 160), batch=3, num_classes=10)
    (pool,) = nodes_of(graph, AdaptiveAvgPool2d)
    assert graph.input_shape == (3, 3, 128, 160)
    assert graph.input_shapes(pool)[0][2:] == (4, 5)
    assert graph.nodes[graph.outputs[0]].shape == (3, 10)


@pytest.mark.parametrize("family", ZOO)
def test_a_batch_multiplies_the_work_and_leaves_the_parameters(family: str) -> None:
    one, three = (counts(family, input=(64, 64), batch=batch) for batch in (1, 3))
    assert (three.madds, three.acts, three.params) == (3 * one.madds, 3 * one.acts, one.params)
    assert three.mem_elems - three.weight_elems == 3 * (one.mem_elems - one.weight_elems)


@pytest.mark.parametrize("family", SEEDS)
def test_the_number_of_classes_widens_the_last_layer_alone(family: str) -> None:
    few, many = (build(family, num_classes=n) for n in (10, 11))
    (fc,) = nodes_of(few, Linear)
    features = few.input_shapes(fc)[0][1]
    assert total_counts(many).params - total_counts(few).params == features + 1
    assert total_counts(many).madds - total_counts(few).madds == features


@pytest.mark.parametrize("family", SEEDS)
def test_an_input_below_the_stride_is_refused(family: str) -> None:
    assert build(family, input=(32, 32)).input_shape == (1, 3, 32, 32)
    for size, shown in (((31, 31), "31"), ((224, 16), "224x16")):
        with pytest.raises(LawError) as caught:
            build(family, input=size)
        law = f"{family}: the input must be at least the network's stride of 32 pixels"
        assert str(caught.value) == f"{law}, but got {shown}. Smallest input: 32."


@pytest.mark.parametrize("member", MEMBERS)
def test_a_graph_says_what_it_was_built_from_and_builds_again_from_that(member: str) -> None:
    graph = build(member)
    options = dict(graph.config)
    family = options.pop("family")
    assert family == graph.name == resolve(member)[0]
    assert build(family, **options) == graph


@pytest.mark.parametrize("member", SEED_MEMBERS)
def test_every_convolution_is_without_bias_and_followed_by_batch_norm(member: str) -> None:
    graph = build(member)
    normalised = {i for node in graph if isinstance(node.op, BatchNorm2d) for i in node.inputs}
    for position, node in enumerate(graph):
        if isinstance(node.op, Conv2d):
            assert not node.op.bias
            assert position in normalised


def test_a_member_is_its_family_with_options_and_more_may_be_given() -> None:
    assert resolve("resnet18") == ("resnet", {"depth": 18})
    assert resolve("resnet") == ("resnet", {})
    assert build("shufflenet_v1_0.5x_g8") == build("shufflenet_v1", groups=8, width=0.5) == build("shufflenet_v1", g=8, width=0.5)
    assert build("shufflenet_v1_0.5x_g8", groups=3) == build("shufflenet_v1_0.5x_g3")
    config = make_config("resnet", ZOO["resnet"].config, {"depth": 18})
    assert build_config("resnet", config) == build("resnet18")


def test_resolving_a_member_does_not_lend_out_the_table() -> None:
    resolve("resnet18")[1]["depth"] = 50
    assert resolve("resnet18") == ("resnet", {"depth": 18})


def test_no_member_is_named_twice_or_like_a_family() -> None:
    assert len(MEMBERS) == sum(len(family.members) for family in ZOO.values())
    assert not set(MEMBERS) & set(ZOO)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("shuflenet_v2", {}, "unknown network 'shuflenet_v2'. Did you mean 'shufflenet_v2'?"),
        ("resnet5O", {}, "unknown network 'resnet5O'. Did you mean 'resnet'?"),
        ("shufflenet_v1", {"group": 3}, "unknown option of shufflenet_v1 'group'. Did you mean 'groups'?"),
        ("resnet", {"widht": 2}, "unknown option of resnet 'widht'. Did you mean 'width'?"),
        ("fenet", {"spatial": "depthwize"}, "unknown value of fenet: spatial 'depthwize'. Did you mean 'depthwise'?"),
    ],
)
def test_a_misspelt_network_option_or_value_gets_the_nearest_one(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        build(name, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("family", "options"),
    [*((("shufflenet_v1"), {"groups": g}) for g in (1, 2, 3, 4, 8)), *((f, {}) for f in SEEDS if f not in SHUFFLENETS)],
)
def test_a_wider_network_never_computes_less(family: str, options: dict[str, int]) -> None:
    widths = [0.05 * i for i in range(4, 41)]
    madds = [counts(family, width=width, **options).madds for width in widths]
    assert all(narrow <= wide for narrow, wide in pairwise(madds))
    assert madds[0] < madds[-1] / 10


def test_shufflenet_v2_never_computes_less_when_wider_where_table_5_does_not_step_in() -> None:
    # Table 5 steps in at 0.5 (48 channels, where the scaled 1x column has 58) and at 2 (244, where it has 232).
    for low, high in ((4, 9), (11, 39), (41, 60)):
        madds = [counts("shufflenet_v2", width=0.05 * i).madds for i in range(low, high + 1)]
        assert all(narrow <= wide for narrow, wide in pairwise(madds))


# ShuffleNet v1 --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "channels"),
    [(1, (144, 288, 576)), (2, (200, 400, 800)), (3, (240, 480, 960)), (4, (272, 544, 1088)), (8, (384, 768, 1536))],
)  # ShuffleNet v1, table 1
def test_shufflenet_v1_has_the_channels_of_table_1(groups: int, channels: tuple[int, ...]) -> None:
    outputs = stage_outputs(build("shufflenet_v1", groups=groups))
    assert outputs["stem"] == (1, 24, 56, 56)
    assert [outputs[f"stage{i}"] for i in (2, 3, 4)] == [(1, c, side, side) for c, side in zip(channels, (28, 14, 7), strict=True)]


def test_groups_go_to_the_pointwise_convolutions_but_the_first() -> None:
    for node in nodes_of(build("shufflenet_v1", groups=4), Conv2d):
        assert isinstance(node.op, Conv2d)
        if node.op.kernel_size == 1:
            assert node.op.groups == (1 if node.name == "stage2.unit0.pw1.conv" else 4), node.name
        elif node.stage != "stem":
            assert node.op.is_depthwise


def test_one_group_is_xception_like_without_group_convolution_or_shuffle() -> None:
    graph = build("shufflenet_v1", groups=1)
    convs = [node.op for node in nodes_of(graph, Conv2d)]
    assert all(op.groups == 1 or op.is_depthwise for op in convs if isinstance(op, Conv2d))
    assert nodes_of(graph, ChannelShuffle) == []


@pytest.mark.parametrize(("family", "shuffles"), [("shufflenet_v1", 16), ("shufflenet_v2", 16)])
def test_without_shuffle_the_same_is_computed_and_less_is_moved(family: str, shuffles: int) -> None:
    with_shuffle, without = build(family), build(family, shuffle=False)
    moved = nodes_of(with_shuffle, ChannelShuffle)
    assert len(moved) == shuffles  # one per unit: 4 + 8 + 4
    assert nodes_of(without, ChannelShuffle) == []
    assert [node.name for node in without] == [node.name for node in with_shuffle if node not in moved]
    a, b = total_counts(with_shuffle), total_counts(without)
    assert (a.madds, a.params) == (b.madds, b.params)
    assert a.movement_elems - b.movement_elems == sum(with_shuffle.counts(node).mem_elems for node in moved)


def test_groups_may_differ_per_stage() -> None:
    graph = build("shufflenet_v1", groups=(2, 4, 8))
    for stage, groups, channels in ((2, 2, 200), (3, 4, 2 * 272), (4, 8, 4 * 384)):  # table 1's stage 2, doubled per stage
        units = [node for node in nodes_of(graph, Conv2d, "pw2.conv") if node.stage == f"stage{stage}"]
        assert {node.op.groups for node in units if isinstance(node.op, Conv2d)} == {groups}
        shuffles = [node for node in nodes_of(graph, ChannelShuffle) if node.stage == f"stage{stage}"]
        assert {node.op for node in shuffles} == {ChannelShuffle(groups)}
        assert stage_outputs(graph)[f"stage{stage}"][1] == channels


@pytest.mark.parametrize("family", SHUFFLENETS)
def test_units_may_differ_per_stage_in_the_shufflenets(family: str) -> None:
    assert units_per_stage(build(family)) == {"stage2": 4, "stage3": 8, "stage4": 4}
    assert units_per_stage(build(family, repeats=(2, 3, 1))) == {"stage2": 2, "stage3": 3, "stage4": 1}


def test_channels_may_differ_per_stage_and_allow_any_groups() -> None:
    graph = build("shufflenet_v1", groups=5, stage_channels=(100, 300, 450), stem_channels=20, bottleneck=5)
    assert [stage_outputs(graph)[f"stage{i}"][1] for i in (2, 3, 4)] == [100, 300, 450]
    assert stage_outputs(graph)["stem"][1] == 20
    assert graph["stage3.unit1.pw1.conv"].op == Conv2d(300, 60, 1, groups=5)  # a fifth of 300


def test_a_pooled_shortcut_keeps_its_channels_in_the_first_unit_of_a_stage() -> None:
    graph = build("shufflenet_v1", groups=3)
    assert graph["stage3.unit0.pool"].op == AvgPool2d(3, stride=2, padding=1)
    assert graph["stage3.unit0.pw2.conv"].shape[1] == 480 - 240


def test_arch2_has_two_units_fewer_in_stage_3_and_is_wider() -> None:
    graph = build("shufflenet_v1", groups=4, width=0.5, arch2=True)
    assert units_per_stage(graph) == {"stage2": 4, "stage3": 6, "stage4": 4}
    # 272 * 0.5 * 1.09 = 148.24: the nearest multiple of 4.
    assert stage_outputs(graph)["stage2"][1] == 148


def test_shallow_has_half_the_units_and_is_wider() -> None:
    graph = build("shufflenet_v1", groups=3, width=0.5, shallow=True)
    assert units_per_stage(graph) == {"stage2": 2, "stage3": 4, "stage4": 2}
    # 240 * 0.5 * 1.47 = 176.4: the nearest multiple of 3.
    assert stage_outputs(graph)["stage2"][1] == 177


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch2": True, "shallow": True}, "shufflenet_v1: at most one of arch2 and shallow may be set, but both are. Drop one."),
        ({"groups": 5}, "shufflenet_v1: table 1 has channels for groups 1, 2, 3, 4, 8, but got groups=5. Give stage_channels as well."),
        ({"groups": (3, 3)}, "shufflenet_v1: groups must have one value or 3, but got 2: (3, 3)"),
        ({"repeats": (4, 8)}, "shufflenet_v1: repeats must have one value or 3, but got 2: (4, 8)"),
        ({"stage_channels": (240, 480)}, "shufflenet_v1: stage_channels must have one value or 3, but got 2: (240, 480)"),
        (
            {"stage_channels": (240, 240, 960)},
            "shufflenet_v1: a stage must have more channels than its input, which its first unit keeps by concatenation, "
            "but got 240 after 240. Use stage_channels above 240, or a larger width.",
        ),
        (
            {"stage_channels": (241, 480, 960)},
            # the first unit keeps conv1's 24 channels, so its branch makes 217
            "shufflenet_v1: groups must divide the channels that a unit computes, but got groups=3, channels 241 - 24 = 217. "
            "Stage channels near 241: 240, 243.",
        ),
    ],
)
def test_shufflenet_v1_refuses_what_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(LawError) as caught:
        build("shufflenet_v1", **options)
    assert str(caught.value) == message


# ShuffleNet v2 --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "channels"),
    [(0.5, (48, 96, 192, 1024)), (1.0, (116, 232, 464, 1024)), (1.5, (176, 352, 704, 1024)), (2.0, (244, 488, 976, 2048))],
)  # ShuffleNet v2, table 5
def test_shufflenet_v2_has_the_channels_of_table_5(width: float, channels: tuple[int, ...]) -> None:
    outputs = stage_outputs(build("shufflenet_v2", width=width))
    assert tuple(outputs[stage][1] for stage in ("stage2", "stage3", "stage4", "conv5")) == channels


@pytest.mark.parametrize(
    ("width", "channels"),
    [
        (0.25, [24, 48, 96]),  # half of the 0.5x column: 48, 96, 192
        (0.75, [82, 164, 328]),  # halfway between 48, 96, 192 and 116, 232, 464
        (4.0, [488, 976, 1952]),  # twice the 2x column: 244, 488, 976
    ],
)
def test_other_widths_lie_between_the_columns_of_table_5(width: float, channels: list[int]) -> None:
    outputs = stage_outputs(build("shufflenet_v2", width=width))
    assert [outputs[f"stage{i}"][1] for i in (2, 3, 4)] == channels


def convolved(graph: Graph) -> list[list[int]]:
    """The channels that go through the convolutions of each basic unit, per stage."""
    nodes = [node for node in nodes_of(graph, Conv2d, "branch.pw1.conv") if not node.block.endswith("unit0")]
    return [[n.op.in_channels for n in nodes if n.stage == f"stage{i}" and isinstance(n.op, Conv2d)] for i in (2, 3, 4)]


def test_the_split_ratio_is_the_share_that_is_convolved() -> None:
    assert convolved(build("shufflenet_v2")) == [[58] * 3, [116] * 7, [232] * 3]
    assert convolved(build("shufflenet_v2", split_ratio=0.25)) == [[29] * 3, [58] * 7, [116] * 3]


def test_the_split_ratio_may_differ_per_stage() -> None:
    assert convolved(build("shufflenet_v2", split_ratio=(0.25, 0.5, 0.75))) == [[29] * 3, [116] * 7, [348] * 3]


def test_the_split_ratio_may_differ_per_unit() -> None:
    ratios = (0.25, 0.5, 0.75, *(0.5,) * 6, 0.25, 0.5, 0.5, 0.75)  # 3 + 7 + 3 basic units
    assert convolved(build("shufflenet_v2", split_ratio=ratios)) == [[29, 58, 87], [116] * 6 + [58], [232, 232, 348]]


def test_a_larger_split_ratio_convolves_more_and_keeps_the_shape() -> None:
    graphs = [build("shufflenet_v2", split_ratio=ratio) for ratio in (0.25, 0.5, 0.75)]
    madds = [total_counts(graph).madds for graph in graphs]
    assert madds == sorted(set(madds))
    assert len({tuple(stage_outputs(graph).values()) for graph in graphs}) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split_ratio": 0.001}, "a split must leave channels on both sides, but split_ratio=0.001 of 116 channels convolves 0"),
        ({"split_ratio": 1.0}, "a split must leave channels on both sides, but split_ratio=1 of 116 channels convolves 116"),
        ({"split_ratio": (0.5, 0.5, 1.5)}, "split_ratio=1.5 of 464 channels convolves 696. Use a ratio between 0.00216 and 0.998."),
        ({"split_ratio": (0.5, 0.5)}, "split_ratio must have one value, 3 (per stage) or 13 (per basic unit), but got 2"),
        (
            {"split_ratio": (0.5,) * 13, "repeats": (2, 2, 2)},
            "split_ratio must have one value, 3 (per stage) or 3 (per basic unit), but got 13",
        ),
        ({"split_ratio": 0}, "split_ratio must be above 0, but got 0"),
        ({"kernel_size": 4}, "kernel_size must be odd, but got 4. Near: 3, 5."),
        ({"stage_channels": (116, 231, 464)}, "stage_channels must be even (two branches), but got 231. Near: 230, 232."),
        ({"stage_channels": (116, 232)}, "stage_channels must have one value or 3, but got 2: (116, 232)"),
    ],
)
def test_shufflenet_v2_refuses_what_cannot_be(options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError) as caught:
        build("shufflenet_v2", **options)
    assert str(caught.value).startswith("shufflenet_v2: ")
    assert words in str(caught.value)


def test_a_larger_depthwise_kernel_keeps_the_sizes() -> None:
    graph = build("shufflenet_v2", kernel_size=5, stem_channels=16, conv5_channels=512, stage_channels=(32, 64, 128))
    assert [shape[1:] for stage, shape in stage_outputs(graph).items() if stage not in ("input", "head")] == [
        (16, 56, 56),
        (32, 28, 28),
        (64, 14, 14),
        (128, 7, 7),
        (512, 7, 7),
    ]
    assert graph["stage2.unit1.branch.dw.conv"].op == Conv2d(16, 16, 5, padding=2, groups=16)


# MobileNets -----------------------------------------------------------------------------------------------------------------------


def test_mobilenet_v1_has_13_separable_convolutions() -> None:
    graph = build("mobilenet_v1")
    assert sum(units_per_stage(graph).values()) == 13
    assert [shape[1:3] for stage, shape in stage_outputs(graph).items() if "stage" in stage] == [
        (64, 112), (128, 56), (256, 28), (512, 14), (1024, 7),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expansion", "factors"), [(6, (1, 6, 6, 6, 6, 6, 6)), (3, (1, 3, 3, 3, 3, 3, 3)), ((2, 3, 4, 5, 6, 1, 2), (2, 3, 4, 5, 6, 1, 2))]
)
def test_mobilenet_v2_expands_by_stage(expansion: int | tuple[int, ...], factors: tuple[int, ...]) -> None:
    graph = build("mobilenet_v2", expansion=expansion)
    for stage, factor in enumerate(factors, start=1):
        for node in nodes_of(graph, Conv2d, "dw.conv"):
            if node.stage == f"stage{stage}":
                unit_input = graph.nodes[graph[f"{node.block}.expand.conv" if factor > 1 else node.name].inputs[0]]
                assert node.shape[1] == factor * unit_input.shape[1]


def test_mobilenet_v2_adds_where_the_shape_stays() -> None:
    graph = build("mobilenet_v2")
    units = units_per_stage(graph)
    adds = [node.block for node in graph if node.name.endswith(".add")]
    # A unit after the first of its stage: 17 units in 7 stages.
    assert sum(units.values()) == 17
    assert len(adds) == 17 - 7


def test_mobilenet_v2_keeps_its_last_convolution_at_1280_when_narrow() -> None:
    last = {width: stage_outputs(build("mobilenet_v2", width=width))["last"][1] for width in (0.5, 1.0, 1.4)}
    assert last == {0.5: 1280, 1.0: 1280, 1.4: 1792}  # 1.4 * 1280
    assert stage_outputs(build("mobilenet_v2", last_channels=100))["last"][1] == 100


@pytest.mark.parametrize(("family", "stages"), [("mobilenet_v1", 5), ("mobilenet_v2", 7), ("fenet", 5)])
def test_repeats_and_channels_may_differ_per_stage(family: str, stages: int) -> None:
    repeats = (2, 1, 3, 1, 2, 1, 1)[:stages]
    channels = (16, 24, 40, 56, 72, 88, 104)[:stages]
    graph = build(family, repeats=repeats, stage_channels=channels)
    assert tuple(units_per_stage(graph).values()) == repeats
    assert tuple(stage_outputs(graph)[f"stage{i}"][1] for i in range(1, stages + 1)) == channels
    for knob, values in (("repeats", repeats[:2]), ("stage_channels", channels[:2])):
        with pytest.raises(LawError, match=f"{family}: {knob} must have one value or {stages}, but got 2"):
            build(family, **{knob: values})


# ResNet ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "params"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)]
)  # torchvision's models
def test_every_depth_has_torchvisions_parameters_and_as_many_layers_as_its_name_says(depth: int, params: int) -> None:
    graph = build("resnet", depth=depth)
    assert total_counts(graph).params == params
    layers = [node for node in graph if isinstance(node.op, Conv2d | Linear) and ".shortcut." not in node.name]
    assert len(layers) == depth


def test_resnet_refuses_other_depths_and_takes_other_units() -> None:
    with pytest.raises(LawError) as caught:
        build("resnet", depth=19)
    assert str(caught.value) == "resnet: depth must be one of 18, 34, 50, 101, 152, but got 19"
    assert tuple(units_per_stage(build("resnet", repeats=(1, 2, 1, 3))).values()) == (1, 2, 1, 3)
    with pytest.raises(LawError, match="resnet: repeats must have one value or 4, but got 2"):
        build("resnet", repeats=(3, 4))


# FE-Net ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.6, 1.0])
def test_shift_sparsity_is_the_share_of_channels_that_each_shift_leaves(sparsity: float) -> None:
    graph = build("fenet", shift_sparsity=sparsity)
    shifts = [node.op for node in nodes_of(graph, SparseShift)]
    assert len(shifts) == 1 + 18 - 3  # IB-SSL, and 3 + 4 + 4 + 4 + 3 units, of which three end in a pool
    for op in shifts:
        assert isinstance(op, SparseShift)
        assert op.moved_channels == op.channels - int(op.channels * sparsity + 0.5)
    assert (total_counts(graph).movement_elems == 0) == (sparsity == 1.0)  # splits and concats are done in place


def test_a_sparser_shift_moves_less_and_computes_the_same() -> None:
    dense, sparse = counts("fenet", shift_sparsity=0.3), counts("fenet", shift_sparsity=0.7)
    assert (dense.madds, dense.params) == (sparse.madds, sparse.params)
    assert dense.movement_elems > sparse.movement_elems > 0


def test_learned_shifts_add_two_parameters_per_expanded_channel() -> None:
    graph = build("fenet", learned_shifts=True)
    channels = sum(node.op.channels for node in graph if isinstance(node.op, SparseShift))
    fixed = counts("fenet")
    assert total_counts(graph).params - fixed.params == 2 * channels
    assert total_counts(graph).madds == fixed.madds


def test_the_depthwise_variant_has_a_3x3_convolution_and_batch_norm_where_the_shift_was() -> None:
    shift, depthwise = build("fenet"), build("fenet", spatial="depthwise")
    assert nodes_of(depthwise, SparseShift) == []
    channels = [node.op.channels for node in shift if isinstance(node.op, SparseShift)]
    convs = nodes_of(depthwise, Conv2d, "dw.conv")
    assert [node.op for node in convs] == [Conv2d(c, c, 3, padding=1, groups=c) for c in channels]
    extra = sum(9 * c + 2 * c for c in channels)
    assert total_counts(depthwise).params - total_counts(shift).params == extra


def test_fenet_expands_by_stage() -> None:
    graph = build("fenet", expansion=(1, 2, 3, 4, 5))
    for stage in range(1, 6):
        expand = graph[f"stage{stage}.unit0.expand.conv"].op
        assert isinstance(expand, Conv2d)
        assert expand.out_channels == stage * expand.in_channels
    with pytest.raises(LawError, match="fenet: expansion must have one value or 5, but got 2"):
        build("fenet", expansion=(6, 6))


def test_the_units_of_an_fe_block_work_on_ever_more_channels() -> None:
    graph = build("fenet")
    # Stage 2: 64 channels in, four units: 2^(l-1) of 8 parts, the last on all (SSL paper, figure 3).
    parts = [graph[f"stage2.unit{i}.expand.conv"].op for i in range(4)]
    assert [op.in_channels for op in parts if isinstance(op, Conv2d)] == [8, 16, 32, 64]


@pytest.mark.parametrize("sparsity", [-0.1, 1.1])
def test_shift_sparsity_is_a_share(sparsity: float) -> None:
    with pytest.raises(LawError) as caught:
        build("fenet", shift_sparsity=sparsity)
    assert str(caught.value) == f"fenet: shift_sparsity must be between 0 and 1, but got {sparsity}"


def test_an_fe_block_has_channels_for_its_parts() -> None:
    with pytest.raises(LawError) as caught:
        build("fenet", repeats=(7, 4, 4, 4, 3))
    # 32 channels into stage 1: at most 2^5 parts, six units.
    law = "stage1: an FE-block of n units splits its input into 2^(n-1) parts, but got n=7, channels=32"
    assert str(caught.value) == f"{law}. Use at most 6 units or a larger width."
    assert build("fenet", repeats=(6, 4, 4, 4, 3))["stage1.unit4.concat"].shape[1] == 32


# Anything goes, or says why not ---------------------------------------------------------------------------------------------------

widths = st.sampled_from([1e-9, 1e-3, 0.1, 0.25, 0.37, 0.5, 1.0, 1.41, 2.0, 3.3])
shares = st.sampled_from([1e-3, 0.1, 0.25, 0.5, 0.77, 0.999, 1.0, 7.5])
sizes = st.tuples(st.integers(1, 80), st.integers(1, 80))
few = st.sampled_from([1, 2, 3, 4, 5, 8])
channel_counts = st.sampled_from([1, 2, 3, 8, 16, 24, 58, 60, 116, 240, 480, 960])


def per_stage(values: st.SearchStrategy[int], stages: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.integers(stages - 1, stages).flatmap(lambda n: st.tuples(*[values] * n))


KNOBS: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "shufflenet_v1": {
        "groups": few | per_stage(few, 3),
        "width": widths,
        "repeats": per_stage(few, 3),
        "stage_channels": per_stage(channel_counts, 3),
        "stem_channels": channel_counts,
        "bottleneck": few,
        "arch2": st.booleans(),
        "shallow": st.booleans(),
        "shuffle": st.booleans(),
    },
    "shufflenet_v2": {
        "width": widths,
        "split_ratio": shares | st.tuples(shares, shares, shares),
        "repeats": per_stage(few, 3),
        "stage_channels": per_stage(channel_counts, 3),
        "stem_channels": channel_counts,
        "conv5_channels": channel_counts,
        "kernel_size": few,
        "shuffle": st.booleans(),
    },
    "mobilenet_v1": {"width": widths, "repeats": per_stage(few, 5), "stage_channels": per_stage(channel_counts, 5)},
    "mobilenet_v2": {
        "width": widths,
        "expansion": few | per_stage(few, 7),
        "repeats": per_stage(few, 7),
        "stage_channels": per_stage(channel_counts, 7),
        "last_channels": channel_counts,
    },
    "resnet": {
        "depth": st.sampled_from([18, 34, 50, 101, 152, 20]),
        "width": widths,
        "repeats": per_stage(few, 4),
        "stride_on_3x3": st.booleans(),
    },
    "fenet": {
        "width": widths,
        "shift_sparsity": shares,
        "learned_shifts": st.booleans(),
        "spatial": st.sampled_from(["shift", "depthwise"]),
        "expansion": few | per_stage(few, 5),
        "repeats": per_stage(few, 5),
        "stage_channels": per_stage(channel_counts, 5),
    },
}
COMMON: dict[str, st.SearchStrategy[object]] = {"input": sizes, "batch": few, "num_classes": channel_counts}


def test_every_knob_of_every_family_is_drawn_below() -> None:
    for name in SEEDS:
        family = ZOO[name]
        assert set(KNOBS[name]) | set(COMMON) == set(family.config.__dataclass_fields__)


def drawn_from(knob: Field[Any]) -> st.SearchStrategy[object]:
    """Values of a knob by its annotation, where no row of KNOBS says better."""
    kind, default = str(knob.type), knob.default
    if knob.metadata["choices"]:
        return st.sampled_from(knob.metadata["choices"])
    if kind == "bool":
        return st.booleans()
    number: st.SearchStrategy[object] = shares if "float" in kind else few | channel_counts
    if "tuple" not in kind:
        return number
    several = per_stage(number, len(default) if isinstance(default, tuple) else 4)
    return several if kind.startswith("tuple") else number | several


def knobs_of(family: str) -> dict[str, st.SearchStrategy[object]]:
    config = fields(ZOO[family].config)
    return KNOBS.get(family) or {knob.name: drawn_from(knob) for knob in config if knob.name not in COMMON}


@settings(max_examples=100, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("family", ZOO)
def test_any_knobs_build_a_graph_or_break_a_law_and_nothing_else(family: str, data: st.DataObject) -> None:
    options = data.draw(st.fixed_dictionaries({}, optional=knobs_of(family) | COMMON))
    try:
        graph = build(family, **options)
    except LawError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    totals = analyze(graph).totals
    assert totals.madds > 0
    assert totals.params > 0
    assert graph.nodes[graph.outputs[0]].shape == (
        options.get("batch", 1),
        options.get("num_classes", ZOO[family].config().num_classes),
    )


@pytest.mark.parametrize("family", ZOO)
@pytest.mark.parametrize("width", [1e307, 10**400], ids=["1e307", "10**400"])
def test_an_absurd_width_breaks_a_law_and_nothing_else(family: str, width: float) -> None:
    with pytest.raises(LawError, match="width"):
        build(family, width=width)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("shufflenet_v2", {"split_ratio": 1e308}),
        ("shufflenet_v2", {"split_ratio": (0.5, float("inf"), 0.5)}),
        ("shufflenet_v2", {"split_ratio": (0.5, float("nan"), 0.5)}),
        ("fenet", {"shift_sparsity": 10**400}),
        ("fenet", {"shift_sparsity": float("nan")}),
    ],
)
def test_an_absurd_share_breaks_a_law_and_nothing_else(family: str, options: dict[str, object]) -> None:
    with pytest.raises(LawError, match=next(iter(options))):
        build(family, **options)
