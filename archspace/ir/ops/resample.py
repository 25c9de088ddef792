"""Maps of another size: padding along any axes, and interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from archspace.ir.ops.arrange import Movement
from archspace.ir.ops.base import Counts, LawError, Op, Scalar, Shape, one_of, positive, prod, single

# Mode -> the numbers of axes that it works along.
MODES: dict[str, tuple[int, ...]] = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}


@dataclass(frozen=True, slots=True)
class PadNd(Movement):
    """Padding in torch's order, from the last axis: (before, after) of it, then of the axis before. Negative padding cuts off."""

    padding: tuple[int, ...]
    mode: str = "constant"
    value: Scalar = 0.0

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        one_of(self, "mode", self.mode, ("constant", "reflect", "replicate", "circular"))
        padding = self.padding
        if len(padding) % 2 or len(padding) > 2 * len(shape):
            raise LawError(f"PadNd: padding must be pairs, at most one for each axis, but got padding={padding}, input shape {shape}")
        out = list(shape)
        for i in range(len(padding) // 2):
            before, after = padding[2 * i : 2 * i + 2]
            limit = shape[-1 - i] - 1 if self.mode == "reflect" else shape[-1 - i]
            if self.mode != "constant" and self.mode != "replicate" and max(before, after) > limit:
                raise LawError(f"PadNd: {self.mode} padding must fit its axis of {shape[-1 - i]}, but got padding={padding}")
            out[-1 - i] += before + after
        if min(out, default=1) < 1:
            raise LawError(f"PadNd: padding must leave some output, but got padding={padding}, input shape {shape}")
        return tuple(out)


@dataclass(frozen=True, slots=True)
class Interpolate(Op):
    """Maps resized to `size`, or by `scale_factor` (one number for all axes, or one each). x: (n, c, *sizes) -> y: (n, c, *sizes')."""

    size: tuple[int, ...] = ()
    scale_factor: tuple[float, ...] = ()
    mode: str = "nearest"
    align_corners: bool = False

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        one_of(self, "mode", self.mode, tuple(MODES))
        axes = len(shape) - 2
        if axes not in MODES[self.mode]:
            raise LawError(f"Interpolate: mode {self.mode} takes {' or '.join(str(n + 2) for n in MODES[self.mode])} axes, but got {shape}")
        given = self.size or self.scale_factor
        if bool(self.size) == bool(self.scale_factor) or len(given) not in (1, axes):
            raise LawError(
                "Interpolate: size or scale_factor must be given, for all axes or each, "
                f"but got size={self.size}, scale_factor={self.scale_factor}, input shape {shape}"
            )
        times = axes // len(given)
        out = self.size * times or tuple([floor(size * by) for size, by in zip(shape[2:], self.scale_factor * times, strict=True)])
        positive(self, size=min(out))
        return (*shape[:2], *out)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, n_out = prod(shapes[0]), prod(out)
        return Counts(in_elems=n_in, out_elems=n_out, elementwise_elems=n_in + n_out)
