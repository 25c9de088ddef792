"""Rows: the counts of a graph, one row per op, and their sums per block or stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archspace.errors import UnknownNameError
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Input, Op, Parameter, Shape


@dataclass(frozen=True, slots=True)
class Row:
    """One op of a graph with what was counted of it."""

    name: str
    op: Op
    block: str
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    counts: Counts


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Several ops of a graph and their parameters, summed: `nodes` ops, the last with `output_shape`."""

    name: str
    output_shape: Shape
    nodes: int
    counts: Counts


def op_rows(graph: Graph) -> tuple[Row, ...]:
    """One row per op, and per tensor of the network's own, whose parameters add up too; inputs left out."""
    return tuple(
        Row(node.name, node.op, node.block, shapes, node.shape, graph.counts(node))
        for node in graph.nodes
        if not isinstance(node.op, Input)
        for shapes in [graph.input_shapes(node)]
    )


# What a table of rows can be summed over: the name of a node's group.
GROUPINGS: dict[str, Callable[[Node], str]] = {"op": lambda n: n.name, "block": lambda n: n.block, "stage": lambda n: n.stage}


def group_rows(graph: Graph, per: str) -> tuple[GroupRow, ...]:
    """Rows summed per 'op', 'block' or 'stage', in the order of first appearance. Raises UnknownNameError for other words."""
    if per not in GROUPINGS:
        raise UnknownNameError("grouping", per, GROUPINGS)
    key = GROUPINGS[per]
    groups: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Input):
            groups.setdefault(key(node), []).append(node)
    return tuple(
        GroupRow(name, nodes[-1].shape, _ops(nodes), Counts.total([graph.counts(node) for node in nodes])) for name, nodes in groups.items()
    )


def _ops(nodes: list[Node]) -> int:
    """How many of the nodes do something: a parameter is only there."""
    return sum([not isinstance(node.op, Parameter) for node in nodes])
