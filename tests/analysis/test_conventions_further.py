"""Conventions on the kinds that no network of the zoo has: what the tools print for each alone, to the last digit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from further_examples import (
    ACTIVATIONS,
    BUILT,
    CONVOLUTIONS,
    EINSUMS,
    IMAGE,
    NORMALISATIONS,
    POOLS,
    REAL,
    RESIZES,
    Example,
    label,
    single_op,
)
from torch import nn

from archspace.analysis import CONVENTIONS, analyze
from archspace.analysis.conventions_further import FURTHER_WEIGHINGS
from archspace.ir import Builder, ops
from archspace.ir.ops import FURTHER, KINDS, OPS, Op
from archspace.pytorch import to_module, tool_flops
from archspace.pytorch.oracle import _fvcore_analysis, quiet

OF_ONE_INPUT = [(op, shapes) for op, shapes in (*CONVOLUTIONS, *NORMALISATIONS, *ACTIVATIONS, *POOLS, *RESIZES) if len(shapes) == 1]


def fvcore_total(example: Example) -> int:
    module = to_module(single_op(*example), seed=0)
    with quiet(), torch.no_grad():
        return int(_fvcore_analysis(module, tuple(torch.zeros(shape) for shape in example[1])).total())


def test_every_convention_has_its_further_rows() -> None:
    assert set(FURTHER_WEIGHINGS) == set(CONVENTIONS)
    assert {kind for rows in FURTHER_WEIGHINGS.values() for kind in rows} <= {OPS[name] for name in FURTHER}


@pytest.mark.parametrize("example", REAL, ids=label)
def test_fvcore_prints_for_a_further_kind_what_its_convention_says(example: Example) -> None:
    assert fvcore_total(example) == analyze(single_op(*example)).flops("fvcore")


def test_fvcore_prints_large_einsums_to_four_digits() -> None:
    example = (ops.Einsum("bhld,bhsd->bhls"), ((2, 3, 17, 19), (2, 3, 23, 19)))
    exact = 2 * 3 * 17 * 19 * 23
    assert analyze(single_op(*example)).flops("paper") == exact == 44_574
    assert fvcore_total(example) == analyze(single_op(*example)).flops("fvcore") == 44_575  # 2 * 44 574 + 1 prints as 8.915e+04


def test_fvcore_knows_two_equations_by_heart() -> None:
    for equation, shapes in (("xyz,xyw->xzw", ((3, 17, 19), (3, 17, 23))), ("xyz,xwz->xwy", ((3, 17, 19), (3, 23, 19)))):
        example = (ops.Einsum(equation), shapes)
        assert fvcore_total(example) == analyze(single_op(*example)).flops("fvcore") == 3 * 17 * 19 * 23


@pytest.mark.parametrize("example", BUILT, ids=label)
def test_the_papers_flops_are_all_multiply_adds(example: Example) -> None:
    graph = single_op(*example)
    assert analyze(graph).flops("paper") == graph.counts(graph["op"]).madds


def test_the_convolutions_alone_have_convolutions_of_any_rank() -> None:
    for examples, counted in ((CONVOLUTIONS, True), (EINSUMS, False)):
        for example in examples:
            report = analyze(single_op(*example))
            assert report.flops("conv") == (report.totals.madds if counted else 0)


# What a tool counts inside torch's own functions, or by layers that a module built here does not have; those have tests below.
ELSEWHERE: dict[str, tuple[type[Op], ...]] = {
    "torchinfo": (),
    "thop": (ops.BatchNormNd, ops.InstanceNorm),
    "ptflops": (ops.BatchNormNd, ops.Interpolate),
    "torchprofile": (),
}


def is_compared(tool: str, op: Op) -> bool:
    by_parts = (isinstance(op, ops.PoolNd) and op.kind == "lp") or (isinstance(op, ops.Interpolate) and op.mode == "area")
    return not isinstance(op, ELSEWHERE[tool]) and not (by_parts and tool in ("ptflops", "torchprofile"))


@pytest.mark.parametrize("tool", ELSEWHERE)
def test_a_tool_prints_for_a_layer_what_its_convention_says(tool: str) -> None:
    for op, shapes in OF_ONE_INPUT:
        if is_compared(tool, op):
            graph = single_op(op, shapes)
            assert tool_flops(tool, to_module(graph, seed=0), graph.input_shape) == analyze(graph).flops(tool), op


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    ("op", "layer", "shape"),
    [
        (ops.BatchNormNd, nn.BatchNorm1d, (2, 6)),
        (ops.BatchNormNd, nn.BatchNorm1d, (2, 6, 5)),
        (ops.BatchNormNd, nn.BatchNorm3d, (2, 6, 3, 3, 3)),
        (ops.InstanceNorm, nn.InstanceNorm1d, (2, 6, 5)),
        (ops.InstanceNorm, nn.InstanceNorm2d, IMAGE),
    ],
)
def test_thop_knows_torchs_norms_by_their_class(op: Any, layer: Any, shape: tuple[int, ...], affine: bool) -> None:
    graph = single_op(op(6, affine=affine), (shape,))
    assert tool_flops("thop", layer(6, affine=affine), shape) == analyze(graph).flops("thop")


@pytest.mark.parametrize(("layer", "shape"), [(nn.BatchNorm1d, (2, 6, 5)), (nn.BatchNorm3d, (2, 6, 3, 3, 3))])
def test_ptflops_knows_torchs_batch_norms_by_their_class(layer: Any, shape: tuple[int, ...]) -> None:
    graph = single_op(ops.BatchNormNd(6), (shape,))
    assert tool_flops("ptflops", layer(6), shape) == analyze(graph).flops("ptflops")


def test_one_image_is_taken_of_the_input_where_a_parameter_stands_first() -> None:
    b = Builder("g")
    token = b.add("token", ops.Parameter((1, 3, 1, 1)))
    x = b.add("add", ops.Add(), b.input((2, 3, 4, 4)), token)
    report = analyze(b.build(b.add("relu", ops.ReLU(), x)))
    assert report.flops("ptflops") == 2 * 3 * 16  # of one image: twice, as a module and as the function in it


def test_a_table_of_the_zoo_alone_needs_no_further_one() -> None:
    assert {kind for convention in CONVENTIONS.values() for kind in convention.weighings} <= set(KINDS.values())
