"""ShiftNet, ShiftResNet and AS-ResNet: their complexity from structure, their shifts, and what their knobs do."""

from __future__ import annotations

import pytest

from archspace.analysis import analyze, total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.ops import AdaptiveAvgPool2d, AvgPool2d, Conv2d, GroupedShift, Pool, SparseShift
from archspace.zoo.config import StageCountError, make_config
from archspace.zoo.shiftnet import FAMILIES, SSL_TABLE_1, SSL_TABLE_2

SHIFTRESNETS = tuple(FAMILIES["shiftresnet"].members)


def net(name: str, **options: object) -> Graph:
    """A family or member of this file with its options."""
    for family_name, family in FAMILIES.items():
        if name == family_name or name in family.members:
            config = make_config(family_name, family.config, {**family.members.get(name, {}), **options})
            return family.build(config, Builder(name))
    raise UnknownNameError("network", name, FAMILIES)


def shifts(graph: Graph) -> list[GroupedShift | SparseShift]:
    return [node.op for node in graph if isinstance(node.op, GroupedShift | SparseShift)]


def moved_elements(graph: Graph) -> int:
    """What shifts write."""
    return sum(graph.counts(node).out_elems for node in graph if isinstance(node.op, GroupedShift | SparseShift))


# Exact complexity -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "madds", "params", "printed_madds", "printed_params"),
    [  # SSL, table 5; it cuts the parameters of both to two digits
        ("shiftnet_a", 1_424_306_176, 4_187_720, 1400e6, 4.1e6),
        ("shiftnet_b", 366_942_208, 1_149_976, 371e6, 1.1e6),
    ],
)
def test_shiftnets_are_the_printed_ones(name: str, madds: int, params: int, printed_madds: float, printed_params: float) -> None:
    found = total_counts(net(name))
    assert (found.madds, found.params) == (madds, params)
    assert abs(madds / printed_madds - 1) < 0.02
    assert int(params / 1e5) == round(printed_params / 1e5)


@pytest.mark.parametrize("name", SHIFTRESNETS)
def test_shiftresnets_have_the_size_of_ssl_table_1_within_1_percent_whatever_is_shifted(name: str) -> None:
    printed_flops, printed_params, params = (53e6, 0.16e6, 158_452) if "_20_" in name else (166e6, 0.55e6, 554_932)
    report = analyze(net(name))
    assert report.totals.params == params
    assert abs(params / printed_params - 1) < 0.01
    assert abs(report.flops("torch") / printed_flops - 1) < 0.01  # the table counts a multiply and an add as two


def test_shiftresnet_20_by_hand() -> None:
    # Units of 6 * c at the shift. Stage 1: 16 -> 96 -> 16 at 32x32. A strided unit computes the c channels that the concat adds.
    same = 2 * 6 * 16 * 16 * 32**2  # the same in each stage: twice the channels, a quarter of the pixels, twice
    strided = 6 * 16 * 16 * (32**2 + 16**2) + 6 * 32 * 32 * (16**2 + 8**2)
    madds = 27 * 16 * 32**2 + (3 + 2 + 2) * same + strided + 64 * 100
    assert total_counts(net("shiftresnet_20_grouped")).madds == madds == 26_401_024


@pytest.mark.parametrize(
    ("width", "madds", "params", "printed_madds", "printed_params"),
    [(50, 397_574_400, 1_962_950, 404e6, 1.96e6), (68, 726_866_688, 3_424_460, 729e6, 3.42e6)],  # SSL, table 5
)
def test_as_resnets_are_the_printed_ones(width: int, madds: int, params: int, printed_madds: float, printed_params: float) -> None:
    found = total_counts(net(f"as_resnet_w{width}"))
    assert (found.madds, found.params) == (madds, params)
    assert -0.02 < madds / printed_madds - 1 < 0  # the print may count some of the shifts' interpolation
    assert abs(params / printed_params - 1) < 0.002


