"""NASNet-A, PNASNet-5 and DARTS: their complexity from structure, their cells, and what their knobs do."""

from __future__ import annotations

import pytest

from archspace.analysis import total_counts
from archspace.analysis.structure import fragments
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Builder, Graph, Node
from archspace.ir.ops import AdaptiveAvgPool2d, AvgPool2d, Concat, Conv2d, MaxPool2d
from archspace.zoo.cells import CELLS, FAMILIES, OPERATIONS
from archspace.zoo.config import StageCountError, make_config


def net(name: str, **options: object) -> Graph:
    """A family or member of this file with its options."""
    for family_name, family in FAMILIES.items():
        if name == family_name or name in family.members:
            config = make_config(family_name, family.config, {**family.members.get(name, {}), **options})
            return family.build(config, Builder(name))
    raise UnknownNameError("network", name, FAMILIES)


def convs(graph: Graph, prefix: str) -> list[Conv2d]:
    return [node.op for node in graph if isinstance(node.op, Conv2d) and node.name.startswith(prefix)]


def cell_output(graph: Graph, name: str) -> tuple[int, ...]:
    return graph[f"{name}.concat"].shape


def is_depthwise(node: Node) -> bool:
    return isinstance(node.op, Conv2d) and node.op.is_depthwise


# Exact complexity -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "madds", "params", "printed_madds", "printed_params"),
    [
        ("nasnet_a_mobile", 563_638_816, 5_289_978, 564e6, 5.3e6),  # ShuffleNet v2, table 8; 5.3 M: NASNet, table 3
        ("pnasnet_5_mobile", 587_293_200, 5_064_487, 588e6, 5.1e6),  # SSL, table 5
    ],
)
def test_the_mobile_networks_are_the_printed_ones_within_1_percent(
    name: str, madds: int, params: int, printed_madds: float, printed_params: float
) -> None:
    found = total_counts(net(name))
    assert (found.madds, found.params) == (madds, params)
    assert abs(madds / printed_madds - 1) < 0.01
    assert abs(params / printed_params - 1) < 0.01


def test_darts_has_the_parameters_of_its_paper_and_fewer_multiply_adds_than_either_printed_number() -> None:
    found = total_counts(net("darts_v2"))
    assert (found.madds, found.params) == (529_911_552, 4_718_752)  # params: 4.7 M in DARTS, table 3
    assert [round(100 * (found.madds / printed - 1), 1) for printed in (574e6, 595e6)] == [-7.7, -10.9]  # DARTS, table 3; SSL, table 5


@pytest.mark.parametrize(
    ("family", "options", "madds", "params"),
    [  # params: timm 1.0.31's nasnetalarge and pnasnet5large, whose convolutions are the same; printed: 23.8 G, 88.9 M; 25.0 G, 86.1 M
        ("nasnet_a", {"channels": 168, "stem_channels": 96, "repeats": (6, 6, 6)}, 23_783_414_658, 88_753_150),
        ("pnasnet_5", {"channels": 216, "stem_channels": 96, "repeats": (4, 3, 3)}, 24_937_395_792, 86_057_668),
    ],
)
def test_the_large_networks_are_knobs_of_the_same_families(family: str, options: dict[str, object], madds: int, params: int) -> None:
    found = total_counts(net(family, input=(331, 331), **options))
    assert (found.madds, found.params) == (madds, params)


# Cells ----------------------------------------------------------------------------------------------------------------------------


def test_every_table_names_known_operations_and_states_that_exist_by_then() -> None:
    used = set()
    for normal, reduction in CELLS.values():
        for table in (normal, reduction):
            for i, (left, left_state, right, right_state) in enumerate(table.steps):
                used |= {left, right}
                assert max(left_state, right_state) < 2 + i
            assert max(table.concat) < 2 + len(table.steps)
    assert used == set(OPERATIONS)


@pytest.mark.parametrize(("cell", "branches"), [("nasnet_a", 10), ("pnasnet_5", 10), ("darts_v1", 8), ("darts_v2", 8)])
def test_every_state_of_a_cell_that_no_step_reads_is_concatenated(cell: str, branches: int) -> None:
    for table in CELLS[cell]:
        read = {state for _, left, _, right in table.steps for state in (left, right)}
        states = set(range(2 + len(table.steps)))
        assert 2 * len(table.steps) == branches
        assert states - read <= set(table.concat)


def test_a_normal_cell_of_nasnet_a_has_13_operators_when_a_separable_convolution_counts_once() -> None:
    # ShuffleNet v2, G3: 13 individual convolutions or pools in one block of NASNET-A.
    graph = net("nasnet_a")
    nodes = [node for node in graph if node.block == "stage1.cell1"]
    pools = sum(isinstance(node.op, AvgPool2d) for node in nodes)
    separable = sum(is_depthwise(node) for node in nodes)  # each with its pointwise convolution behind it
    assert (pools, separable) == (3, 2 * 5)
    assert pools + separable == 13
    # Every convolution for itself, and the two 1x1 that bring the inputs to the cell's channels:
    assert fragments(graph)["stage1.cell1"] == 13 + separable + 2 == 25


