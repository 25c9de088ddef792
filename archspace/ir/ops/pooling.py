"""Pooling: windows of fixed size, and adaptive pooling to a fixed output."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, IntPair, LawError, Op, Shape, image_of, pair, positive, prod
from archspace.ir.ops.convolution import window_count


@dataclass(frozen=True, slots=True)
class Pool(Op):
    """Any pooling: reads its input and writes its output once, and has no weights."""

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return Counts(in_elems=prod(shapes[0]), out_elems=prod(out))


@dataclass(frozen=True, slots=True)
class WindowPool(Pool):
    """Pooling over a sliding window. x: (n, c, h, w) -> y: (n, c, h', w')."""

    kernel_size: IntPair
    stride: IntPair
    padding: IntPair = 0
    ceil_mode: bool = False

    def out_shape(self, *shapes: Shape) -> Shape:
        n, c, h, w = image_of(self, shapes)
        (kh, kw), (sh, sw), (ph, pw) = pair(self.kernel_size), pair(self.stride), pair(self.padding)
        if 2 * ph > kh or 2 * pw > kw:
            raise LawError(
                f"{type(self).__name__}: padding must be at most half of kernel_size, "
                f"but got padding={self.padding}, kernel_size={self.kernel_size}"
            )
        ceil = self.ceil_mode
        return n, c, window_count(h, kh, sh, ph, ceil_mode=ceil), window_count(w, kw, sw, pw, ceil_mode=ceil)


@dataclass(frozen=True, slots=True)
class MaxPool2d(WindowPool):
    """The largest element of each window."""


@dataclass(frozen=True, slots=True)
class AvgPool2d(WindowPool):
    """The mean of each window, padding included unless `count_include_pad` is off."""

    count_include_pad: bool = True


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPool2d(Pool):
    """The mean of each of `output_size` cells. x: (n, c, h, w) -> y: (n, c, *output_size)."""

    output_size: IntPair = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        n, c, _, _ = image_of(self, shapes)
        height, width = pair(self.output_size)
        positive(self, output_size=min(height, width))
        return n, c, height, width
