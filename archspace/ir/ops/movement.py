"""The ops that move data and compute nothing: shuffle, split, concat, shifts, pad, views."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod as _prod

from archspace.errors import nearest_divisors
from archspace.ir.ops.base import Counts, LawError, Op, Shape, channels_of, image_of, positive, prod, single


def _moved(elements_in: int, elements_out: int) -> Counts:
    return Counts(in_elems=elements_in, out_elems=elements_out, movement_elems=elements_in + elements_out)


@dataclass(frozen=True, slots=True)
class ChannelShuffle(Op):
    """(groups, c / groups) channels transposed (ShuffleNet v1, figure 1c). x: (n, c, h, w), as is."""

    groups: int

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = image_of(self, shapes)
        positive(self, groups=self.groups)
        if shape[1] % self.groups:
            raise LawError(
                f"ChannelShuffle: groups must divide the channels, but got groups={self.groups}, channels={shape[1]}. "
                f"Divisors near {self.groups}: {nearest_divisors(shape[1], self.groups)}."
            )
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n = prod(out)
        return _moved(n, n)


@dataclass(frozen=True, slots=True)
class ChannelSlice(Op):
    """One output of a channel split: channels start to stop (exclusive). x: (n, c, ...) -> y: (n, stop - start, ...).

    `copies=False` says that the slice is a view, read in place (FE-Net's split, section 4.3); it then costs nothing.
    """

    start: int
    stop: int
    copies: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        if len(shape) < 2 or not 0 <= self.start < self.stop <= shape[1]:
            raise LawError(
                f"ChannelSlice: 0 <= start < stop <= channels must hold, but got start={self.start}, stop={self.stop}, input shape {shape}"
            )
        return (shape[0], self.stop - self.start, *shape[2:])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n = prod(out)
        return _moved(n, n) if self.copies else Counts()


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """Tensors joined along `dim`. `copies=False` says that the parts already lie beside each other (FE-Net, section 4.3)."""

    dim: int = 1
    copies: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        if not shapes:
            raise LawError("Concat takes at least one input, but got none")
        first, dim = shapes[0], self.dim
        if not 0 <= dim < len(first):
            raise LawError(f"Concat: dim must be an axis of the inputs, but got dim={dim}, input shape {first}")
        for shape in shapes[1:]:
            if len(shape) != len(first) or shape[:dim] != first[:dim] or shape[dim + 1 :] != first[dim + 1 :]:
                raise LawError(f"Concat: the inputs must agree in every axis but {dim}, but got {' and '.join(map(str, shapes))}")
        return (*first[:dim], sum(shape[dim] for shape in shapes), *first[dim + 1 :])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n = prod(out)
        return _moved(n, n) if self.copies else Counts()


@dataclass(frozen=True, slots=True)
class Pad(Op):
    """Zeros around the image, in torch's order (left, right, top, bottom). x: (n, c, h, w) -> y: (n, c, h + t + b, w + l + r)."""

    padding: tuple[int, int, int, int]

    def out_shape(self, *shapes: Shape) -> Shape:
        n, c, h, w = image_of(self, shapes)
        left, right, top, bottom = self.padding
        if min(self.padding) < 0:
            raise LawError(f"Pad: padding must not be negative, but got {self.padding}")
        return n, c, h + top + bottom, w + left + right

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return _moved(prod(shapes[0]), prod(out))


@dataclass(frozen=True, slots=True)
class GroupedShift(Op):
    """Each of kernel_size^2 channel groups shifted by its own displacement (SSL paper, equations 1 and 2). As is."""

    channels: int
    kernel_size: int = 3

    @property
    def moved_channels(self) -> int:
        """Channels with a displacement other than zero: all but the middle group's."""
        return self.channels - self.channels // self.kernel_size**2

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = image_of(self, shapes)
        channels_of(self, shape, "channels", self.channels)
        k = self.kernel_size
        if k % 2 == 0 or k < 1:
            raise LawError(f"GroupedShift: kernel_size must be odd, but got {k}")
        if self.channels < k * k:
            raise LawError(f"GroupedShift: channels must be at least kernel_size^2, but got channels={self.channels}, kernel_size={k}")
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        moved = prod((out[0], self.moved_channels, *out[2:]))
        return _moved(moved, moved)


@dataclass(frozen=True, slots=True)
class SparseShift(Op):
    """A shift of `moved_channels` of the channels; the others stay where they are and cost nothing (SSL paper, section 4.1).

    With `learned`, every channel has two learnable displacements, alpha and beta, rounded in the forward pass (equation 5), and
    `moved_channels` is how many are expected to move once the penalty has done its work. Without, the displacements are fixed.
    """

    channels: int
    moved_channels: int
    learned: bool = False

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = image_of(self, shapes)
        channels_of(self, shape, "channels", self.channels)
        if not 0 <= self.moved_channels <= self.channels:
            raise LawError(
                "SparseShift: moved_channels must be in [0, channels], "
                f"but got moved_channels={self.moved_channels}, channels={self.channels}"
            )
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        moved = prod((out[0], self.moved_channels, *out[2:]))
        return Counts(params=2 * self.channels if self.learned else 0, in_elems=moved, out_elems=moved, movement_elems=2 * moved)


@dataclass(frozen=True, slots=True)
class View(Op):
    """The same elements under another shape: no memory is touched."""

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return Counts()


@dataclass(frozen=True, slots=True)
class Flatten(View):
    """All axes from start_dim on become one. x: (n, c, h, w) -> y: (n, c*h*w) for start_dim=1."""

    start_dim: int = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        if not 0 <= self.start_dim < len(shape):
            raise LawError(f"Flatten: start_dim must be an axis of the input, but got start_dim={self.start_dim}, input shape {shape}")
        return (*shape[: self.start_dim], _prod(shape[self.start_dim :]))


@dataclass(frozen=True, slots=True)
class Reshape(View):
    """The axes after the batch become `shape`. x: (n, ...) -> y: (n, *shape).

    `folds_batch=True` says that axis 0 takes what is left (windows or heads folded into the batch): y: (elements / prod(shape), *shape).
    """

    shape: tuple[int, ...]
    folds_batch: bool = False

    def out_shape(self, *shapes: Shape) -> Shape:
        source = single(self, shapes)
        positive(self, size=min(self.shape, default=1))
        if self.folds_batch:
            elements, each = _prod(source), _prod(self.shape)
            if elements % each:
                raise LawError(f"Reshape: prod(shape) must divide the number of elements, but got shape={self.shape}, input shape {source}")
            return (elements // each, *self.shape)
        if not source or _prod(source[1:]) != _prod(self.shape):
            raise LawError(f"Reshape: the number of elements must stay, but got {source[1:]} -> {self.shape}")
        return (source[0], *self.shape)
