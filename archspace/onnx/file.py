"""Files: an .onnx file as a checked model, without the weights that lie in other files. Nothing is written and nothing is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, ValueInfoProto

from archspace.errors import FileError, LawError

OPSETS = range(13, 24)  # of ONNX's own operators
OWN_DOMAINS = ("", "ai.onnx")  # two names of the same operators

Dims = tuple[int | str, ...]  # a fixed size, or the name of one that is open
OPEN = "?"  # the name of those that have none


def read_model(path: str | Path) -> onnx.ModelProto:
    """The model in a file, its functions put in place of their calls.

    Raises FileError for what is missing, truncated, no ONNX file, or of operators older than opset 13 or newer than 23.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise FileError(f"{path}: must be an ONNX file, but is foreign or truncated. Export or copy it again.") from None
    if not model.graph.node or not model.graph.output:
        raise FileError(f"{path}: must be an ONNX file with nodes and outputs, but has none. Export or copy it again.")
    opset = opset_of(model)
    if opset not in OPSETS:
        way = "Convert it with onnx.version_converter"
        raise FileError(f"{path}: the opset must be {OPSETS[0]} to {OPSETS[-1]}, but is {opset or 'none'}. {way}.")
    _check_wiring(model, path)
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators; 0 where the model names none."""
    return max((entry.version for entry in model.opset_import if entry.domain in OWN_DOMAINS), default=0)


def _check_wiring(model: onnx.ModelProto, path: str | Path) -> None:
    """Raise FileError when a node reads what nothing before it makes: the file is damaged."""
    graph = model.graph
    if not all(isinstance(word, str) for node in graph.node for word in (node.op_type, node.domain, node.name, *node.input, *node.output)):
        raise FileError(f"{path}: must be an ONNX file, but a name in it is no text. Export or copy it again.")
    if any(size < 0 for tensor in graph.initializer for size in tensor.dims):
        raise FileError(f"{path}: must be an ONNX file, but a weight in it has a negative size. Export or copy it again.")
    made = {""} | {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    made |= {tensor.values.name for tensor in graph.sparse_initializer}
    for node in graph.node:
        for name in node.input:
            if name not in made:
                raise FileError(f"{path}: {node.name or node.op_type} reads {name!r}, which nothing before it makes. Export it again.")
        made.update(node.output)
    for value in graph.output:
        if value.name not in made:
            raise FileError(f"{path}: the output {value.name!r} is made by no node. Export it again.")


def open_inputs(model: onnx.ModelProto) -> tuple[ValueInfoProto, ...]:
    """The inputs that come from outside: those that no initialiser fills."""
    filled = {tensor.name for tensor in model.graph.initializer}
    return tuple([value for value in model.graph.input if value.name not in filled])


def dims_of(value: ValueInfoProto) -> Dims | None:
    """The dims of an input as the file says them; None where it does not even say how many."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple([dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else dim.dim_param or OPEN for dim in tensor.shape.dim])


def bind(model: onnx.ModelProto, shapes: tuple[tuple[int, ...], ...], place: str) -> dict[str, tuple[int, ...]]:
    """The shape of each input: as given, in order, else as the file fixes it. Raises LawError for what is open or does not fit."""
    values = open_inputs(model)
    if not values:
        raise LawError(f"{place}: a network must have an input, but the file has none")
    if len(shapes) > len(values):
        raise LawError(f"{place}: the network takes {len(values)} inputs, but got {len(shapes)} shapes")
    bound: dict[str, tuple[int, ...]] = {}
    sizes: dict[str, int] = {}  # of dims that have a name, as the inputs so far have them
    for i, value in enumerate(values):
        if not value.type.HasField("tensor_type") or value.type.tensor_type.elem_type == TensorProto.UNDEFINED:
            raise LawError(f"{place}: an input must be a tensor, but {value.name!r} is none")
        dims = dims_of(value)
        shape = _fitting(dims, shapes[i] if i < len(shapes) else None, sizes, f"{place}: the input {value.name!r}")
        sizes |= {dim: size for dim, size in zip(dims or (), shape, strict=False) if isinstance(dim, str) and dim != OPEN}
        bound[value.name] = shape
    return bound


def _fitting(dims: Dims | None, shape: tuple[int, ...] | None, sizes: Mapping[str, int], place: str) -> tuple[int, ...]:
    """The shape of one input: the given one, else what the file fixes and what other inputs say."""
    said = shown(dims)
    if shape is None:
        known = [dim if isinstance(dim, int) else sizes.get(dim, 0) for dim in dims or ()]
        if dims is None or not all(known):
            raise LawError(f"{place} has the open shape {said}: give its sizes, as from_onnx(path, (1, 3, 224, 224)) or --input 3x224x224")
        return tuple(known)
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise LawError(f"{place} takes a shape of whole numbers from 1 on, but got {shape}")
    if dims is not None and (len(dims) != len(shape) or any(isinstance(d, int) and d != s for d, s in zip(dims, shape, strict=True))):
        raise LawError(f"{place} has the shape {said} in the file, but got {'x'.join(map(str, shape))}. Give a shape that fits it.")
    return tuple(shape)


def shown(dims: Dims | None) -> str:
    """Dims as people write them: 'batch x 3 x 224 x 224'; names that no exporter gave stand as '?'."""
    if dims is None:
        return "of unknown rank"
    return " x ".join(str(d) if isinstance(d, int) or re.fullmatch(r"[\w.]+", d) else "?" for d in dims) or "of a scalar"
