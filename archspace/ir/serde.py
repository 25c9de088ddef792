"""Graphs as JSON: versioned, stable keys, exact round trip, readable by a person.

    {"archspace_graph": 1, "name": ..., "config": {...}, "outputs": [names],
     "nodes": [{"name": ..., "op": "Conv2d", "attrs": {...}, "inputs": [names], "shape": [...], "block": ...}, ...]}

`attrs` holds the fields that differ from the op's defaults. Reading infers every shape again and compares.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from archspace.errors import ArchspaceError, FileError, LawError, UnknownNameError
from archspace.files import read_json, write_text
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import OPS, Op

VERSION = 1


def to_dict(graph: Graph) -> dict[str, Any]:
    """The JSON form as plain data."""
    names = [node.name for node in graph.nodes]
    nodes = [
        {
            "name": node.name,
            "op": type(node.op).__name__,
            "attrs": {
                f.name: getattr(node.op, f.name) for f in fields(node.op) if f.default is MISSING or getattr(node.op, f.name) != f.default
            },
            "inputs": [names[i] for i in node.inputs],
            "shape": list(node.shape),
            "block": node.block,
        }
        for node in graph.nodes
    ]
    outputs = [names[i] for i in graph.outputs]
    return {"archspace_graph": VERSION, "name": graph.name, "config": dict(graph.config), "outputs": outputs, "nodes": nodes}


def to_json(graph: Graph) -> str:
    """The JSON form as text, one node a line."""
    data = to_dict(graph)
    nodes = data.pop("nodes")
    head = json.dumps(data)[:-1]
    return head + ', "nodes": [\n' + ",\n".join(json.dumps(node) for node in nodes) + "\n]}\n"


def from_dict(data: Any, place: str = "graph") -> Graph:
    """The graph of its JSON form. Raises FileError that says what is foreign, missing or contradictory, and where."""
    if not isinstance(data, dict) or "archspace_graph" not in data:
        raise FileError(
            f"{place}: a graph is a JSON object with the key 'archspace_graph', but this is not one. Write one with archspace.save."
        )
    if data["archspace_graph"] != VERSION:
        raise FileError(f"{place}: this archspace reads graph version {VERSION}, but the file says {data['archspace_graph']!r}")
    try:
        builder = Builder(str(data["name"]), data["config"])
        values: dict[str, Value] = {}
        for row in data["nodes"]:
            values[row["name"]] = _add(builder, row, values)
        return builder.build(*(_lookup(values, name) for name in data["outputs"]))
    except ArchspaceError as error:
        raise FileError(f"{place}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{place}: not a graph that archspace wrote: {type(error).__name__}: {error}") from None


def _add(builder: Builder, row: dict[str, Any], values: dict[str, Value]) -> Value:
    name, kind = row["name"], row["op"]
    if kind not in OPS:
        raise UnknownNameError("op kind", str(kind), OPS)
    inputs = [_lookup(values, source) for source in row["inputs"]]
    op = _op(OPS[kind], row["attrs"], name)
    try:
        shape = op.out_shape(*(value.shape for value in inputs))
    except LawError as error:
        raise error.at(name) from None
    if list(shape) != row["shape"]:
        raise LawError(
            f"{name}: the stored shape must follow from its inputs, but the file says {row['shape']} and the op gives {list(shape)}"
        )
    return builder.append(Node(name, op, tuple(value.index for value in inputs), shape, row["block"]))


def _op(kind: type[Op], attrs: dict[str, Any], place: str) -> Op:
    known = {f.name for f in fields(kind)}
    for key, value in attrs.items():
        if key not in known:
            raise UnknownNameError(f"attribute of {kind.__name__} at {place}", key, known)
        if not isinstance(value, int | float | str | list) or (isinstance(value, list) and not all(isinstance(v, int) for v in value)):
            raise LawError(f"{place}: {key} must be a number, a word or a list of integers, but got {value!r}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in attrs.items()})


def _lookup(values: dict[str, Value], name: str) -> Value:
    if name not in values:
        raise LawError(f"a node may read only nodes above it, but {name!r} is not one of them")
    return values[name]


def load(path: str | Path) -> Graph:
    """Read a graph from a JSON file. Raises FileError."""
    return from_dict(read_json(path), str(path))


def save(graph: Graph, path: str | Path, *, force: bool = False) -> None:
    """Write a graph as JSON. Raises FileError when the file exists (without `force`) or cannot be written."""
    write_text(path, to_json(graph), force=force)
