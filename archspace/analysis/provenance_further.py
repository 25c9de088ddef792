"""Channel provenance through the ops that only networks from elsewhere have. Where channels do not stay apart, all influence all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from math import prod
from operator import or_

from archspace.analysis.provenance import (
    Rows,
    Rule,
    aligned,
    along_axis,
    channels_of,
    everything,
    own_channel,
    union,
    within_groups,
)
from archspace.ir.ops import (
    ELU,
    GLU,
    GRU,
    LSTM,
    RNN,
    AdaptivePoolNd,
    BatchNormNd,
    ConvNd,
    ConvTransposeNd,
    Copy,
    DynamicConv2d,
    Einsum,
    Embedding,
    Expand,
    FinalState,
    Flip,
    Fold,
    GroupNorm,
    Index,
    InstanceNorm,
    Interpolate,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MatMul,
    Mish,
    Op,
    PadNd,
    Permute,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    PoolNd,
    PReLU,
    Recurrent,
    Reduce,
    Repeat,
    RMSNorm,
    Roll,
    ScaledDotProductAttention,
    Scan,
    Select,
    Shape,
    Slice,
    Stack,
    Tanh,
    Unfold,
    pair,
)


def together(op: Op, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Channel c of every input, as tensors broadcast."""
    return tuple([reduce(or_, column) for column in zip(*aligned(inputs, shapes, out), strict=True)])


