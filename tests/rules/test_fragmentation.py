"""Guideline 3: fragments per block, in series and side by side."""

from __future__ import annotations

from archspace import Builder, Graph
from archspace.ir.builder import Value
from archspace.ir.ops import Add, ChannelSlice, Concat, Conv2d, MaxPool2d, Opaque, ReLU
from archspace.rules import Finding, lint


def found(graph: Graph, code: str, **limits: float) -> tuple[Finding, ...]:
    return lint(graph, select=[code], thresholds={code: limits}).findings


def series(length: int, *, opaque: bool = False, batch: int = 1) -> Graph:
    """A block of 1x1 convolutions and ReLUs behind each other; the i-th has 8 * i channels."""
    b = Builder("series")
    x = b.input((batch, 8, 7, 7))
    with b.block("stage1.unit0"):
        for i in range(1, length + 1):
            x = b.add(f"act{i}", ReLU(), b.add(f"conv{i}", Conv2d(x.channels, 8 * i, 1), x))
        if opaque:
            x = b.add("odd", Opaque("torch.erfinv", x.shape), x)
    return b.build(x)


def parallel(branches: int, *, length: int = 1, batch: int = 1) -> Graph:
    """A block of branches of `length` convolutions that read the same input of 8 channels at 7x7."""
    b = Builder("parallel")
    x = b.input((batch, 8, 7, 7))
    with b.block("stage1.unit0"):
        parts = []
        for i in range(branches):
            y = x
            for k in range(length):
                y = b.add(f"conv{i}_{k}", Conv2d(8, 8, 3, padding=1), y)
            parts.append(y)
        return b.build(b.add("concat", Concat(), *parts))


def test_more_fragments_than_five_are_too_many() -> None:
    assert not found(series(5), "G301")
    (finding,) = found(series(6), "G301")
    assert (finding.measured, finding.bound, finding.node) == (6, 5, "stage1.unit0.conv1")
    assert finding.message == "6 convolutions and pools in one block, 6 in series, 1 side by side"


def test_the_waste_is_the_maps_of_as_many_of_the_smallest_as_are_too_many() -> None:
    (finding,) = found(series(6), "G301", fragments=4)
    # The two smallest: 8 -> 8 and 8 -> 16 channels at 7x7.
    assert finding.excess_mem_elems == 49 * (8 + 8) + 49 * (8 + 16)
    assert found(series(6, batch=3), "G301", fragments=4)[0].excess_mem_elems == 3 * finding.excess_mem_elems


def test_the_bound_is_honoured_just_at_it_and_just_beyond() -> None:
    assert not found(series(6), "G301", fragments=6)
    assert found(series(6), "G301", fragments=5)[0].bound == 5


def test_series_and_parallel_are_told_apart() -> None:
    (finding,) = found(parallel(3, length=2), "G301")
    assert finding.message == "6 convolutions and pools in one block, 2 in series, 3 side by side"


def test_pools_are_fragments_and_element_wise_ops_are_none() -> None:
    b = Builder("pools")
    x = b.input((1, 8, 7, 7))
    with b.block("stage1.unit0"):
        for i in range(6):
            x = b.add(f"act{i}", ReLU(), x)
    assert not lint(b.build(x), select=["G3"], thresholds={"G301": {"fragments": 1}}).findings
    with b.block("stage1.unit1"):
        for i in range(6):
            x = b.add(f"pool{i}", MaxPool2d(3, 1, 1), x)
    assert [finding.block for finding in lint(b.build(x), select=["G3"]).findings] == ["stage1.unit1"]


def test_a_block_with_an_op_of_unknown_work_is_not_judged() -> None:
    assert not found(series(9, opaque=True), "G301")
    assert lint(series(9, opaque=True)).opaque == ("stage1.unit0.odd",)


def test_a_third_branch_is_one_too_many_and_reads_the_input_again() -> None:
    assert not found(parallel(2), "G302")
    (finding,) = found(parallel(3), "G302")
    assert (finding.measured, finding.bound) == (3, 2)
    assert finding.excess_mem_elems == 8 * 7 * 7
    assert found(parallel(5, batch=2), "G302")[0].excess_mem_elems == 2 * 3 * 8 * 7 * 7


def test_branches_are_honoured_just_at_the_bound_and_just_beyond() -> None:
    assert not found(parallel(4), "G302", branches=4)
    assert found(parallel(4), "G302", branches=3)
    assert not found(series(5), "G302", branches=1)


def test_branches_that_split_the_input_read_no_more_than_their_own_channels() -> None:
    b = Builder("split")
    x = b.input((1, 12, 7, 7))
    with b.block("stage1.unit0"):
        parts: list[Value] = []
        for i in range(4):
            y = b.add(f"slice{i}", ChannelSlice(3 * i, 3 * i + 3, copies=i != 3), x)
            parts.append(b.add(f"conv{i}", Conv2d(3, 3, 3, padding=1), y))
        out = b.add("concat", Concat(), *parts)
    (finding,) = found(b.build(out), "G302")
    # Of the two slices beyond the second, one copies 3 of 12 channels and one is a view.
    assert finding.excess_mem_elems == 3 * 7 * 7


def test_an_add_of_a_value_to_itself_is_one_reader() -> None:
    b = Builder("twice")
    x = b.input((1, 8, 7, 7))
    with b.block("stage1.unit0"):
        parts = [b.add(f"conv{i}", Conv2d(8, 8, 1), x) for i in range(3)]
        y = b.add("twice", Add(), x, x)
        out = b.add("concat", Concat(), *parts, y)
    (finding,) = found(b.build(out), "G302")
    assert finding.excess_mem_elems == 8 * 7 * 7 + 8 * 7 * 7  # the third convolution and the sum
