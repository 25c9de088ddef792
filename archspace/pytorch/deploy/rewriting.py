"""Rewriting a graph: nodes vanish, change their op or read elsewhere; names, blocks and the order of what stays are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Op


@dataclass(slots=True)
class Changes:
    """What to do to a graph, by the positions of its nodes. A node in `replaced` vanishes: its readers read the other one."""

    replaced: dict[int, int] = field(default_factory=dict)
    ops: dict[int, Op] = field(default_factory=dict)
    inputs: dict[int, tuple[int, ...]] = field(default_factory=dict)


def readers_of(graph: Graph) -> list[list[int]]:
    """Per node, the positions of the nodes that read it; the caller of the network reads its outputs and is position -1."""
    readers: list[list[int]] = [[] for _ in graph.nodes]
    for i, node in enumerate(graph.nodes):
        for k in node.inputs:
            readers[k].append(i)
    for i in graph.outputs:
        readers[i].append(-1)
    return readers


def rewritten(graph: Graph, changes: Changes, *, droppable: Collection[type[Op]] = ()) -> Graph:
    """The changed graph, all shapes inferred again. Nodes of `droppable` kinds that nothing reads any more vanish too.

    Raises LawError, with the place, when a change breaks a shape law.
    """

    def at_last(i: int) -> int:
        while i in changes.replaced:
            i = changes.replaced[i]
        return i

    outputs = [at_last(i) for i in graph.outputs]
    sources = [tuple([at_last(k) for k in changes.inputs.get(i, node.inputs)]) for i, node in enumerate(graph.nodes)]
    ops = [changes.ops.get(i, node.op) for i, node in enumerate(graph.nodes)]
    read = set(outputs)
    kept: list[int] = []
    for i in range(len(graph.nodes) - 1, -1, -1):
        if i not in changes.replaced and (i in read or type(ops[i]) not in droppable):
            kept.append(i)
            read.update(sources[i])
    place: Mapping[int, int] = {i: k for k, i in enumerate(reversed(kept))}
    nodes: list[Node] = []
    for i in place:
        node, inputs = graph.nodes[i], tuple([place[k] for k in sources[i]])
        shape = ops[i].out_shape(*(nodes[k].shape for k in inputs))
        nodes.append(Node(node.name, ops[i], inputs, shape, node.block, node.shares, node.params))
    return Graph(graph.name, tuple(nodes), tuple([place[i] for i in outputs]), graph.config)
