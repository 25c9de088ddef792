"""More nonlinearities: those with settings or weights, and those of networks other than the zoo's."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, axis_of, positive, prod, single
from archspace.ir.ops.elementwise import Activation, Elementwise


@dataclass(frozen=True, slots=True)
class Tanh(Activation):
    """The hyperbolic tangent."""


@dataclass(frozen=True, slots=True)
class Mish(Activation):
    """x * tanh(log(1 + exp(x)))."""


@dataclass(frozen=True, slots=True)
class LeakyReLU(Activation):
    """x where positive, else negative_slope * x."""

    negative_slope: float = 0.01


@dataclass(frozen=True, slots=True)
class ELU(Activation):
    """x where positive, else alpha * (exp(x) - 1)."""

    alpha: float = 1.0


@dataclass(frozen=True, slots=True)
class PReLU(Op):
    """x where positive, else a learned slope times x: one slope for all channels, or one for each. As is."""

    num_parameters: int = 1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        positive(self, num_parameters=self.num_parameters)
        channels = shape[1] if len(shape) > 1 else 1
        if self.num_parameters not in (1, channels):
            raise LawError(f"PReLU: num_parameters must be 1 or the channels, but got {self.num_parameters}, channels {channels}")
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n, slopes = prod(out), self.num_parameters
        return Counts(params=slopes, in_elems=n, weight_elems=slopes, out_elems=n, elementwise_elems=2 * n + slopes)


@dataclass(frozen=True, slots=True)
class LogSoftmax(Elementwise):
    """x - log(sum(exp(x))) along `dim`."""

    dim: int = -1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        axis_of(self, self.dim, shape)
        return shape


@dataclass(frozen=True, slots=True)
class GLU(Op):
    """The first half of an axis times the sigmoid of its second: `dim` has half as many elements afterwards."""

    dim: int = -1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        axis = axis_of(self, self.dim, shape)
        if shape[axis] % 2:
            raise LawError(f"GLU: the axis must have an even number of elements, but got dim={self.dim}, input shape {shape}")
        return (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, n_out = prod(shapes[0]), prod(out)
        return Counts(in_elems=n_in, out_elems=n_out, elementwise_elems=n_in + n_out)
