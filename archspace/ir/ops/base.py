"""What every op kind is: fields, a shape law, and counts. Shapes are full N-D tensors with the batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archspace.errors import LawError
from archspace.ir.counts import Counts

Shape = tuple[int, ...]
IntPair = int | tuple[int, int]
Scalar = int | float | str | None  # bool is an int

__all__ = [
    "Counts",
    "IntPair",
    "LawError",
    "Op",
    "Scalar",
    "Shape",
    "axis_of",
    "broadcast",
    "channels_of",
    "image_of",
    "maps_of",
    "one_of",
    "pair",
    "per_axis",
    "positive",
    "prod",
    "single",
]


@dataclass(frozen=True, slots=True)
class Op:
    """One kind of operator with its attributes, named in torch's constructor words."""

    def out_shape(self, *shapes: Shape) -> Shape:
        """The output's shape, given the inputs'. Raises LawError when the fields or the inputs break a law."""
        raise NotImplementedError

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        """The raw facts of this op on inputs of `shapes`, given its output's shape."""
        raise NotImplementedError


def pair(value: IntPair) -> tuple[int, int]:
    """torch's shorthand: 3 means (3, 3)."""
    return value if isinstance(value, tuple) else (value, value)


def single(op: Op, shapes: tuple[Shape, ...]) -> Shape:
    """The one input of an op that takes one."""
    if len(shapes) != 1:
        raise LawError(f"{type(op).__name__} takes one input, but got {len(shapes)}")
    return shapes[0]


def image_of(op: Op, shapes: tuple[Shape, ...]) -> tuple[int, int, int, int]:
    """The one input of an op on images: (batch, channels, height, width)."""
    shape = single(op, shapes)
    if len(shape) != 4:
        raise LawError(f"{type(op).__name__} takes a 4-D input (batch, channels, height, width), but got shape {shape}")
    return shape[0], shape[1], shape[2], shape[3]


def channels_of(op: Op, shape: Shape, field: str, expected: int) -> None:
    """The law that an op's channel field agrees with its input's dimension 1."""
    if len(shape) < 2 or shape[1] != expected:
        got = shape[1] if len(shape) >= 2 else f"a {len(shape)}-D input"
        raise LawError(f"{type(op).__name__}: {field} must equal the input's channels, but got {field}={expected}, input channels {got}")


def positive(op: Op, **values: int) -> None:
    """The law that these fields are at least 1."""
    for name, value in values.items():
        if value < 1:
            raise LawError(f"{type(op).__name__}: {name} must be at least 1, but got {value}")


def one_of(op: Op, field: str, value: str, known: tuple[str, ...]) -> None:
    """The law that a field is one of a few words."""
    if value not in known:
        raise LawError(f"{type(op).__name__}: {field} must be one of {', '.join(known)}, but got {value!r}")


def per_axis(op: Op, field: str, value: tuple[int, ...], rank: int, default: int) -> tuple[int, ...]:
    """A field with one number per axis of the kernel; () means `default` along each."""
    if value and len(value) != rank:
        raise LawError(f"{type(op).__name__}: {field} must have as many axes as the kernel, {rank}, but got {value}")
    return value or (default,) * rank


def maps_of(op: Op, shapes: tuple[Shape, ...], rank: int) -> Shape:
    """The one input of an op on feature maps of `rank` axes: (batch, channels, *positions)."""
    shape = single(op, shapes)
    if len(shape) != rank + 2:
        raise LawError(f"{type(op).__name__} takes an input (batch, channels, and {rank} more axes), but got shape {shape}")
    return shape


def axis_of(op: Op, dim: int, shape: Shape, field: str = "dim") -> int:
    """An axis of the input, counted from the front; negative ones count from the end."""
    if not -len(shape) <= dim < len(shape):
        raise LawError(f"{type(op).__name__}: {field} must be an axis of the input, but got {field}={dim}, input shape {shape}")
    return dim % len(shape)


def broadcast(op: Op, shapes: tuple[Shape, ...]) -> Shape:
    """The shape that tensors broadcast to, as torch's do: trailing axes aligned, an axis of one element serves any size."""
    rank = max(map(len, shapes))
    out = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if out[axis] != 1 and out[axis] != size:
                    met = " and ".join(map(str, shapes))
                    raise LawError(f"{type(op).__name__}: the inputs must have equal or broadcastable shapes, but got {met}")
                out[axis] = size
    return tuple(out)
