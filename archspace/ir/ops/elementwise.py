"""The ops that touch each element once: activations, normalisation, add, multiply, dropout."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, broadcast, channels_of, image_of, positive, prod, single


@dataclass(frozen=True, slots=True)
class Elementwise(Op):
    """A map of each element. x: any shape -> y: the same shape."""

    def out_shape(self, *shapes: Shape) -> Shape:
        return single(self, shapes)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n = prod(out)
        return Counts(in_elems=n, out_elems=n, elementwise_elems=2 * n)


@dataclass(frozen=True, slots=True)
class Activation(Elementwise):
    """A nonlinearity without parameters."""


@dataclass(frozen=True, slots=True)
class ReLU(Activation):
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class ReLU6(Activation):
    """min(max(x, 0), 6)."""


@dataclass(frozen=True, slots=True)
class SiLU(Activation):
    """x * sigmoid(x)."""


@dataclass(frozen=True, slots=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True, slots=True)
class Hardsigmoid(Activation):
    """relu6(x + 3) / 6."""


@dataclass(frozen=True, slots=True)
class Hardswish(Activation):
    """x * relu6(x + 3) / 6."""


@dataclass(frozen=True, slots=True)
class GELU(Activation):
    """x * Phi(x); `approximate="tanh"` computes Phi by a hyperbolic tangent."""

    approximate: str = "none"


@dataclass(frozen=True, slots=True)
class Softmax(Elementwise):
    """exp(x) / sum(exp(x)) along `dim`."""

    dim: int = -1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        if not -len(shape) <= self.dim < len(shape):
            raise LawError(f"Softmax: dim must be an axis of the input, but got dim={self.dim}, input shape {shape}")
        return shape


@dataclass(frozen=True, slots=True)
class Dropout(Op):
    """Zeroes elements with probability p while training; at inference it is the identity and costs nothing."""

    p: float = 0.5

    def out_shape(self, *shapes: Shape) -> Shape:
        if not 0 <= self.p < 1:
            raise LawError(f"Dropout: p must be in [0, 1), but got {self.p}")
        return single(self, shapes)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return Counts()


@dataclass(frozen=True, slots=True)
class BatchNorm2d(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel. x: (n, num_features, h, w), as is.

    Its memory access is that of the unfused op: two learnable and two running vectors are read beside the feature map.
    """

    num_features: int
    eps: float = 1e-5
    momentum: float = 0.1

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = image_of(self, shapes)
        channels_of(self, shape, "num_features", self.num_features)
        positive(self, num_features=self.num_features)
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n, c = prod(out), self.num_features
        return Counts(params=2 * c, in_elems=n, weight_elems=4 * c, out_elems=n, elementwise_elems=2 * n + 4 * c)


@dataclass(frozen=True, slots=True)
class Binary(Op):
    """A function of two tensors that broadcast against each other, as torch's do."""

    def out_shape(self, *shapes: Shape) -> Shape:
        if len(shapes) != 2:
            raise LawError(f"{type(self).__name__} takes two inputs, but got {len(shapes)}")
        if shapes[0] == shapes[1]:
            return shapes[0]
        return broadcast(self, shapes)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, n_out = prod(shapes[0]) + prod(shapes[1]), prod(out)
        return Counts(in_elems=n_in, out_elems=n_out, elementwise_elems=n_in + n_out)


@dataclass(frozen=True, slots=True)
class Add(Binary):
    """a + b."""


@dataclass(frozen=True, slots=True)
class Multiply(Binary):
    """a * b."""
