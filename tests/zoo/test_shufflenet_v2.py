"""ShuffleNet v2: what its paper prints, its units, its knobs; bad knobs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from graph_reading import counts, nodes_of, stage_outputs, units_per_stage

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir import Graph
from archspace.ir.ops import Add, Conv2d, Linear, ReLU
from archspace.zoo import build


@pytest.mark.parametrize(
    ("width", "millions", "params_millions"), [(0.5, 41, 1.4), (1.0, 146, 2.3), (1.5, 299, 3.5), (2.0, 591, 7.4)]
)  # ShuffleNet v2, table 5
def test_shufflenet_v2_has_the_size_of_table_5_and_its_complexity_within_1_5_percent(
    width: float, millions: int, params_millions: float
) -> None:
    found = counts("shufflenet_v2", width=width)
    assert round(found.params / 1e6, 1) == params_millions
    assert abs(found.madds / 1e6 / millions - 1) <= 0.015


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


@pytest.mark.parametrize(("equal_branches", "least"), [(False, 4), (True, 4)])
def test_shufflenet_v2_never_computes_less_when_wider_where_table_5_does_not_step_in(equal_branches: bool, least: int) -> None:
    # Table 5 steps in at 0.5 (48 channels, where the scaled 1x column has 58) and at 2 (244, where it has 232).
    for low, high in ((least, 9), (11, 39), (41, 60)):
        madds = [counts("shufflenet_v2", width=0.05 * i, equal_branches=equal_branches).madds for i in range(low, high + 1)]
        assert all(narrow <= wide for narrow, wide in pairwise(madds))


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
        ({"strides": (1, 2, 2, 2)}, "table 5 has channels for three stages, but got strides for 4. Give stage_channels as well."),
        (
            {"strides": (1, 2, 2, 2), "stage_channels": (60, 116, 232, 464)},
            "repeats must have one value or 4, but got 3: (4, 8, 4)",
        ),
        ({"strides": (2, 3, 2)}, "strides must be at most 2, but got 3"),
        ({"kernel_size": (3, 3, 6)}, "kernel_size must be odd, but got 6. Near: 5, 7."),
        ({"kernel_size": (3, 5)}, "kernel_size must have one value or 3, but got 2: (3, 5)"),
    ],
)
def test_shufflenet_v2_refuses_what_cannot_be(options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError) as caught:
        build("shufflenet_v2", **options)
    assert str(caught.value).startswith("shufflenet_v2: ")
    assert words in str(caught.value)


# First units, residual, v2* -------------------------------------------------------------------------------------------------------


def test_the_shortcut_of_a_first_unit_keeps_as_many_channels_as_it_reads() -> None:
    graph = build("shufflenet_v2")
    kept = [graph[f"stage{i}.unit0.shortcut.pw.conv"].op for i in (2, 3, 4)]
    assert kept == [Conv2d(24, 24, 1), Conv2d(116, 116, 1), Conv2d(232, 232, 1)]
    assert graph["stage2.unit0.branch.pw2.conv"].op == Conv2d(58, 116 - 24, 1)


def test_the_shortcut_of_a_first_unit_keeps_at_most_half_of_the_output() -> None:
    graph = build("shufflenet_v2", stage_channels=(40, 60, 100))
    kept = [graph[f"stage{i}.unit0.shortcut.pw.conv"].op for i in (2, 3, 4)]
    assert kept == [Conv2d(24, 20, 1), Conv2d(40, 30, 1), Conv2d(60, 50, 1)]


def test_equal_branches_give_half_of_the_channels_each_in_stage_2_alone() -> None:
    graph, equal = build("shufflenet_v2"), build("shufflenet_v2", equal_branches=True)
    assert equal["stage2.unit0.shortcut.pw.conv"].op == Conv2d(24, 58, 1)
    assert equal["stage2.unit0.branch.pw2.conv"].op == Conv2d(58, 58, 1)
    # 34 channels change sides: made of 58 channels in the branch, of 24 in the shortcut.
    assert total_counts(graph).madds - total_counts(equal).madds == 34 * (58 - 24) * 28**2
    assert [node for node in graph if node.stage in ("stage3", "stage4")] == [n for n in equal if n.stage in ("stage3", "stage4")]


@pytest.mark.parametrize(("width", "millions"), [(1.0, 146), (1.5, 299), (2.0, 591)])  # ShuffleNet v2, table 5
def test_shufflenet_v2_has_the_complexity_of_table_5_to_the_printed_digit(width: float, millions: int) -> None:
    assert round(counts("shufflenet_v2", width=width).madds / 1e6) == millions


def test_residual_adds_what_is_convolved_to_its_input_in_every_unit_that_keeps_the_shape() -> None:  # appendix figure 2a
    plain, residual = build("shufflenet_v2"), build("shufflenet_v2", residual=True)
    adds = nodes_of(residual, Add)
    assert [node.block for node in adds] == [f"stage{s}.unit{i}" for s, n in ((2, 4), (3, 8), (4, 4)) for i in range(1, n)]
    for node in adds:
        assert [residual.nodes[i].name for i in node.inputs] == [f"{node.block}.split", f"{node.block}.branch.pw2.bn"]
        after = residual[f"{node.block}.branch.act"]  # the ReLU that stood before stands behind the addition
        assert after.op == ReLU()
        assert residual.nodes[after.inputs[0]] == node
    a, b = total_counts(plain), total_counts(residual)
    assert (a.madds, a.params) == (b.madds, b.params)
    # An addition reads two tensors and writes one, of c' channels: 3, 7 and 3 times.
    assert b.mem_elems - a.mem_elems == 3 * (3 * 58 * 28**2 + 7 * 116 * 14**2 + 3 * 232 * 7**2)
    assert len(nodes_of(plain, ReLU)) == len(nodes_of(residual, ReLU))


def test_v2_star_has_one_more_depthwise_convolution_per_unit_and_is_otherwise_the_same() -> None:
    plain, star = build("shufflenet_v2"), build("shufflenet_v2_1x_star")
    added = [node for node in star if ".branch.dw0." in node.name]
    assert [(n.name, n.op, n.shape) for n in star if n not in added] == [(n.name, n.op, n.shape) for n in plain]
    # (channels, side, units): first units convolve all that they read, at its resolution; the others their half.
    rows = [(24, 56, 1), (58, 28, 3), (116, 28, 1), (116, 14, 7), (232, 14, 1), (232, 7, 3)]
    assert [(node.shape[1], node.shape[2]) for node in added if isinstance(node.op, Conv2d)] == [
        (c, h) for c, h, n in rows for _ in range(n)
    ]
    assert total_counts(star).madds - total_counts(plain).madds == sum(n * 9 * h * h * c for c, h, n in rows)
    assert total_counts(star).params - total_counts(plain).params == sum(n * (9 * c + 2 * c) for c, _, n in rows)  # and batch norm


# Strides, stems, kernels, and the large networks -----------------------------------------------------------------------------------


def test_there_are_as_many_stages_as_strides_in_shufflenet_v2() -> None:
    graph = build("shufflenet_v2", strides=(1, 2, 1, 2), repeats=(1, 2, 1, 2), stage_channels=(32, 64, 96, 128))
    sides = [stage_outputs(graph)[f"stage{i}"][1:3] for i in (2, 3, 4, 5)]
    assert sides == [(32, 56), (64, 28), (96, 28), (128, 14)]
    assert units_per_stage(graph) == {"stage2": 1, "stage3": 2, "stage4": 1, "stage5": 2}


def test_several_stem_channels_are_several_convolutions_of_which_the_first_has_the_stride() -> None:
    graph = build("shufflenet_v2", stem_channels=(8, 16, 24))
    convs = [node.op for node in nodes_of(graph, Conv2d) if node.stage == "stem"]
    assert convs == [Conv2d(3, 8, 3, stride=2, padding=1), Conv2d(8, 16, 3, padding=1), Conv2d(16, 24, 3, padding=1)]
    assert build("shufflenet_v2", stem_channels=(24,)).nodes == build("shufflenet_v2").nodes


def test_the_kernel_of_shufflenet_v2_may_differ_per_stage() -> None:
    graph = build("shufflenet_v2", kernel_size=(3, 5, 7), depthwise_first=True)
    for stage, k in ((2, 3), (3, 5), (4, 7)):
        depthwise = [node.op for node in nodes_of(graph, Conv2d) if node.stage == f"stage{stage}" and node.op.is_depthwise]
        assert {op.kernel_size for op in depthwise} == {k}


LARGE = [  # member, stem channels, units per stage, channels per stage, layers besides those of the units
    ("shufflenet_v2_50", (64,), (3, 4, 6, 3), (244, 488, 976, 1952), 1 + 1 + 1),
    ("se_shufflenet_v2_164", (64, 64, 128), (10, 10, 23, 10), (340, 680, 1360, 2720), 3 + 1 + 1),
]


@pytest.mark.parametrize(("member", "stem", "units", "channels", "others"), LARGE)
def test_the_large_networks_are_those_of_appendix_table_2(
    member: str, stem: tuple[int, ...], units: tuple[int, ...], channels: tuple[int, ...], others: int
) -> None:
    graph = build(member)
    assert tuple(node.shape[1] for node in nodes_of(graph, Conv2d) if node.stage == "stem") == stem
    assert tuple(units_per_stage(graph).values()) == units
    outputs = stage_outputs(graph)
    rows = zip(channels, (56, 28, 14, 7), strict=True)
    assert [outputs[f"stage{i}"] for i in (2, 3, 4, 5)] == [(1, c, side, side) for c, side in rows]
    assert outputs["conv5"] == (1, 2048, 7, 7)  # conv6 of the table


@pytest.mark.parametrize(("member", "stem", "units", "channels", "others"), LARGE)
def test_the_large_networks_have_as_many_layers_as_their_rows_say(
    member: str, stem: tuple[int, ...], units: tuple[int, ...], channels: tuple[int, ...], others: int
) -> None:
    # Along a branch: the stem, three convolutions per unit, conv6, FC. 164 = 3 + 3 * 53 + 1 + 1, as its name says. The 50-layer network
    # has 1 + 3 * 16 + 1 + 1 = 51: its name comes from the units that it shares with ResNet-50, which has no conv6.
    aside = (".shortcut.", ".se.")
    layers = [n for n in build(member) if isinstance(n.op, Conv2d | Linear) and not any(word in n.name for word in aside)]
    assert len(layers) == 3 * sum(units) + others
    assert len(layers) == {"shufflenet_v2_50": 51, "se_shufflenet_v2_164": 164}[member]


def test_in_the_164_layer_network_squeeze_and_excitation_stands_right_before_the_residual_addition() -> None:
    graph = build("se_shufflenet_v2_164")
    units = [(s, i) for s, n in ((2, 10), (3, 10), (4, 23), (5, 10)) for i in range(n)]
    assert len(nodes_of(graph, Add)) == len(units) - 4  # not in first units, which change the shape
    for stage, i in units:
        if i > 0:
            place = f"stage{stage}.unit{i}"
            reads = [graph.nodes[source].name for source in graph[f"{place}.branch.add"].inputs]
            assert reads == [f"{place}.split", f"{place}.branch.se.scale"]
    # Hidden: half of the block's channels, where it splits them.
    assert [graph[f"stage{s}.unit1.branch.se.fc1"].shape[1] for s in (2, 3, 4, 5)] == [340 // 2, 680 // 2, 1360 // 2, 2720 // 2]