def normalised(op: LayerNorm | RMSNorm, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """A norm over last axes mixes the channels when axis 1 is one of them."""
    return everything(op, inputs, shapes, out) if len(out) - len(op.normalized_shape) <= 1 else inputs[0]


def grouped(op: GroupNorm, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Each group's mean and variance are made of all its channels."""
    size = op.num_channels // op.num_groups
    return tuple([row for g in range(op.num_groups) for row in [union(inputs[0][g * size : (g + 1) * size])] * size])


def gated(op: GLU, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Along the channels, c and c + half make one; along another axis every channel is its own gate."""
    rows = inputs[0]
    return tuple(map(or_, rows[: len(rows) // 2], rows[len(rows) // 2 :])) if op.dim % len(out) == 1 else rows


def multiplied(op: MatMul, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Axis 1 may be one of the leading axes, the rows of the first (3-D) or the columns of the second (2-D)."""
    a, b = inputs
    if len(out) > 3:
        return together(op, inputs, shapes, out)
    if len(out) == 3:
        all_b = union(b)
        return tuple([row | all_b for row in a]) if len(shapes[0]) == 3 else everything(op, inputs, shapes, out)
    all_a = union(a)
    return tuple([row | all_a for row in b])


def attended(op: ScaledDotProductAttention, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Heads stay apart where they are axis 1."""
    if len(out) > 3 and not op.enable_gqa:
        return together(op, inputs, shapes, out)
    return everything(op, inputs, shapes, out)


def per_sequence(op: Recurrent, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Axis 1 is the batch, whose sequences stay apart, or the steps, which do not."""
    return everything(op, inputs, shapes, out) if op.batch_first else together(op, inputs, shapes, out)


def running(op: Scan, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Along the channels, each is made of those up to it."""
    return tuple(accumulate(inputs[0], or_)) if op.dim % len(out) == 1 else inputs[0]


def reduced(op: Reduce, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Channels stay what they are where axis 1 does."""
    rank = len(shapes[0])
    gone = {dim % rank for dim in op.dims} or set(range(rank))
    stays = 1 not in gone and (op.keepdim or 0 not in gone) and len(out) > 1
    return inputs[0] if stays else everything(op, inputs, shapes, out)


def permuted(op: Permute, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Channels stay what they are where axis 1 stays."""
    return inputs[0] if len(out) < 2 or op.dims[1] % len(out) == 1 else everything(op, inputs, shapes, out)


def cut(op: Slice, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Some of the channels, or a part of each."""
    return inputs[0][op.start : op.stop : op.step] if len(out) > 1 and op.dim % len(out) == 1 else inputs[0]


def selected(op: Select, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Without an axis behind the channels they stay. Of one channel, its positions become channels; of one image, nothing keeps apart."""
    axis = op.dim % len(shapes[0])
    if axis == 1:
        return (inputs[0][op.index],) * channels_of(out)
    return inputs[0] if axis > 1 else everything(op, inputs, shapes, out)


def spread_out(op: Expand | Repeat, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """The channels again and again, unless new axes stand in front."""
    if len(out) != len(shapes[0]):
        return everything(op, inputs, shapes, out)
    return inputs[0] * (channels_of(out) // len(inputs[0]))


def stacked(op: Stack, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Along a new axis 1 each input is a channel; behind it, channel c holds all channels c."""
    axis = op.dim % len(out)
    if axis == 1:
        return tuple([union(rows) for rows in inputs])
    return together(op, inputs, shapes, shapes[0]) if axis > 1 and len(shapes[0]) > 1 else everything(op, inputs, shapes, out)


def rolled(op: Roll, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Along the channels they turn."""
    rows = inputs[0]
    by = sum(shift for shift, dim in zip(op.shifts, op.dims, strict=True) if len(out) > 1 and dim % len(out) == 1) % len(rows)
    return rows[-by:] + rows[:-by] if by else rows


def flipped(op: Flip, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Along the channels, backwards."""
    return inputs[0][::-1] if len(out) > 1 and 1 in [dim % len(out) for dim in op.dims] else inputs[0]


def to_pixels(op: PixelShuffle, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """r^2 channels make one."""
    each = op.upscale_factor**2
    return tuple([union(inputs[0][c * each : (c + 1) * each]) for c in range(out[1])])


def from_pixels(op: PixelUnshuffle, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """One channel makes r^2."""
    return tuple([row for row in inputs[0] for _ in range(op.downscale_factor**2)])


def to_columns(op: Unfold, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """A channel of every position of the kernel."""
    return tuple([row for row in inputs[0] for _ in range(prod(pair(op.kernel_size)))])


def from_columns(op: Fold, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """The positions of the kernel make one channel."""
    area = prod(pair(op.kernel_size))
    return tuple([union(inputs[0][c * area : (c + 1) * area]) for c in range(out[1])])


def padded(op: PadNd, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Channels stay what they are unless there are more or fewer."""
    return inputs[0] if len(op.padding) <= 2 * (len(out) - 2) else everything(op, inputs, shapes, out)


def looked_up(op: Embedding, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """The new axis comes last: axis 1 stays where there is one."""
    return inputs[0] if len(shapes[0]) > 1 else everything(op, inputs, shapes, out)


FURTHER_RULES: dict[type[Op], Rule] = {
    AdaptivePoolNd: own_channel,
    BatchNormNd: own_channel,
    ConvNd: within_groups,
    ConvTransposeNd: within_groups,
    Copy: own_channel,
    DynamicConv2d: everything,
    ELU: own_channel,
    Einsum: everything,
    Embedding: looked_up,
    Expand: spread_out,
    FinalState: everything,
    Flip: flipped,
    Fold: from_columns,
    GLU: gated,
    GRU: per_sequence,
    GroupNorm: grouped,
    Index: everything,
    InstanceNorm: own_channel,
    Interpolate: own_channel,
    LSTM: per_sequence,
    LayerNorm: normalised,
    LeakyReLU: own_channel,
    LogSoftmax: along_axis,
    MatMul: multiplied,
    Mish: own_channel,
    PReLU: own_channel,
    PadNd: padded,
    Permute: permuted,
    PixelShuffle: to_pixels,
    PixelUnshuffle: from_pixels,
    Pointwise: together,
    PoolNd: own_channel,
    RMSNorm: normalised,
    RNN: per_sequence,
    Reduce: reduced,
    Repeat: spread_out,
    Roll: rolled,
    ScaledDotProductAttention: attended,
    Scan: running,
    Select: selected,
    Slice: cut,
    Stack: stacked,
    Tanh: own_channel,
    Unfold: to_columns,
}
