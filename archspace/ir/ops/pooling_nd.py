"""Pooling along one to three axes: by largest element, mean or root mean square, over windows or to a fixed output."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import LawError, Shape, maps_of, one_of, per_axis, positive
from archspace.ir.ops.convolution import window_count
from archspace.ir.ops.pooling import Pool


@dataclass(frozen=True, slots=True)
class PoolNd(Pool):
    """Pooling of a `kind` ("max", "avg" or "lp", with squares) over windows along as many axes as the kernel has.

    stride: () means the kernel's size; padding and dilation: () mean 0 and 1. x: (n, c, *sizes) -> y: (n, c, *sizes').
    """

    kind: str
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    ceil_mode: bool = False
    count_include_pad: bool = True

    def axes(self) -> tuple[tuple[int, int, int, int], ...]:
        """(kernel, stride, padding, dilation) of each axis."""
        rank = len(self.kernel_size)
        stride = per_axis(self, "stride", self.stride or self.kernel_size, rank, 1)
        padding, dilation = per_axis(self, "padding", self.padding, rank, 0), per_axis(self, "dilation", self.dilation, rank, 1)
        return tuple(zip(self.kernel_size, stride, padding, dilation, strict=True))

    def out_shape(self, *shapes: Shape) -> Shape:
        one_of(self, "kind", self.kind, ("max", "avg", "lp"))
        if not 1 <= len(self.kernel_size) <= 3:
            raise LawError(f"PoolNd: kernel_size must have 1 to 3 axes, but got {self.kernel_size}")
        n, c, *sizes = maps_of(self, shapes, len(self.kernel_size))
        axes = self.axes()
        for k, _, p, d in axes:
            if 2 * p > k or (p and self.kind == "lp"):
                raise LawError(f"PoolNd: padding must be at most half of kernel_size, and 0 for lp, but got {p}, kernel_size {k}")
            if d != 1 and self.kind != "max":
                raise LawError(f"PoolNd: dilation must be 1 unless kind is max, but got dilation={d}, kind {self.kind!r}")
        made = [window_count(size, k, s, p, d, self.ceil_mode) for size, (k, s, p, d) in zip(sizes, axes, strict=True)]
        return (n, c, *made)


@dataclass(frozen=True, slots=True)
class AdaptivePoolNd(Pool):
    """Pooling of a `kind` ("max" or "avg") over `output_size` cells along each axis. x: (n, c, *sizes) -> y: (n, c, *output_size)."""

    kind: str
    output_size: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        one_of(self, "kind", self.kind, ("max", "avg"))
        if not 1 <= len(self.output_size) <= 3:
            raise LawError(f"AdaptivePoolNd: output_size must have 1 to 3 axes, but got {self.output_size}")
        n, c, *_ = maps_of(self, shapes, len(self.output_size))
        positive(self, output_size=min(self.output_size))
        return (n, c, *self.output_size)
