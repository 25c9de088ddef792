"""Functions whose further arguments torch takes by keyword alone, with those by position: what `Pointwise.arguments` hold."""

from __future__ import annotations

import torch
from torch import Tensor


def add(a: Tensor, b: Tensor | float, alpha: float = 1) -> Tensor:
    """a + alpha * b."""
    return torch.add(a, b, alpha=alpha)


def sub(a: Tensor, b: Tensor | float, alpha: float = 1) -> Tensor:
    """a - alpha * b."""
    return torch.sub(a, b, alpha=alpha)


def div(a: Tensor, b: Tensor | float, rounding_mode: str | None = None) -> Tensor:
    """a / b, rounded to whole numbers "trunc" or "floor"."""
    return torch.div(a, b, rounding_mode=rounding_mode)


def to(x: Tensor, dtype: str) -> Tensor:
    """x as another type of numbers: "float16", "bool", "int64", ..."""
    return x.to(getattr(torch, dtype))


def strided(x: Tensor, dim: int, start: int, stop: int, step: int) -> Tensor:
    """Every step-th position from start to stop (exclusive) along an axis."""
    index = [slice(None)] * x.dim()
    index[dim] = slice(start, stop, step)
    return x[tuple(index)]
