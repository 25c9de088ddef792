"""Guideline 4: the element-wise share of a block, work on thick maps, and separate concat, shuffle and split."""

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
    Multiply,
    Op,
    Opaque,
    ReLU,
    Sigmoid,
)
from archspace.rules import Finding, lint


def found(graph: Graph, code: str, **limits: float) -> tuple[Finding, ...]:
    return lint(graph, select=[code], thresholds={code: limits}).findings


def conv_and(*ops: Op, batch: int = 1, size: tuple[int, int] = (10, 10)) -> Graph:
    """A block of one 1x1 convolution, 8 -> 8 channels, and what follows."""
    b = Builder("block")
    x = b.input((batch, 8, *size))
    with b.block("stage1.unit0"):
        x = b.add("conv", Conv2d(8, 8, 1), x)
        for i, op in enumerate(ops):
            x = b.add(f"op{i}", op, *([x, x] if isinstance(op, Add) else [x]))
    return b.build(x)


# The convolution accesses 100 * (8 + 8) + 64 = 1664 elements, a ReLU 1600, an addition 2400.


def test_the_share_of_activations_additions_and_depthwise_convolutions_is_measured() -> None:
    (finding,) = found(conv_and(ReLU(), Add()), "G401")
    assert finding.measured == (1600 + 2400) / (1664 + 1600 + 2400)
    assert (finding.node, finding.bound) == ("stage1.unit0.op1", 0.6)  # the largest part
    assert finding.message == "71% of the block's memory access is element-wise"
    (deep,) = found(conv_and(Conv2d(8, 8, 3, padding=1, groups=8), ReLU()), "G401")
    assert deep.measured == (1600 + 72 + 1600) / (1664 + 1672 + 1600)


def test_the_waste_is_what_would_have_to_go_for_the_share_to_fall_to_the_bound() -> None:
    (finding,) = found(conv_and(ReLU(), Add()), "G401", share=0.6)
    own, total = 4000, 5664
    over = (own - 0.6 * total) / 0.4
    assert (own - over) / (total - over) == pytest.approx(0.6)
    assert finding.excess_mem_elems == int(over * 1600 / own) + int(over * 2400 / own)
    assert found(conv_and(ReLU(), Add()), "G401", share=0)[0].excess_mem_elems == own


def test_batch_norm_is_left_out_because_it_is_folded() -> None:
    with_norm, without = (found(graph, "G401") for graph in (conv_and(BatchNorm2d(8), ReLU(), Add()), conv_and(ReLU(), Add())))
    assert with_norm[0].measured == without[0].measured
    assert with_norm[0].excess_mem_elems == without[0].excess_mem_elems


def test_the_share_is_honoured_just_at_it_and_just_beyond() -> None:
    share = 1600 / (1664 + 1600)
    assert not found(conv_and(ReLU()), "G401", share=share)
    assert found(conv_and(ReLU()), "G401", share=share * (1 - 1e-12))
    assert not found(conv_and(ReLU(), Add()), "G401", share=1)


def test_a_bias_is_element_wise_too() -> None:
    b = Builder("bias")
    graph = b.build(b.add("conv", Conv2d(8, 8, 1, bias=True), b.input((1, 8, 10, 10))))
    (finding,) = found(graph, "G401", share=0)
    assert finding.measured == 8 / (1664 + 8)


def test_a_larger_batch_multiplies_the_maps() -> None:
    (finding,) = found(conv_and(ReLU(), Add(), batch=4, size=(5, 5)), "G401")
    assert finding.measured == 4000 / 5664  # 4 * 25 = 100 pixels


def test_blocks_without_fragments_and_those_with_unknown_work_are_not_judged() -> None:
    b = Builder("no fragments")
    x = b.input((1, 8, 10, 10))
    with b.block("stage1.unit0"):
        x = b.add("act", ReLU(), x)
    assert not found(b.build(x), "G401", share=0)
    assert not found(conv_and(ReLU(), Add(), Opaque("torch.sort", (1, 8, 10, 10))), "G401", share=0)


def inverted(c: int, inner: int, *, stride: int = 1, batch: int = 1) -> Graph:
    """MobileNet v2's branch: expansion, ReLU, depthwise, projection."""
    b = Builder("inverted")
    x = b.input((batch, c, 8, 6))
    with b.block("stage1.unit0"):
        x = b.add("act", ReLU(), b.add("expand", Conv2d(c, inner, 1), x))
        x = b.add("dw", Conv2d(inner, inner, 3, stride, 1, groups=inner), x)
        x = b.add("project", Conv2d(inner, c, 1), x)
    return b.build(x)


