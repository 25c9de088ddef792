"""Receptive field: which pixels of the image a position of each feature map sees, its effective stride, and whether paths are aligned.

Along each axis, position i sees pixels i * stride + low to i * stride + high of the first image input, before the border clips them. A
window of kernel k, stride s, padding p and dilation d makes (low - p * stride, high + (d * (k - 1) - p) * stride, s * stride) of it, the
recurrence of Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks" (Distill 2019). The bounds are exact, with holes
inside where windows leave some; all channels of a map are taken together, as if each saw what any of them sees.

Global operations (global pooling, flattening, linear layers, work of unknown kind) see the same pixels from every position: stride 0. Where
such a path meets a local one, as the gate of squeeze-and-excitation does, the field stays that of the local path, and `sees_all` says that
there is another: a network's depth of view is a question about its windows, which a gate that carries no positions does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
    ReLU,
    ReLU6,
    Reshape,
    Shape,
    Sigmoid,
    SiLU,
    Softmax,
    SparseShift,
    pair,
)


@dataclass(frozen=True, slots=True)
class Extent:
    """One axis of a receptive field: position i sees pixels i * stride + low to i * stride + high, before clipping."""

    low: int
    high: int
    stride: int  # 0: every position sees the same pixels
    aligned: bool = True
    sees_all: bool = False

    def window(self, first: int, last: int, stride: int = 1) -> Extent:
        """What i sees when it reads positions i * stride + first to i * stride + last of a map with this extent."""
        return replace(self, low=self.low + first * self.stride, high=self.high + last * self.stride, stride=self.stride * stride)

    def everywhere(self, positions: int, pixels: int) -> Extent:
        """What is seen from all `positions` of an axis together, clipped to the image of `pixels`."""
        low, high = max(0, self.low), min(pixels - 1, (positions - 1) * self.stride + self.high)
        return replace(self, low=low, high=high, stride=0, sees_all=True)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The receptive field of a node, in pixels of the first image input. Pairs are (vertical, horizontal)."""

    h: Extent
    w: Extent

    @property
    def low(self) -> tuple[int, int]:
        """The first pixel that position 0 sees; negative in the padding."""
        return self.h.low, self.w.low

    @property
    def high(self) -> tuple[int, int]:
        """The last pixel that position 0 sees."""
        return self.h.high, self.w.high

    @property
    def size(self) -> tuple[int, int]:
        """How many pixels one position spans, before the border clips them."""
        return self.h.high - self.h.low + 1, self.w.high - self.w.low + 1

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels between the fields of neighbouring positions (the effective stride); 0 when all see the same."""
        return self.h.stride, self.w.stride

    @property
    def centre(self) -> tuple[float, float]:
        """Where the field of position 0 has its centre: 0 on the first pixel, a half between two."""
        return (self.h.low + self.h.high) / 2, (self.w.low + self.w.high) / 2

    @property
    def is_local(self) -> bool:
        """Whether the positions of the map are places in the image, along both axes."""
        return self.h.stride > 0 and self.w.stride > 0

    @property
    def sees_all(self) -> bool:
        """Whether some path to here reads an axis as a whole, beside or instead of the windows that `size` counts."""
        return self.h.sees_all or self.w.sees_all

    @property
    def aligned(self) -> bool:
        """Whether all paths that met on the way had equal strides and centres.

        Where strides differ no one law holds for all positions: low and high are then a box around what each position sees.
        """
        return self.h.aligned and self.w.aligned


def receptive_fields(graph: Graph) -> tuple[ReceptiveField | None, ...]:
    """The receptive field of each node on the first input with four axes; None for nodes that do not depend on it."""
    image = next((node for node in graph.inputs if len(node.shape) == 4), None)
    fields: list[ReceptiveField | None] = []
    for node in graph:
        if node is image:
            fields.append(ReceptiveField(Extent(0, 0, 1), Extent(0, 0, 1)))
        elif image is None or isinstance(node.op, Input):
            fields.append(None)
        else:
            read = [(fields[i], graph.nodes[i].shape) for i in node.inputs]
            h, w = (_axis(node.op, axis, read, node.shape, image.shape[axis]) for axis in (-2, -1))
            fields.append(None if h is None or w is None else ReceptiveField(h, w))
    return tuple(fields)


def stage_fields(graph: Graph) -> dict[str, ReceptiveField]:
    """The receptive field of each stage's output: of its last node whose positions are places. Stages without such a node are left out."""
    found = {}
    for node, field in zip(graph, receptive_fields(graph), strict=True):
        if field is not None and field.is_local and not isinstance(node.op, Input):
            found[node.stage] = field
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where along which axis an op reads: of a map of `shape`, to write `out`, on an image of `pixels`."""

    axis: int  # counted from the end: -2 vertical, -1 horizontal
    shape: Shape
    out: Shape
    pixels: int
    before: int  # positions along the axis in the inputs before this one

    def of(self, value: int | tuple[int, int]) -> int:
        """This axis' part of a field like kernel_size."""
        return pair(value)[self.axis]

    def whole(self, x: Extent) -> Extent:
        """What is seen from all positions of the map together."""
        return x.everywhere(positions_along(self.shape, self.axis), self.pixels)


def _axis(op: Op, axis: int, read: Sequence[tuple[ReceptiveField | None, Shape]], out: Shape, pixels: int) -> Extent | None:
    """One axis of a node's field; None when none of its inputs depends on the image."""
    seen, before = [], 0
    for field, shape in read:
        if field is not None:
            seen.append(sight_of(type(op))(op, field.h if axis == -2 else field.w, Place(axis, shape, out, pixels, before)))
        before += positions_along(shape, axis)
    return union(seen, positions_along(out, axis)) if seen else None


