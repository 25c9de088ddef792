"""Structure: unmixed groups (ShuffleNet v1, figure 1), idle shuffles, dead channels, a small receptive field."""

from __future__ import annotations

import pytest

from archspace import Builder, Graph, build
from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    MaxPool2d,
    Multiply,
    Op,
    Opaque,
    ReLU,
    Sigmoid,
    Softmax,
)
from archspace.rules import Finding, lint


def found(graph: Graph, code: str, **limits: float) -> tuple[Finding, ...]:
    return lint(graph, select=[code], thresholds={code: limits}).findings


def chain(*ops: Op, channels: int = 12, size: int = 5) -> Graph:
    """Ops behind each other, named a, b, c, ..."""
    b = Builder("chain")
    x = b.input((1, channels, size, size))
    for name, op in zip("abcdefghij", ops, strict=False):
        x = b.add(name, op, x)
    return b.build(x)


def grouped(groups: int, channels: int = 12) -> Conv2d:
    return Conv2d(channels, channels, 1, groups=groups)


@pytest.mark.parametrize("g", [2, 3, 4, 6])
def test_stacked_group_convolutions_fall_into_as_many_parts_as_groups_as_in_figure_1a(g: int) -> None:
    (finding,) = found(chain(grouped(g), ReLU(), grouped(g)), "S101")
    assert (finding.node, finding.measured, finding.bound) == ("c", g, 1)
    assert finding.message == f"the groups of a and of this convolution fall into {g} parts that do not mix"


@pytest.mark.parametrize("g", [2, 3])
def test_a_shuffle_between_them_is_the_way_out_as_in_figure_1c(g: int) -> None:
    assert not found(chain(grouped(g), ChannelShuffle(g), grouped(g)), "S101")


def test_figure_1b_without_any_shuffle_op_is_no_breach() -> None:
    # GConv2 takes its channels from both groups of GConv1 by slices and a concat: a pattern without a shuffle, and proven all the same.
    b = Builder("b")
    x = b.add("first", grouped(2, 8), b.input((1, 8, 5, 5)))
    quarters = [b.add(f"slice{i}", ChannelSlice(2 * i, 2 * i + 2), x) for i in range(4)]
    x = b.add("concat", Concat(), *(quarters[i] for i in (0, 2, 1, 3)))
    assert not found(b.build(b.add("second", grouped(2, 8), x)), "S101")


def test_a_shuffle_that_cannot_reach_all_groups_leaves_parts() -> None:
    # Four groups of two channels: 01|23|45|67 -> 02|46|13|57; groups 0 and 1 feed 0 and 2, groups 2 and 3 feed 1 and 3.
    (finding,) = found(chain(grouped(4, 8), ChannelShuffle(4), grouped(4, 8), channels=8), "S101")
    assert finding.measured == 2


def test_a_shuffle_that_is_undone_mixes_nothing() -> None:
    assert found(chain(grouped(3), ChannelShuffle(3), ChannelShuffle(4), grouped(3)), "S101")[0].measured == 3


@pytest.mark.parametrize("between", [Conv2d(12, 12, 1), Conv2d(12, 12, 3, padding=1), Opaque("torch.sort", (1, 12, 5, 5))])
def test_a_dense_convolution_or_unknown_work_between_them_is_no_breach(between: Op) -> None:
    assert not found(chain(grouped(3), between, grouped(3)), "S101")


def test_one_step_that_does_not_mix_is_no_breach_between_steps_that_do() -> None:
    mix = (ChannelShuffle(3), grouped(3))
    assert not found(chain(grouped(3), *mix, grouped(3), *mix), "S101")  # as in ShuffleNet v1
    assert not found(chain(grouped(3), grouped(3), *mix), "S101")
    assert not found(chain(grouped(3), *mix, grouped(3)), "S101")