def test_relu_and_depthwise_on_maps_thicker_than_both_ends_are_blamed_for_what_is_thicker() -> None:
    relu, deep = sorted(found(inverted(8, 24, stride=2, batch=2), "G402"), key=lambda finding: finding.node)
    assert (relu.node, relu.measured, relu.bound) == ("stage1.unit0.act", 3, 1)
    # Two of three channels are too many: of 2 * 24 * 8 * 6 elements read and as many written; the depthwise writes a quarter.
    assert relu.excess_mem_elems == 2 * (2 * 24 * 48) * 2 // 3
    assert deep.excess_mem_elems == (2 * 24 * 48 + 2 * 24 * 12) * 2 // 3
    assert deep.message == "a depthwise convolution on 24 channels at 4x3, 3 times the block's thicker end"
    assert relu.instead == deep.instead == "at most 8 channels here"


def test_as_thick_as_the_thicker_end_is_not_thick() -> None:
    assert not found(inverted(8, 8), "G402")
    assert found(inverted(8, 9), "G402")
    assert not found(inverted(8, 24), "G402", ratio=3)
    assert found(inverted(8, 24), "G402", ratio=2.9)


def test_the_waste_is_counted_from_the_bound_and_never_negative() -> None:
    allowed = found(inverted(8, 24), "G402", ratio=2)[0]
    assert allowed.instead == "at most 16 channels here"
    assert allowed.excess_mem_elems == 2 * 24 * 48 * 8 // 24
    half = found(inverted(8, 8), "G402", ratio=0.5)
    assert [finding.instead for finding in half] == ["at most 4 channels here"] * 2
    assert all(finding.excess_mem_elems == 8 * 48 for finding in half)  # half of read and written


def test_the_way_out_is_no_breach() -> None:
    assert not found(inverted(8, 16), "G402", ratio=2)


def test_a_gate_is_not_on_a_map() -> None:
    b = Builder("gate")
    x = b.input((1, 8, 10, 10))
    with b.block("stage1.unit0"):
        gate = b.add("fc1", Conv2d(8, 32, 1), b.add("pool", AdaptiveAvgPool2d(1), x))
        gate = b.add("fc2", Conv2d(32, 8, 1), b.add("act", ReLU(), gate))
        x = b.add("scale", Multiply(), x, b.add("gate", Sigmoid(), gate))
    assert not found(b.build(x), "G402")


def moved(*, slices: int = 2, whole: bool = False, copies: bool = True, output: str = "", shuffles: int = 1) -> Graph:
    """A concat of 8 + 8 channels at 5x5, a shuffle and a split in halves; `whole` reads the shuffle as well."""
    b = Builder("moved")
    x = b.input((1, 8, 5, 5))
    values = {"concat": b.add("concat", Concat(), b.add("a", ReLU(), x), x)}
    y = values["concat"]
    for i in range(shuffles):
        y = values["shuffle"] = b.add(f"shuffle{i}", ChannelShuffle(2), y)
    outs = [b.add(f"slice{i}", ChannelSlice(8 * i, 8 * i + 8, copies=copies), y) for i in range(slices)]
    if whole:
        outs.append(b.add("conv", Conv2d(16, 16, 1), y))
    return b.build(*outs, *([values[output]] if output else []), *([] if outs else [y]))


def test_concat_shuffle_and_split_could_be_one() -> None:
    (finding,) = found(moved(), "G403")
    assert (finding.node, finding.measured, finding.bound, finding.severity) == ("concat", 3, 1, "info")
    n = 16 * 25
    # Each of the three reads and writes n; one kernel that does all three reads and writes n as the concat does.
    assert finding.excess_mem_elems == 2 * n + 2 * n
    assert finding.message == "3 ops move the same 16 channels at 5x5"


def test_a_reader_of_the_whole_keeps_the_split_apart() -> None:
    assert found(moved(whole=True), "G403")[0].measured == 2
    assert found(moved(slices=0), "G403")[0].measured == 2
    assert found(moved(output="shuffle"), "G403")[0].measured == 2  # whoever called the network reads it


def test_what_is_read_as_it_is_cannot_be_merged_away() -> None:
    assert not found(moved(output="concat"), "G403")
    assert not found(moved(shuffles=0, slices=0), "G403")


def test_two_shuffles_are_two_operations_and_views_none() -> None:
    assert found(moved(shuffles=2), "G403")[0].measured == 4
    assert found(moved(copies=False), "G403")[0].measured == 2
    assert found(moved(shuffles=0), "G403")[0].measured == 2


def test_operations_are_honoured_just_at_the_bound_and_just_beyond() -> None:
    assert not found(moved(), "G403", operations=3)
    assert found(moved(), "G403", operations=2)


def test_shufflenet_v2_moves_its_channels_three_times_where_once_would_do() -> None:
    graph = build("shufflenet_v2_1x")
    excess = sum(finding.excess_mem_elems for finding in found(graph, "G403"))
    concats = sum(graph.counts(node).mem_elems for node in graph if isinstance(node.op, Concat))
    assert excess == sum(graph.counts(node).movement_elems for node in graph) - concats
