"""FE-Net: what its paper prints, its FE-blocks, its shifts, its knobs; bad knobs."""

from __future__ import annotations

import pytest
from graph_reading import counts, nodes_of, stage_outputs

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir.ops import Conv2d, GroupedShift, SparseShift
from archspace.zoo import build
from archspace.zoo.config import StageCountError


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


def test_an_fe_block_has_channels_for_its_parts() -> None:
    with pytest.raises(LawError) as caught:
        build("fenet", repeats=(7, 4, 4, 4, 3))
    # 32 channels into stage 1: at most 2^5 parts, six units.
    law = "stage1: an FE-block of n units splits its input into 2^(n-1) parts, but got n=7, channels=32"
    assert str(caught.value) == f"{law}. Use at most 6 units or a larger width."
    assert build("fenet", repeats=(6, 4, 4, 4, 3))["stage1.unit4.concat"].shape[1] == 32


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
    shift, depthwise = build("fenet"), build("fenet", shift="depthwise")
    assert nodes_of(depthwise, SparseShift) == []
    channels = [node.op.channels for node in shift if isinstance(node.op, SparseShift)]
    convs = nodes_of(depthwise, Conv2d, "dw.conv")
    assert [node.op for node in convs] == [Conv2d(c, c, 3, padding=1, groups=c) for c in channels]
    extra = sum(9 * c + 2 * c for c in channels)
    assert total_counts(depthwise).params - total_counts(shift).params == extra


@pytest.mark.parametrize(("sparsity", "law"), [(-0.1, "at least 0"), (1.1, "at most 1"), ((0.5, 1.1), "at most 1")])
def test_shift_sparsity_is_a_share(sparsity: float | tuple[float, ...], law: str) -> None:
    with pytest.raises(LawError) as caught:
        build("fenet", shift_sparsity=sparsity)
    shown = sparsity[-1] if isinstance(sparsity, tuple) else sparsity
    assert str(caught.value) == f"fenet: shift_sparsity must be {law}, but got {shown}"


# The channels that a shift sees: IB-SSL (4 * 16), then 6 times each part of the FE-blocks; a last unit that pools has no shift.
SHIFTED = [
    64,
    *(6 * c for c in (8, 16)),
    *(6 * c for c in (8, 16, 32)),
    *(6 * c for c in (16, 32, 64, 128)),
    *(6 * c for c in (16, 32, 64)),
]
SHIFTED += [6 * c for c in (64, 128, 256)]


def test_the_sparsity_may_differ_per_shift() -> None:
    shares = [i / 20 for i in range(16)]
    ops = [node.op for node in nodes_of(build("fenet", shift_sparsity=shares), SparseShift)]
    assert ops == [SparseShift(c, c - int(c * share + 0.5)) for c, share in zip(SHIFTED, shares, strict=True)]
    assert build("fenet", shift_sparsity=[0.6] * 16).nodes == build("fenet", shift_sparsity=0.6).nodes


def test_the_number_of_sparsities_is_that_of_the_shifts() -> None:
    with pytest.raises(StageCountError) as caught:
        build("fenet", shift_sparsity=(0.5, 0.6))
    assert str(caught.value) == "fenet: shift_sparsity must have one value or 16, one per shift, but got 2"
    # One unit fewer in stage 3 is one shift fewer.
    graph = build("fenet", repeats=(3, 4, 3, 4, 3), shift_sparsity=[0.5] * 15)
    assert len(nodes_of(graph, SparseShift)) == 15


@pytest.mark.parametrize(
    ("shift", "ops", "params"),
    [
        ("grouped", [GroupedShift(c, 3) for c in SHIFTED], 0),
        ("active", [SparseShift(c, c, learned=True) for c in SHIFTED], 2 * sum(SHIFTED)),  # two displacements per channel
        ("none", [], 0),
    ],
)
def test_another_shift_stands_where_the_sparse_one_was_and_computes_the_same(
    shift: str, ops: list[GroupedShift | SparseShift], params: int
) -> None:
    graph, sparse = build("fenet", shift=shift), build("fenet")
    assert [node.op for node in graph if isinstance(node.op, GroupedShift | SparseShift)] == ops
    assert total_counts(graph).madds == total_counts(sparse).madds
    assert total_counts(graph).params - total_counts(sparse).params == params
    assert [n.name for n in graph if not n.name.endswith(".shift")] == [n.name for n in sparse if not n.name.endswith(".shift")]


def test_the_grid_of_grouped_shifts_may_differ_per_fe_block_and_the_stem_has_the_first_ones() -> None:
    graph = build("fenet", shift="grouped", shift_kernel=(3, 3, 5, 7, 5))
    for stage, k in (("stem", 3), ("stage1", 3), ("stage2", 3), ("stage3", 5), ("stage4", 7), ("stage5", 5)):
        assert {node.op.kernel_size for node in nodes_of(graph, GroupedShift) if node.stage == stage} == {k}, stage
    with pytest.raises(StageCountError, match="fenet: shift_kernel must have one value or 5, but got 2"):
        build("fenet", shift="grouped", shift_kernel=(3, 3))


def test_a_grid_of_fenet_with_more_cells_than_channels_is_refused_with_the_largest_that_fits() -> None:
    with pytest.raises(LawError) as caught:
        build("fenet", shift="grouped", shift_kernel=(3, 7, 3, 3, 3))
    # The first unit of stage 2 sees 6 * 8 channels, one fewer than 7 * 7.
    law = "stage2.unit0.shift: a grouped shift needs a channel for each cell of its grid, but got shift_kernel=7, channels=48."
    assert str(caught.value) == f"{law} Use shift_kernel 5 or more channels."


def test_shifts_without_a_convolution_leave_the_depthwise_one_of_table_6_aside() -> None:
    assert nodes_of(build("fenet", shift="depthwise"), GroupedShift) == nodes_of(build("fenet", shift="none"), Conv2d, "dw.conv") == []
