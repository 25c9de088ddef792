"""Settling: what a graph computes of weights alone becomes a weight itself, as if it had been done before."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Input, Parameter


def settled(graph: Graph, done: Container[str]) -> Graph:
    """The graph without the nodes that no input has a part in: where others read one of them it is a Parameter of its name and shape.

    `done` are the names of nodes whose values are known; others stay as they are. A Parameter is learned where something learned has a part
    in it.
    """
    fixed: set[int] = set()
    learned: set[int] = set()
    nodes = list(graph)
    for i, node in enumerate(graph):
        if isinstance(node.op, Input) or not fixed.issuperset(node.inputs):
            continue
        fixed.add(i)
        own = node.op.learned if isinstance(node.op, Parameter) else graph.counts(node).params > 0
        if own or not learned.isdisjoint(node.inputs):
            learned.add(i)
        if node.inputs and node.name in done:
            nodes[i] = replace(node, op=Parameter(node.shape, i in learned), inputs=(), shares="", params=None)
    return _read(replace(graph, nodes=tuple(nodes)))


def _read(graph: Graph) -> Graph:
    """The graph without Parameters and their like that nobody reads."""
    kept = set(graph.outputs)
    for i in range(len(graph) - 1, -1, -1):
        node = graph.nodes[i]
        if i in kept or node.inputs or isinstance(node.op, Input):
            kept |= {i, *node.inputs}
    order = sorted(kept)
    places = {old: new for new, old in enumerate(order)}
    names = {graph.nodes[i].name for i in order}
    return replace(
        graph,
        nodes=tuple([_moved(graph.nodes[i], places, names) for i in order]),
        outputs=tuple([places[i] for i in graph.outputs]),
    )


def _moved(node: Node, places: dict[int, int], names: set[str]) -> Node:
    shares = node.shares if node.shares in names else ""
    return replace(node, inputs=tuple([places[i] for i in node.inputs]), shares=shares)
