"""Calls and readings: what a step looks like to the ATen table, and what the table answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archspace.ir.ops import IntPair, Op, Shape
from archspace.pytorch.importer.program import Datum


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor among the arguments of a call. A weight is one that no input has a part in: a parameter, a constant, what they make."""

    index: int
    datum: Datum
    is_weight: bool

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return self.datum.shape


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an overload: its arguments by the names of its schema, tensors as `Operand`, and what it makes."""

    args: Mapping[str, Any]
    operands: tuple[Operand, ...]
    results: tuple[Datum | None, ...]

    @property
    def flowing(self) -> tuple[Operand, ...]:
        """The tensors that come from the inputs."""
        return tuple([one for one in self.operands if not one.is_weight])

    @property
    def source(self) -> Operand:
        """The first tensor."""
        return self.operands[0]

    @property
    def shape(self) -> Shape:
        """The shape of the first tensor."""
        return self.operands[0].shape

    @property
    def out(self) -> Shape:
        """The shape of the first result."""
        return self.results[0].shape if self.results and self.results[0] is not None else ()


@dataclass(frozen=True, slots=True)
class Fed:
    """Ops in a row, the first of which reads these tensors, weights among them.

    `then` is what each later one reads beside the one before.
    """

    ops: tuple[Op, ...]
    operands: tuple[Operand, ...]
    then: tuple[tuple[Operand, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """Several outputs, each an op on the same input."""

    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """An op whose output is the call's first, and views of that output which are the others."""

    op: Op
    operands: tuple[Operand, ...]
    views: tuple[Op, ...]


# What a call is: ops in a row that read the flowing tensors (none: its output is its input), ops fed otherwise, several outputs, or None
# where the vocabulary has no word for it.
Reading = tuple[Op, ...] | Fed | Parts | Results | None
Rule = Callable[[Call], Reading]


def is_weight(value: Any) -> bool:
    """Whether an optional argument is absent or a weight."""
    return value is None or (isinstance(value, Operand) and value.is_weight)


def two(value: IntPair) -> tuple[int, int]:
    """torch's shorthand: 3 means (3, 3)."""
    return value if isinstance(value, tuple) else (value, value)


def as_pair(values: Any) -> IntPair:
    """torch's lists of one or two: 3 for [3] and [3, 3]."""
    first, last = (values, values) if isinstance(values, int) else (values[0], values[-1])
    return first if first == last else (first, last)


def axes(values: Any, rank: int) -> tuple[int, ...]:
    """torch's lists of one or `rank`, at full length."""
    listed = [values] if isinstance(values, int) else list(values)
    return tuple(listed * rank if len(listed) == 1 else listed)
