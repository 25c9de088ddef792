"""The ops at the edge of what is known: a tensor that comes from outside or is the network's own, and work that no kind describes."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, positive, prod


@dataclass(frozen=True, slots=True)
class Input(Op):
    """A tensor that comes from outside. No inputs -> y: `shape`. It costs nothing: whoever reads it is counted."""

    shape: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        if shapes:
            raise LawError(f"Input takes no inputs, but got {len(shapes)}")
        if not self.shape:
            raise LawError("Input must have at least one axis, the batch, but got a scalar")
        positive(self, size=min(self.shape))
        return self.shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return Counts()


@dataclass(frozen=True, slots=True)
class Parameter(Op):
    """A tensor of the network's own that ops read as they read activations. No inputs -> y: `shape`.

    A class token, a position embedding, a layer scale. Whoever reads it counts the access; `learned=False` says that it is a buffer.
    """

    shape: tuple[int, ...]
    learned: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        if shapes:
            raise LawError(f"Parameter takes no inputs, but got {len(shapes)}")
        positive(self, size=min(self.shape, default=1))
        return self.shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return Counts(params=prod(out) if self.learned else 0)


@dataclass(frozen=True, slots=True)
class Opaque(Op):
    """Work of an unknown `kind` whose output shape is known. Its memory access counts, and its weights; reports list it by name."""

    kind: str
    shape: tuple[int, ...]
    weight_elems: int = 0

    def out_shape(self, *shapes: Shape) -> Shape:
        positive(self, size=min(self.shape, default=1))
        return self.shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, weights = sum(prod(shape) for shape in shapes), self.weight_elems
        return Counts(params=weights, in_elems=n_in, weight_elems=weights, out_elems=prod(out))
