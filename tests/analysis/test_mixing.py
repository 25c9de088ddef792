"""What blocks make of their inputs, and whether stacked group convolutions mix their groups (ShuffleNet v1, figure 1)."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspace import build
from archspace.analysis.mixing import block_influence, block_influences, components, mixing
from archspace.analysis.provenance import BitMatrix
from archspace.errors import LawError, UnknownNameError
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.ir.ops import ChannelShuffle, Conv2d, Op, ReLU


def stack(groups: int, channels: int, *between: Op, last_groups: int | None = None) -> Graph:
    """Two group convolutions `first` and `second` with ops between them."""
    b = Builder("stack")
    x = b.add("first", Conv2d(channels, channels, 1, groups=groups), b.input((1, channels, 5, 5)))
    for i, op in enumerate(between):
        x = b.add(f"between{i}", op, x)
    return b.build(b.add("second", Conv2d(channels, channels, 1, groups=last_groups or groups), x))


def test_stacked_group_convolutions_never_mix_as_in_figure_1a() -> None:
    matrix = mixing(stack(3, 12, ReLU()), "first", "second")
    assert matrix.to_lists() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert components(matrix) == 3


def test_a_shuffle_between_them_mixes_all_groups_as_in_figure_1c() -> None:
    matrix = mixing(stack(3, 12, ChannelShuffle(3), ReLU()), "first", "second")
    # Four channels per group are spread over three groups, so every group gets some of each.
    assert matrix.is_full
    assert components(matrix) == 1


def test_a_shuffle_of_too_few_channels_spreads_each_group_over_some_groups_only() -> None:
    # Four groups of two channels: 01|23|45|67 -> 0 2|4 6|1 3|5 7, so groups 0 and 1 feed 0 and 2, groups 2 and 3 feed 1 and 3.
    matrix = mixing(stack(4, 8, ChannelShuffle(4)), "first", "second")
    assert matrix.to_lists() == [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]]
    assert components(matrix) == 2


def test_a_shuffle_that_another_undoes_mixes_nothing() -> None:
    assert components(mixing(stack(3, 12, ChannelShuffle(3), ChannelShuffle(4)), "first", "second")) == 3


def test_a_dense_convolution_between_them_mixes_all_groups() -> None:
    assert components(mixing(stack(4, 8, Conv2d(8, 8, 1)), "first", "second")) == 1


def test_group_counts_may_differ_and_do_not_mix_when_one_divides_the_other() -> None:
    # Groups 0 and 1 of four fall into group 0 of two.
    assert mixing(stack(4, 8, last_groups=2), "first", "second").to_lists() == [[1, 1, 0, 0], [0, 0, 1, 1]]
    # Groups of two do meet those of three: 012|345 against 01|23|45.
    assert components(mixing(stack(2, 6, last_groups=3), "first", "second")) == 1


def test_nothing_flows_backwards() -> None:
    matrix = mixing(stack(2, 4), "second", "first")
    assert matrix.rows == (0, 0)
    assert components(matrix) == 0


@pytest.mark.parametrize(("shuffle", "parts"), [(True, 1), (False, 8)])
def test_the_units_of_shufflenet_v1_mix_their_groups_by_the_shuffle_alone(shuffle: bool, parts: int) -> None:
    graph = build("shufflenet_v1", g=8, shuffle=shuffle)
    units = [name for name in block_influences(graph) if ".unit" in name and name != "stage2.unit0"]  # its first convolution is dense
    assert len(units) == 15
    for unit in units:
        assert components(mixing(graph, f"{unit}.pw1.conv", f"{unit}.pw2.conv")) == parts


def test_from_one_unit_of_shufflenet_v1_to_the_next_groups_mix_by_the_next_units_shuffle() -> None:
    graph = build("shufflenet_v1", g=8)
    # No shuffle stands between a unit's last convolution and the next unit's first; the one behind that mixes both.
    assert components(mixing(graph, "stage3.unit1.pw2.conv", "stage3.unit2.pw1.conv")) == 8
    assert components(mixing(graph, "stage3.unit1.pw2.conv", "stage3.unit2.pw2.conv")) == 1


def test_only_convolutions_have_groups() -> None:
    with pytest.raises(LawError, match=r"^between0: groups mix between convolutions, but this node is ReLU. Name a Conv2d.$"):
        mixing(stack(2, 4, ReLU()), "first", "between0")


@given(st.lists(st.integers(0, 2**7 - 1), max_size=9))
def test_components_are_those_that_networkx_finds(rows: list[int]) -> None:
    graph = nx.Graph([(f"row{r}", f"column{c}") for r, row in enumerate(rows) for c in range(7) if row >> c & 1])
    assert components(BitMatrix(tuple(rows), 7)) == nx.number_connected_components(graph)


def test_a_unit_of_shufflenet_v2_keeps_half_and_convolves_half() -> None:
    # 116 channels: the shuffle alternates kept channels 0..57 with convolved ones, each made of all channels 58..115.
    matrix = block_influence(build("shufflenet_v2"), "stage2.unit1")
    assert matrix.columns == len(matrix.rows) == 116
    convolved = sum(1 << c for c in range(58, 116))
    assert matrix.rows == tuple(convolved if c % 2 else 1 << c // 2 for c in range(116))


def test_a_unit_of_shufflenet_v1_makes_each_group_of_all_channels_and_without_shuffle_of_its_own_group() -> None:
    channels, groups = 384, 8
    full, apart = (block_influence(build("shufflenet_v1", g=groups, shuffle=shuffle), "stage2.unit1") for shuffle in (True, False))
    assert full.is_full
    group = channels // groups
    assert apart.rows == tuple(((1 << group) - 1) << c // group * group for c in range(channels))


def test_several_inputs_of_a_block_stand_behind_each_other_as_columns() -> None:
    b = Builder("two")
    x, y = b.input((1, 2, 5, 5), "x"), b.input((1, 3, 5, 5), "y")
    with b.block("block"):
        made = b.add("conv", Conv2d(3, 2, 1), y)
        kept = b.add("act", ReLU(), x)
    graph = b.build(made, kept)
    assert block_influence(graph, "block").to_lists() == [[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]


def test_an_input_inside_a_block_comes_from_outside_as_well() -> None:
    b = Builder("inside")
    with b.block("block"):
        x = b.add("act", ReLU(), b.input((1, 2, 5, 5)))
    graph = b.build(x)
    assert block_influences(graph) == {"block": BitMatrix((1, 2), 2)}


def test_an_unknown_block_names_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown block 'stage2.unt1'. Did you mean 'stage2.unit1'\?$"):
        block_influence(build("shufflenet_v2"), "stage2.unt1")
