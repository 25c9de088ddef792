"""The ops of deployed networks: gathered channels and fixed shifts, their laws, counts and what the analyses say of them."""

from __future__ import annotations

import json

import pytest

from archspace.analysis.dead import dead_channels
from archspace.analysis.provenance import bits, influence
from archspace.analysis.receptive_field import receptive_fields
from archspace.analysis.reuse import carried
from archspace.errors import LawError
from archspace.ir import Builder, Counts, Graph
from archspace.ir.ops import ChannelGather, ChannelShuffle, Concat, Conv2d, FixedShift
from archspace.ir.serde import from_dict, to_json
from archspace.latency.fusion import fused_kernels

X = (2, 6, 5, 7)
PIXELS = 2 * 5 * 7


def test_a_gather_reads_and_writes_the_channels_that_it_names_and_no_others() -> None:
    op = ChannelGather((7, 0, 1))
    assert op.out_shape(X, (2, 4, 5, 7)) == (2, 3, 5, 7)
    assert op.counts((X, (2, 4, 5, 7)), (2, 3, 5, 7)) == Counts(in_elems=3 * PIXELS, out_elems=3 * PIXELS, movement_elems=6 * PIXELS)


@pytest.mark.parametrize(
    ("channels", "shapes", "law"),
    [
        ((6,), (X,), "channels must name channels of the inputs, 0 to 5, but got channel 6"),
        ((0, -1), (X,), "channels must name channels of the inputs, 0 to 5, but got channel -1"),
        ((), (X,), "channels must name channels of the inputs, 0 to 5, but got none"),
        ((0,), (X, (2, 6, 5, 8)), r"the inputs must agree in every axis but 1, but got \(2, 6, 5, 7\) and \(2, 6, 5, 8\)"),
        ((0,), (), "takes inputs with a channel axis, but got none"),
    ],
)
def test_a_gather_of_what_is_not_there_is_refused(channels: tuple[int, ...], shapes: tuple[tuple[int, ...], ...], law: str) -> None:
    with pytest.raises(LawError, match=law):
        ChannelGather(channels).out_shape(*shapes)


def test_in_place_a_fixed_shift_costs_its_moved_channels_and_out_of_place_all_of_them() -> None:
    alpha, beta = (0, 1, 0, 0, 0, 0), (0, 0, -2, 0, 0, 0)
    op = FixedShift(alpha, beta, inplace=True)
    assert op.moved_channels == (1, 2)
    assert op.counts((X,), op.out_shape(X)) == Counts(in_elems=2 * PIXELS, out_elems=2 * PIXELS, movement_elems=4 * PIXELS)
    assert FixedShift(alpha, beta).counts((X,), X).mem_elems == 2 * 6 * PIXELS


def test_a_fixed_shift_needs_a_displacement_per_channel() -> None:
    with pytest.raises(LawError, match="one displacement per channel, but got 6 and 5, input channels 6"):
        FixedShift((0,) * 6, (0,) * 5).out_shape(X)


def gathered() -> Graph:
    """Two convolutions of three channels; a gather reads 2 and 0 of the second and 1 of the first."""
    b = Builder("gathered")
    x = b.input((1, 3, 8, 8))
    left, right = b.add("left", Conv2d(3, 3, 1), x), b.add("right", Conv2d(3, 3, 3, padding=1), x)
    return b.build(b.add("gather", ChannelGather((5, 3, 1)), left, right))


def test_a_gathered_channel_is_the_one_that_it_names() -> None:
    graph = gathered()
    assert carried(graph)[3] == ((2, 2), (2, 0), (1, 1))
    rows = influence(graph, "right")[3]
    assert rows is not None
    assert [list(bits(row)) for row in rows] == [[2], [0], []]
    assert dead_channels(graph) == {1: (0, 2), 2: (1,)}


def test_the_kernel_of_a_gather_reads_what_it_names() -> None:
    kernel = fused_kernels(gathered(), "none")[-1]
    assert (kernel.names, kernel.op_type, kernel.in_elems, kernel.out_elems) == (("gather",), "shuffle", 3 * 64, 3 * 64)


def test_a_gather_of_interleaved_channels_is_a_concat_and_its_shuffle() -> None:
    found = []
    for ops in ((Concat(), ChannelShuffle(2)), (ChannelGather((0, 3, 1, 4, 2, 5)),)):
        b = Builder("two ways")
        value = b.add("op0", ops[0], b.input((1, 3, 2, 2), "a"), b.input((1, 3, 2, 2), "b"))
        for op in ops[1:]:
            value = b.add("op1", op, value)
        found.append(carried(b.build(value))[-1])
    assert found[0] == found[1]


def test_a_fixed_shift_sees_as_far_as_its_displacements_and_carries_what_stays() -> None:
    b = Builder("shifted")
    graph = b.build(b.add("shift", FixedShift((0, 2, 0, -1), (0, 0, 3, 0)), b.input((1, 4, 16, 16))))
    field = receptive_fields(graph)[1]
    assert field is not None
    assert (field.low, field.high) == ((0, -1), (3, 2))  # (vertical, horizontal)
    assert carried(graph)[1] == ((0, 0), (1, 1), (1, 2), (1, 3))


def test_both_are_stored_and_read_back() -> None:
    b = Builder("stored")
    x = b.add("gather", ChannelGather((3, 0, 2)), b.input((1, 4, 8, 8)))
    graph = b.build(b.add("shift", FixedShift((0, 2, -1), (1, 0, 0), inplace=True), x))
    assert from_dict(json.loads(to_json(graph))) == graph
