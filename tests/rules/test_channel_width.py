"""Guideline 1: unequal widths of a pointwise convolution (equation 1), bottlenecks and inverted ones."""

from __future__ import annotations

from math import isqrt, sqrt

import pytest

from archspace import Builder, Graph
from archspace.ir.ops import AdaptiveAvgPool2d, Add, BatchNorm2d, Concat, Conv2d, Multiply, Opaque, ReLU, Sigmoid
from archspace.rules import Finding, lint


def found(graph: Graph, code: str, **limits: float) -> tuple[Finding, ...]:
    return lint(graph, select=[code], thresholds={code: limits}).findings


def pointwise(c1: int, c2: int, *, groups: int = 1, batch: int = 1, size: tuple[int, int] = (56, 56), stride: int = 1) -> Graph:
    b = Builder("one")
    return b.build(b.add("conv", Conv2d(c1, c2, 1, stride=stride, groups=groups), b.input((batch, c1, *size))))


def test_the_excess_is_equation_1_to_the_last_element() -> None:
    (finding,) = found(pointwise(16, 144, size=(28, 28)), "G101")
    # 16 * 144 = 48 * 48, so the bound is a whole number: hw (c1 + c2) + c1 c2 against 2 sqrt(hw B) + B / hw, B = hw c1 c2.
    hw = 28 * 28
    madds = hw * 16 * 144
    accessed, least = hw * (16 + 144) + 16 * 144, 2 * isqrt(hw * madds) + madds // hw
    assert isqrt(hw * madds) ** 2 == hw * madds
    assert (accessed, least) == (127_744, 77_568)
    assert finding.excess_mem_elems == accessed - least == 50_176
    assert finding.measured == pytest.approx(accessed / least)
    assert finding.bound == 1.2


def test_the_bound_is_that_of_the_convolutions_own_groups() -> None:
    (finding,) = found(pointwise(16, 144, groups=4, size=(28, 28)), "G101")
    hw, g = 28 * 28, 4
    madds = hw * 16 * 144 // g
    least = 2 * isqrt(hw * madds * g) + madds // hw  # the maps of the dense one, a quarter of its weights
    assert finding.excess_mem_elems == hw * (16 + 144) + 16 * 144 // g - least == 50_176
    assert "in 4 groups" in finding.message


def test_a_batch_multiplies_the_maps_and_not_the_weights() -> None:
    one, eight = (found(pointwise(16, 144, batch=n), "G101")[0] for n in (1, 8))
    assert eight.excess_mem_elems == 8 * one.excess_mem_elems  # the weights are in both terms
    assert eight.measured > one.measured


def test_the_way_out_makes_as_many_multiply_adds_at_the_least_memory() -> None:
    (finding,) = found(pointwise(16, 144), "G101")
    assert finding.instead == "48 -> 48 channels make as many multiply-adds"
    assert not found(pointwise(48, 48), "G101", ratio=1)


@pytest.mark.parametrize(("c1", "c2", "g"), [(24, 122, 1), (60, 240, 3), (32, 8, 8), (3, 24, 1)])
def test_the_way_out_clears_the_breach_also_where_channels_are_rounded(c1: int, c2: int, g: int) -> None:
    (finding,) = found(pointwise(c1, c2, groups=g), "G101", ratio=1.05)
    inner, _, outer, *_ = finding.instead.split()
    assert abs(int(inner) - sqrt(c1 * c2)) <= g / 2  # the nearest multiple of the groups
    assert not found(pointwise(int(inner), int(outer), groups=g), "G101", ratio=1)


def test_a_stride_asks_for_as_many_more_channels_as_there_are_fewer_pixels() -> None:
    # 64 -> 64 at stride 2: reads 64 * 56^2, writes 64 * 28^2; as many multiply-adds with 32 -> 128 read and write 32 * 56^2 = 128 * 28^2.
    (finding,) = found(pointwise(64, 64, stride=2), "G101")
    assert finding.instead == "32 -> 128 channels make as many multiply-adds"
    assert finding.excess_mem_elems == 64 * (56**2 + 28**2) - 2 * 32 * 56**2 == 50_176
    assert not found(pointwise(32, 128, stride=2), "G101", ratio=1)


def test_a_map_that_is_not_square_counts_by_its_pixels() -> None:
    wide, square = (found(pointwise(16, 144, size=size), "G101")[0] for size in ((4, 49), (14, 14)))
    assert wide.excess_mem_elems == square.excess_mem_elems
    assert "at 4x49 access" in wide.message


def test_the_ratio_is_honoured_just_at_it_and_just_beyond() -> None:
    (finding,) = found(pointwise(16, 144, size=(28, 28)), "G101")
    ratio = 127_744 / 77_568
    assert finding.measured == ratio
    assert not found(pointwise(16, 144, size=(28, 28)), "G101", ratio=ratio)
    assert found(pointwise(16, 144, size=(28, 28)), "G101", ratio=ratio * (1 - 1e-12))


def test_table_1s_one_to_two_is_no_breach_and_one_to_six_is() -> None:
    assert not found(pointwise(90, 180), "G101")
    assert found(pointwise(52, 312), "G101")


