"""Calls and plans: what a rule of the table sees of a node of an ONNX file, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from archspace.ir.ops import IntPair, Op, Shape

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Flow:
    """A tensor that an input has a part in."""

    shape: Shape
    dtype: int = 1  # as onnx.TensorProto counts them: 1 is float


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that no input has a part in, and the initialisers that it is made of. `value` is known where it is small and in the file."""

    shape: Shape
    names: frozenset[str] = frozenset()
    dtype: int = 1
    value: Array | None = None


Tensor = Flow | Weight

# Positions in a plan: steps count from 0, a node's own inputs from -1 downwards.
X, Y, Z = -1, -2, -3


@dataclass(frozen=True, slots=True)
class Step:
    """One op of a plan and where its inputs come from."""

    op: Op
    inputs: tuple[int, ...] = (X,)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a node is: steps, and which position each of its outputs is (None: no rule knows). Inputs that a step reads though they are
    weights become Parameter nodes; the others belong to the steps. `weights` names the inputs that count, where not all do.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int | None, ...]
    weights: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One node: its attributes, its inputs (None where an optional one is left out), and the shapes of its outputs where known."""

    kind: str
    attrs: Mapping[str, Any]
    inputs: tuple[Tensor | None, ...]
    outs: tuple[Shape | None, ...]
    opset: int

    def given(self, i: int) -> Tensor | None:
        """Input i; None where it is left out."""
        return self.inputs[i] if i < len(self.inputs) else None

    def shape(self, i: int = 0) -> Shape:
        """The shape of input i; () where it is left out."""
        tensor = self.given(i)
        return () if tensor is None else tensor.shape

    @property
    def out(self) -> Shape | None:
        """The shape of the first output, where known."""
        return self.outs[0] if self.outs else None

    def flows(self, i: int = 0) -> bool:
        """Whether input i depends on the network's inputs."""
        return isinstance(self.given(i), Flow)

    def is_weight(self, i: int) -> bool:
        """Whether input i is there and depends on nothing."""
        return isinstance(self.given(i), Weight)

    def ints(self, name: str, i: int) -> tuple[int, ...] | None:
        """Whole numbers that are an attribute in old opsets and input i in new ones; None where they are left out or unknown."""
        if name in self.attrs:
            value = self.attrs[name]
            return tuple([int(one) for one in value]) if isinstance(value, list | tuple) else (int(value),)
        tensor = self.given(i)
        if not isinstance(tensor, Weight) or tensor.value is None:
            return None
        return tuple([int(one) for one in tensor.value.flatten()])

    def unknown(self, i: int) -> bool:
        """Whether input i is there, but its value is not known."""
        tensor = self.given(i)
        return tensor is not None and (isinstance(tensor, Flow) or tensor.value is None)

    def scalar(self, i: int) -> float | int | bool | None:
        """The value of input i, if it is one finite number whose value is known."""
        tensor = self.given(i)
        if not isinstance(tensor, Weight) or tensor.value is None or tensor.value.size != 1:
            return None
        value = tensor.value.flatten()[0]
        if isinstance(value, np.bool_):
            return bool(value)
        if np.issubdtype(tensor.value.dtype, np.integer):
            return int(value)
        return float(value) if isfinite(float(value)) else None


Rule = Callable[[Call], Plan | None]  # None: the vocabulary has no word for it


def row(*ops: Op, source: int = X, weights: tuple[int, ...] | None = None) -> Plan:
    """Ops in a row on one input; without ops the output is that input."""
    steps = tuple([Step(op, (source if i == 0 else i - 1,)) for i, op in enumerate(ops)])
    return Plan(steps, (len(ops) - 1 if ops else source,), weights)


SAME = Plan((), (X,))


def same(call: Call) -> Plan | None:
    """A node that returns its input."""
    return SAME


def pair(values: tuple[int, ...]) -> IntPair:
    """torch's shorthand: 3 for (3, 3)."""
    return values[0] if values[0] == values[-1] else (values[0], values[-1])


def unless(usual: int, values: Sequence[int]) -> tuple[int, ...]:
    """Numbers per axis; () where all are what that stands for."""
    return () if set(values) <= {usual} else tuple(values)


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front."""
    return axis + rank if axis < 0 else axis


def short(value: float) -> float:
    """ONNX's 32-bit number as it was written: 1e-05 for 9.999999747378752e-06."""
    return float(f"{value:.7g}")
