"""ShuffleNet v1: what its paper prints, its units, its knobs; bad knobs. xception_like is the same with one group."""

from __future__ import annotations

import pytest
from graph_reading import nodes_of, stage_outputs, units_per_stage

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir import Graph
from archspace.ir.ops import AvgPool2d, ChannelShuffle, Conv2d, Linear
from archspace.zoo import MEMBERS, build


def conv_madds(graph: Graph) -> int:
    return sum(graph.counts(node).madds for node in graph if isinstance(node.op, Conv2d))


@pytest.mark.parametrize(("groups", "millions"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])  # ShuffleNet v1, table 1
def test_shufflenet_v1_has_the_complexity_of_table_1_in_its_convolutions(groups: int, millions: int) -> None:
    assert round(conv_madds(build("shufflenet_v1", groups=groups)) / 1e6) == millions


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


def test_groups_may_differ_per_stage() -> None:
    graph = build("shufflenet_v1", groups=(2, 4, 8))
    for stage, groups, channels in ((2, 2, 200), (3, 4, 2 * 272), (4, 8, 4 * 384)):  # table 1's stage 2, doubled per stage
        units = [node for node in nodes_of(graph, Conv2d, "pw2.conv") if node.stage == f"stage{stage}"]
        assert {node.op.groups for node in units if isinstance(node.op, Conv2d)} == {groups}
        shuffles = [node for node in nodes_of(graph, ChannelShuffle) if node.stage == f"stage{stage}"]
        assert {node.op for node in shuffles} == {ChannelShuffle(groups)}
        assert stage_outputs(graph)[f"stage{stage}"][1] == channels


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
    # 272 * 0.5 * 1.1035 = 150.08: the nearest multiple of 4.
    assert stage_outputs(graph)["stage2"][1] == 152


@pytest.mark.parametrize(
    ("width", "channels"),
    [
        (0.125, 36),  # 272 * 0.125 * 1.05 = 35.7
        (0.25, 72),  # 272 * 0.25 * 1.05 = 71.4
        (0.375, 108),  # 272 * 0.375 * 1.07675, halfway, = 109.8
        (1.0, 300),  # 272 * 1.1035 = 300.2
    ],
)
def test_arch2_widens_by_1_05_at_0_25x_and_1_1035_from_0_5x_on(width: float, channels: int) -> None:
    assert stage_outputs(build("shufflenet_v1", groups=4, width=width, arch2=True))["stage2"][1] == channels


def test_a_group_of_a_bottleneck_has_at_least_four_channels() -> None:
    # A quarter of 96, 192 and 384 channels in 8 groups: 3, 6 and 12 channels each.
    graph = build("shufflenet_v1", groups=8, width=0.25)
    assert [graph[f"stage{i}.unit1.dw.conv"].shape[1] for i in (2, 3, 4)] == [8 * 4, 8 * 6, 8 * 12]


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
        ({"strides": (1, 2, 2, 2)}, "shufflenet_v1: repeats must have one value or 4, but got 3: (4, 8, 4)"),
        ({"strides": (2, 3, 2)}, "shufflenet_v1: strides must be at most 2, but got 3"),
        ({"kernel_size": (3, 4, 3)}, "shufflenet_v1: kernel_size must be odd, but got 4. Near: 3, 5."),
        ({"kernel_size": (3, 5)}, "shufflenet_v1: kernel_size must have one value or 3, but got 2: (3, 5)"),
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


# Strides, kernels, and the network of 50 layers ------------------------------------------------------------------------------------


def test_there_are_as_many_stages_as_strides_in_shufflenet_v1() -> None:
    graph = build("shufflenet_v1", strides=(1, 2), repeats=(2, 2))
    # Table 1 doubles the 240 channels of stage 2 for g = 3; at stride 1 the resolution of the stem stays.
    assert stage_outputs(graph)["stage2"] == (1, 240, 56, 56)
    assert stage_outputs(graph)["stage3"] == (1, 480, 28, 28)
    assert "stage4" not in stage_outputs(graph)


def test_a_first_unit_at_stride_1_projects_its_shortcut_and_adds() -> None:
    graph = build("shufflenet_v1", strides=(1, 2, 2))
    assert graph["stage2.unit0.shortcut.conv"].op == Conv2d(24, 240, 1)
    assert graph["stage2.unit0.pw2.conv"].shape == (1, 240, 56, 56)
    assert {graph.nodes[i].name for i in graph["stage2.unit0.add"].inputs} == {"stage2.unit0.shortcut.bn", "stage2.unit0.pw2.bn"}
    assert [node.block for node in nodes_of(graph, Conv2d, "shortcut.conv")] == ["stage2.unit0"]


def test_the_kernel_of_shufflenet_v1_may_differ_per_stage_and_keeps_the_shapes() -> None:
    graph, plain = build("shufflenet_v1", kernel_size=(3, 5, 7)), build("shufflenet_v1")
    for stage, k in ((2, 3), (3, 5), (4, 7)):
        assert {node.op.kernel_size for node in nodes_of(graph, Conv2d, "dw.conv") if node.stage == f"stage{stage}"} == {k}
    assert [(node.name, node.shape) for node in graph] == [(node.name, node.shape) for node in plain]
    # A bottleneck has a quarter of the stage's channels: stage 3 has 8 units of 480 / 4, stage 4 has 4 of 960 / 4.
    extra = (25 - 9) * 8 * 120 * 14**2 + (49 - 9) * 4 * 240 * 7**2
    assert total_counts(graph).madds - total_counts(plain).madds == extra


def test_shufflenet_v1_50_is_that_of_appendix_table_2() -> None:  # ShuffleNet v2, appendix table 2
    graph = build("shufflenet_v1_50")
    assert graph["stem.conv1.conv"].op == Conv2d(3, 64, 3, stride=2, padding=1)
    assert units_per_stage(graph) == {"stage2": 3, "stage3": 4, "stage4": 6, "stage5": 3}
    rows = [(360, 56), (720, 28), (1440, 14), (2880, 7)]
    assert [stage_outputs(graph)[f"stage{i}"] for i in (2, 3, 4, 5)] == [(1, c, side, side) for c, side in rows]
    assert graph["stage3.unit1.dw.conv"].shape[1] == 720 // 2  # 1:4, as printed, would make half of the printed 2.3 G
    assert abs(conv_madds(graph) / 2.3e9 - 1) <= 0.05 < 0.4 < 1 - conv_madds(build("shufflenet_v1_50", bottleneck=4)) / 2.3e9


def test_shufflenet_v1_50_has_50_layers() -> None:
    # conv1, three convolutions in each of 3 + 4 + 6 + 3 units, FC; shortcuts stand beside them.
    layers = [node for node in build("shufflenet_v1_50") if isinstance(node.op, Conv2d | Linear) and ".shortcut." not in node.name]
    assert len(layers) == 1 + 3 * 16 + 1 == 50


# Xception-like --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("member", "options"), [(m, options) for m, (family, options) in MEMBERS.items() if family == "xception_like"])
def test_xception_like_is_shufflenet_v1_with_one_group_node_for_node(member: str, options: dict[str, object]) -> None:
    assert build(member).nodes == build("shufflenet_v1", groups=1, **options).nodes


def test_xception_like_says_its_own_name_where_it_breaks_a_law() -> None:
    with pytest.raises(LawError) as caught:
        build("xception_like", stage_channels=(144, 144, 576))
    assert str(caught.value).startswith("xception_like: a stage must have more channels than its input")
