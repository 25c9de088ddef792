"""from_onnx: a file in, a graph out, with a word about what is not known."""

from __future__ import annotations

import re
from pathlib import Path

import onnx

from archspace.analysis.opaque import check_known
from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import Shape
from archspace.onnx.assemble import assemble
from archspace.onnx.file import bind, read_model
from archspace.onnx.naming import named
from archspace.onnx.patterns import fuse

NO_NAMES = ("", "graph", "main", "main_graph", "torch_jit", "torch-jit-export", "tf2onnx")  # what exporters call every graph


def from_onnx(path: str | Path, *shapes: Shape, strict: bool = False) -> Graph:
    """The graph of an ONNX file of opset 13 to 23. No weight is looked at, but for small constants that shapes follow from.

    `shapes` are those of the inputs, batch included, in the file's order; needed where the file leaves sizes open. Names and blocks come
    from what the exporter wrote down. Weights that several nodes use are counted once; batch norm that the exporter folded into a
    convolution is gone. What the vocabulary has no op for becomes `Opaque`, and an OpaqueWarning says how much is known.
    Raises FileError for a file that is missing, foreign, truncated or of another opset, LawError for shapes that are open, do not fit or
    depend on values, and with `strict` for opaque nodes.
    """
    return graph_of(read_model(path), shapes, str(path), strict=strict)


def graph_of(model: onnx.ModelProto, shapes: tuple[Shape, ...], place: str, *, strict: bool = False) -> Graph:
    """The graph of a model that `read_model` read. Raises LawError."""
    bound = bind(model, shapes, place)
    try:
        assembled = fuse(assemble(model, bound))
    except LawError as error:
        raise error.at(place) from None
    name = Path(place).stem if str(model.graph.name).lower() in NO_NAMES else re.sub(r"[^\w.\-]+", "_", str(model.graph.name))
    graph = Graph(name, named(assembled), assembled.outputs)
    return check_known(graph, strict=strict)