def test_steps_that_do_not_mix_are_excused_by_a_window_that_does_and_not_beyond_its_length() -> None:
    mix = (ChannelShuffle(3), grouped(3))
    graph = chain(grouped(3), *mix, grouped(3), grouped(3), *mix)  # five group convolutions: a, c, d, e, g
    assert not found(graph, "S101")  # a to d is mixed by the first shuffle, d to g by the second
    alone = lint(graph, select=["S101"], thresholds={"S101": {"steps": 1}}).findings
    assert {finding.node for finding in alone} == {"d", "e"}
    # Of six steps without a shuffle before one with it, windows of four reach the last three.
    long = chain(*[grouped(3)] * 7, *mix)
    assert [finding.node for finding in found(long, "S101")] == ["b", "c", "d"]


def test_two_units_mix_what_one_shuffle_cannot() -> None:
    # Eight groups of four channels: a shuffle brings each group channels of four others, a second one those of all.
    one = (grouped(8, 32), ChannelShuffle(8), grouped(8, 32))
    assert [finding.measured for finding in found(chain(*one, channels=32), "S101")] == [2]
    assert not found(chain(*one, ChannelShuffle(8), grouped(8, 32), channels=32), "S101")


def test_a_dense_path_beside_the_group_convolutions_mixes_them() -> None:
    b = Builder("beside")
    x = b.input((1, 12, 5, 5))
    y = b.add("second", grouped(3), b.add("first", grouped(3), x))
    b_out = b.add("third", grouped(3), b.add("add", Add(), y, b.add("dense", Conv2d(12, 12, 1), x)))
    nodes = {finding.node for finding in found(b.build(b_out), "S101")}
    assert "third" not in nodes


def test_a_group_convolution_on_another_path_does_not_hide_one_that_stays_apart() -> None:
    b = Builder("cut")
    x = b.input((1, 12, 5, 5))
    first = b.add("first", grouped(3), x)
    other = b.add("slice", ChannelSlice(0, 4), b.add("other", grouped(3), x))
    joined = b.add("cut", ChannelSlice(0, 12), b.add("concat", Concat(), first, other))
    assert {finding.node for finding in found(b.build(b.add("last", grouped(3), joined)), "S101")} == {"last"}


def test_unknown_or_global_work_in_the_last_stage_may_see_everything() -> None:
    for op in (Opaque("torch.odd", (1, 4, 8, 8)), Softmax(-1)):
        b = Builder("tail")
        x = b.input((1, 4, 8, 8))
        with b.block("stage1.unit0"):
            x = b.add("conv", Conv2d(4, 4, 3, padding=1), x)
        with b.block("stage2.unit0"):
            x = b.add("conv", Conv2d(4, 4, 1), b.add("odd", op, x))
        assert not found(b.build(x), "S104")


def residual(*between: Op) -> Graph:
    """A group convolution, then a branch with another one and its shortcut, added, then a third."""
    b = Builder("residual")
    x = y = b.add("first", grouped(3), b.input((1, 12, 5, 5)))
    for i, op in enumerate(between):
        y = b.add(f"between{i}", op, y)
    x = b.add("add", Add(), x, b.add("second", grouped(3), y))
    return b.build(b.add("third", grouped(3), x))


def test_a_shortcut_carries_groups_as_they_are() -> None:
    assert {finding.node: finding.measured for finding in found(residual(), "S101")} == {"second": 3, "third": 3}
    assert not found(residual(ChannelShuffle(3)), "S101")


def joined(*, dense: bool) -> Graph:
    """Two branches concatenated before a group convolution of four groups: each branch feeds two of them."""
    b = Builder("joined")
    x = b.add("first", grouped(4, 8), b.input((1, 8, 5, 5)))
    side = b.add("side", Conv2d(8, 8, 1), x) if dense else b.add("side", ReLU(), x)
    y = b.add("concat", Concat(), x, side)
    return b.build(b.add("second", Conv2d(16, 16, 1, groups=4), y))


def test_a_concat_puts_groups_beside_each_other() -> None:
    # 16 channels in groups of 4: two of the first's groups of 2 in each. Groups 0|1 meet in the second's 0 and, by the copy, in its 2.
    assert found(joined(dense=False), "S101")[0].measured == 2
    assert not found(joined(dense=True), "S101")


