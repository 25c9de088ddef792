"""Builder: makes a graph node by node. Shapes are inferred at once, so an error points at the line that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from archspace.errors import LawError
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Input, Op, Shape


@dataclass(frozen=True, slots=True)
class Value:
    """The output of a node that a builder has made."""

    index: int
    shape: Shape

    @property
    def channels(self) -> int:
        """Axis 1."""
        return self.shape[1]


class Builder:
    """Collects nodes under dotted scopes.

    >>> from archspace.ir.ops import Conv2d, ReLU
    >>> b = Builder("tiny")
    >>> x = b.input((1, 3, 8, 8))
    >>> with b.block("stem"):
    ...     x = b.add("conv", Conv2d(3, 16, 3, stride=2, padding=1), x)
    ...     x = b.add("relu", ReLU(), x)
    >>> print(b.build(x))
    graph tiny (3 nodes)
      input: 1x3x8x8 = Input[shape=(1, 3, 8, 8)]()
      stem.conv: 1x16x4x4 = Conv2d[in_channels=3, out_channels=16, kernel_size=3, stride=2, padding=1](input)
      stem.relu: 1x16x4x4 = ReLU(stem.conv)
      return stem.relu
    """

    def __init__(self, name: str, config: Mapping[str, Any] | None = None) -> None:
        self._name = name
        self._config = dict(config or {})
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._scope = ""
        self._block = ""

    def input(self, shape: Shape, name: str = "input") -> Value:
        """A tensor that comes from outside."""
        return self.add(name, Input(shape))

    def add(self, name: str, op: Op, *inputs: Value) -> Value:
        """Append `op` under the current scope. Raises LawError, with the place, when its shape law is broken."""
        place = self._scope + name
        shapes = [value.shape for value in inputs]
        try:
            shape = op.out_shape(*shapes)
        except LawError as error:
            raise error.at(place) from None
        return self.append(Node(place, op, tuple([value.index for value in inputs]), shape, self._block or name))

    def append(self, node: Node) -> Value:
        """Append a finished node. Raises LawError when its name is taken."""
        if node.name in self._names:
            raise LawError(f"{node.name}: node names must be unique, but this one is taken. Use another name or scope.")
        self._names.add(node.name)
        self._nodes.append(node)
        return Value(len(self._nodes) - 1, node.shape)

    @property
    def place(self) -> str:
        """The current scope, as it stands in front of names: 'stage2.unit0.'."""
        return self._scope

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names inside get `name.` in front."""
        outer = self._scope
        self._scope = f"{outer}{name}."
        try:
            yield
        finally:
            self._scope = outer

    @contextmanager
    def block(self, name: str) -> Iterator[None]:
        """A scope that is a building block: fragments and parallel width are counted in it."""
        outer = self._block
        with self.scope(name):
            self._block = self._scope[:-1]
            try:
                yield
            finally:
                self._block = outer

    def build(self, *outputs: Value) -> Graph:
        """The finished graph. Raises LawError when there is no input or no output."""
        if not outputs:
            raise LawError(f"{self._name}: a graph must have at least one output, but got none")
        if not any(isinstance(node.op, Input) for node in self._nodes):
            raise LawError(f"{self._name}: a graph must have at least one Input, but has none")
        return Graph(self._name, tuple(self._nodes), tuple([value.index for value in outputs]), self._config)
