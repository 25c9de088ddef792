"""Dead channels: what is computed and never influences an output of the graph."""

from __future__ import annotations

from archspace.analysis.provenance import RULES, Rows, bits, channels_of, identity, rule_of, union
from archspace.analysis.reuse import labels
from archspace.ir.graph import Graph
from archspace.ir.ops import ChannelGather, ChannelSlice, Input, Parameter, Softmax


def live_channels(graph: Graph) -> list[int]:
    """Per node, the set of its channels that influence any output of the graph, as bits (`provenance.bits` lists them)."""
    nodes = graph.nodes
    whole = [(1 << channels_of(node.shape)) - 1 for node in nodes]
    live = [0] * len(nodes)
    for i in graph.outputs:
        live[i] = whole[i]
    for i in range(len(nodes) - 1, -1, -1):
        node = nodes[i]
        if not live[i]:
            continue
        if isinstance(node.op, ChannelSlice):
            live[node.inputs[0]] |= live[i] << node.op.start
        elif live[i] == whole[i] and type(node.op) in RULES and not isinstance(node.op, Softmax | ChannelGather):  # these read all channels
            for k in node.inputs:
                live[k] = whole[k]
        else:
            shapes = graph.input_shapes(node)
            sources: list[Rows] = []
            columns = 0
            for shape in shapes:
                sources.append(identity(channels_of(shape), start=columns))
                columns += channels_of(shape)
            rows = rule_of(type(node.op))(node.op, sources, shapes, node.shape)
            read = union(rows[c] for c in bits(live[i]))
            for k in node.inputs:
                live[k] |= read & whole[k]
                read >>= channels_of(nodes[k].shape)
    return live


def dead_channels(graph: Graph) -> dict[int, tuple[int, ...]]:
    """Per node (its position in `Graph.nodes`), the channels that it computes and that influence no output; nodes without any are left out.

    Channels that a node only hands on are named where they were computed; those of the graph's inputs are nobody's work.
    """
    nodes = graph.nodes
    live = live_channels(graph)
    dead = {i: (1 << channels_of(node.shape)) - 1 & ~live[i] for i, node in enumerate(nodes) if not isinstance(node.op, Input | Parameter)}
    if not any(dead.values()):
        return {}
    values = labels(graph)
    first = [0]
    for node in nodes:
        first.append(first[-1] + channels_of(node.shape))
    computed = {i: tuple([c for c in bits(channels) if values[i][c] == first[i] + c]) for i, channels in dead.items()}
    return {i: channels for i, channels in computed.items() if channels}