def test_depthwise_convolutions_larger_kernels_and_gates_are_not_asked() -> None:
    b = Builder("others")
    x = b.input((1, 16, 14, 14))
    with b.block("stage1.unit0"):
        wide = b.add("large", Conv2d(16, 160, 3, padding=1), x)
        deep = b.add("dw", Conv2d(160, 320, 1, groups=160), wide)
        gate = b.add("fc1", Conv2d(320, 8, 1), b.add("pool", AdaptiveAvgPool2d(1), deep))
        gate = b.add("sigmoid", Sigmoid(), b.add("fc2", Conv2d(8, 320, 1), gate))
        out = b.add("scale", Multiply(), deep, gate)
    assert not found(b.build(out), "G101", ratio=1)


def block(c1: int, inner: int, c2: int, *, kernel: int = 1, batch: int = 1, stride: int = 1, dense_between: bool = False) -> Graph:
    """A block of two 1x1 convolutions around a depthwise one."""
    b = Builder("block")
    x = b.input((batch, c1, 28, 28))
    with b.block("stage1.unit0"):
        x = b.add("first", Conv2d(c1, inner, 1), x)
        x = b.add("act", ReLU(), b.add("bn", BatchNorm2d(inner), x))
        x = b.add("dw", Conv2d(inner, inner, 3, stride, 1, groups=1 if dense_between else inner), x)
        x = b.add("last", Conv2d(inner, c2, kernel, padding=kernel // 2), x)
    return b.build(x)


def test_a_bottleneck_is_blamed_with_the_excess_of_both_convolutions() -> None:
    (finding,) = found(block(64, 16, 64), "G102")
    # sqrt(64 * 16) = 32: each accesses hw (64 + 16) where 2 hw 32 would do; the weights are the same.
    assert finding.excess_mem_elems == 2 * 28 * 28 * (64 + 16 - 2 * 32) == 25_088
    assert (finding.node, finding.measured, finding.bound) == ("stage1.unit0.first", 4, 2)
    assert finding.message == "a bottleneck: 64 -> 16 -> 64 channels at 28x28, 4 times narrower inside"


def test_an_inverted_bottleneck_is_as_many_times_wider_as_its_thicker_end() -> None:
    (finding,) = found(block(16, 96, 24), "G102")
    assert finding.measured == 96 / 24
    assert finding.message == "an inverted bottleneck: 16 -> 96 -> 24 channels at 28x28, 4 times wider inside"


def test_the_expansion_is_honoured_just_at_it_and_just_beyond() -> None:
    assert not found(block(64, 32, 64), "G102")
    assert found(block(64, 31, 64), "G102")
    assert not found(block(64, 128, 64), "G102")
    assert found(block(64, 129, 64), "G102")
    assert not found(block(64, 16, 64), "G102", expansion=4)
    assert found(block(64, 16, 64), "G102", expansion=3.99)


def test_one_width_through_the_block_is_the_way_out() -> None:
    assert not found(block(64, 64, 64), "G102", expansion=1)


def test_a_dense_convolution_of_one_width_inside_does_not_hide_the_bottleneck() -> None:
    (finding,) = found(block(64, 16, 64, dense_between=True), "G102")
    assert finding.measured == 4


def test_larger_kernels_and_strides_are_held_to_the_least_of_their_own() -> None:
    (finding,) = found(block(64, 16, 64, kernel=3, stride=2), "G102")
    # The first at 28x28, the last at 14x14.
    assert finding.excess_mem_elems == (28 * 28 + 14 * 14) * (64 + 16 - 2 * 32)
    assert found(block(64, 16, 64, batch=4), "G102")[0].excess_mem_elems == 4 * 25_088


def two_convolutions(between: str) -> Graph:
    """64 -> 16 -> 64 channels with something between."""
    b = Builder("between")
    x = b.input((1, 64, 14, 14))
    with b.block("stage1.unit0"):
        y = b.add("first", Conv2d(64, 16, 1), x)
        if between == "concat":
            y = b.add("join", Concat(), y)
        elif between == "add":
            y = b.add("join", Add(), y, y)
        elif between == "opaque":
            y = b.add("join", Opaque("torch.sort", y.shape), y)
        if between != "another block":
            return b.build(b.add("last", Conv2d(16, 64, 1), y))
    with b.block("stage1.unit1"):
        return b.build(b.add("last", Conv2d(16, 64, 1), y))


def test_only_ops_of_known_work_that_keep_the_channels_apart_lead_to_the_second_convolution() -> None:
    assert found(two_convolutions("nothing"), "G102")
    for between in ("concat", "add", "opaque", "another block"):
        assert not found(two_convolutions(between), "G102"), between


def test_the_convolutions_of_a_gate_are_no_bottleneck() -> None:
    b = Builder("gate")
    x = b.input((1, 64, 14, 14))
    with b.block("stage1.unit0"):
        x = b.add("conv", Conv2d(64, 64, 1), x)
        gate = b.add("fc1", Conv2d(64, 4, 1), b.add("pool", AdaptiveAvgPool2d(1), x))
        gate = b.add("gate", Sigmoid(), b.add("fc2", Conv2d(4, 64, 1), gate))
        x = b.add("scale", Multiply(), x, gate)
    assert not lint(b.build(x), select=["G1"]).findings
