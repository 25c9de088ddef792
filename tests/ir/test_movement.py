"""Shuffle, split, concat, pad, shifts and views: data moved and nothing computed."""

from __future__ import annotations

import pytest

from archspace.errors import LawError
from archspace.ir import Counts
from archspace.ir.ops import ChannelShuffle, ChannelSlice, Concat, Flatten, GroupedShift, Op, Pad, Reshape, Shape, SparseShift

X = (2, 12, 4, 5)
PIXELS = 2 * 4 * 5  # elements of one channel, over the batch
N = 12 * PIXELS


def count(op: Op, *shapes: Shape) -> Counts:
    return op.counts(shapes, op.out_shape(*shapes))


def moved(elements_in: int, elements_out: int) -> Counts:
    return Counts(in_elems=elements_in, out_elems=elements_out, movement_elems=elements_in + elements_out)


def test_a_shuffle_reads_and_writes_everything() -> None:
    assert ChannelShuffle(3).out_shape(X) == X
    assert count(ChannelShuffle(3), X) == moved(N, N)


def test_a_shuffle_needs_groups_that_divide_the_channels() -> None:
    with pytest.raises(LawError) as caught:
        ChannelShuffle(5).out_shape(X)
    law = "ChannelShuffle: groups must divide the channels"
    assert str(caught.value) == f"{law}, but got groups=5, channels=12. Divisors near 5: 4, 6."
    with pytest.raises(LawError, match="ChannelShuffle: groups must be at least 1, but got 0"):
        ChannelShuffle(0).out_shape(X)


def test_a_slice_copies_its_own_channels() -> None:
    assert ChannelSlice(2, 7).out_shape(X) == (2, 5, 4, 5)
    assert count(ChannelSlice(2, 7), X) == moved(5 * PIXELS, 5 * PIXELS)
    assert ChannelSlice(0, 12).out_shape((2, 12)) == (2, 12)


def test_a_slice_in_place_costs_nothing() -> None:
    assert ChannelSlice(2, 7, copies=False).out_shape(X) == (2, 5, 4, 5)
    assert count(ChannelSlice(2, 7, copies=False), X) == Counts()


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 3), (5, 3), (0, 13)])
def test_a_slice_lies_within_the_channels(start: int, stop: int) -> None:
    with pytest.raises(LawError) as caught:
        ChannelSlice(start, stop).out_shape(X)
    law = "ChannelSlice: 0 <= start < stop <= channels must hold"
    assert str(caught.value) == f"{law}, but got start={start}, stop={stop}, input shape {X}"


def test_a_concat_adds_the_sizes_along_its_axis() -> None:
    parts = (X, (2, 3, 4, 5), (2, 1, 4, 5))
    assert Concat().out_shape(*parts) == (2, 16, 4, 5)
    assert count(Concat(), *parts) == moved(16 * PIXELS, 16 * PIXELS)
    assert count(Concat(copies=False), *parts) == Counts()
    assert Concat(dim=3).out_shape(X, (2, 12, 4, 1)) == (2, 12, 4, 6)
    assert Concat(dim=0).out_shape(X, X) == (4, 12, 4, 5)
    assert Concat().out_shape(X) == X


def test_a_concat_needs_parts_that_agree_elsewhere() -> None:
    with pytest.raises(LawError) as caught:
        Concat().out_shape(X, (2, 3, 4, 6))
    assert str(caught.value) == "Concat: the inputs must agree in every axis but 1, but got (2, 12, 4, 5) and (2, 3, 4, 6)"
    with pytest.raises(LawError, match="the inputs must agree"):
        Concat().out_shape(X, (2, 3, 4))
    with pytest.raises(LawError, match="Concat takes at least one input, but got none"):
        Concat().out_shape()
    with pytest.raises(LawError, match=r"Concat: dim must be an axis of the inputs, but got dim=4, input shape \(2, 12, 4, 5\)"):
        Concat(dim=4).out_shape(X, X)


def test_padding_goes_left_right_top_bottom() -> None:
    assert Pad((1, 2, 3, 4)).out_shape(X) == (2, 12, 4 + 3 + 4, 5 + 1 + 2)
    assert count(Pad((1, 2, 3, 4)), X) == moved(N, 2 * 12 * 11 * 8)
    with pytest.raises(LawError, match=r"Pad: padding must not be negative, but got \(0, 0, -1, 0\)"):
        Pad((0, 0, -1, 0)).out_shape(X)


