"""Feature reuse: what is carried unchanged, and the decay in ShuffleNet v2 (section 3, figure 4 b)."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archspace import build
from archspace.analysis.reuse import CARRIES, Reuse, carried, reuse_matrix
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    OPS,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GroupedShift,
    Op,
    ReLU,
    Reshape,
    Shape,
    SparseShift,
)


def carried_by(op: Op, shape: Shape) -> list[int | None]:
    """Per output channel of an op, the channel of its input that it is, or None for a new one."""
    b = Builder("one")
    graph = b.build(b.add("op", op, b.input(shape)))
    return [channel if node == 0 else None for node, channel in carried(graph)[1]]


def between(reuse: Reuse, first: str, steps: int) -> int:
    """The channels that the block `steps` after `first` shares with it."""
    i = reuse.blocks.index(first)
    return reuse.channels[i][i + steps]


def splitting(channels: int, kept: int, groups: int, units: int) -> Graph:
    """Units that keep the first `kept` channels, convolve the others, and shuffle in `groups`."""
    b = Builder("splitting")
    x = b.add("stem", Conv2d(3, channels, 1), b.input((1, 3, 8, 8)))
    for i in range(units):
        with b.block(f"unit{i}"):
            keep = b.add("keep", ChannelSlice(0, kept), x)
            made = b.add("conv", Conv2d(channels - kept, channels - kept, 1), b.add("split", ChannelSlice(kept, channels), x))
            x = b.add("shuffle", ChannelShuffle(groups), b.add("concat", Concat(), keep, made))
    return b.build(x)


def test_the_ops_that_carry_channels_are_those_that_only_move_them() -> None:
    shifts = {"FixedShift", "GroupedShift", "SparseShift"}
    movers = {"ChannelGather", "ChannelShuffle", "ChannelSlice", "Concat", "Dropout", "Flatten", "Reshape", *shifts}
    assert {OPS[name] for name in movers} == set(CARRIES)


def test_shuffles_and_slices_carry_the_channels_where_they_move_them() -> None:
    assert carried_by(ChannelShuffle(2), (1, 6, 5, 5)) == [0, 3, 1, 4, 2, 5]
    assert carried_by(ChannelSlice(2, 5), (1, 6, 5, 5)) == [2, 3, 4]
    assert carried_by(Dropout(), (1, 3, 5, 5)) == [0, 1, 2]


def test_an_activation_a_pool_and_a_convolution_carry_nothing() -> None:
    for op in (ReLU(), Conv2d(3, 3, 1, groups=3)):
        assert carried_by(op, (1, 3, 5, 5)) == [None, None, None]


def test_a_grouped_shift_carries_its_middle_group_alone() -> None:
    # 20 channels: nine groups of 2, the middle one (the fifth) stays; the two that are left over move.
    assert carried_by(GroupedShift(20), (1, 20, 5, 5)) == [8 + c - 8 if c in (8, 9) else None for c in range(20)]


def test_a_sparse_shift_carries_the_channels_behind_the_moved_ones() -> None:
    assert carried_by(SparseShift(5, 2), (1, 5, 5, 5)) == [None, None, 2, 3, 4]


def test_of_a_learned_shift_no_channel_is_sure_to_stay() -> None:
    assert carried_by(SparseShift(5, 2, learned=True), (1, 5, 5, 5)) == [None] * 5


def test_views_carry_channels_that_stay_whole() -> None:
    assert carried_by(Flatten(1), (1, 3, 1, 1)) == [0, 1, 2]
    assert carried_by(Flatten(2), (1, 3, 2, 2)) == [0, 1, 2]
    assert carried_by(Reshape((3, 4)), (1, 3, 2, 2)) == [0, 1, 2]
    assert carried_by(Flatten(1), (1, 1, 1, 2)) == [None, None]
    assert carried_by(Reshape((1, 12)), (1, 3, 2, 2)) == [None]


def test_a_concat_of_channels_carries_both_inputs_and_one_of_rows_neither() -> None:
    b = Builder("concat")
    x = b.input((1, 2, 4, 4))
    y = b.add("act", ReLU(), x)
    graph = b.build(b.add("channels", Concat(), y, x), b.add("rows", Concat(dim=2), y, x))
    assert carried(graph)[2:] == [((1, 0), (1, 1), (0, 0), (0, 1)), ((3, 0), (3, 1))]


def test_shufflenet_v2_hands_on_half_of_the_channels_per_unit() -> None:
    # Kept and convolved channels alternate after the shuffle, so of the next unit's first half, half were kept: c / 2^j, rounded up.
    reuse = reuse_matrix(build("shufflenet_v2"))
    c = 232
    assert [between(reuse, "stage3.unit0", j) for j in range(8)] == [-(-c // 2**j) for j in range(8)] == [232, 116, 58, 29, 15, 8, 4, 2]


def test_the_reuse_of_shufflenet_v2_does_not_depend_on_where_in_a_stage_it_starts() -> None:
    reuse = reuse_matrix(build("shufflenet_v2"))
    for i in range(8):
        assert [between(reuse, f"stage3.unit{i}", j) for j in range(8 - i)] == [-(-232 // 2**j) for j in range(8 - i)]


def test_no_channel_survives_a_down_sampling_unit() -> None:
    reuse = reuse_matrix(build("shufflenet_v2"))
    assert between(reuse, "stage2.unit3", 1) == between(reuse, "stage3.unit7", 1) == 0


@pytest.mark.parametrize(("kept", "groups"), [(1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4), (2, 5), (4, 5)])
def test_reuse_decays_as_r_to_the_j_times_c_when_the_shuffle_has_the_splits_denominator(kept: int, groups: int) -> None:
    """r = kept / groups, c = groups^n. The shuffle moves channel q to q's base-`groups` digits rotated left: each unit looks at one more
    digit, keeps those with a first digit below `kept`, and the digits are independent. So (kept / groups)^j of c, for j up to n.
    """
    n = 4
    c, r = groups**n, Fraction(kept, groups)
    reuse = reuse_matrix(splitting(c, int(r * c), groups, units=n + 1))
    assert [between(reuse, "unit0", j) for j in range(n + 1)] == [r**j * c for j in range(n + 1)]


def zoo_decay(kept_share: Fraction, units: int) -> list[int]:
    """The channels, of 64, that the j-th unit after the first of stage 2 shares with it, j = 0, 1, ... (zoo: split_ratio is convolved)."""
    graph = build("shufflenet_v2", strides=(2,), repeats=(units,), stage_channels=(64,), split_ratio=float(1 - kept_share), input=(32, 32))
    reuse = reuse_matrix(graph)
    return [between(reuse, "stage2.unit0", j) for j in range(units)]


def test_at_half_a_split_reuse_is_exactly_r_to_the_j_times_c_until_one_channel_is_left() -> None:
    assert zoo_decay(Fraction(1, 2), 9) == [64, 32, 16, 8, 4, 2, 1, 1, 1]


def test_with_three_quarters_kept_the_first_unit_hands_on_r_c_and_later_ones_decay_slower_than_r_to_the_j() -> None:
    """A shuffle of 64 channels in two groups rotates the six binary digits of a channel's place; 48 are kept: those that do not start
    with 11. Handed on j times are the words of j + 1 digits without 11, Fibonacci(j + 3) of 2^(j + 1): a decay by 0.81, not by 0.75.
    From j = 6 on the word has been read around: the Lucas number L(6) = 18 of circular words without 11 is never lost.
    """
    fibonacci = [2, 3, 5, 8, 13, 21]  # words of 1, 2, ... digits without two ones in a row
    expected = [words * 2 ** (6 - digits) for digits, words in enumerate(fibonacci, start=1)]
    assert zoo_decay(Fraction(3, 4), 9) == [*expected, 18, 18, 18]
    assert expected == [64, 48, 40, 32, 26, 21]
    assert [round(float(Fraction(3, 4) ** j * 64)) for j in range(6)] == [64, 48, 36, 27, 20, 15]


def test_with_a_quarter_kept_the_first_unit_hands_on_r_c_and_later_ones_lose_half_each() -> None:
    # Kept are the places that start with 00; the next unit asks for one more 0 only: 64 / 2^(j + 1), not 64 / 4^j.
    assert zoo_decay(Fraction(1, 4), 7) == [64, 16, 8, 4, 2, 1, 1]


def test_without_the_shuffle_what_is_kept_is_kept_for_good() -> None:
    reuse = reuse_matrix(build("shufflenet_v2", shuffle=False))
    assert [between(reuse, "stage3.unit0", j) for j in range(8)] == [232] + [116] * 7


def test_a_dense_block_hands_on_all_channels_of_all_layers_before() -> None:
    reuse = reuse_matrix(build("densenet121"))
    layers = [f"stage1.unit{i}" for i in range(6)]
    for i, layer in enumerate(layers):
        # Growth 32 on 64: whatever a layer hands on, all later ones hand on too, and nothing of it goes through the transition.
        assert [between(reuse, layer, j) for j in range(6 - i)] == [64 + 32 * (i + 1)] * (6 - i)
        assert between(reuse, layer, 6 - i) == 0


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2"])
def test_residual_networks_carry_nothing_unchanged(name: str) -> None:
    reuse = reuse_matrix(build(name))
    assert all(reuse.channels[i][j] == 0 for i in range(len(reuse.blocks)) for j in range(len(reuse.blocks)) if i != j)
    assert all(reuse.channels[i][i] > 0 for i in range(len(reuse.blocks)))


def test_a_value_that_a_block_hands_on_twice_counts_once() -> None:
    b = Builder("twice")
    x = b.input((1, 2, 4, 4))
    with b.block("first"):
        y = b.add("act", ReLU(), x)
        both = b.add("both", Concat(), y, y)
    with b.block("second"):
        z = b.add("add", Add(), both, b.add("again", Concat(), y, y))
        out = b.add("out", Concat(), z, y)
    assert reuse_matrix(b.build(out)) == Reuse(("first", "second"), ((2, 2), (0, 6)))


def test_shares_are_of_the_later_blocks_channels() -> None:
    reuse = Reuse(("a", "b", "unread"), ((4, 2, 0), (0, 8, 0), (0, 0, 0)))
    assert reuse.shares() == ((1.0, 0.25, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0))


def test_a_164_layer_network_gives_a_matrix_over_all_its_blocks() -> None:
    reuse = reuse_matrix(build("se_shufflenet_v2_164"))
    assert len(reuse.blocks) == 1 + 10 + 10 + 23 + 10 + 2  # stem, stages, conv5, head
    assert [between(reuse, "stage4.unit0", j) for j in range(6)] == [1360, 680, 340, 170, 85, 43]
