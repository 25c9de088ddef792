"""Pieces of code: what an op can be written as, and the ways of writing that follow from what the op is lowered to.

A layer's constructor call is read off the module that the lowering makes, a call off the lowering's `Call`: what is written and what is
built in memory have one source.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import torch
from torch import nn

from archspace.errors import LawError
from archspace.ir import ops
from archspace.ir.ops import Op, Shape
from archspace.pytorch.code.layout import Bracket, Code, call
from archspace.pytorch.lowered import Attribute, Call, Lowered, Placeholder

REQUIRED = inspect.Parameter.empty
# Constructor words whose pair of equal numbers is written as one number.
PAIRS = frozenset({"kernel_size", "stride", "padding", "dilation", "output_size", "output_padding"})
AXES = frozenset({"normalized_shape"})  # words whose tuple of one number is written as that number
IGNORED = frozenset({"device", "dtype"})
INFIX: dict[Callable[..., Any], str] = {
    operator.add: "+",
    operator.mul: "*",
    operator.sub: "-",
    operator.truediv: "/",
    operator.matmul: "@",
}
# Where a lowering's functions are found, and what the place is called in the code.
NAMESPACES: tuple[tuple[str, Any], ...] = (("torch", torch), ("functional", nn.functional), ("torch.linalg", torch.linalg))


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


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of the network's own: a parameter, or a buffer. Its slots are its sizes."""

    slots: tuple[Slot, ...]
    learned: bool
    source: None = None

    @property
    def kind(self) -> str:
        """What torch calls it."""
        return "parameter" if self.learned else "buffer"

    def write(self, sizes: Sequence[str]) -> Code:
        """The tensor, not started yet."""
        return call("nn.Parameter" if self.learned else "nn.Buffer", [call("torch.zeros", sizes or ["()"])])


Written = Layer | Expression | Stored
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
    return value[0] if word in AXES and len(value) == 1 else value


def gather(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Layer:
    """A layer whose first argument lists channels, and does not count them."""
    found = layer(op, lowered, shapes)
    return replace(found, slots=(replace(found.slots[0], word="order"), *found.slots[1:]))


def stored(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Stored:
    """self.gamma = nn.Parameter(torch.zeros(channels)), with the start values of `archspace.pytorch.init`."""
    assert isinstance(lowered, Attribute)
    return Stored(tuple([Slot("size", size) for size in lowered.shape]), lowered.learned)


def function(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """The lowered call: torch.cat([a, b], dim=1), a + b."""
    assert isinstance(lowered, Call)
    called = lowered
    if called.function in INFIX:
        sign = INFIX[called.function]
        return Expression(sign, (), lambda inputs, _: f"{inputs[0]} {sign} {inputs[1]}")
    before, args = called.before, called.args
    slots = (*map(Slot, _words(op, (*before, *args)), (*before, *args)), *map(Slot, called.kwargs, called.kwargs.values()))
    name, is_own = _function_name(called.function)

    def write(inputs: Sequence[str], values: Sequence[str]) -> Code:
        first, rest, last = values[: len(before)], values[len(before) : len(before) + len(args)], values[len(before) + len(args) :]
        tensors: list[Code] = [Bracket("[", tuple(inputs), "]")] if called.packed else list(inputs)
        return call(name, [*first, *tensors, *rest, *map("{}={}".format, called.kwargs, last)])

    return Expression(f"{name}{'*' * called.packed}", slots, write, called.function if is_own else None)


def _words(op: Op, values: Sequence[Any]) -> list[str]:
    """What the arguments of a call are called: as the op's fields that hold them."""
    names = [f.name for f in fields(op)]
    words = [next((name for name in names if getattr(op, name) is value), "") for value in values]
    return [word or (names[0] if len(values) == 1 else f"value{i}") for i, word in enumerate(words)]


def _function_name(called: Callable[..., Any]) -> tuple[str, bool]:
    """What a function is called in the code, and whether its source must be copied there."""
    for space, members in NAMESPACES:
        names = [called.__name__, *vars(members)]  # torch's logsigmoid calls itself log_sigmoid
        found = next((name for name in names if getattr(members, name, None) is called), "")
        if found:
            return f"{space}.{found}", False
    return called.__name__, True


def channel_slice(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """x[:, start:stop] without the ends that say nothing; one half of the channels is x.chunk(2, dim=1)[0]."""
    op, channels = cast(ops.ChannelSlice, op), shapes[0][1]
    if (op.start, 2 * op.stop) == (0, channels) or (2 * op.start, op.stop) == (channels, channels):
        half = int(op.start > 0)
        return Expression(f"half {half}", (), lambda inputs, _: f"{inputs[0]}.chunk(2, dim=1)[{half}]")
    begins, ends = op.start > 0, op.stop < channels
    slots = (*[Slot("start", op.start)] * begins, *[Slot("stop", op.stop)] * ends)

    def write(inputs: Sequence[str], values: Sequence[str]) -> Code:
        return f"{inputs[0]}[:, {sliced([values[0] if begins else '', values[-1] if ends else ''])}]"

    return Expression(f"slice {begins:d}{ends:d}", slots, write)


def sliced(bounds: Sequence[str]) -> str:
    """start:stop or start:stop:step, with room around the colons where a bound is no plain word.

    >>> sliced(["", "7"]), sliced(["self.start", "", "2"])
    (':7', 'self.start :: 2')
    """
    if all(bound.isalnum() for bound in bounds if bound):
        return ":".join(bounds)
    return " : ".join(bounds).replace(":  :", "::").strip()


def outside(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """An argument of forward is no code of its own."""
    assert isinstance(lowered, Placeholder)
    return Expression("input", (), lambda inputs, _: "")


def refused(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """Lowering has refused it already."""
    raise LawError(f"{type(op).__name__} cannot be written as code")
