"""Guideline 2: pointwise group convolutions (equation 2), and groups narrower than a vector."""

from __future__ import annotations

import pytest

from archspace import Builder, Graph, analyze
from archspace.ir.ops import AdaptiveAvgPool2d, Conv2d, Multiply, Sigmoid
from archspace.rules import Finding, lint


def found(graph: Graph, code: str, **limits: float) -> tuple[Finding, ...]:
    return lint(graph, select=[code], thresholds={code: limits}).findings


def conv(c1: int, c2: int, groups: int, *, kernel: int = 1, batch: int = 1, stride: int = 1, size: tuple[int, int] = (28, 28)) -> Graph:
    b = Builder("one")
    x = b.input((batch, c1, *size))
    return b.build(b.add("conv", Conv2d(c1, c2, kernel, stride, kernel // 2, groups=groups), x))


def test_the_excess_is_what_equation_2_grows_by() -> None:
    (finding,) = found(conv(120, 240, 3), "G201")
    hw, c1, c2, g = 28 * 28, 120, 240, 3
    madds = hw * c1 * c2 // g
    grouped = hw * c1 + madds * g // c1 + madds // hw
    dense = hw * c1 + madds // c1 + madds // hw
    assert grouped == hw * (c1 + c2) + c1 * c2 // g == analyze(conv(120, 240, 3)).totals.mem_elems
    assert finding.excess_mem_elems == grouped - dense == hw * (240 - 80)
    assert finding.measured == grouped / dense
    assert finding.bound == 1.2


@pytest.mark.parametrize(("batch", "stride", "size"), [(8, 1, (28, 28)), (1, 2, (28, 28)), (2, 1, (7, 20))])
def test_batch_stride_and_shape_enter_by_the_elements_written(batch: int, stride: int, size: tuple[int, int]) -> None:
    graph = conv(64, 64, 4, batch=batch, stride=stride, size=size)
    (finding,) = found(graph, "G201", ratio=1)
    assert finding.excess_mem_elems == batch * (64 - 16) * (size[0] // stride) * (size[1] // stride)


def test_the_dense_convolution_of_the_same_input_is_what_the_excess_compares_with() -> None:
    grouped, dense = (analyze(graph).totals for graph in (conv(64, 128, 4), conv(64, 32, 1)))
    assert grouped.madds == dense.madds
    (finding,) = found(conv(64, 128, 4), "G201")
    assert finding.excess_mem_elems == grouped.mem_elems - dense.mem_elems
    assert not found(conv(64, 32, 1), "G201", ratio=1)


def test_the_way_out_makes_as_many_multiply_adds_and_breaks_neither_guideline_1_nor_2() -> None:
    (finding,) = found(conv(64, 128, 4), "G201")
    assert finding.instead == "dense, 32 -> 64 channels make as many multiply-adds"
    assert analyze(conv(32, 64, 1)).totals.madds == analyze(conv(64, 128, 4)).totals.madds
    assert analyze(conv(32, 64, 1)).totals.mem_elems < analyze(conv(64, 128, 4)).totals.mem_elems
    assert not lint(conv(32, 64, 1), select=["G1", "G2"]).findings


def test_table_2s_channels_are_the_way_out_of_each_other() -> None:
    (finding,) = found(conv(360, 360, 8, size=(56, 56)), "G201")
    assert finding.instead.startswith("dense, 127 -> 127 channels")  # 128 in the table


def test_the_ratio_is_honoured_just_at_it_and_just_beyond() -> None:
    (finding,) = found(conv(64, 64, 2), "G201")
    # hw (64 + 64) + 64 * 32 against hw (64 + 32) + 64 * 32
    assert finding.measured == (784 * 128 + 2048) / (784 * 96 + 2048)
    assert not found(conv(64, 64, 2), "G201", ratio=finding.measured)
    assert found(conv(64, 64, 2), "G201", ratio=finding.measured * (1 - 1e-12))


def test_larger_kernels_and_depthwise_convolutions_are_not_asked() -> None:
    assert not found(conv(64, 64, 4, kernel=3), "G201", ratio=1)
    assert not found(conv(64, 64, 64), "G201", ratio=1)


def test_a_gate_in_groups_is_not_blamed() -> None:
    b = Builder("gate")
    x = b.input((1, 16, 14, 14))
    gate = b.add("fc", Conv2d(16, 16, 1, groups=8), b.add("pool", AdaptiveAvgPool2d(1), x))
    assert not lint(b.build(b.add("scale", Multiply(), x, b.add("gate", Sigmoid(), gate))), select=["G2"]).findings


def test_groups_narrower_than_a_vector_leave_lanes_empty() -> None:
    (finding,) = found(conv(24, 48, 8, kernel=3), "G202")
    # 3 channels of 4 lanes in: one lane of each of 8 groups; 6 of 8 out: two of each.
    assert finding.excess_mem_elems == 28 * 28 * 8 * (1 + 2)
    assert (finding.measured, finding.bound) == (3, 4)
    assert finding.message == "groups of 3 -> 6 channels at 28x28, where vectors hold 4"


def test_a_stride_counts_the_lanes_of_both_maps() -> None:
    (finding,) = found(conv(24, 48, 8, kernel=3, stride=2, batch=2), "G202")
    assert finding.excess_mem_elems == 2 * 8 * (1 * 28 * 28 + 2 * 14 * 14)


def test_the_way_out_of_narrow_groups_fills_the_vectors() -> None:
    (finding,) = found(conv(24, 48, 8), "G202")
    assert finding.instead == "at most 6 groups"
    assert not found(conv(24, 48, 6), "G202")
    assert found(conv(24, 48, 12), "G202")
    assert found(conv(6, 12, 2), "G202")[0].instead == "no groups"  # even one vector per group needs 8 channels
    assert not found(conv(6, 12, 1), "G202")


def test_the_vector_width_is_honoured_just_at_it_and_just_beyond() -> None:
    assert not found(conv(32, 32, 8), "G202")
    assert found(conv(32, 32, 8), "G202", vector_width=5)
    assert found(conv(32, 32, 8), "G202", vector_width=8)[0].excess_mem_elems == 28 * 28 * 8 * (4 + 4)


def test_depthwise_convolutions_have_no_narrow_groups() -> None:
    assert not found(conv(32, 32, 32, kernel=3), "G202")