def positions_along(shape: Shape, axis: int) -> int:
    """How many there are along an axis counted from the end; one where the shape has no such axis."""
    return shape[axis] if len(shape) >= -axis else 1


def union(extents: Sequence[Extent], positions: int) -> Extent:
    """The smallest extent around all of `extents`, at least one, over `positions` of them; the local ones decide where there are any.

    >>> union([Extent(-1, 1, 2), Extent(0, 0, 2)], 112)  # a 3x3 convolution beside a 1x1 shortcut, both at stride 2
    Extent(low=-1, high=1, stride=2, aligned=True, sees_all=False)
    """
    paths = [x for x in extents if x.stride] or list(extents)
    stride = max(x.stride for x in paths)
    return Extent(
        low=min(x.low - (positions - 1) * (stride - x.stride) for x in paths),
        high=max(x.high for x in paths),
        stride=stride,
        aligned=all(x.aligned for x in extents) and (stride == 0 or len({(x.stride, x.low + x.high) for x in paths}) == 1),
        sees_all=any(x.sees_all for x in extents),
    )


def _in_place(op: Op, x: Extent, at: Place) -> Extent:
    return x


def _broadcast(op: Op, x: Extent, at: Place) -> Extent:
    return x if positions_along(at.shape, at.axis) == positions_along(at.out, at.axis) else at.whole(x)


def _conv(op: Conv2d, x: Extent, at: Place) -> Extent:
    padding = at.of(op.padding)
    return x.window(-padding, at.of(op.dilation) * (at.of(op.kernel_size) - 1) - padding, at.of(op.stride))


def _pool(op: MaxPool2d | AvgPool2d, x: Extent, at: Place) -> Extent:
    padding = at.of(op.padding)
    return x.window(-padding, at.of(op.kernel_size) - 1 - padding, at.of(op.stride))


def _adaptive_pool(op: AdaptiveAvgPool2d, x: Extent, at: Place) -> Extent:
    # Cell i is the mean of positions floor(i n / cells) to ceil((i + 1) n / cells) - 1.
    n, cells = at.shape[at.axis], at.of(op.output_size)
    stride = n // cells
    if cells == 1 or stride == 0:
        return at.whole(x)
    first = [i * n // cells - i * stride for i in range(cells)]
    last = [-(-(i + 1) * n // cells) - 1 - i * stride for i in range(cells)]
    return replace(x.window(min(first), max(last), stride), aligned=x.aligned and n % cells == 0)


def _concat(op: Concat, x: Extent, at: Place) -> Extent:
    return x.window(-at.before, -at.before) if op.dim - len(at.shape) == at.axis else x


def _pad(op: Pad, x: Extent, at: Place) -> Extent:
    left, _, top, _ = op.padding
    before = top if at.axis == -2 else left
    return x.window(-before, -before)


def _grouped_shift(op: GroupedShift, x: Extent, at: Place) -> Extent:
    return x.window(-(op.kernel_size // 2), op.kernel_size // 2)


# (vertical, horizontal) of the channels that a fixed sparse shift moves, in turn (archspace.pytorch.layers.sparse_displacements).
NEIGHBOURS = ((-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1))


def _sparse_shift(op: SparseShift, x: Extent, at: Place) -> Extent:
    if op.learned:  # displacements start in [-1, 1]; how far training takes them is not known here
        return x.window(-1, 1) if op.moved_channels else x
    steps = [step[at.axis] for step in NEIGHBOURS[: op.moved_channels]]
    if op.moved_channels < op.channels:
        steps.append(0)
    return x.window(min(steps), max(steps))


def _fixed_shift(op: FixedShift, x: Extent, at: Place) -> Extent:
    steps = op.beta if at.axis == -2 else op.alpha
    return x.window(min(steps), max(steps))


def _linear(op: Linear, x: Extent, at: Place) -> Extent:
    return at.whole(x) if at.axis == -1 else x


def _softmax(op: Softmax, x: Extent, at: Place) -> Extent:
    return at.whole(x) if op.dim in (at.axis, at.axis + len(at.shape)) else x


def _view(op: Flatten | Reshape, x: Extent, at: Place) -> Extent:
    return x if at.out[-2:] == at.shape[-2:] else at.whole(x)


def _whole(op: Op, x: Extent, at: Place) -> Extent:
    return at.whole(x)


Sight = Callable[[Any, Extent, Place], Extent]
"""(op, what a position of its input sees along an axis, where that is) -> what a position of its output sees."""


def sight_of(kind: type[Op]) -> Sight:
    """The law of an op kind. Those of kinds that no network of the zoo has are read when first asked for."""
    sight = SIGHT.get(kind)
    if sight is None:
        from archspace.analysis.receptive_field_further import FURTHER_SIGHT

        sight = FURTHER_SIGHT[kind]
    return sight


SIGHT: dict[type[Op], Sight] = {
    AdaptiveAvgPool2d: _adaptive_pool,
    Add: _broadcast,
    AvgPool2d: _pool,
    BatchNorm2d: _in_place,
    ChannelGather: _in_place,
    ChannelShuffle: _in_place,
    ChannelSlice: _in_place,
    Concat: _concat,
    Conv2d: _conv,
    Dropout: _in_place,
    FixedShift: _fixed_shift,
    Flatten: _view,
    GELU: _in_place,
    GroupedShift: _grouped_shift,
    Hardsigmoid: _in_place,
    Hardswish: _in_place,
    Linear: _linear,
    MaxPool2d: _pool,
    Multiply: _broadcast,
    Opaque: _whole,
    Pad: _pad,
    ReLU: _in_place,
    ReLU6: _in_place,
    Reshape: _view,
    SiLU: _in_place,
    Sigmoid: _in_place,
    Softmax: _softmax,
    SparseShift: _sparse_shift,
}
