"""Normalisations other than BatchNorm2d, counted as it is: the unfused op reads its input and its vectors and writes its output."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import nearest_divisors
from archspace.ir.ops.base import Counts, LawError, Op, Shape, channels_of, positive, prod, single


def _normalised(out: Shape, params: int, statistics: int = 0) -> Counts:
    n, weights = prod(out), params + statistics
    return Counts(params=params, in_elems=n, weight_elems=weights, out_elems=n, elementwise_elems=2 * n + weights)


def _trailing(op: Op, shapes: tuple[Shape, ...], normalized: tuple[int, ...]) -> Shape:
    """The input, whose last axes are the normalised ones."""
    shape = single(op, shapes)
    if not normalized or shape[-len(normalized) :] != normalized:
        raise LawError(
            f"{type(op).__name__}: normalized_shape must be the input's last axes, "
            f"but got normalized_shape={normalized}, input shape {shape}"
        )
    return shape


@dataclass(frozen=True, slots=True)
class LayerNorm(Op):
    """Each `normalized_shape` of last axes to mean 0 and variance 1, then an affine map per element of it. As is."""

    normalized_shape: tuple[int, ...]
    eps: float = 1e-5
    affine: bool = True
    bias: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        return _trailing(self, shapes, self.normalized_shape)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        vectors = (2 if self.bias else 1) if self.affine else 0
        return _normalised(out, vectors * prod(self.normalized_shape))


@dataclass(frozen=True, slots=True)
class RMSNorm(Op):
    """Each `normalized_shape` of last axes to mean square 1, then a factor per element of it. As is. eps: torch's choice when None."""

    normalized_shape: tuple[int, ...]
    eps: float | None = None
    affine: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        return _trailing(self, shapes, self.normalized_shape)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return _normalised(out, prod(self.normalized_shape) if self.affine else 0)


@dataclass(frozen=True, slots=True)
class GroupNorm(Op):
    """Each group of channels of each image to mean 0 and variance 1, then an affine map per channel. x: (n, num_channels, ...), as is."""

    num_groups: int
    num_channels: int
    eps: float = 1e-5
    affine: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        shape, g, c = single(self, shapes), self.num_groups, self.num_channels
        positive(self, num_groups=g, num_channels=c)
        channels_of(self, shape, "num_channels", c)
        if c % g:
            raise LawError(
                f"GroupNorm: num_groups must divide num_channels, but got num_groups={g}, num_channels={c}. "
                f"Divisors near {g}: {nearest_divisors(c, g)}."
            )
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return _normalised(out, 2 * self.num_channels if self.affine else 0)


@dataclass(frozen=True, slots=True)
class InstanceNorm(Op):
    """Each channel of each image to mean 0 and variance 1, then perhaps an affine map per channel. x: (n, num_features, ...), as is."""

    num_features: int
    eps: float = 1e-5
    affine: bool = False

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        positive(self, num_features=self.num_features)
        channels_of(self, shape, "num_features", self.num_features)
        if not 3 <= len(shape) <= 5:
            raise LawError(f"InstanceNorm takes an input (batch, channels, and 1 to 3 more axes), but got shape {shape}")
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return _normalised(out, 2 * self.num_features if self.affine else 0)


@dataclass(frozen=True, slots=True)
class BatchNormNd(Op):
    """Batch norm of any rank, or without its affine map (else BatchNorm2d). x: (n, num_features, ...), as is."""

    num_features: int
    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = True

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        positive(self, num_features=self.num_features)
        channels_of(self, shape, "num_features", self.num_features)
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return _normalised(out, 2 * self.num_features if self.affine else 0, statistics=2 * self.num_features)
