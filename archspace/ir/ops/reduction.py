"""Reductions: axes that become one number."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, axis_of, one_of, prod, single

# Function -> whether it takes several axes at once.
REDUCTIONS: dict[str, bool] = {
    **dict.fromkeys(("mean", "sum", "amax", "amin", "var", "std", "norm", "any", "all", "logsumexp"), True),
    **dict.fromkeys(("prod", "argmax", "argmin"), False),
}


@dataclass(frozen=True, slots=True)
class Reduce(Op):
    """`function` over the axes `dims`, all of them for (); with `keepdim` they stay, one element long. Reads its input, writes its output.

    `correction` is that of var and std: 1 for the unbiased estimate.
    """

    function: str
    dims: tuple[int, ...]
    keepdim: bool = False
    correction: int = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        one_of(self, "function", self.function, tuple(REDUCTIONS))
        gone = {axis_of(self, dim, shape, "dims") for dim in self.dims}
        if len(gone) != len(self.dims) or (len(gone) > 1 and not REDUCTIONS[self.function]):
            most = "different axes" if REDUCTIONS[self.function] else "one axis or ()"
            raise LawError(f"Reduce: the dims of {self.function} must be {most}, but got dims={self.dims}, input shape {shape}")
        gone = gone or set(range(len(shape)))
        return tuple([1 if axis in gone else size for axis, size in enumerate(shape) if self.keepdim or axis not in gone])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return Counts(in_elems=prod(shapes[0]), out_elems=prod(out))
