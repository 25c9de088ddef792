"""Graph: an immutable DAG of ops with full tensor shapes and no weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from archspace.errors import LawError, UnknownNameError
from archspace.ir.counts import Counts
from archspace.ir.ops import Input, Op, Shape

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class Node:
    """An op at a place in a graph. `inputs` are positions in `Graph.nodes`; `block` is the scope that fragments are counted in.

    Weights that several nodes use are counted once, at the first: the others name it in `shares` and have no `params` of their own.
    `params` is None where a node's learnable scalars are the op's, all of them used here first. `is_pinned` says that the op's sizes were
    computed from those of its input: on another input they would be others.
    """

    name: str
    op: Op
    inputs: tuple[int, ...]
    shape: Shape
    block: str
    shares: str = ""
    params: int | None = None
    is_pinned: bool = False

    @property
    def stage(self) -> str:
        """The first part of the block's name: 'stage2.unit1' -> 'stage2'."""
        return self.block.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in topological order. Made by a `Builder` or read from JSON (`archspace.ir.serde`).

    `config` says what it was built from: {"family": ..., option: value, ...}; empty for graphs of other origin.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    config: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> Node:
        """The node of that name; raises UnknownNameError with near names."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise UnknownNameError("node", name, [node.name for node in self.nodes])

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes that come from outside."""
        return tuple(node for node in self.nodes if isinstance(node.op, Input))

    @property
    def input_shape(self) -> Shape:
        """The shape of the first input, batch included."""
        return self.inputs[0].shape

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """The shapes of the tensors that `node` reads."""
        return tuple(self.nodes[i].shape for i in node.inputs)

    def counts(self, node: Node) -> Counts:
        """The raw facts of one node."""
        counts = node.op.counts(self.input_shapes(node), node.shape)
        return counts if node.params is None else replace(counts, params=node.params)

    def with_input(self, *size: int, batch: int | None = None) -> Graph:
        """The same ops on a first input of another size and batch, without the model: `graph.with_input(480, 640)`.

        One number is a square image's; the batch stays unless given, and the channels stay. Raises LawError that names the op which pins
        the size, and for a size that the input has no axes for.
        """
        from archspace.ir.resize import with_input

        shape = self.input_shape
        axes = size * 2 if len(size) == 1 and len(shape) == 4 else size
        if not shape or (axes and len(axes) != len(shape) - 2):
            law = "a size has one number for each axis behind batch and channels"
            raise LawError(f"{self.name}: {law}, but got {size} for an input of shape {shape}")
        return with_input(self, (shape[0] if batch is None else batch, *shape[1:2], *(axes or shape[2:])))

    def to_networkx(self) -> networkx.DiGraph[str]:
        """The DAG under the nodes' names, each with `op`, `shape` and `block`, for algorithms and drawing."""
        import networkx

        graph: networkx.DiGraph[str] = networkx.DiGraph(name=self.name)
        for node in self.nodes:
            graph.add_node(node.name, op=node.op, shape=node.shape, block=node.block)
            graph.add_edges_from((self.nodes[i].name, node.name) for i in node.inputs)
        return graph

    def __str__(self) -> str:
        lines = [f"graph {self.name} ({len(self.nodes)} nodes)"]
        for node in self.nodes:
            sources = ", ".join(self.nodes[i].name for i in node.inputs)
            lines.append(f"  {node.name}: {'x'.join(map(str, node.shape))} = {describe(node.op)}({sources})")
        lines.append(f"  return {', '.join(self.nodes[i].name for i in self.outputs)}")
        return "\n".join(lines)


def describe(op: Op) -> str:
    """An op with the fields that differ from their defaults: 'Conv2d[3, 24, kernel_size=3]'.

    >>> from archspace.ir.ops import ChannelShuffle
    >>> describe(ChannelShuffle(groups=3))
    'ChannelShuffle[groups=3]'
    """
    shown = [f"{f.name}={getattr(op, f.name)}" for f in fields(op) if getattr(op, f.name) != f.default]
    return f"{type(op).__name__}[{', '.join(shown)}]" if shown else type(op).__name__


def require_graph(verb: str, value: object) -> None:
    """Raise LawError when what was given to `verb` is no graph: a name, a report, a module."""
    if not isinstance(value, Graph):
        made = "archspace.build('shufflenet_v1') or archspace.load(path)"
        raise LawError(f"{verb} takes a Graph, but got {type(value).__name__}. Make one with {made}.")
