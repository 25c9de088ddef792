"""Channel influence: one rule per op kind, and what they make of a graph."""

from __future__ import annotations

import pytest

from archspace import build
from archspace.analysis.dead import dead_channels
from archspace.analysis.provenance import RULES, BitMatrix, influence
from archspace.analysis.provenance_further import FURTHER_RULES
from archspace.errors import LawError, UnknownNameError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    FURTHER,
    KINDS,
    OPS,
    AdaptiveAvgPool2d,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Flatten,
    GroupedShift,
    Linear,
    Multiply,
    Op,
    Opaque,
    Pad,
    Reshape,
    Shape,
    Sigmoid,
    Softmax,
    SparseShift,
)


def of_op(op: Op, *shapes: Shape) -> list[set[int]]:
    """Which channels of the first input influence each channel of the op's output."""
    b = Builder("one")
    values = [b.input(shape, f"input{i}") for i, shape in enumerate(shapes)]
    return sets(b.build(b.add("op", op, *values)), "input0", "op")


def sets(graph: Graph, source: str, node: str) -> list[set[int]]:
    """Which channels of `source` influence each channel of `node`."""
    rows = influence(graph, source)[graph.nodes.index(graph[node])]
    assert rows is not None
    return [{c for c in range(row.bit_length()) if row >> c & 1} for row in rows]


def own(channels: int) -> list[set[int]]:
    """Every channel of itself alone."""
    return [{c} for c in range(channels)]


IMAGE = (1, 4, 5, 5)


def test_every_op_kind_has_a_rule() -> None:
    assert set(RULES) == {OPS[name] for name in KINDS}
    assert set(FURTHER_RULES) == {OPS[name] for name in FURTHER}


def test_a_dense_convolution_makes_every_output_of_every_input() -> None:
    assert of_op(Conv2d(4, 3, 1), IMAGE) == [{0, 1, 2, 3}] * 3


def test_a_group_convolution_makes_every_output_of_the_inputs_of_its_group() -> None:
    assert of_op(Conv2d(4, 6, 3, padding=1, groups=2), IMAGE) == [{0, 1}] * 3 + [{2, 3}] * 3


def test_a_depthwise_convolution_with_two_filters_each_makes_two_outputs_of_each_input() -> None:
    assert of_op(Conv2d(4, 4, 3, groups=4), IMAGE) == own(4)
    assert of_op(Conv2d(4, 8, 3, groups=4), IMAGE) == [{0}, {0}, {1}, {1}, {2}, {2}, {3}, {3}]


def test_a_shuffle_transposes_groups_and_places() -> None:
    # (2 groups, 3 channels): 0 1 2 | 3 4 5 read column by column.
    assert of_op(ChannelShuffle(2), (1, 6, 5, 5)) == [{0}, {3}, {1}, {4}, {2}, {5}]
    assert of_op(ChannelShuffle(3), (1, 6, 5, 5)) == [{0}, {2}, {4}, {1}, {3}, {5}]


def test_a_slice_takes_start_to_stop() -> None:
    assert of_op(ChannelSlice(1, 3), IMAGE) == [{1}, {2}]


def test_a_concat_of_channels_puts_one_input_behind_the_other() -> None:
    assert of_op(Concat(), IMAGE, (1, 2, 5, 5)) == [*own(4), set(), set()]


def test_a_concat_of_rows_puts_both_inputs_into_each_channel() -> None:
    b = Builder("rows")
    x = b.input(IMAGE)
    graph = b.build(b.add("concat", Concat(dim=2), x, b.add("shuffle", ChannelShuffle(2), x)))
    assert sets(graph, "input", "concat") == [{0}, {1, 2}, {1, 2}, {3}]


@pytest.mark.parametrize("op", [Pad((1, 1, 1, 1)), AdaptiveAvgPool2d(1), Sigmoid(), SparseShift(4, 2), SparseShift(4, 4, learned=True)])
def test_ops_within_channels_make_each_channel_of_itself(op: Op) -> None:
    assert of_op(op, IMAGE) == own(4)