def test_a_grouped_shift_leaves_the_middle_group_in_place() -> None:
    shift = GroupedShift(20)
    # 20 channels in 9 groups of 2; the middle group has displacement (0, 0), the remainder of 2 moves too.
    assert shift.moved_channels == 20 - 2
    shape = (2, 20, 4, 5)
    assert shift.out_shape(shape) == shape
    assert count(shift, shape) == moved(18 * PIXELS, 18 * PIXELS)


def test_a_grouped_shift_needs_an_odd_kernel_and_a_channel_per_tap() -> None:
    for kernel in (2, 0, -3):
        with pytest.raises(LawError, match=f"GroupedShift: kernel_size must be odd, but got {kernel}"):
            GroupedShift(12, kernel).out_shape(X)
    with pytest.raises(LawError) as caught:
        GroupedShift(12, 5).out_shape(X)
    law = "GroupedShift: channels must be at least kernel_size^2"
    assert str(caught.value) == f"{law}, but got channels=12, kernel_size=5"
    with pytest.raises(LawError, match="GroupedShift: channels must equal the input's channels, but got channels=9, input channels 12"):
        GroupedShift(9).out_shape(X)


def test_a_sparse_shift_costs_what_it_moves() -> None:
    assert SparseShift(12, 5).out_shape(X) == X
    assert count(SparseShift(12, 5), X) == moved(5 * PIXELS, 5 * PIXELS)
    assert count(SparseShift(12, 12), X) == moved(N, N)


def test_a_shift_of_sparsity_one_costs_nothing() -> None:
    assert count(SparseShift(12, 0), X) == Counts()


def test_a_learned_shift_has_two_displacements_per_channel_moved_or_not() -> None:
    fixed, learned = (count(SparseShift(12, 5, learned=learned), X) for learned in (False, True))
    assert (fixed.params, learned.params) == (0, 2 * 12)
    assert learned.mem_elems == fixed.mem_elems  # the displacements are negligible beside the feature map (SSL paper, section 3)


@pytest.mark.parametrize("moved_channels", [-1, 13])
def test_a_sparse_shift_moves_channels_that_exist(moved_channels: int) -> None:
    with pytest.raises(LawError) as caught:
        SparseShift(12, moved_channels).out_shape(X)
    law = "SparseShift: moved_channels must be in [0, channels]"
    assert str(caught.value) == f"{law}, but got moved_channels={moved_channels}, channels=12"
    with pytest.raises(LawError, match="SparseShift: channels must equal the input's channels, but got channels=8, input channels 12"):
        SparseShift(8, 2).out_shape(X)


@pytest.mark.parametrize(
    ("op", "out"),
    [
        (Flatten(), (2, 12 * 4 * 5)),
        (Flatten(0), (2 * 12 * 4 * 5,)),
        (Flatten(2), (2, 12, 4 * 5)),
        (Flatten(3), X),
        (Reshape((3, 4, 20)), (2, 3, 4, 20)),
        (Reshape((240,)), (2, 240)),
    ],
)
def test_a_view_changes_the_shape_and_costs_nothing(op: Op, out: Shape) -> None:
    assert op.out_shape(X) == out
    assert count(op, X) == Counts()


def test_a_view_keeps_the_number_of_elements_and_names_an_axis() -> None:
    for dim in (-1, 4):
        with pytest.raises(LawError, match=f"Flatten: start_dim must be an axis of the input, but got start_dim={dim}"):
            Flatten(dim).out_shape(X)
    with pytest.raises(LawError) as caught:
        Reshape((3, 5)).out_shape(X)
    assert str(caught.value) == "Reshape: the number of elements must stay, but got (12, 4, 5) -> (3, 5)"


def test_a_reshape_has_sizes_of_at_least_one() -> None:
    with pytest.raises(LawError, match="Reshape"):
        Reshape((-12, -20)).out_shape(X)  # the product is right


def test_a_tensor_without_a_batch_axis_is_not_reshaped() -> None:
    with pytest.raises(LawError, match="Reshape"):
        Reshape((1,)).out_shape(())  # the axes after the batch: there is none
