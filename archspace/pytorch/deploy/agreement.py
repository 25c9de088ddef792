"""Whether a deployed network computes what the original does: both run on the same random inputs in eval mode."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from archspace.ir.graph import Graph
from archspace.pytorch.oracle import example_inputs

LIMIT = 1e-5  # of the output's largest magnitude


def difference(original: nn.Module, deployed: nn.Module, graph: Graph) -> float:
    """The largest difference between the outputs of two modules in eval mode, as a part of the outputs' largest magnitude.

    Inputs are random, of the graph's shapes with two images or more, in the dtype of the weights. Eval mode is left on.
    """
    dtype = next((p.dtype for p in original.parameters()), torch.float32)
    inputs = [x.to(dtype) for x in example_inputs(graph, least_batch=2)]
    with torch.no_grad():
        expected, found = (_tuple(module.eval()(*[x.clone() for x in inputs])) for module in (original, deployed))
    return max(_difference(a, b) for a, b in zip(expected, found, strict=True))


def in_float64(module: nn.Module) -> nn.Module:
    """A copy of the module that computes in float64."""
    return copy.deepcopy(module).double()


def _difference(expected: Tensor, found: Tensor) -> float:
    largest = float(expected.abs().max())
    apart = float((expected - found).abs().max())
    return apart / largest if largest else apart


def _tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else outputs
