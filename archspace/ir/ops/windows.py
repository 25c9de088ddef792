"""Windows of an image laid out as columns (im2col), and columns added up to an image (col2im)."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.arrange import Movement
from archspace.ir.ops.base import IntPair, LawError, Shape, image_of, pair, positive, single
from archspace.ir.ops.convolution import window_count


@dataclass(frozen=True, slots=True)
class Unfold(Movement):
    """Each window as a column. x: (n, c, h, w) -> y: (n, c * kernel area, windows)."""

    kernel_size: IntPair
    dilation: IntPair = 1
    padding: IntPair = 0
    stride: IntPair = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        n, c, h, w = image_of(self, shapes)
        kh, kw = pair(self.kernel_size)
        return n, c * kh * kw, window_grid(self, h, w)


@dataclass(frozen=True, slots=True)
class Fold(Movement):
    """Each column as a window, added where windows overlap. x: (n, c * kernel area, windows) -> y: (n, c, *output_size)."""

    output_size: IntPair
    kernel_size: IntPair
    dilation: IntPair = 1
    padding: IntPair = 0
    stride: IntPair = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        (h, w), (kh, kw) = pair(self.output_size), pair(self.kernel_size)
        positive(self, output_size=min(h, w), kernel_size=min(kh, kw))
        windows = window_grid(self, h, w)
        if len(shape) != 3 or shape[1] % (kh * kw) or shape[2] != windows:
            raise LawError(f"Fold takes an input (batch, channels * {kh * kw}, {windows}), but got shape {shape}")
        return shape[0], shape[1] // (kh * kw), h, w


def window_grid(op: Unfold | Fold, height: int, width: int) -> int:
    """How many windows fit an image."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = pair(op.kernel_size), pair(op.stride), pair(op.padding), pair(op.dilation)
    return window_count(height, kh, sh, ph, dh) * window_count(width, kw, sw, pw, dw)
