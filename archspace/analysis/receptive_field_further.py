"""Receptive fields through the ops that only networks from elsewhere have. What does not keep positions in order reads the whole axis.

Axes are counted from the end, -2 vertical and -1 horizontal, as of images; sequences and images with the channels last have their
positions elsewhere, and end in ops that read a whole axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archspace.analysis.receptive_field import Extent, Place, Sight, positions_along
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
    Overwrite,
    PadNd,
    Permute,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    PoolNd,
    PReLU,
    Reduce,
    Repeat,
    RMSNorm,
    Roll,
    ScaledDotProductAttention,
    Scan,
    Select,
    Slice,
    Stack,
    Tanh,
    Unfold,
)


def in_place(op: Op, x: Extent, at: Place) -> Extent:
    """Position i of position i."""
    return x


def whole(op: Op, x: Extent, at: Place) -> Extent:
    """Every position of all."""
    return at.whole(x)


def broadcast(op: Op, x: Extent, at: Place) -> Extent:
    """Position i of position i, or all of the one there is."""
    return x if positions_along(at.shape, at.axis) == positions_along(at.out, at.axis) else at.whole(x)


def normalised(op: GroupNorm | InstanceNorm, x: Extent, at: Place) -> Extent:
    """Position i of itself, and of a mean and a variance over all, which carry no positions: as the gate of squeeze-and-excitation."""
    return replace(x, sees_all=True) if len(at.shape) > 1 - at.axis else x


def normalised_axes(op: LayerNorm | RMSNorm, x: Extent, at: Place) -> Extent:
    """The same along the normalised axes."""
    return replace(x, sees_all=True) if len(op.normalized_shape) >= -at.axis else x


def along(op: GLU | LogSoftmax | Scan, x: Extent, at: Place) -> Extent:
    """All positions of the axis `dim`."""
    return at.whole(x) if is_axis(op.dim, at) else x


def conv(op: ConvNd, x: Extent, at: Place) -> Extent:
    """A window along its own axes; along the channels everything."""
    if len(op.kernel_size) < -at.axis:
        return at.whole(x)
    k, s, p, d = op.axes()[at.axis]
    return x.window(-p, d * (k - 1) - p, s)


def conv_transpose(op: ConvTransposeNd, x: Extent, at: Place) -> Extent:
    """Output o is made of the inputs i with i * stride = o + padding - dilation * tap for a tap of the kernel."""
    if len(op.kernel_size) < -at.axis:
        return at.whole(x)
    k, s, p, d = op.axes()[at.axis]
    return finer(x, at, s, lambda o: -(-(o + p - d * (k - 1)) // s), lambda o: (o + p) // s)


def pool(op: PoolNd, x: Extent, at: Place) -> Extent:
    """A window along its own axes."""
    if len(op.kernel_size) < -at.axis:
        return x
    k, s, p, d = op.axes()[at.axis]
    return x.window(-p, d * (k - 1) - p, s)


def adaptive_pool(op: AdaptivePoolNd, x: Extent, at: Place) -> Extent:
    """Cells of equal size where they divide the axis; else the whole of it."""
    if len(op.output_size) < -at.axis:
        return x
    size, cells = at.shape[at.axis], op.output_size[at.axis]
    return x.window(0, size // cells - 1, size // cells) if size % cells == 0 and cells > 1 else at.whole(x)


def pad(op: PadNd, x: Extent, at: Place) -> Extent:
    """Moved by what is put before; what a border repeats does not count, as zeros do not. Circular padding brings the other end."""
    if len(op.padding) < -2 * at.axis:
        return x
    before = op.padding[-2 * at.axis - 2]
    return at.whole(x) if op.mode == "circular" else x.window(-before, -before)


def interpolate(op: Interpolate, x: Extent, at: Place) -> Extent:
    """The nearest position, or the two around it, where an axis grows by a whole number; else the whole of it."""
    if len(at.shape) - 2 < -at.axis:
        return x
    times, rest = divmod(at.out[at.axis], at.shape[at.axis])
    if times == 1 and not rest:
        return x
    if rest or op.align_corners or op.mode not in ("nearest", "nearest-exact", "linear", "bilinear", "trilinear"):
        return at.whole(x)
    if op.mode.startswith("nearest"):
        return finer(x, at, times, lambda o: o // times, lambda o: o // times)
    # The source of o is (o + 1/2) / times - 1/2, between two positions.
    return finer(x, at, times, lambda o: (2 * o + 1 - times) // (2 * times), lambda o: -(-(2 * o + 1 - times) // (2 * times)))


def to_pixels(op: PixelShuffle, x: Extent, at: Place) -> Extent:
    """r positions of one."""
    r = op.upscale_factor
    return finer(x, at, r, lambda o: o // r, lambda o: o // r)


def from_pixels(op: PixelUnshuffle, x: Extent, at: Place) -> Extent:
    """One position of r."""
    return x.window(0, op.downscale_factor - 1, op.downscale_factor)


def finer(x: Extent, at: Place, times: int, first: Callable[[int], int], last: Callable[[int], int]) -> Extent:
    """What output o sees when it reads inputs first(o) to last(o), `times` outputs to an input: a box around all of them.

    Where a stride does not divide, no whole number of pixels lies between neighbours: then the whole axis.
    """
    if x.stride == 0:
        return x
    if x.stride % times:
        return at.whole(x)
    stride = x.stride // times
    low = min(first(o) * x.stride - o * stride for o in range(times))
    high = max(last(o) * x.stride - o * stride for o in range(times))
    return replace(x, low=x.low + low, high=x.high + high, stride=stride, aligned=x.aligned and times == 1)


def reduced(op: Reduce, x: Extent, at: Place) -> Extent:
    """All positions of a reduced axis; without `keepdim` an axis before the positions may go."""
    rank = len(at.shape)
    gone = {dim % rank for dim in op.dims} or set(range(rank))
    stays = rank + at.axis not in gone if op.keepdim else all(axis < rank + at.axis for axis in gone)
    return x if stays else at.whole(x)


def permuted(op: Permute, x: Extent, at: Place) -> Extent:
    """An axis that stays where it was."""
    rank = len(at.shape)
    return x if rank >= -at.axis and op.dims[at.axis] % rank == rank + at.axis else at.whole(x)


def sliced(op: Slice, x: Extent, at: Place) -> Extent:
    """Every step-th position from start on."""
    return x.window(op.start, op.start, op.step) if is_axis(op.dim, at) else x


def selected(op: Select, x: Extent, at: Place) -> Extent:
    """Without an axis before the positions."""
    return x if op.dim % len(at.shape) < len(at.shape) + at.axis else at.whole(x)


def stacked(op: Stack, x: Extent, at: Place) -> Extent:
    """With a new axis before the positions."""
    return x if op.dim % len(at.out) < len(at.out) + at.axis else at.whole(x)


def turned(op: Roll | Flip, x: Extent, at: Place) -> Extent:
    """All positions of an axis that is turned, which does not keep their order."""
    return at.whole(x) if any(is_axis(dim, at) for dim in op.dims) else x


def is_axis(dim: int, at: Place) -> bool:
    """Whether `dim` of the input is the axis in question."""
    return dim in (at.axis, at.axis + len(at.shape))


FURTHER_SIGHT: dict[type[Op], Sight] = {
    AdaptivePoolNd: adaptive_pool,
    BatchNormNd: in_place,
    ConvNd: conv,
    ConvTransposeNd: conv_transpose,
    Copy: in_place,
    DynamicConv2d: whole,
    ELU: in_place,
    Einsum: whole,
    Embedding: whole,
    Expand: broadcast,
    FinalState: whole,
    Flip: turned,
    Fold: whole,
    GLU: along,
    GRU: whole,
    GroupNorm: normalised,
    Index: whole,
    Overwrite: whole,
    InstanceNorm: normalised,
    Interpolate: interpolate,
    LSTM: whole,
    LayerNorm: normalised_axes,
    LeakyReLU: in_place,
    LogSoftmax: along,
    MatMul: whole,
    Mish: in_place,
    PReLU: in_place,
    PadNd: pad,
    Permute: permuted,
    PixelShuffle: to_pixels,
    PixelUnshuffle: from_pixels,
    Pointwise: broadcast,
    PoolNd: pool,
    RMSNorm: normalised_axes,
    RNN: whole,
    Reduce: reduced,
    Repeat: broadcast,
    Roll: turned,
    ScaledDotProductAttention: whole,
    Scan: along,
    Select: selected,
    Slice: sliced,
    Stack: stacked,
    Tanh: in_place,
    Unfold: whole,
}