def test_a_gate_that_sees_all_channels_mixes_them() -> None:
    b = Builder("gate")
    x = b.add("first", grouped(3), b.input((1, 12, 5, 5)))
    gate = b.add("fc", Conv2d(12, 12, 1), b.add("pool", AdaptiveAvgPool2d(1), x))
    x = b.add("scale", Multiply(), x, b.add("gate", Sigmoid(), gate))
    assert not found(b.build(b.add("second", grouped(3), x)), "S101")


def test_depthwise_convolutions_are_not_asked_and_do_not_mix() -> None:
    deep = Conv2d(12, 12, 3, padding=1, groups=12)
    assert not found(chain(deep, deep, grouped(3)), "S101")
    assert found(chain(grouped(3), deep, grouped(3)), "S101")[0].measured == 3


@pytest.mark.parametrize("groups", [1, 12])
def test_a_shuffle_in_one_group_or_in_as_many_as_channels_permutes_nothing(groups: int) -> None:
    (finding,) = found(chain(ReLU(), ChannelShuffle(groups)), "S102")
    assert (finding.node, finding.measured, finding.bound) == ("b", 1, 0)
    assert finding.message == f"a shuffle of 12 channels in {groups} groups permutes nothing"
    assert finding.excess_mem_elems == 2 * 12 * 25


@pytest.mark.parametrize("groups", [2, 3, 4, 6])
def test_any_other_shuffle_moves_something(groups: int) -> None:
    assert not found(chain(ReLU(), ChannelShuffle(groups)), "S102")


@pytest.mark.parametrize(
    "between", [(), (ReLU(),), (BatchNorm2d(12), ReLU(), Conv2d(12, 12, 3, padding=1, groups=12)), (MaxPool2d(3, 1, 1),)]
)
def test_a_shuffle_undoes_another_when_nothing_between_mixes_channels(between: tuple[Op, ...]) -> None:
    (finding,) = found(chain(ChannelShuffle(3), *between, ChannelShuffle(4)), "S102")
    assert finding.measured == 2
    assert finding.message == "the shuffle undoes a: no channel is elsewhere behind both"
    assert finding.excess_mem_elems == 2 * (2 * 12 * 25)  # both of them


@pytest.mark.parametrize("between", [Conv2d(12, 12, 1), grouped(3), Opaque("torch.sort", (1, 12, 5, 5))])
def test_what_mixes_or_may_mix_between_them_keeps_both(between: Op) -> None:
    assert not found(chain(ChannelShuffle(3), between, ChannelShuffle(4)), "S102")


def test_two_shuffles_that_together_permute_are_no_breach() -> None:
    assert not found(chain(ChannelShuffle(3), ChannelShuffle(3)), "S102")


def test_of_three_shuffles_that_undo_each_other_in_turn_only_one_pair_can_go() -> None:
    (finding,) = found(chain(ChannelShuffle(3), ChannelShuffle(4), ChannelShuffle(3)), "S102")
    assert (finding.node, finding.measured) == ("b", 2)


def test_three_shuffles_that_come_back_together_can_all_go() -> None:
    # Of 8 channels, a shuffle in 2 groups brings channel c to 2c mod 7; 2^3 = 8 = 1 mod 7.
    (finding,) = found(chain(*[ChannelShuffle(2)] * 3, channels=8), "S102")
    assert (finding.node, finding.measured) == ("c", 3)
    assert finding.message == "the shuffle undoes a and b: no channel is elsewhere behind all of them"
    assert finding.excess_mem_elems == 3 * 2 * 8 * 25


def test_pairs_inside_pairs_all_go() -> None:
    nested = chain(ChannelShuffle(2), ChannelShuffle(3), ChannelShuffle(4), ReLU(), ChannelShuffle(6))
    assert {finding.node: finding.measured for finding in found(nested, "S102")} == {"c": 2, "e": 2}


@pytest.mark.parametrize("reader", ["another op", "the caller"])
def test_a_shuffle_that_somebody_else_reads_is_not_undone(reader: str) -> None:
    b = Builder("read")
    x = b.add("first", ChannelShuffle(3), b.input((1, 12, 5, 5)))
    y = b.add("second", ChannelShuffle(4), x)
    assert not found(b.build(y, x if reader == "the caller" else b.add("conv", grouped(3), x)), "S102")


