"""Where blocks begin and end: the values that each reads from outside, and those that it hands on."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import UnknownNameError
from archspace.ir.graph import Graph
from archspace.ir.ops import Input, Parameter


@dataclass(frozen=True, slots=True)
class Ends:
    """A block as positions in `Graph.nodes`, each ascending.

    `inputs` are read from outside, `outputs` are read outside or are outputs of the graph. An Input inside a block comes from outside
    as well: it is among the inputs, not among the members. A Parameter is among neither: no other block has a part in it.
    """

    members: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def block_ends(graph: Graph) -> dict[str, Ends]:
    """The ends of all blocks that hold more than the graph's inputs, in the order of their first nodes."""
    nodes = graph.nodes
    members: dict[str, list[int]] = {}
    inputs: dict[str, set[int]] = {}
    handed_on = set(graph.outputs)
    for i, node in enumerate(nodes):
        if isinstance(node.op, Input | Parameter):
            continue
        members.setdefault(node.block, []).append(i)
        read = inputs.setdefault(node.block, set())
        for k in node.inputs:
            if isinstance(nodes[k].op, Parameter):
                continue
            if nodes[k].block != node.block:
                handed_on.add(k)
                read.add(k)
            elif isinstance(nodes[k].op, Input):
                read.add(k)
    return {
        block: Ends(tuple(own), tuple(sorted(inputs[block])), tuple([i for i in own if i in handed_on])) for block, own in members.items()
    }


def ends_of(graph: Graph, block: str) -> Ends:
    """The ends of one block. Raises UnknownNameError with near names."""
    ends = block_ends(graph)
    if block not in ends:
        raise UnknownNameError("block", block, ends)
    return ends[block]
