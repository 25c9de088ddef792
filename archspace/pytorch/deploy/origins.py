"""Where channels come from: through ops that only move them, back to the node that computed them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from archspace.ir.graph import Graph
from archspace.ir.ops import ChannelGather, ChannelShuffle, ChannelSlice, Concat, Op

Channel = tuple[int, int]
"""(position of a node, channel of its output)."""

MOVES = (ChannelGather, ChannelShuffle, ChannelSlice, Concat)


def moves_channels(op: Op) -> bool:
    """Whether each output channel is, whole, a channel of an input."""
    return isinstance(op, MOVES) and not (isinstance(op, Concat) and op.dim != 1)


def moved(op: Op, inputs: Sequence[Sequence[Channel]]) -> list[Channel]:
    """The channels of the output of an op that moves channels, given those of its inputs."""
    joint = [channel for channels in inputs for channel in channels]
    if isinstance(op, ChannelGather):
        return [joint[c] for c in op.channels]
    if isinstance(op, ChannelSlice):
        return joint[op.start : op.stop]
    if isinstance(op, ChannelShuffle):
        width = len(joint) // op.groups
        return [channel for i in range(width) for channel in joint[i::width]]
    return joint


def origins(graph: Graph, through: Collection[int]) -> list[list[Channel]]:
    """Per node, the origin of each of its channels: followed through the nodes in `through`, others are origins themselves."""
    found: list[list[Channel]] = []
    for i, node in enumerate(graph.nodes):
        if i in through:
            found.append(moved(node.op, [found[k] for k in node.inputs]))
        else:
            found.append([(i, c) for c in range(node.shape[1] if len(node.shape) > 1 else 0)])
    return found
