"""Feature reuse: which channels are the very same values as channels made earlier, and how many of them blocks share.

The measure is that of ShuffleNet v2 (Ma et al., ECCV 2018, section 3 and figure 4 b): between its units i and i + j, r^j c channels are
"directly connected", r = 1 - c'/c the share of the c channels that a unit keeps (printed as (1 - c')/c; the zoo's `split_ratio` is
c'/c, the convolved share). What holds exactly, followed channel by channel: a unit keeps the first r c channels, and its shuffle in two
groups is the doubling map x -> 2x mod 1 on a channel's place x in [0, 1), so a channel is handed on j times when x, 2x, ...,
2^(j-1) x mod 1 all lie below r.

- r = 1/2, the paper's: the first j binary digits of x are 0, so r^j c channels (c / 2 a multiple of 2^(j-1); rounded up otherwise).
- Another r: r c for the next unit, and then not r^j c, since two groups do not spread the kept channels evenly over the next split.
  r = 3/4 forbids two ones in a row: Fibonacci(j + 3) / 2^(j+1) of the channels, a decay by 0.81 instead of 0.75. r = 1/4 asks
  for j + 1 zeros: 1 / 2^(j+1), a decay by 0.5 instead of 0.25.
- r = k / m with a shuffle in m groups: r^j c again, as each base-m digit is below k or not, whatever the others are.
- No decay goes to zero: the first channel is always kept and stays first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from archspace.analysis.ends import block_ends
from archspace.analysis.provenance import Rows, channels_of, gathered, joined, shuffled, sliced
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    FURTHER,
    ChannelGather,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Dropout,
    FixedShift,
    Flatten,
    GroupedShift,
    Op,
    Reshape,
    Shape,
    SparseShift,
    View,
)

Carry = Callable[[Any, Rows, Sequence[Rows], Sequence[Shape], Shape], Rows]
"""(op, the labels of new values, the labels of its inputs' channels, their shapes, its output's shape) -> the labels of its channels."""


def _kept(op: Op, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    return inputs[0]


def _shuffled(op: ChannelShuffle, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    return shuffled(op, inputs, shapes, out)


def _gathered(op: ChannelGather, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    return gathered(op, inputs, shapes, out)


def _sliced(op: ChannelSlice, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    return sliced(op, inputs, shapes, out)


def _joined(op: Concat, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Joined along another axis, a channel holds two: it is a new one."""
    return joined(op, inputs, shapes, out) if op.dim == 1 else own


def _viewed(op: View, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Flattened pixel by pixel, a channel is no channel any more; with as many elements each, channels stay what they are."""
    (shape,) = shapes
    whole = len(shape) > 1 and len(out) > 1 and shape[:2] == out[:2] and prod(shape[2:]) == prod(out[2:])
    return inputs[0] if whole else own


def _grid_shifted(op: GroupedShift, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """The middle group stays (SSL paper, equation 2); channels that are left over move."""
    group = op.channels // op.kernel_size**2
    start = op.kernel_size**2 // 2 * group
    return own[:start] + inputs[0][start : start + group] + own[start + group :]


def _sparsely_shifted(op: SparseShift, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """The first channels move, the rest stays; which ones stay of a learned shift, no graph without weights can tell: none is certain."""
    return own if op.learned else own[: op.moved_channels] + inputs[0][op.moved_channels :]


def _shifted(op: FixedShift, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    moved = set(op.moved_channels)
    return tuple([new if c in moved else old for c, (new, old) in enumerate(zip(own, inputs[0], strict=True))])


# The ops that hand on whole channels unchanged; all others compute new ones.
CARRIES: dict[type[Op], Carry] = {
    ChannelGather: _gathered,
    ChannelShuffle: _shuffled,
    ChannelSlice: _sliced,
    Concat: _joined,
    Dropout: _kept,  # the identity at inference
    FixedShift: _shifted,
    Flatten: _viewed,
    GroupedShift: _grid_shifted,
    Reshape: _viewed,
    SparseShift: _sparsely_shifted,
}


def carry_of(kind: type[Op]) -> Carry | None:
    """How an op kind hands channels on; None for one that computes them all. Kinds that no network of the zoo has are read when met."""
    if kind.__name__ in FURTHER:
        from archspace.analysis.reuse_further import FURTHER_CARRIES

        return FURTHER_CARRIES.get(kind)
    return CARRIES.get(kind)


@dataclass(frozen=True, slots=True)
class Reuse:
    """`channels[i][j]`: how many output channels of `blocks[j]` are, unchanged, output channels of `blocks[i]`; 0 below the diagonal.

    The diagonal is how many channels a block hands on. A value counts once, however often a block hands it on.
    """

    blocks: tuple[str, ...]
    channels: tuple[tuple[int, ...], ...]

    def shares(self) -> tuple[tuple[float, ...], ...]:
        """The same as shares of the output channels of block j: 1 on the diagonal, 0 where block j hands nothing on."""
        own = [self.channels[j][j] for j in range(len(self.blocks))]
        return tuple(tuple([n / whole if whole else 0.0 for n, whole in zip(row, own, strict=True)]) for row in self.channels)


def labels(graph: Graph) -> list[Rows]:
    """Per node, a number for each channel; equal numbers mean the same values. New values are numbered in the graph's order."""
    found: list[Rows] = []
    first = 0
    for node in graph.nodes:
        channels = channels_of(node.shape)
        own = tuple(range(first, first + channels))
        first += channels
        carry = carry_of(type(node.op))
        found.append(carry(node.op, own, [found[i] for i in node.inputs], graph.input_shapes(node), node.shape) if carry else own)
    return found


def carried(graph: Graph) -> list[tuple[tuple[int, int], ...]]:
    """Per node and channel, the (node, channel) that computed the value: the node itself, or an earlier one whose channel it is unchanged.

    Followed through channel shuffle, slice and concat, dropout (at inference), views that keep channels whole, and shifts for the channels
    that stay. An activation, a pool or a batch norm makes new values.
    """
    places = [(i, c) for i, node in enumerate(graph.nodes) for c in range(channels_of(node.shape))]
    return [tuple([places[label] for label in row]) for row in labels(graph)]


def reuse_matrix(graph: Graph) -> Reuse:
    """The channel-reuse matrix between all blocks, in the graph's order (ShuffleNet v2, figure 4 b). Inputs are no blocks."""
    values = labels(graph)
    ends = block_ends(graph)
    handed_on = [{label for i in one.outputs for label in values[i]} for one in ends.values()]
    rows = [tuple([len(a & b) if j >= i else 0 for j, b in enumerate(handed_on)]) for i, a in enumerate(handed_on)]
    return Reuse(tuple(ends), tuple(rows))