def test_a_grouped_shift_makes_each_channel_of_itself() -> None:
    assert of_op(GroupedShift(9), (1, 9, 5, 5)) == own(9)


def test_add_and_multiply_take_channel_by_channel_and_a_single_channel_for_all() -> None:
    assert of_op(Add(), IMAGE, IMAGE) == own(4)
    assert of_op(Multiply(), (1, 1, 5, 5), IMAGE) == [{0}] * 4
    assert of_op(Multiply(), IMAGE, (1, 1, 1, 1)) == own(4)


def test_softmax_over_channels_mixes_them_and_over_rows_does_not() -> None:
    assert of_op(Softmax(1), IMAGE) == of_op(Softmax(-3), IMAGE) == [{0, 1, 2, 3}] * 4
    assert of_op(Softmax(3), IMAGE) == own(4)


def test_softmax_over_a_single_channel_is_the_constant_one() -> None:
    assert of_op(Softmax(1), (1, 1, 5, 5)) == [set()]


def test_flattened_features_belong_to_the_channel_that_they_lie_in() -> None:
    # 2 x 3 pixels: feature f lies in channel f // 6.
    assert of_op(Flatten(1), (1, 4, 2, 3)) == [{f // 6} for f in range(24)]
    assert of_op(Flatten(2), (1, 4, 2, 3)) == own(4)
    assert of_op(Flatten(0), (1, 4, 2, 3)) == [{0, 1, 2, 3}]


def test_a_reshape_makes_channels_of_those_that_their_elements_lie_in() -> None:
    # 4 channels of 6 elements become 3 of 8: elements 0-7, 8-15 and 16-23.
    assert of_op(Reshape((3, 8)), (1, 4, 2, 3)) == [{0, 1}, {1, 2}, {2, 3}]
    assert of_op(Reshape((24,)), (1, 4, 2, 3)) == [{f // 6} for f in range(24)]
    assert of_op(Reshape((1, 6)), (6, 6)) == [{0, 1, 2, 3, 4, 5}]


def test_a_linear_layer_mixes_features_but_not_the_channels_before_the_last_axis() -> None:
    assert of_op(Linear(4, 2), (1, 4)) == [{0, 1, 2, 3}] * 2
    assert of_op(Linear(5, 2), IMAGE) == own(4)


def test_an_opaque_op_makes_everything_of_everything() -> None:
    assert of_op(Opaque("unknown", (1, 2)), IMAGE, IMAGE) == [{0, 1, 2, 3}] * 2


def test_a_squeeze_and_excitation_gate_lets_every_channel_influence_every_other() -> None:
    b = Builder("se")
    x = b.input(IMAGE)
    gate = b.add("gate", Sigmoid(), b.add("fc", Conv2d(4, 4, 1, groups=2), b.add("pool", AdaptiveAvgPool2d(1), x)))
    graph = b.build(b.add("scale", Multiply(), x, gate))
    # Two groups in the gate: channels mix within pairs.
    assert sets(graph, "input", "scale") == [{0, 1}, {0, 1}, {2, 3}, {2, 3}]


def test_what_no_path_leads_to_has_no_influence_at_all() -> None:
    b = Builder("two")
    x, y = b.input(IMAGE, "x"), b.input(IMAGE, "y")
    graph = b.build(b.add("of_x", Sigmoid(), x), b.add("of_y", Sigmoid(), y))
    assert influence(graph, "y") == [None, (1, 2, 4, 8), None, (1, 2, 4, 8)]
    assert influence(graph, 1) == influence(graph, "y")


def test_the_dense_layers_outputs_share_one_set() -> None:
    rows = influence(build("shufflenet_v1"), "stage2.unit1.pw1.conv")[-1]
    assert rows is not None
    assert len(rows) == 1000
    assert len({id(row) for row in rows}) == 1


def test_every_input_channel_of_an_imagenet_network_influences_every_class() -> None:
    assert influence(build("senet154"), "input")[-1] == (0b111,) * 1000


@pytest.mark.parametrize("place", [3, -1])
def test_a_position_outside_the_graph_is_refused(place: int) -> None:
    b = Builder("tiny")
    graph = b.build(b.add("act", Sigmoid(), b.input(IMAGE)))
    with pytest.raises(LawError, match=rf"^tiny: a node's position must be in \[0, 2\), but got {place}$"):
        influence(graph, place)


def test_an_unknown_source_names_near_nodes() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown node 'stem.conv1.cnv'. Did you mean 'stem.conv1.conv'\?"):
        influence(build("shufflenet_v2"), "stem.conv1.cnv")


def test_a_bit_matrix_reads_as_rows_of_columns() -> None:
    matrix = BitMatrix((0b01, 0b11), columns=2)
    assert matrix.to_lists() == [[1, 0], [1, 1]]
    assert (matrix[0, 0], matrix[0, 1], matrix[1, 1]) == (True, False, True)
    assert not matrix.is_full
    assert BitMatrix((0b11,), columns=2).is_full
    with pytest.raises(IndexError):
        matrix[0, 2]


def sliced_away(b: Builder) -> Value:
    """Eight channels of which the last five are read, after two ops of their own."""
    x = b.add("conv", Conv2d(3, 8, 1), b.input((1, 3, 5, 5)))
    x = b.add("act", Sigmoid(), b.add("dw", Conv2d(8, 8, 3, groups=8), x))
    return b.add("slice", ChannelSlice(3, 8), x)


def test_channels_that_are_sliced_away_are_dead_in_every_op_that_computes_them() -> None:
    b = Builder("slice")
    graph = b.build(sliced_away(b))
    assert {graph.nodes[i].name: channels for i, channels in dead_channels(graph).items()} == dict.fromkeys(
        ("conv", "dw", "act"), (0, 1, 2)
    )


def test_the_other_slice_brings_them_back_to_life() -> None:
    b = Builder("slices")
    y = sliced_away(b)
    graph = b.build(b.add("concat", Concat(), y, b.add("rest", ChannelSlice(0, 3), Value(3, (1, 8, 3, 3)))))
    assert dead_channels(graph) == {}


def test_a_dense_layer_in_between_keeps_what_is_in_front_of_it_alive() -> None:
    b = Builder("dense")
    y = b.add("pw", Conv2d(4, 4, 1), b.add("dw", Conv2d(4, 4, 3, groups=4), b.input(IMAGE)))
    graph = b.build(b.add("slice", ChannelSlice(0, 1), y))
    assert {graph.nodes[i].name: channels for i, channels in dead_channels(graph).items()} == {"pw": (1, 2, 3)}


def test_a_shuffle_in_front_of_the_slice_names_the_channels_where_they_were_computed() -> None:
    b = Builder("shuffled")
    y = b.add("shuffle", ChannelShuffle(2), b.add("conv", Conv2d(3, 6, 1), b.input((1, 3, 5, 5))))
    graph = b.build(b.add("slice", ChannelSlice(0, 3), y))
    # Shuffled order 0 3 1 4 2 5, of which 0 3 1 are read. The shuffle computes nothing.
    assert dead_channels(graph) == {1: (2, 4, 5)}


def test_a_value_that_nothing_reads_is_dead_as_a_whole() -> None:
    b = Builder("unread")
    x = b.input(IMAGE)
    b.add("unread", Conv2d(4, 2, 1), x)
    assert dead_channels(b.build(b.add("act", Sigmoid(), x))) == {1: (0, 1)}


def test_channels_of_the_input_that_nothing_reads_are_nobodys_work() -> None:
    b = Builder("input")
    assert dead_channels(b.build(b.add("slice", ChannelSlice(1, 2), b.input(IMAGE)))) == {}


@pytest.mark.parametrize("name", ["shufflenet_v1", "shufflenet_v2", "mobilenet_v2", "densenet121", "nasnet_a", "senet154"])
def test_published_networks_compute_nothing_in_vain(name: str) -> None:
    assert dead_channels(build(name)) == {}
