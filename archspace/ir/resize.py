"""Another input for the same graph: every shape inferred again."""

from __future__ import annotations

from dataclasses import replace

from archspace.errors import LawError
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Input, Opaque, Shape

# Kinds whose output's shape is known for the inputs that they were seen with alone, by name: they may not be loaded.
FIXED = frozenset(("Index",))


def with_input(graph: Graph, shape: Shape) -> Graph:
    """The same ops on a first input of another shape (batch, resolution), all shapes inferred again.

    Raises LawError that names the op which pins the size: its fields were made for the sizes that it had, or its law is broken by others.
    """
    config = dict(graph.config)
    if "batch" in config and "input" in config:
        config |= {"batch": shape[0], "input": list(shape[2:])}
    first = next(i for i, node in enumerate(graph.nodes) if isinstance(node.op, Input))
    nodes: list[Node] = []
    for i, node in enumerate(graph.nodes):
        op = Input(shape) if i == first else node.op
        shapes = tuple([nodes[k].shape for k in node.inputs])
        _check_free(graph, node, shapes, shape)
        try:
            out = op.out_shape(*shapes)
        except LawError as error:
            if not graph.config:
                raise LawError(f"{_pins(graph, node, shape)}: {error}") from None
            raise error.at(node.name) from None
        nodes.append(replace(node, op=op, shape=out))
    return Graph(graph.name, tuple(nodes), graph.outputs, config)


def _check_free(graph: Graph, node: Node, shapes: tuple[Shape, ...], shape: Shape) -> None:
    """Raise LawError for an op that has sizes of the inputs which it had."""
    if shapes != graph.input_shapes(node) and (isinstance(node.op, Opaque) or type(node.op).__name__ in FIXED):
        raise LawError(f"{_pins(graph, node, shape)}: what {type(node.op).__name__} makes of another shape is not known")
    if node.is_pinned and shape[1:] != graph.input_shape[1:]:
        raise LawError(f"{_pins(graph, node, shape)}: its sizes were computed from the sizes of its input")


def _pins(graph: Graph, node: Node, shape: Shape) -> str:
    return f"{graph.name}: {node.name} pins the input to {graph.input_shape}, but {shape} is asked for; import the network again with that"