def test_the_interpolation_of_active_shifts_would_make_up_for_what_as_resnet_w50_lacks() -> None:
    graph = net("as_resnet_w50")
    # Elements behind each shift's stride: the unit of the stem, then 3, 4, 6 and 3 units of w to 8w channels.
    elements = 50 * 112**2 + 3 * 50 * 56**2 + 4 * 100 * 28**2 + 6 * 200 * 14**2 + 3 * 400 * 7**2
    assert round((total_counts(graph).madds + 4 * elements) / 1e6) == 404  # SSL, table 5; a bilinear sum has four terms


# Structure ------------------------------------------------------------------------------------------------------------------------


def test_shiftnet_a_has_11_shifts_on_a_5x5_grid() -> None:  # SSL, footnote 1
    kernels = [op.kernel_size for op in shifts(net("shiftnet_a")) if isinstance(op, GroupedShift)]
    assert kernels == [5] * (5 + 6) + [3] * (7 + 3)


def test_shiftresnet_20_shifts_the_channels_of_ssl_table_2_and_leaves_what_it_says() -> None:
    found = [(op.channels, op.channels - op.moved_channels) for op in shifts(net("shiftresnet_20_ssl_5e-4")) if isinstance(op, SparseShift)]
    assert tuple(found) == SSL_TABLE_2
    assert [sum(column) for column in zip(*found, strict=True)] == [1728, 1488]  # its last row


@pytest.mark.parametrize("depth", SSL_TABLE_1)
def test_a_larger_penalty_moves_less_and_1x1_only_moves_nothing(depth: int) -> None:
    names = [f"shiftresnet_{depth}_ssl_{penalty}" for penalty in SSL_TABLE_1[depth]]
    moved = [moved_elements(net(name)) for name in (*names, f"shiftresnet_{depth}_1x1")]
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] == 0
    assert moved[-2] > 0


def test_a_grouped_shift_leaves_a_ninth_of_the_channels_in_place_rounded_down() -> None:  # SSL, table 1: 11.1 %
    ops = [op for op in shifts(net("shiftresnet_20_grouped")) if isinstance(op, GroupedShift)]
    assert {op.channels: op.channels - op.moved_channels for op in ops} == {96: 10, 192: 21, 384: 42}


def test_without_shifts_only_three_pools_look_at_neighbours() -> None:  # SSL, section 5.2
    graph = net("shiftresnet_20_1x1")
    assert sum(isinstance(node.op, Pool) for node in graph) == 3
    assert [node.op.kernel_size for node in graph if isinstance(node.op, Conv2d) and node.op.kernel_size != 1] == [3]


def test_an_active_shift_moves_all_channels_by_two_learned_displacements_each() -> None:
    active, none = net("as_resnet_w50"), net("as_resnet_w50", shift="none")
    ops = shifts(active)
    assert len(ops) == 1 + 3 + 4 + 6 + 3
    assert all(isinstance(op, SparseShift) and op.learned and op.moved_channels == op.channels for op in ops)
    assert total_counts(active).params - total_counts(none).params == 2 * sum(op.channels for op in ops)


def test_learned_displacements_of_sparse_shifts_are_two_parameters_per_channel() -> None:
    fixed, learned = (total_counts(net("shiftresnet_20_ssl_5e-4", learned_shifts=flag)).params for flag in (False, True))
    assert learned - fixed == 2 * 1728


def test_a_strided_csc_unit_keeps_its_input_behind_an_average_pool() -> None:
    graph = net("shiftnet_a")
    assert isinstance(graph["stage2.unit0.pool"].op, AvgPool2d)
    assert graph["stage2.unit0.project.bn"].shape[1] == 128 - 64
    assert graph["stage2.unit0.concat"].shape == (1, 128, 28, 28)


# Knobs ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "side"), [("shiftnet", 7), ("as_resnet", 7), ("shiftresnet", 8)])
def test_the_last_feature_map_is_the_input_over_the_stride(family: str, side: int) -> None:
    graph = net(family)
    (pool,) = [node for node in graph if isinstance(node.op, AdaptiveAvgPool2d)]
    assert graph.input_shapes(pool)[0][2:] == (side, side)
    assert side * FAMILIES[family].stride == graph.input_shape[2]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shift", ["grouped", "sparse", "active", "none"])
