"""The ops that multiply by weights: Conv2d and Linear."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import nearest_divisors
from archspace.ir.ops.base import Counts, IntPair, LawError, Op, Shape, channels_of, image_of, pair, positive, prod, single


@dataclass(frozen=True, slots=True)
class Convolution(Op):
    """Any convolution: a fragment of its block, as a pooling is."""


@dataclass(frozen=True, slots=True)
class Conv2d(Convolution):
    """2-D convolution. x: (n, in_channels, h, w) -> y: (n, out_channels, h', w').

    madds = n * h' * w' * out_channels * (in_channels / groups) * kernel area. A depthwise convolution (groups equal to
    in_channels) counts as element-wise, as guideline 4 of ShuffleNet v2 asks.
    """

    in_channels: int
    out_channels: int
    kernel_size: IntPair
    stride: IntPair = 1
    padding: IntPair = 0
    dilation: IntPair = 1
    groups: int = 1
    bias: bool = False

    @property
    def is_depthwise(self) -> bool:
        """One filter or more per input channel, and no sum over channels."""
        return self.groups == self.in_channels and self.groups > 1

    def out_shape(self, *shapes: Shape) -> Shape:
        n, c, h, w = image_of(self, shapes)
        cin, cout, g = self.in_channels, self.out_channels, self.groups
        positive(self, in_channels=cin, out_channels=cout, groups=g)
        channels_of(self, (n, c), "in_channels", cin)
        for name, channels in (("in_channels", cin), ("out_channels", cout)):
            if channels % g:
                raise LawError(
                    f"groups must divide {name}, but got groups={g}, {name}={channels}. Divisors near {g}: {nearest_divisors(channels, g)}."
                )
        (kh, kw), (sh, sw), (ph, pw), (dh, dw) = pair(self.kernel_size), pair(self.stride), pair(self.padding), pair(self.dilation)
        return n, cout, window_count(h, kh, sh, ph, dh), window_count(w, kw, sw, pw, dw)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        kh, kw = pair(self.kernel_size)
        n_out = prod(out)
        n_in = prod(shapes[0])
        weights = self.out_channels * (self.in_channels // self.groups) * kh * kw
        bias = self.out_channels if self.bias else 0
        madds = n_out * (self.in_channels // self.groups) * kh * kw
        mem = n_in + weights + bias + n_out
        return Counts(
            madds=madds,
            params=weights + bias,
            acts=n_out,
            in_elems=n_in,
            weight_elems=weights + bias,
            out_elems=n_out,
            elementwise_elems=mem if self.is_depthwise else bias,
        )


@dataclass(frozen=True, slots=True)
class Linear(Op):
    """y = x W^T + b over the last axis. x: (..., in_features) -> y: (..., out_features)."""

    in_features: int
    out_features: int
    bias: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        if not shape:
            raise LawError("Linear takes an input with at least one axis, but got a scalar")
        positive(self, in_features=self.in_features, out_features=self.out_features)
        if shape[-1] != self.in_features:
            raise LawError(
                f"Linear: in_features must equal the input's last axis, but got in_features={self.in_features}, input shape {shape}"
            )
        return (*shape[:-1], self.out_features)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, n_out = prod(shapes[0]), prod(out)
        bias = self.out_features if self.bias else 0
        weights = self.in_features * self.out_features + bias
        return Counts(
            madds=n_out * self.in_features,
            params=weights,
            acts=n_out,
            in_elems=n_in,
            weight_elems=weights,
            out_elems=n_out,
            elementwise_elems=bias,
        )


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """How many windows fit along one axis (torch's formula); raises LawError when none does.

    >>> window_count(224, kernel=3, stride=2, padding=1)
    112
    """
    for name, value, least in (("kernel_size", kernel, 1), ("stride", stride, 1), ("dilation", dilation, 1), ("padding", padding, 0)):
        if value < least:
            raise LawError(f"{name} must be at least {least}, but got {value}")
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if span < 0:
        raise LawError(
            f"the kernel must fit the padded input, but a kernel of {dilation * (kernel - 1) + 1} meets {size + 2 * padding} pixels. "
            "Use a larger input."
        )
    if not ceil_mode:
        return span // stride + 1
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count  # a window may not start in the right padding
