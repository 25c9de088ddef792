"""What every op kind is: fields, a shape law, and counts. Shapes are full N-D tensors with the batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archspace.errors import LawError
from archspace.ir.counts import Counts

Shape = tuple[int, ...]
IntPair = int | tuple[int, int]

__all__ = ["Counts", "IntPair", "LawError", "Op", "Shape", "channels_of", "image_of", "pair", "positive", "prod", "single"]


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