def test_every_family_takes_every_shift_at_the_same_multiply_adds(family: str, shift: str) -> None:
    assert total_counts(net(family, shift=shift)).madds == total_counts(net(family)).madds


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_takes_3x3_depthwise_convolutions_instead_of_shifts(family: str) -> None:
    graph, shifted = net(family, shift="depthwise"), net(family, shift="sparse", shift_sparsity=0.5)
    channels = [op.channels for op in shifts(shifted)]
    convs = [node for node in graph if node.name.endswith("dw.conv")]
    assert [node.op for node in convs] == [Conv2d(c, c, 3, padding=1, groups=c) for c in channels]
    assert shifts(graph) == []
    a, b = total_counts(graph), total_counts(shifted)
    assert a.params - b.params == sum(9 * c + 2 * c for c in channels)  # and batch norm
    assert a.madds - b.madds == sum(9 * node.shape[1] * node.shape[2] * node.shape[3] for node in convs)


def test_shiftnet_b_expands_the_first_unit_of_its_last_stage_by_1_where_half_of_a_would_by_2() -> None:
    # That unit reads 128 channels at 14x14: 128 fewer are made of them, and 128 come from those at 7x7.
    half, b = total_counts(net("shiftnet_a", width=0.5)), total_counts(net("shiftnet_b"))
    assert half.madds - b.madds == 128 * 128 * (14**2 + 7**2)
    assert half.params - b.params == 2 * 128 * 128 + 2 * 128  # and the batch norm of the expansion


def test_width_repeats_expansion_and_stage_channels_do_as_they_say() -> None:
    assert net("shiftnet", width=0.5)["stage4.unit0.concat"].shape[1] == 256
    assert net("shiftresnet", expansion=(6, 3, 2))["stage2.unit1.expand.conv"].shape[1] == 3 * 32
    assert net("shiftresnet", stage_channels=(20, 44, 90))["stage3.unit2.add"].shape[1] == 90
    assert len(shifts(net("shiftresnet", repeats=(1, 2, 3)))) == len(shifts(net("shiftresnet", depth=14))) == 6
    assert net("as_resnet", base_width=32)["stage4.unit2.add"].shape[1] == 256
    assert net("as_resnet", stage_channels=(50, 90, 180, 300))["stage4.unit0.add"].shape[1] == 300


@pytest.mark.parametrize(("depth", "near"), [(21, "20, 26"), (4, "8"), (2, "8")])
def test_a_depth_that_is_not_6n_plus_2_names_the_nearest(depth: int, near: str) -> None:
    with pytest.raises(LawError, match=rf"shiftresnet: depth must be 6n \+ 2 .* but got {depth}\. Nearest: {near}\."):
        net("shiftresnet", depth=depth)


def test_a_grid_with_more_cells_than_channels_names_the_largest_that_fits() -> None:
    with pytest.raises(LawError, match=r"stage1\.unit0\.shift: .* but got shift_kernel=11, channels=96\. Use shift_kernel 9 or more"):
        net("shiftresnet", shift_kernel=11)
    assert len(shifts(net("shiftresnet", shift_kernel=9))) == 9


def test_a_stage_without_more_channels_than_the_one_before_is_refused() -> None:
    with pytest.raises(LawError, match=r"stage2\.unit0: .* but got 64 after 64\. Use stage_channels above 64"):
        net("shiftnet", stage_channels=(64, 64, 128, 256))


def test_a_wrong_number_of_values_is_refused() -> None:
    with pytest.raises(StageCountError, match="shift_sparsity must have one value or 9, one per shift, but got 2"):
        net("shiftresnet", shift="sparse", shift_sparsity=(0.5, 0.6))
    with pytest.raises(LawError, match=r"shift_sparsity must be at most 1, but got 1\.5"):
        net("shiftresnet", shift="sparse", shift_sparsity=1.5)
    with pytest.raises(StageCountError, match="shift_kernel must have one value or 4, but got 3"):
        net("as_resnet", shift_kernel=(3, 3, 3))
