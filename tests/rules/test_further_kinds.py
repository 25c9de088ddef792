"""Every analysis takes a graph with any kind of op: reports, rules, latency and reuse of those that no network of the zoo has."""

from __future__ import annotations

import pytest
from further_examples import BUILT, REFUSED, Example, label, single_op

from archspace.analysis import analyze
from archspace.analysis.coverage import coverage
from archspace.analysis.ends import block_ends
from archspace.analysis.reuse import reuse_matrix
from archspace.analysis.structure import critical_path, fragments, parallel_widths
from archspace.ir import Builder, Graph, ops
from archspace.latency import predict
from archspace.latency.fusion import fused_kernels
from archspace.rules import lint


@pytest.mark.parametrize("example", [*BUILT, *REFUSED], ids=label)
def test_every_analysis_takes_a_further_kind(example: Example) -> None:
    graph = single_op(*example)
    counts = graph.counts(graph["op"])
    report = analyze(graph)
    assert report.totals.params == counts.params
    assert [row["name"] for row in report.to_dict()["rows"]] == ["op"]
    assert report.to_dict("block")["rows"][0]["madds"] == report.to_dict("stage")["rows"][0]["madds"] == counts.madds
    assert {finding.node for finding in lint(graph).findings} <= {"op", ""}
    assert [kernel.names for kernel in fused_kernels(graph, "paper")] == ([("op",)] if counts.mem_elems else [])
    assert predict(graph, "gtx1080ti").ms > 0
    assert len(reuse_matrix(graph).blocks) == 1


def with_token(learned: bool = True) -> Graph:
    """A class token and a position embedding before one convolution, as in a small vision transformer's stem."""
    b = Builder("stem")
    x = b.input((1, 4, 8, 8))
    with b.block("stem"):
        position = b.add("position", ops.Parameter((1, 4, 8, 8), learned))
        x = b.add("conv", ops.Conv2d(4, 6, 3), b.add("add", ops.Add(), x, position))
    return b.build(x)


def test_a_parameter_is_a_row_but_no_op() -> None:
    graph = with_token()
    report = analyze(graph)
    assert [row.name for row in report.rows] == ["stem.position", "stem.add", "stem.conv"]
    assert report.totals.params == 4 * 64 + 6 * 4 * 9
    assert (critical_path(graph), parallel_widths(graph), fragments(graph)) == (2, {"stem": 1}, {"stem": 1})
    assert (coverage(graph).known, coverage(graph).total) == (2, 2)
    ends = block_ends(graph)["stem"]
    assert [graph.nodes[i].name for i in (*ends.members, *ends.inputs)] == ["stem.add", "stem.conv", "input"]
    assert [kernel.names[0] for kernel in fused_kernels(graph, "none")] == ["stem.add", "stem.conv"]
    assert analyze(with_token(learned=False)).totals.params == 6 * 4 * 9


def test_convolutions_and_pools_of_any_rank_are_fragments() -> None:
    b = Builder("audio")
    x = b.input((1, 4, 32))
    with b.block("body"):
        x = b.add("conv", ops.ConvNd(4, 8, (3,)), x)
        x = b.add("up", ops.ConvTransposeNd(8, 8, (2,), (2,)), b.add("pool", ops.PoolNd("max", (2,)), x))
    assert fragments(b.build(x)) == {"body": 3}


def test_an_activation_of_any_kind_joins_the_convolution_before_it() -> None:
    b = Builder("g")
    x = b.add("conv", ops.Conv2d(4, 6, 3), b.input((1, 4, 8, 8)))
    assert [kernel.names for kernel in fused_kernels(b.build(b.add("act", ops.LeakyReLU(), x)), "paper")] == [("conv", "act")]


def test_a_grouped_convolution_along_one_axis_is_priced_as_one() -> None:
    (kernel,) = fused_kernels(single_op(ops.ConvNd(6, 8, (3,), groups=2), ((1, 6, 9),)), "none")
    assert (kernel.op_type, kernel.work.channels_per_group) == ("grouped", (3, 4))
    (kernel,) = fused_kernels(single_op(ops.MatMul(), ((4, 5), (5, 7))), "none")
    assert (kernel.op_type, kernel.work.channels_per_group) == ("matmul", (5, 5))
