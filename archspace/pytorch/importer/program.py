"""Program: what a module computes, as a list of ATen calls on numbered tensors, however it was captured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from archspace.ir.ops import Shape
from archspace.pytorch.importer.tree import Layer

Path = tuple[tuple[str, str], ...]  # the module calls around a call, outermost first: (key of the call, the module's dotted name)


@dataclass(frozen=True, slots=True)
class Datum:
    """A tensor of a program: its shape, and the memory it lies in, which its views share."""

    shape: Shape
    stride: tuple[int, ...]
    dtype: torch.dtype
    memory: int

    @property
    def is_contiguous(self) -> bool:
        """Whether its elements lie in the order of their positions (axes of one element aside)."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True


@dataclass(frozen=True, slots=True)
class Ref:
    """The place of a tensor among the arguments of a step: its number in `Program.data`."""

    index: int


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the overload, its arguments by the names of its schema, the tensors it makes (None for an output that is none).

    A tensor that is written in place has a new number afterwards; `written` are its numbers before. A call of a layer of archspace's own is
    one step, with the layer as its argument `module`.
    """

    target: str
    arguments: Mapping[str, Any]
    outputs: tuple[int | None, ...]
    path: Path
    word: str = ""  # what the caller calls it, where it says so
    written: tuple[int, ...] = ()
    is_measured: bool = False  # whether its arguments were computed from sizes of tensors
    is_in_place: bool = False  # whether the parts that it joins or takes apart lie where they are (SSL paper, section 4.3)
    block: str = ""  # the building block that it belongs to, where a graph of archspace says so

    @property
    def inputs(self) -> list[int]:
        """The tensors among the arguments in order, each as often as it stands there."""
        return refs_in(self.arguments)


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in order. `inputs` are numbers and names; `weights` are the tensors no step makes: the parameters (first names) behind each."""

    name: str
    data: tuple[Datum, ...]
    inputs: tuple[tuple[int, str], ...]
    weights: Mapping[int, frozenset[str]]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    tree: Mapping[str, Layer]
    sizes: Mapping[str, int]  # scalars of each parameter
    branching: frozenset[str] = frozenset()  # the modules whose own code branches on sizes of tensors ('' for the root)
    buffers: Mapping[int, str] = field(default_factory=dict)  # the names of those weights that are the module's, but not learned
    values: Sequence[torch.Tensor] = ()  # the tensors themselves, where they were at hand; without data on the meta device


def in_order_of(stride: Sequence[int], shape: Shape) -> tuple[int, ...]:
    """The strides of a tensor of this shape whose axes lie in memory in the order that `stride` says.

    >>> in_order_of((120, 8, 24, 1), (2, 3, 5, 8))  # heads inside of positions, as torch's attention leaves them
    (120, 8, 24, 1)
    """
    found, step = [0] * len(shape), 1
    for axis in sorted(range(len(shape)), key=lambda axis: stride[axis]):
        found[axis], step = step, step * shape[axis]
    return tuple(found)


def refs_in(value: Any) -> list[int]:
    """The tensors in nested lists, tuples and mappings, in order."""
    if isinstance(value, Ref):
        return [value.index]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [index for one in value for index in refs_in(one)] if isinstance(value, list | tuple) else []
