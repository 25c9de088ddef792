"""Ops as code: the table CODE says how each kind is written, out of what the table LOWERINGS makes of it.

A layer's constructor call is read off the module that the lowering makes, a call off the lowering's `Call`: what is written and what is
built in memory have one source.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import torch
from torch import nn

from archspace.errors import LawError
from archspace.ir import ops
from archspace.ir.ops import Op, Shape
from archspace.pytorch.code.layout import Bracket, Code, call
from archspace.pytorch.lowered import Call, Lowered, Placeholder

REQUIRED = inspect.Parameter.empty
# Constructor words whose pair of equal numbers is written as one number.
PAIRS = frozenset({"kernel_size", "stride", "padding", "dilation", "output_size", "output_padding"})
IGNORED = frozenset({"device", "dtype"})
INFIX: dict[Callable[..., Any], str] = {
    operator.add: "+",
    operator.mul: "*",
    operator.sub: "-",
    operator.truediv: "/",
    operator.matmul: "@",
}
# Where a lowering's functions are found, and what the place is called in the code.
NAMESPACES: tuple[tuple[str, Any], ...] = (("torch", torch), ("functional", nn.functional), ("Tensor", torch.Tensor))


@dataclass(frozen=True, slots=True)
class Slot:
    """One value in the code of an op: its word, its value, and the constructor's default."""

    word: str
    value: Any
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Layer:
    """An op that is a submodule: name(*slots). `source` is its class where torch has none."""

    name: str
    slots: tuple[Slot, ...]
    source: type[nn.Module] | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """An op that is written in forward. `form` says which expression it is; `write` makes it of its inputs and its slots' code."""

    form: str
    slots: tuple[Slot, ...]
    write: Callable[[Sequence[str], Sequence[str]], Code]
    source: Callable[..., Any] | None = None


Written = Layer | Expression
Writing = Callable[[Op, Lowered, tuple[Shape, ...]], Written]


def layer(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Layer:
    """The constructor call of the lowered module, read off its attributes."""
    assert isinstance(lowered, nn.Module)
    kind = type(lowered)
    is_torch = kind.__module__.startswith("torch.")
    slots = tuple(
        Slot(word, _attribute(lowered, word, parameter.default), parameter.default)
        for word, parameter in inspect.signature(kind).parameters.items()
        if word not in IGNORED and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )
    return Layer(f"nn.{kind.__name__}" if is_torch else kind.__name__, slots, None if is_torch else kind)


def _attribute(module: nn.Module, word: str, default: Any) -> Any:
    """The value that a constructor word had: its attribute, or whether there is such a parameter."""
    if word in module._parameters:
        return module._parameters[word] is not None
    value = getattr(module, word, default)
    if word in PAIRS and isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def function(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """The lowered call: torch.cat([a, b], dim=1), a + b."""
    assert isinstance(lowered, Call)
    called = lowered
    if called.function in INFIX:
        sign = INFIX[called.function]
        return Expression(sign, (), lambda inputs, _: f"{inputs[0]} {sign} {inputs[1]}")
    words = [f.name for f in fields(op)]
    words = words if len(words) == len(called.args) else [f"value{i}" for i in range(len(called.args))]
    slots = (*map(Slot, words, called.args), *map(Slot, called.kwargs, called.kwargs.values()))
    name, is_own = _function_name(called.function)

    def write(inputs: Sequence[str], values: Sequence[str]) -> Code:
        first: list[Code] = [Bracket("[", tuple(inputs), "]")] if called.packed else list(inputs)
        return call(name, [*first, *values[: len(called.args)], *map("{}={}".format, called.kwargs, values[len(called.args) :])])

    return Expression(f"{name}{'*' * called.packed}", slots, write, called.function if is_own else None)


def _function_name(called: Callable[..., Any]) -> tuple[str, bool]:
    """What a function is called in the code, and whether its source must be copied there."""
    name = called.__name__
    for space, members in NAMESPACES:
        if getattr(members, name, None) is called:
            return f"{space}.{name}", False
    return name, True


def channel_slice(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """x[:, start:stop] without the ends that say nothing; one half of the channels is x.chunk(2, dim=1)[0]."""
    op, channels = cast(ops.ChannelSlice, op), shapes[0][1]
    if (op.start, 2 * op.stop) == (0, channels) or (2 * op.start, op.stop) == (channels, channels):
        half = int(op.start > 0)
        return Expression(f"half {half}", (), lambda inputs, _: f"{inputs[0]}.chunk(2, dim=1)[{half}]")
    begins, ends = op.start > 0, op.stop < channels
    slots = (*[Slot("start", op.start)] * begins, *[Slot("stop", op.stop)] * ends)

    def write(inputs: Sequence[str], values: Sequence[str]) -> Code:
        start, stop = values[0] if begins else "", values[-1] if ends else ""
        plain = all(value.isalnum() for value in values)
        colon = ":" if plain else f"{' ' * begins}:{' ' * ends}"
        return f"{inputs[0]}[:, {start}{colon}{stop}]"

    return Expression(f"slice {begins:d}{ends:d}", slots, write)


def outside(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """An argument of forward is no code of its own."""
    assert isinstance(lowered, Placeholder)
    return Expression("input", (), lambda inputs, _: "")


def refused(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """Lowering has refused it already."""
    raise LawError(f"{type(op).__name__} cannot be written as code")


# One row per op kind: how it is written.
CODE: dict[type[Op], Writing] = {
    ops.AdaptiveAvgPool2d: layer,
    ops.Add: function,
    ops.AvgPool2d: layer,
    ops.BatchNorm2d: layer,
    ops.ChannelShuffle: layer,
    ops.ChannelSlice: channel_slice,
    ops.Concat: function,
    ops.Conv2d: layer,
    ops.Dropout: layer,
    ops.Flatten: function,
    ops.GELU: layer,
    ops.GroupedShift: layer,
    ops.Hardsigmoid: layer,
    ops.Hardswish: layer,
    ops.Input: outside,
    ops.Linear: layer,
    ops.MaxPool2d: layer,
    ops.Multiply: function,
    ops.Opaque: refused,
    ops.Pad: layer,
    ops.ReLU: layer,
    ops.ReLU6: layer,
    ops.Reshape: function,
    ops.SiLU: layer,
    ops.Sigmoid: layer,
    ops.Softmax: layer,
    ops.SparseShift: layer,
}


def written(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Written:
    """How an op is written, given what it is lowered to and the shapes of its inputs.

    An op whose lowering is now a layer, now a call, is written as what it is lowered to.
    """
    return CODE[type(op)](op, lowered, shapes)
