"""A variant that any network can be asked for: another activation."""

from __future__ import annotations

from dataclasses import replace

from archspace.ir.graph import Graph
from archspace.ir.ops import GELU, Hardswish, Op, ReLU, ReLU6, SiLU

# What the knob `activation` may name.
ACTIVATIONS: dict[str, Op] = {"relu": ReLU(), "relu6": ReLU6(), "silu": SiLU(), "hardswish": Hardswish(), "gelu": GELU()}


def with_activation(graph: Graph, name: str) -> Graph:
    """The same network with the activation of that name in the place of every ReLU and ReLU6."""
    op = ACTIVATIONS[name]
    return replace(graph, nodes=tuple(replace(node, op=op) if isinstance(node.op, ReLU | ReLU6) else node for node in graph))
