"""Measured numbers: sizes of tensors that know that they are, so that what forward computes of them is known to hold for them alone.

A network that pads, crops or interpolates by numbers that it computes from the size of its input, or that branches on them, has another
graph on another input. While it is recorded, `x.shape` and `x.size()` therefore hand out these numbers, which say when they are compared
and are found among the arguments of torch's functions. What becomes a plain number or a word counts as compared. A loop over a range of
them, and a float on their left in a product, leave no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
UNARY = ("__neg__", "__pos__", "__abs__", "__ceil__", "__floor__", "__trunc__", "__round__")
CONVERSIONS = ("__int__", "__float__", "__format__", "__repr__", "__divmod__", "__rdivmod__")
COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")


class Measured:
    """A number that comes from the size of a tensor. `compared` is called when a branch asks for it."""

    compared: Callable[[], None]


def measured(value: Any, compared: Callable[[], None]) -> Any:
    """`value`, an int or a float, as a measured number; anything else as it is."""
    kind = KINDS.get(type(value))
    if kind is None:
        return value
    number = kind(value)
    number.compared = compared
    return number


def measured_size(tensor: Tensor, size: torch.Size, compared: Callable[[], None]) -> torch.Size:
    """A tensor's size whose extents in space are measured: all axes behind the channels, and of (batch, tokens, channels) the tokens.

    Batch and channels are left out: that a network compares channels says nothing about its input's size.
    """
    axes = (1,) if tensor.dim() == 3 else tuple(range(2, tensor.dim()))
    return torch.Size([measured(int(one), compared) if axis in axes else one for axis, one in enumerate(size)])


def holds_measured(value: Any) -> bool:
    """Whether a measured number is among nested arguments, slices included."""
    if isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    if isinstance(value, dict):
        value = tuple(value.values())
    return isinstance(value, Measured) or (isinstance(value, list | tuple) and any(map(holds_measured, value)))


def _subclass(base: type) -> type:
    """An int or float whose results are measured too."""

    def arithmetic(name: str) -> Callable[[Any, Any], Any]:
        method = getattr(base, name)

        def compute(self: Any, other: Any) -> Any:
            result = method(self, other)
            if result is NotImplemented and isinstance(other, float):
                result = getattr(float, name)(vars(base)["__float__"](self), other)
            return result if result is NotImplemented else measured(result, self.compared)

        return compute

    def unary(name: str) -> Callable[..., Any]:
        method = getattr(base, name)
        return lambda self, *digits: measured(method(self, *digits), self.compared)

    def comparison(name: str) -> Callable[[Any, Any], Any]:
        method = getattr(base, name)

        def compare(self: Any, other: Any) -> Any:
            self.compared()
            return method(self, other)

        return compare

    def truth(self: Any) -> bool:
        self.compared()
        return bool(base(self) != 0)

    def conversion(name: str) -> Callable[..., Any]:
        method = getattr(base, name)

        def convert(self: Any, *args: Any) -> Any:
            self.compared()  # a plain number or a word: nobody knows any more where it came from
            return method(self, *args)

        return convert

    members: dict[str, Any] = {"__hash__": base.__hash__, "__bool__": truth}
    members |= {f"__{way}{name}__": arithmetic(f"__{way}{name}__") for name in ARITHMETIC for way in ("", "r")}
    members |= {name: unary(name) for name in UNARY} | {name: comparison(name) for name in COMPARISONS}
    members |= {name: conversion(name) for name in CONVERSIONS}
    return type(f"Measured{base.__name__.title()}", (Measured, base), members)


KINDS: dict[type, type] = {kind: _subclass(kind) for kind in (int, float)}