def test_the_shuffle_that_is_dropped_leaves_no_breach() -> None:
    assert not found(chain(ReLU()), "S102")


def sliced(*, keep: int, bias: bool = False) -> Graph:
    """A 1x1 convolution of 8 -> 12 channels at 5x5 and a ReLU, of which the first `keep` channels go on."""
    b = Builder("sliced")
    x = b.add("conv", Conv2d(8, 12, 1, bias=bias), b.input((2, 8, 5, 5)))
    x = b.add("act", ReLU(), x)
    return b.build(b.add("fc", Conv2d(keep, 4, 1), b.add("slice", ChannelSlice(0, keep), x)))


def test_channels_that_are_sliced_away_are_dead_where_they_are_computed() -> None:
    conv, act = sorted(found(sliced(keep=9), "S103"), key=lambda finding: finding.node, reverse=True)
    assert (conv.node, conv.measured, conv.bound) == ("conv", 3, 0)
    # A quarter of what is written, and of the weights; the ReLU has none.
    assert conv.excess_mem_elems == (2 * 12 * 25 + 12 * 8) // 4
    assert (act.node, act.measured, act.excess_mem_elems) == ("act", 3, 2 * 12 * 25 // 4)
    assert conv.message == "3 of 12 channels influence no output"


def test_nothing_is_dead_where_every_channel_goes_on() -> None:
    assert not found(sliced(keep=12), "S103")


def test_an_op_that_nobody_reads_is_dead_as_a_whole() -> None:
    b = Builder("unread")
    x = b.input((1, 8, 5, 5))
    b.add("lost", Conv2d(8, 8, 1), x)
    (finding,) = found(b.build(b.add("kept", ReLU(), x)), "S103")
    assert (finding.node, finding.measured) == ("lost", 8)
    assert finding.excess_mem_elems == 8 * 25 + 64


def windows(*kernels: int, size: tuple[int, int] = (9, 9), scope: str = "stage1.unit0") -> Graph:
    b = Builder("windows")
    x = b.input((1, 2, *size))
    with b.block(scope):
        for i, k in enumerate(kernels):
            x = b.add(f"conv{i}", Conv2d(2, 2, k, padding=k // 2), x)
    with b.block("head"):
        return b.build(b.add("pool", AdaptiveAvgPool2d(1), x))


def test_a_last_stage_that_sees_less_than_the_input_is_a_breach() -> None:
    (finding,) = found(windows(3, 3, 3), "S104")  # 1 + 2 + 2 + 2 pixels
    assert (finding.node, finding.measured, finding.bound) == ("stage1.unit0.conv2", 7 / 9, 1)
    assert finding.message == "a position of the last stage sees 7x7 of 9x9 pixels"
    assert not found(windows(3, 3, 3, 3), "S104")


def test_of_an_image_that_is_not_square_the_side_that_is_seen_least_counts() -> None:
    (finding,) = found(windows(3, 3, size=(5, 20)), "S104")
    assert finding.measured == 5 / 20


def test_the_share_is_honoured_just_at_it_and_just_beyond() -> None:
    assert not found(windows(3, 3, 3), "S104", share=7 / 9)
    assert found(windows(3, 3, 3), "S104", share=7 / 9 + 1e-12)


def test_a_graph_without_stages_or_without_images_has_no_last_stage() -> None:
    assert not found(windows(1, scope="body"), "S104")


@pytest.mark.parametrize(
    ("member", "seen", "side"),
    # VGG-16: 13 convolutions of 3 and 5 pools of 2: 1 + 2 (2 + 2*2 + 3*4 + 3*8 + 3*16) + (1 + 2 + 4 + 8 + 16) = 212.
    [("vgg_16", 212, 224), ("shiftresnet_20_1x1", 9, 32)],
)
def test_what_known_networks_see(member: str, seen: int, side: int) -> None:
    (finding,) = found(build(member), "S104")
    assert finding.measured == seen / side
