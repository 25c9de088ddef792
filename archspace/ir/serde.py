"""Graphs as JSON: versioned, stable keys, exact round trip, readable by a person.

    {"archspace_graph": 1, "name": ..., "config": {...}, "outputs": [names],
     "nodes": [{"name": ..., "op": "Conv2d", "attrs": {...}, "inputs": [names], "shape": [...], "block": ...}, ...]}

A node whose weights are not all its own has "shares" (the name of the node that it takes them from) and "params" beside them.
A node whose sizes were computed from those of its input has "pinned": true.
`attrs` holds the fields that differ from the op's defaults. Reading infers every shape again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from math import isfinite
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
            "attrs": {key: _to_json(value) for key, value in attrs_of(node.op).items()},
            "inputs": [names[i] for i in node.inputs],
            "shape": list(node.shape),
            "block": node.block,
            **({"shares": node.shares} if node.shares else {}),
            **({"params": node.params} if node.params is not None else {}),
            **({"pinned": True} if node.is_pinned else {}),
        }
        for node in graph.nodes
    ]
    outputs = [names[i] for i in graph.outputs]
    return {"archspace_graph": VERSION, "name": graph.name, "config": dict(graph.config), "outputs": outputs, "nodes": nodes}


def attrs_of(op: Op) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    return {f.name: getattr(op, f.name) for f in fields(op) if getattr(op, f.name) != f.default}


def _to_json(value: Any) -> Any:
    """A field's value: a tuple as a list, and what JSON has no number for (an infinite padding) as a word."""
    if isinstance(value, tuple):
        return [_to_json(one) for one in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


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
    if data["archspace_graph"] != VERSION or data["archspace_graph"] is True:
        raise FileError(f"{place}: this archspace reads graph version {VERSION}, but the file says {data['archspace_graph']!r}")
    try:
        _typed("graph", data, {"name": str, "config": dict, "outputs": list, "nodes": list})
        builder = Builder(data["name"], data["config"])
        values: dict[str, Value] = {}
        for i, row in enumerate(data["nodes"]):
            _typed(f"node {i}", row, {"name": str, "op": str, "attrs": dict, "inputs": list, "shape": list, "block": str})
            values[row["name"]] = _add(builder, row, values)
        return builder.build(*(_lookup(values, name) for name in data["outputs"]))
    except ArchspaceError as error:
        raise FileError(f"{place}: {error}") from None


def _typed(place: str, row: Any, keys: Mapping[str, type]) -> None:
    """Raise LawError unless `row` is an object that has the keys, with values of these types."""
    if not isinstance(row, dict):
        raise LawError(f"{place} must be an object with {', '.join(keys)}, but is {_short(row)}")
    for key, kind in keys.items():
        if kind is str and isinstance(row.get(key), str) and not row[key].isprintable():
            raise LawError(f"{place}: {key} must be printable characters, but is {ascii(row[key])[:40]}")
        if not isinstance(row.get(key), kind):
            found = _short(row[key]) if key in row else "missing"
            raise LawError(f"{place}: {key} must be {JSON_WORDS[kind]}, but is {found}")


def _add(builder: Builder, row: dict[str, Any], values: dict[str, Value]) -> Value:
    name, kind = row["name"], row["op"]
    if kind not in OPS:
        raise UnknownNameError(f"op kind of {name}", kind, OPS)
    inputs = [_lookup(values, source) for source in row["inputs"]]
    op = _op(OPS[kind], row["attrs"], name)
    try:
        shape = op.out_shape(*(value.shape for value in inputs))
    except LawError as error:
        raise error.at(name) from None
    if list(shape) != row["shape"]:
        raise LawError(f"{name}: the shape must follow from the inputs, but the file says {row['shape']} and the op gives {list(shape)}")
    shares, params = _weights(row, values)
    pinned = row.get("pinned", False)
    if not isinstance(pinned, bool):
        raise LawError(f"{name}: pinned must be true or false, but is {_short(pinned)}")
    return builder.append(Node(name, op, tuple(value.index for value in inputs), shape, row["block"], shares, params, pinned))


def _weights(row: dict[str, Any], values: dict[str, Value]) -> tuple[str, int | None]:
    """Whose weights a node takes, and how many scalars it is the first to use."""
    shares, params = row.get("shares", ""), row.get("params")
    if shares:
        _lookup(values, shares)
    elif shares != "":
        raise LawError(f"{row['name']}: shares must be a word, but is {_short(shares)}")
    if params is not None and (not _is_int(params) or params < 0):
        raise LawError(f"{row['name']}: params must be a whole number from 0 on, but is {_short(params)}")
    return shares, params


def _op(kind: type[Op], attrs: dict[str, Any], place: str) -> Op:
    known = {f.name: f for f in fields(kind)}
    for key, value in attrs.items():
        if key not in known:
            raise UnknownNameError(f"attribute of {kind.__name__} at {place}", key, known)
        fits, words = ATTR_TYPES[str(known[key].type)]
        if not fits(value):
            raise LawError(f"{place}: {key} must be {words}, but is {_short(value)}")
    for key, f in known.items():
        if f.default is MISSING and key not in attrs:
            raise LawError(f"{place}: {kind.__name__} needs {key}, but it is missing")
    return kind(**{key: _from_json(value, str(known[key].type)) for key, value in attrs.items()})


def _from_json(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return tuple([_from_json(one, kind) for one in value])
    return float(value) if "Scalar" in kind and value in NOT_FINITE else value


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_ints(value: Any, count: int | None = None) -> bool:
    return isinstance(value, list) and all(_is_int(v) for v in value) and count in (None, len(value))


def _is_number(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and isfinite(value))


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | str) or _is_number(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


NOT_FINITE = ("inf", "-inf", "nan")
JSON_WORDS: dict[type, str] = {str: "a word", dict: "an object", list: "a list"}

# Type of an op's field -> whether a JSON value is one, and how people call it.
ATTR_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (_is_int, "a whole number"),
    "float": (_is_number, "a number"),
    "float | None": (lambda v: v is None or _is_number(v), "a number or null"),
    "bool": (lambda v: isinstance(v, bool), "true or false"),
    "str": (lambda v: isinstance(v, str), "a word"),
    "Scalar": (_is_scalar, "a number, a word, true, false or null"),
    "tuple[Scalar, ...]": (lambda v: isinstance(v, list) and all(map(_is_scalar, v)), "a list of numbers and words"),
    "tuple[float, ...]": (lambda v: isinstance(v, list) and all(map(_is_number, v)), "a list of numbers"),
    "IntPair": (lambda v: _is_int(v) or _are_ints(v, 2), "a whole number or two"),
    "tuple[int, ...]": (_are_ints, "a list of whole numbers"),
    "tuple[int, int, int, int]": (lambda v: _are_ints(v, 4), "a list of four whole numbers"),
}


def _lookup(values: dict[str, Value], name: Any) -> Value:
    if not isinstance(name, str) or name not in values:
        raise LawError(f"a node may read only nodes above it, but {_short(name)} is not one of them")
    return values[name]


def load(path: str | Path) -> Graph:
    """Read a graph from a JSON file. Raises FileError."""
    return from_dict(read_json(path), str(path))


def save(graph: Graph, path: str | Path, *, force: bool = False) -> None:
    """Write a graph as JSON. Raises FileError when the file exists (without `force`) or cannot be written."""
    write_text(path, to_json(graph), force=force)
