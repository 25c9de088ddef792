"""Sparse shifts with their displacements known: rounded, those that move nothing gone, in place where nobody else reads the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    Activation,
    Add,
    BatchNorm2d,
    ChannelGather,
    Concat,
    Conv2d,
    FixedShift,
    Linear,
    Multiply,
    Pool,
    SparseShift,
)
from archspace.pytorch.deploy.rewriting import Changes, readers_of, rewritten

# What writes a tensor of its own, so that a shift may write into it; a slice or a view is a part of another's.
WRITERS = (Activation, Add, BatchNorm2d, ChannelGather, Concat, Conv2d, FixedShift, Linear, Multiply, Pool)

Displacements = tuple[tuple[int, ...], tuple[int, ...]]


def displacements(graph: Graph, state: Mapping[str, Tensor]) -> dict[str, Displacements]:
    """Per sparse shift, alpha and beta of its channels, rounded as equation 5 rounds (halves to even).

    Raises LawError when the weights lack them or have another number of channels.
    """
    found: dict[str, Displacements] = {}
    for node in graph:
        if isinstance(node.op, SparseShift):
            owner = node.name if f"{node.name}.alpha" in state or not node.shares else node.shares
            rounded = []
            for key in (f"{owner}.alpha", f"{owner}.beta"):
                if key not in state or tuple(state[key].shape) != (node.op.channels,):
                    got = f"shape {tuple(state[key].shape)}" if key in state else "none"
                    raise LawError(f"{node.name}: the weights must hold {key} for {node.op.channels} channels, but hold {got}")
                rounded.append(tuple([int(d) for d in state[key].detach().round().tolist()]))
            found[node.name] = (rounded[0], rounded[1])
    return found


def freeze(graph: Graph, steps: Mapping[str, Displacements]) -> Graph:
    """The graph with a FixedShift in place of each sparse shift, or nothing where no channel moves."""
    changes = Changes()
    for i, node in enumerate(graph.nodes):
        if isinstance(node.op, SparseShift):
            alpha, beta = steps[node.name]
            if any(alpha) or any(beta) or i in graph.outputs:
                changes.ops[i] = FixedShift(alpha, beta)
            else:
                changes.replaced[i] = node.inputs[0]
    return rewritten(_unshared(graph, changes), changes)


def write_in_place(graph: Graph) -> Graph:
    """The graph with its fixed shifts in place where their input has no other reader and lies in memory of its own."""
    readers = readers_of(graph)
    changes = Changes()
    for i, node in enumerate(graph.nodes):
        if isinstance(node.op, FixedShift) and len(readers[node.inputs[0]]) == 1:
            source = graph.nodes[node.inputs[0]]
            changes.ops[i] = FixedShift(node.op.alpha, node.op.beta, inplace=isinstance(source.op, WRITERS))
    return rewritten(graph, changes)


def _unshared(graph: Graph, changes: Changes) -> Graph:
    """The graph whose shifts share no weights: they have none any more."""
    touched = {*changes.ops, *changes.replaced}
    nodes = [replace(node, shares="", params=None) if i in touched else node for i, node in enumerate(graph.nodes)]
    return replace(graph, nodes=tuple(nodes))
