"""The same elements in another order: views that touch no memory, and copies that only move data."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, axis_of, image_of, positive, prod, single
from archspace.ir.ops.movement import View


@dataclass(frozen=True, slots=True)
class Movement(Op):
    """A copy that computes nothing: reads its inputs and writes its output."""

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, n_out = sum([prod(shape) for shape in shapes]), prod(out)
        return Counts(in_elems=n_in, out_elems=n_out, movement_elems=n_in + n_out)


@dataclass(frozen=True, slots=True)
class Permute(View):
    """The axes in another order: axis i of y is axis dims[i] of x."""

    dims: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        axes = [axis_of(self, dim, shape, "dims") for dim in self.dims]
        if sorted(axes) != list(range(len(shape))):
            raise LawError(f"Permute: dims must name every axis of the input once, but got dims={self.dims}, input shape {shape}")
        return tuple([shape[axis] for axis in axes])


@dataclass(frozen=True, slots=True)
class Slice(View):
    """Positions start to stop (exclusive) along `dim`, every `step`-th."""

    dim: int
    start: int
    stop: int
    step: int = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        axis = axis_of(self, self.dim, shape)
        positive(self, step=self.step)
        if not 0 <= self.start < self.stop <= shape[axis]:
            raise LawError(
                "Slice: 0 <= start < stop <= size must hold, "
                f"but got start={self.start}, stop={self.stop}, dim={self.dim}, input shape {shape}"
            )
        return (*shape[:axis], -(-(self.stop - self.start) // self.step), *shape[axis + 1 :])


@dataclass(frozen=True, slots=True)
class Select(View):
    """The position `index` along `dim`, which is an axis no more; a negative index counts from the end."""

    dim: int
    index: int

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        axis = axis_of(self, self.dim, shape)
        if not -shape[axis] <= self.index < shape[axis]:
            raise LawError(f"Select: index must be a position along dim, but got index={self.index}, dim={self.dim}, input shape {shape}")
        return shape[:axis] + shape[axis + 1 :]


@dataclass(frozen=True, slots=True)
class Expand(View):
    """Axes of one element read again and again: y has `shape`, where -1 keeps an axis; further axes may come in front."""

    shape: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        source = single(self, shapes)
        new = len(self.shape) - len(source)
        fits = new >= 0 and all(size > 0 for size in self.shape[:new])
        if not fits or any(to not in (-1, size) and (size != 1 or to < 1) for to, size in zip(self.shape[new:], source, strict=True)):
            raise LawError(
                f"Expand: shape may change axes of one element and add axes in front, but got shape={self.shape}, input {source}"
            )
        return (*self.shape[:new], *[size if to == -1 else to for to, size in zip(self.shape[new:], source, strict=True)])


@dataclass(frozen=True, slots=True)
class Copy(Movement):
    """The elements laid out afresh, as `contiguous` and `clone` do. As is."""

    def out_shape(self, *shapes: Shape) -> Shape:
        return single(self, shapes)


@dataclass(frozen=True, slots=True)
class Stack(Movement):
    """Tensors of one shape along a new axis `dim`."""

    dim: int = 0

    def out_shape(self, *shapes: Shape) -> Shape:
        if not shapes or any(shape != shapes[0] for shape in shapes):
            raise LawError(f"Stack takes inputs of one shape, but got {' and '.join(map(str, shapes)) or 'none'}")
        axis = axis_of(self, self.dim, (len(shapes), *shapes[0]))
        return (*shapes[0][:axis], len(shapes), *shapes[0][axis:])


@dataclass(frozen=True, slots=True)
class Roll(Movement):
    """Every axis of `dims` turned by its shift: what leaves at the end enters at the start. As is."""

    shifts: tuple[int, ...]
    dims: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        if len(self.shifts) != len(self.dims) or not self.dims:
            raise LawError(f"Roll: shifts and dims must be equally many, but got shifts={self.shifts}, dims={self.dims}")
        for dim in self.dims:
            axis_of(self, dim, shape, "dims")
        return shape


@dataclass(frozen=True, slots=True)
class Flip(Movement):
    """The axes `dims` backwards. As is."""

    dims: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        if len({axis_of(self, dim, shape, "dims") for dim in self.dims}) != len(self.dims):
            raise LawError(f"Flip: dims must be different axes, but got dims={self.dims}, input shape {shape}")
        return shape


@dataclass(frozen=True, slots=True)
class Repeat(Movement):
    """The tensor beside itself, `repeats` times along each axis; further axes may come in front."""

    repeats: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        positive(self, repeats=min(self.repeats, default=1))
        new = len(self.repeats) - len(shape)
        if new < 0:
            raise LawError(f"Repeat: repeats must be as many as the input's axes or more, but got {self.repeats}, input shape {shape}")
        return (*self.repeats[:new], *[times * size for times, size in zip(self.repeats[new:], shape, strict=True)])


@dataclass(frozen=True, slots=True)
class PixelShuffle(Movement):
    """r^2 channels become r x r pixels (Shi et al., CVPR 2016, equation 4). x: (n, c * r^2, h, w) -> y: (n, c, h * r, w * r)."""

    upscale_factor: int

    def out_shape(self, *shapes: Shape) -> Shape:
        n, c, h, w = image_of(self, shapes)
        r = self.upscale_factor
        positive(self, upscale_factor=r)
        if c % (r * r):
            raise LawError(f"PixelShuffle: upscale_factor^2 must divide the channels, but got upscale_factor={r}, channels={c}")
        return n, c // (r * r), h * r, w * r


@dataclass(frozen=True, slots=True)
class PixelUnshuffle(Movement):
    """r x r pixels become r^2 channels. x: (n, c, h * r, w * r) -> y: (n, c * r^2, h, w)."""

    downscale_factor: int

    def out_shape(self, *shapes: Shape) -> Shape:
        n, c, h, w = image_of(self, shapes)
        r = self.downscale_factor
        positive(self, downscale_factor=r)
        if h % r or w % r:
            raise LawError(f"PixelUnshuffle: downscale_factor must divide height and width, but got downscale_factor={r}, image {h}x{w}")
        return n, c * r * r, h // r, w // r
