"""Channel provenance: which channels of a value can influence which channels of every later one, exactly, without weights.

A value's channels are the positions of its axis 1 (features, once flattened; a value without axis 1 has one channel). Channel a
influences channel b when b changes with a for almost all weights and inputs. What happens to cancel does not count (weights, or equal
channels under a softmax), nor does where in the image a channel is seen (a shift may move all of it out of a small one). Nodes are told
apart by position, as in `Graph.outputs`.

Sets of channels are Python ints with bit c set for channel c, so that one `|` joins thousands of channels, and the outputs of a dense
layer share one int.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import or_
from typing import Any

from archspace.errors import LawError, UnknownNameError
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    GELU,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelGather,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    FixedShift,
    Flatten,
    GroupedShift,
    Hardsigmoid,
    Hardswish,
    Input,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    Opaque,
    Pad,
    Parameter,
    ReLU,
    ReLU6,
    Reshape,
    Shape,
    Sigmoid,
    SiLU,
    Softmax,
    SparseShift,
)

Rows = tuple[int, ...]
"""Per channel of a value, the set of source channels that influence it."""
Rule = Callable[[Any, Sequence[Rows], Sequence[Shape], Shape], Rows]
"""(op, the rows of its inputs, their shapes, its output's shape) -> the rows of its output."""


@dataclass(frozen=True, slots=True)
class BitMatrix:
    """Rows of bits: bit c of `rows[r]` says that column c influences row r. `columns` is how many columns there are."""

    rows: Rows
    columns: int

    def __getitem__(self, place: tuple[int, int]) -> bool:
        """Whether column `place[1]` influences row `place[0]`."""
        row, column = place
        if not 0 <= column < self.columns:
            raise IndexError(f"column {column} of {self.columns}")
        return bool(self.rows[row] >> column & 1)

    @property
    def is_full(self) -> bool:
        """Every column influences every row."""
        return all(row == (1 << self.columns) - 1 for row in self.rows)

    def to_lists(self) -> list[list[int]]:
        """The matrix as zeros and ones, row by row."""
        return [[row >> column & 1 for column in range(self.columns)] for row in self.rows]


def channels_of(shape: Shape) -> int:
    """How many channels a value of this shape has: axis 1, or one where there is none."""
    return shape[1] if len(shape) > 1 else 1


def identity(channels: int, start: int = 0) -> Rows:
    """Every channel is its own source, from bit `start` on."""
    return tuple([1 << c for c in range(start, start + channels)])


def union(rows: Iterable[int]) -> int:
    """All channels that are in any of the sets."""
    return reduce(or_, rows, 0)


def bits(channels: int) -> Iterator[int]:
    """The members of a set, ascending.

    >>> list(bits(0b1101))
    [0, 2, 3]
    """
    while channels:
        lowest = channels & -channels
        yield lowest.bit_length() - 1
        channels ^= lowest


# The rules: what each op hands from the channels of its inputs to those of its output.


def own_channel(op: Op, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Channel c is made of channel c alone."""
    return inputs[0]


def within_groups(op: Conv2d, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """A convolution: every output of a group is made of all inputs of that group."""
    g, c1, c2 = op.groups, op.in_channels // op.groups, op.out_channels // op.groups
    rows = inputs[0]
    if c1 == c2 == 1:
        return rows
    if g == 1:
        return (union(rows),) * c2
    return tuple([row for k in range(g) for row in [union(rows[k * c1 : (k + 1) * c1])] * c2])


def over_last_axis(op: Linear, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """A linear layer mixes the channels when they are the last axis; else it works within each channel."""
    return (union(inputs[0]),) * channels_of(out) if len(out) == 2 else inputs[0]


def along_axis(op: Softmax, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Softmax over the channels mixes them all; along an axis of one element it is the constant 1."""
    if out[op.dim] == 1:
        return (0,) * len(inputs[0])
    return (union(inputs[0]),) * len(inputs[0]) if op.dim % len(out) == 1 else inputs[0]


def aligned(inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> list[Rows]:
    """The rows of tensors that broadcast to `out`, for each of its channels; one with fewer axes has its channels elsewhere: all count."""
    channels = channels_of(out)
    return [
        rows if len(rows) == channels and len(shape) == len(out) else (union(rows),) * channels
        for rows, shape in zip(inputs, shapes, strict=True)
    ]


def both(op: Op, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Add and multiply: channel c of both, where a single channel serves all channels of the other (a gate, an attention map)."""
    a, b = aligned(inputs, shapes, out)
    return tuple(map(or_, a, b))


def shuffled(op: ChannelShuffle, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Output i * groups + k is input k * (c / groups) + i."""
    return tuple([row for i in range(len(inputs[0]) // op.groups) for row in inputs[0][i :: len(inputs[0]) // op.groups]])


def sliced(op: ChannelSlice, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Channels start to stop."""
    return inputs[0][op.start : op.stop]


def joined(op: Concat, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Along axis 1 the channels stand behind each other; along any other axis channel c holds the parts' channels c."""
    if op.dim == 1:
        return tuple([row for rows in inputs for row in rows])
    return tuple([union(column) for column in zip(*inputs, strict=True)])


def gathered(op: ChannelGather, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Each output channel is one channel of the inputs behind each other."""
    joint = [row for rows in inputs for row in rows]
    return tuple([joint[c] for c in op.channels])


def regrouped(op: Op, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Flatten and reshape: the elements keep their order, and an output channel is made of the input channels that its elements lie in.

    After Flatten(1) feature f belongs to channel f // (h * w).
    """
    (rows,), (shape,) = inputs, shapes
    if len(out) < 2:
        return (union(rows),)
    if shape[0] != out[0]:  # the batch folded into other axes, or they into it
        return (union(rows),) * out[1]
    if len(shape) < 2:
        return rows * channels_of(out)
    before, after = prod(shape[2:]), prod(out[2:])
    if before == after:
        return rows
    return tuple([union(rows[c * after // before : -(-(c + 1) * after // before)]) for c in range(out[1])])


def everything(op: Op, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Of unknown work no influence can be ruled out."""
    return (union(union(rows) for rows in inputs),) * channels_of(out)


RULES: dict[type[Op], Rule] = {
    AdaptiveAvgPool2d: own_channel,
    Add: both,
    AvgPool2d: own_channel,
    BatchNorm2d: own_channel,
    ChannelGather: gathered,
    ChannelShuffle: shuffled,
    ChannelSlice: sliced,
    Concat: joined,
    Conv2d: within_groups,
    Dropout: own_channel,
    FixedShift: own_channel,
    Flatten: regrouped,
    GELU: own_channel,
    GroupedShift: own_channel,
    Hardsigmoid: own_channel,
    Hardswish: own_channel,
    Input: everything,
    Linear: over_last_axis,
    MaxPool2d: own_channel,
    Multiply: both,
    Opaque: everything,
    Pad: own_channel,
    Parameter: everything,
    ReLU: own_channel,
    ReLU6: own_channel,
    Reshape: regrouped,
    SiLU: own_channel,
    Sigmoid: own_channel,
    Softmax: along_axis,
    SparseShift: own_channel,
}


def rule_of(kind: type[Op]) -> Rule:
    """The rule of an op kind. Those of kinds that no network of the zoo has are read when first asked for."""
    rule = RULES.get(kind)
    if rule is None:
        from archspace.analysis.provenance_further import FURTHER_RULES

        rule = FURTHER_RULES[kind]
    return rule


def position(graph: Graph, node: int | str) -> int:
    """A node's place in `graph.nodes`, by name or as given. Raises UnknownNameError for a name, LawError for a number, not in the graph."""
    if isinstance(node, int):
        if not 0 <= node < len(graph.nodes):
            raise LawError(f"{graph.name}: a node's position must be in [0, {len(graph.nodes)}), but got {node}")
        return node
    for i, one in enumerate(graph.nodes):
        if one.name == node:
            return i
    raise UnknownNameError("node", node, [one.name for one in graph.nodes])


def influence(graph: Graph, source: int | str) -> list[Rows | None]:
    """Per node, the channels of `source` that influence each of its channels; None where no path leads.

    Raises UnknownNameError or LawError when the graph has no such node.
    """
    start = position(graph, source)
    return spread(graph, {start: identity(channels_of(graph.nodes[start].shape))}, range(start, len(graph.nodes)))


def spread(graph: Graph, seeds: Mapping[int, Rows], members: Iterable[int]) -> list[Rows | None]:
    """The rows of all nodes, given those of the `seeds`, through the nodes `members` (ascending; seeds among them stay as given)."""
    nodes = graph.nodes
    found: list[Rows | None] = [None] * len(nodes)
    for i, rows in seeds.items():
        found[i] = rows
    for i in members:
        node = nodes[i]
        inputs = [found[k] for k in node.inputs]
        if found[i] is None and any(rows is not None for rows in inputs):
            shapes = graph.input_shapes(node)
            filled = [rows if rows is not None else (0,) * channels_of(shape) for rows, shape in zip(inputs, shapes, strict=True)]
            found[i] = rule_of(type(node.op))(node.op, filled, shapes, node.shape)
    return found