def test_cells_widen_their_channels_by_what_they_concatenate() -> None:
    nasnet, pnasnet, darts = net("nasnet_a"), net("pnasnet_5"), net("darts")
    # Channels per operation times concatenated states: 6 and 4 for NASNet-A's cells, 5 for PNASNet's, 4 for DARTS'.
    assert cell_output(nasnet, "stem.cell0") == (1, 4 * 11, 56, 56)
    assert cell_output(nasnet, "stem.cell1") == (1, 4 * 22, 28, 28)
    assert cell_output(nasnet, "stage1.cell3") == (1, 6 * 44, 28, 28)
    assert cell_output(nasnet, "stage2.cell0") == (1, 4 * 88, 14, 14)
    assert cell_output(nasnet, "stage3.cell4") == (1, 1056, 7, 7)  # 4 @ 1056: four normal cells per stage, 1056 channels at the end
    assert cell_output(pnasnet, "stem.cell0") == (1, 5 * (54 // 4), 56, 56)
    assert cell_output(pnasnet, "stage3.cell2") == (1, 5 * 216, 7, 7)
    assert cell_output(darts, "stage3.cell4") == (1, 4 * 192, 7, 7)


def test_networks_have_as_many_cells_as_their_papers_say() -> None:
    cells = {name: {n.block for n in net(name) if ".cell" in n.block and not n.block.startswith("stem")} for name in FAMILIES}
    assert len(cells["nasnet_a"]) == 3 * 4 + 2  # N = 4 and two reductions
    assert len(cells["pnasnet_5"]) == 3 * 3  # N = 3, the strided ones included
    assert len(cells["darts"]) == 14


def test_a_separable_convolution_is_applied_twice_and_a_dilated_one_once() -> None:
    graph = net("darts")
    normal = [node.op for node in graph if node.block == "stage1.cell1" and is_depthwise(node)]
    assert [op.dilation for op in normal if isinstance(op, Conv2d)] == [1] * (2 * 5) + [2]


def test_operations_on_the_inputs_of_a_reduction_take_the_stride_and_the_later_ones_do_not() -> None:
    graph = net("pnasnet_5")
    by_step = {step: {op.stride for op in convs(graph, f"stage2.cell0.step{step}.left0.dw")} for step in range(5)}
    assert by_step == {0: {2}, 1: {2}, 2: {2}, 3: {1}, 4: {2}}  # step 3 reads the state of step 2
    (fitted,) = convs(graph, "stage2.cell0.step4.right.")
    assert (fitted.kernel_size, fitted.stride) == (1, 2)  # the skip of a strided cell


def test_an_older_input_of_twice_the_resolution_is_halved_by_two_convolutions_of_half_the_channels() -> None:
    graph = net("pnasnet_5")
    first, second = convs(graph, "stem.cell1.older.")
    assert (first.stride, second.stride) == (2, 2)
    assert (first.out_channels, second.out_channels) == (13, 14)  # 27 = 54 // 2
    assert convs(graph, "stage1.cell1.older.")[0].stride == 1


def test_the_first_stem_cell_pools_the_image_convolution_and_fits_its_channels() -> None:
    graph = net("pnasnet_5")
    assert isinstance(graph["stem.cell0.step0.right"].op, MaxPool2d)
    (fit,) = convs(graph, "stem.cell0.step0.right_fit")
    assert (fit.in_channels, fit.out_channels) == (32, 13)


# Knobs ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(128, 160), (99, 75), (32, 32)])
def test_the_last_feature_map_is_the_input_over_32_rounded_up(family: str, size: tuple[int, int]) -> None:
    graph = net(family, input=size, batch=2, num_classes=7)
    (pool,) = [node for node in graph if isinstance(node.op, AdaptiveAvgPool2d)]
    assert graph.input_shapes(pool)[0][2:] == tuple(-(-side // 32) for side in size)
    assert graph.nodes[graph.outputs[0]].shape == (2, 7)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cell", CELLS)
def test_every_family_takes_every_table_of_cells(family: str, cell: str) -> None:
    graph = net(family, cell=cell, channels=8, repeats=(1, 1))
    concats = [node for node in graph if isinstance(node.op, Concat) and node.name == "stage2.cell1.concat"]
    assert concats[0].shape[1] == 16 * len(CELLS[cell][0].concat)


def test_width_repeats_and_stage_channels_do_as_they_say() -> None:
    assert cell_output(net("nasnet_a", width=0.5), "stage1.cell0")[1] == 6 * 22
    assert convs(net("nasnet_a", width=0.5), "stem.conv")[0].out_channels == 16
    assert cell_output(net("darts", stage_channels=(20, 36, 40)), "stage3.cell0")[1] == 4 * 40
    assert "stage4.cell1.concat" in {node.name for node in net("nasnet_a", repeats=(1, 1, 1, 1))}


def test_too_few_channels_say_how_wide_is_enough() -> None:
    with pytest.raises(LawError, match=r"nasnet_a: .* at least 4 channels, .* but got 3 = 44 \* 0\.08\. Use width 0\.0909091 or more\."):
        net("nasnet_a", width=0.08)
    assert cell_output(net("nasnet_a", width=0.091), "stage1.cell0")[1] == 6 * 4


def test_a_wrong_number_of_stage_channels_and_an_unknown_cell_are_refused() -> None:
    with pytest.raises(StageCountError, match="stage_channels must have one value or 3, but got 2"):
        net("darts", stage_channels=(48, 96))
    with pytest.raises(UnknownNameError, match="Did you mean 'darts_v2'"):
        net("darts", cell="darts_2")
