"""What a graph of unknown origin shows of its family: its convolutions in order, its squeeze-and-excitations, its input and classifier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, TypeVar

from archspace.errors import LawError
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import AdaptiveAvgPool2d, Conv2d, Linear, Multiply, Op, ReLU, ReLU6
from archspace.ir.ops.base import pair
from archspace.zoo.variants import ACTIVATIONS

T = TypeVar("T")
AVERAGES = (AdaptiveAvgPool2d,)
AVERAGES_BY_NAME = ("Mean",)  # a further kind: not loaded to be compared with


class NotReadError(LawError):
    """The graph is not built as a family's networks are."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution at its place among the nodes, with one kernel size and one stride."""

    place: int
    op: Conv2d
    kernel_size: int
    stride: int

    @property
    def is_depthwise(self) -> bool:
        """One filter per channel."""
        return self.op.is_depthwise and self.op.out_channels == self.op.in_channels

    @property
    def is_pointwise(self) -> bool:
        """1x1, grouped or not."""
        return self.kernel_size == 1


@dataclass(frozen=True, slots=True)
class Gate:
    """A squeeze-and-excitation: the place of its multiplication, its channels and its hidden ones."""

    place: int
    channels: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Read:
    """A graph as readers look at it."""

    graph: Graph
    layers: tuple[Layer, ...]  # but for those of gates
    gates: tuple[Gate, ...]

    def places(self, kind: type[Op] | tuple[type[Op], ...]) -> list[int]:
        """Where ops of a kind stand."""
        return [i for i, node in enumerate(self.graph.nodes) if isinstance(node.op, kind)]

    def between(self, start: int, stop: int) -> Sequence[Node]:
        """The nodes after one place and before another."""
        return self.graph.nodes[start + 1 : stop]


def read(graph: Graph) -> Read:
    """The layers and gates of a graph. Raises NotReadError for one without an image, a convolution or a classifier."""
    if len(graph.input_shape) != 4 or graph.input_shape[1] != 3:
        raise NotReadError(f"its input must be an image of three channels, but is {graph.input_shape}")
    squeezed: list[bool] = []  # whether a node sees means of whole channels alone
    layers, gates = [], []
    hidden: dict[int, int] = {}
    for i, node in enumerate(graph.nodes):
        is_mean = isinstance(node.op, AVERAGES) or type(node.op).__name__ in AVERAGES_BY_NAME
        is_inside = any(squeezed[k] for k in node.inputs)
        if isinstance(node.op, Multiply) and is_inside:
            source = next(k for k in node.inputs if squeezed[k])
            gates.append(Gate(i, node.shape[1], hidden.get(source, 0)))
            is_inside = False
        elif isinstance(node.op, Conv2d) and not is_inside:
            layers.append(Layer(i, node.op, _one(node.op.kernel_size), _one(node.op.stride)))
        if is_inside:
            before = hidden.get(node.inputs[0])
            if before is not None:
                hidden[i] = before
            elif isinstance(node.op, Conv2d):  # the first layer of a gate
                hidden[i] = node.shape[1]
        squeezed.append(is_mean or is_inside)
    if not layers:
        raise NotReadError("it has no convolution")
    return Read(graph, tuple(layers), tuple(gates))


def common_options(found: Read, usual: type[Op]) -> dict[str, Any]:
    """The options that every family has: input, batch, classes, and the activation where it is not the `usual` one."""
    graph = found.graph
    batch, _, *size = graph.input_shape
    linear = [node.op for node in graph.nodes if isinstance(node.op, Linear)]
    if len(linear) != 1 or not isinstance(graph.nodes[graph.outputs[0]].op, Linear):
        raise NotReadError("it must end in one fully connected layer")
    options: dict[str, Any] = {"input": tuple(size), "batch": batch, "num_classes": linear[0].out_features}
    names = {type(op): name for name, op in ACTIVATIONS.items()}
    gate_ops = {id(node) for gate in found.gates for node in _gate_nodes(graph, gate)}
    used = {type(node.op) for node in graph.nodes if type(node.op) in names and id(node) not in gate_ops}
    if used and used != {usual}:
        if len(used) > 1 and used != {ReLU, ReLU6}:
            raise NotReadError(f"its activations must be of one kind, but are {', '.join(sorted(kind.__name__ for kind in used))}")
        options["activation"] = names[next(iter(used))]
    return options


def _gate_nodes(graph: Graph, gate: Gate) -> list[Node]:
    """What stands between a gate's mean and its multiplication."""
    source = graph.nodes[gate.place]
    found: list[Node] = []
    open_ = [k for k in source.inputs if graph.nodes[k].shape[2:] == (1, 1)]
    while open_:
        node = graph.nodes[open_.pop()]
        found.append(node)
        if not isinstance(node.op, AVERAGES) and type(node.op).__name__ not in AVERAGES_BY_NAME:
            open_ += node.inputs
    return found


def reduction_of(pairs: Iterable[tuple[int, int]]) -> int:
    """The reduction r that gives c // r hidden channels for every (c, hidden), the smallest. Raises NotReadError.

    >>> reduction_of([(64, 8), (100, 12)])
    8
    """
    rows = list(pairs)
    if any(not 1 <= hidden <= c for c, hidden in rows):
        raise NotReadError("its squeeze-and-excitations are of another form")
    low = max(c // (hidden + 1) + 1 for c, hidden in rows)
    high = min(c // hidden for c, hidden in rows)
    if low > high:
        raise NotReadError("its squeeze-and-excitations do not reduce alike")
    return low


def base_of(actual: int, width: float, scaled: Any) -> int:
    """A number of channels at width 1 that `scaled` makes `actual` at this width. Raises NotReadError where there is none."""
    near = round(actual / width)
    for away in range(ceil(2 + 8 / width)):
        for base in (near + away, near - away):
            if base > 0 and scaled(base) == actual:
                return base
    raise NotReadError(f"no number of channels gives {actual} at width {width:g}")


def alike(values: Sequence[T]) -> T | tuple[T, ...]:
    """One value where all are the same, else all."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def need(holds: bool, law: str) -> None:
    """Raise NotReadError unless it holds."""
    if not holds:
        raise NotReadError(law)


def layer_at(layers: Sequence[Layer], i: int) -> Layer:
    """The i-th layer. Raises NotReadError where there are not as many."""
    need(i < len(layers), "its convolutions end in the middle of a unit")
    return layers[i]


def _one(value: int | tuple[int, int]) -> int:
    a, b = pair(value)
    if a != b:
        raise NotReadError("a convolution is not square")
    return a
