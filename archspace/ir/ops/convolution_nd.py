"""Convolution beyond Conv2d: along one or three axes, transposed, and with a weight that the network computes."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import nearest_divisors
from archspace.ir.ops.base import Counts, IntPair, LawError, Shape, channels_of, image_of, maps_of, pair, per_axis, positive, prod
from archspace.ir.ops.convolution import Convolution, window_count


@dataclass(frozen=True, slots=True)
class WeightedConv(Convolution):
    """A convolution along as many axes as its kernel has, with weights of its own. stride, padding, dilation: () means 1, 0, 1."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    bias: bool = False

    @property
    def is_depthwise(self) -> bool:
        """One filter or more per input channel, and no sum over channels."""
        return self.groups == self.in_channels and self.groups > 1

    def axes(self) -> tuple[tuple[int, int, int, int], ...]:
        """(kernel, stride, padding, dilation) of each axis."""
        rank = len(self.kernel_size)
        return tuple(
            zip(
                self.kernel_size,
                per_axis(self, "stride", self.stride, rank, 1),
                per_axis(self, "padding", self.padding, rank, 0),
                per_axis(self, "dilation", self.dilation, rank, 1),
                strict=True,
            )
        )

    def check(self, shapes: tuple[Shape, ...]) -> Shape:
        """The input's shape, once the laws on channels and groups hold."""
        shape = maps_of(self, shapes, len(self.kernel_size))
        cin, cout, g = self.in_channels, self.out_channels, self.groups
        positive(self, in_channels=cin, out_channels=cout, groups=g)
        channels_of(self, shape, "in_channels", cin)
        check_groups(g, in_channels=cin, out_channels=cout)
        return shape

    def weighted(self, shapes: tuple[Shape, ...], out: Shape, positions: int) -> Counts:
        """The counts of an op that multiplies its whole weight at each of `positions` (the batch's all together)."""
        n_in, n_out = prod(shapes[0]), prod(out)
        weights = self.in_channels * self.out_channels // self.groups * prod(self.kernel_size)
        bias = self.out_channels if self.bias else 0
        return Counts(
            madds=positions * weights,
            params=weights + bias,
            acts=n_out,
            in_elems=n_in,
            weight_elems=weights + bias,
            out_elems=n_out,
            elementwise_elems=n_in + weights + bias + n_out if self.is_depthwise else bias,
        )


@dataclass(frozen=True, slots=True)
class ConvNd(WeightedConv):
    """1-D or 3-D convolution (2-D is Conv2d). x: (n, in_channels, *sizes) -> y: (n, out_channels, *sizes').

    madds = n * output positions * out_channels * (in_channels / groups) * kernel volume. Depthwise, it counts as element-wise.
    """

    def out_shape(self, *shapes: Shape) -> Shape:
        if len(self.kernel_size) not in (1, 3):
            raise LawError(f"ConvNd: kernel_size must have 1 or 3 axes, but got {self.kernel_size}. Use Conv2d for 2.")
        n, _, *sizes = self.check(shapes)
        return (n, self.out_channels, *[window_count(size, *axis) for size, axis in zip(sizes, self.axes(), strict=True)])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return self.weighted(shapes, out, out[0] * prod(out[2:]))


@dataclass(frozen=True, slots=True)
class ConvTransposeNd(WeightedConv):
    """1-D, 2-D or 3-D transposed convolution. x: (n, in_channels, *sizes) -> y: (n, out_channels, *sizes').

    An axis of i positions becomes (i - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1 long.
    madds = n * input positions * in_channels * (out_channels / groups) * kernel volume: every input element meets the kernel once.
    """

    output_padding: tuple[int, ...] = ()

    def out_shape(self, *shapes: Shape) -> Shape:
        rank = len(self.kernel_size)
        if rank not in (1, 2, 3):
            raise LawError(f"ConvTransposeNd: kernel_size must have 1, 2 or 3 axes, but got {self.kernel_size}")
        n, _, *sizes = self.check(shapes)
        made = []
        for size, (k, s, p, d), more in zip(
            sizes, self.axes(), per_axis(self, "output_padding", self.output_padding, rank, 0), strict=True
        ):
            positive(self, kernel_size=k, stride=s, dilation=d)
            if p < 0 or not 0 <= more < max(s, d):
                raise LawError(
                    "ConvTransposeNd: 0 <= padding and 0 <= output_padding < max(stride, dilation) must hold, "
                    f"but got padding={p}, output_padding={more}, stride={s}, dilation={d}"
                )
            made.append((size - 1) * s - 2 * p + d * (k - 1) + more + 1)
        if min(made) < 1:
            raise LawError(f"ConvTransposeNd: padding must leave some output, but got {tuple(made)} positions from {tuple(sizes)}")
        return (n, self.out_channels, *made)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return self.weighted(shapes, out, shapes[0][0] * prod(shapes[0][2:]))


@dataclass(frozen=True, slots=True)
class DynamicConv2d(Convolution):
    """2-D convolution by a weight that the network computes. x: (n, c, h, w), weight: (out, c / groups, kh, kw)[, bias: (out,)].

    madds = n * h' * w' * out * (c / groups) * kernel area.
    """

    stride: IntPair = 1
    padding: IntPair = 0
    dilation: IntPair = 1
    groups: int = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        if len(shapes) not in (2, 3):
            raise LawError(f"DynamicConv2d takes an input, a weight and perhaps a bias, but got {len(shapes)} inputs")
        n, c, h, w = image_of(self, shapes[:1])
        positive(self, groups=self.groups)
        weight, g = shapes[1], self.groups
        if len(weight) != 4 or weight[1] * g != c or weight[0] % g or shapes[2:] not in ((), ((weight[0],),)):
            raise LawError(
                "DynamicConv2d: the weight must be (out, channels / groups, kh, kw) with groups dividing out, the bias (out,), "
                f"but got groups={g}, inputs {' and '.join(map(str, shapes))}"
            )
        (sh, sw), (ph, pw), (dh, dw) = pair(self.stride), pair(self.padding), pair(self.dilation)
        return n, weight[0], window_count(h, weight[2], sh, ph, dh), window_count(w, weight[3], sw, pw, dw)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, n_out = sum([prod(shape) for shape in shapes]), prod(out)
        bias = prod(shapes[2]) if len(shapes) > 2 else 0
        depthwise = 1 < self.groups == shapes[0][1]
        return Counts(
            madds=n_out * prod(shapes[1][1:]),
            acts=n_out,
            in_elems=n_in,
            out_elems=n_out,
            elementwise_elems=n_in + n_out if depthwise else bias,
        )


def check_groups(groups: int, **channels: int) -> None:
    """The law that groups divide the channels on either side."""
    for name, count in channels.items():
        if count % groups:
            near = nearest_divisors(count, groups)
            raise LawError(f"groups must divide {name}, but got groups={groups}, {name}={count}. Divisors near {groups}: {near}.")
