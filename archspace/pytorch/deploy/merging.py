"""Concat, channel shuffle and channel slice merged into one movement: channels are read directly where they were computed.

What ShuffleNet v2 does with "Concat", "Channel Shuffle" and "Channel Split" (section 3). A channel that is only handed on through
several units is not written again in each: the op that computes with it gathers it from the unit that made it.
"""

from __future__ import annotations

from archspace.ir.counts import Counts
from archspace.ir.graph import Graph
from archspace.ir.ops import ChannelGather, ChannelSlice, Concat, Op
from archspace.pytorch.deploy.origins import MOVES, Channel, moves_channels, origins
from archspace.pytorch.deploy.rewriting import Changes, readers_of, rewritten


def merge_movement(graph: Graph) -> Graph:
    """The graph with its movements merged, the cheapest in memory access of three: through views, between views, or as it is.

    Where a view (a slice or concat with `copies=False`) hands a tensor to many readers, gathering for each may cost more than the view.
    """
    return min((_merged(graph, through_views=True), _merged(graph, through_views=False), graph), key=_mem_elems)


def _mem_elems(graph: Graph) -> int:
    return Counts.total(graph.counts(node) for node in graph).mem_elems


def _merged(graph: Graph, *, through_views: bool) -> Graph:
    through = {i for i, node in enumerate(graph.nodes) if moves_channels(node.op) and (through_views or getattr(node.op, "copies", True))}
    readers = readers_of(graph)
    found = origins(graph, through)
    changes = Changes()
    for i in sorted(through):
        node = graph.nodes[i]
        if all(k in through for k in readers[i]):
            continue  # only handed on
        op, inputs = movement(graph, found[i])
        if op is None and i not in graph.outputs:
            changes.replaced[i] = inputs[0]
            continue
        op = op or ChannelSlice(0, node.shape[1], copies=False)
        before, after = graph.counts(node), op.counts(tuple([graph.nodes[k].shape for k in inputs]), node.shape)
        if after.mem_elems < before.mem_elems or any(k in through for k in node.inputs):
            changes.ops[i] = op
            changes.inputs[i] = inputs
    return rewritten(graph, changes, droppable=MOVES)


def movement(graph: Graph, channels: list[Channel]) -> tuple[Op | None, tuple[int, ...]]:
    """The one op that brings these channels together, and what it reads; None where they are a value as it is.

    A run of neighbouring channels of one value is a view; whole values behind each other are a concat.
    """
    inputs = tuple(dict.fromkeys(i for i, _ in channels))
    first: dict[int, int] = {}
    start = 0
    for i in inputs:
        first[i] = start
        start += graph.nodes[i].shape[1]
    places = tuple([first[i] + c for i, c in channels])
    if places == tuple(range(places[0], places[0] + len(places))) and (len(inputs) == 1 or len(places) == start):
        if len(inputs) > 1:
            return Concat(), inputs
        whole = len(places) == start
        return (None if whole else ChannelSlice(places[0], places[0] + len(places), copies=False)), inputs
    return ChannelGather(places), inputs
