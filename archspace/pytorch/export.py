"""Built networks as .pt2 files: an exported program with its graph inside.

A .pt2 holds the program of eval mode: batch norm uses its running statistics, dropout is gone, learned shifts only move. It can be run
anywhere torch.export.load is, at any batch size, but not trained. The trainable form is `to_module(graph)`, and the graph is in the file.
"""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import torch
from torch import nn

from archspace.errors import FileError
from archspace.files import check_writable
from archspace.ir.graph import Graph
from archspace.ir.serde import from_dict, to_json
from archspace.pytorch.oracle import example_inputs, quiet
from archspace.pytorch.state import refuse_pickles

GRAPH_FILE = "graph.json"  # the graph's JSON form among the .pt2 archive's extra files


def export_program(module: nn.Module, graph: Graph) -> torch.export.ExportedProgram:
    """The module as an exported program of eval mode, for any batch size where all inputs share a batch axis. Works on a copy."""
    # torch.export takes an example batch of one for a constant.
    model = copy.deepcopy(module).eval()
    shapes = [node.shape for node in graph.inputs]
    if len({shape[0] for shape in shapes}) > 1 or min(map(len, shapes)) < 2:
        return torch.export.export(model, example_inputs(graph))  # no one batch axis: the program keeps to the graph's shapes
    inputs = example_inputs(graph, least_batch=2)
    batch = torch.export.Dim("batch")
    return torch.export.export(model, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs))


def save(module: nn.Module, graph: Graph, path: str | Path, *, force: bool = False) -> None:
    """Export the module in eval mode and write it with its graph as a .pt2 file.

    Raises FileError when the file exists (without `force`) or cannot be written.
    """
    target = check_writable(path, force=force)
    buffer = io.BytesIO()
    torch.export.save(export_program(module, graph), buffer, extra_files={GRAPH_FILE: to_json(graph)})
    try:
        target.write_bytes(buffer.getvalue())
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None


def load(path: str | Path) -> tuple[nn.Module, Graph]:
    """The exported module (eval mode, fixed) and the graph of a file that `save` wrote. Raises FileError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    graph = read_graph(data, path)
    refuse_pickles(data, path)
    try:
        with quiet("torch.export"):  # it logs a page before it raises
            return torch.export.load(io.BytesIO(data)).module(), graph
    except (RuntimeError, ValueError, KeyError):
        raise FileError(
            f"{path}: must hold a program that this torch ({torch.__version__}) can read, but does not. Build it again from its graph."
        ) from None


def graph_in(path: str | Path) -> Graph | None:
    """The graph that `save` wrote into a .pt2 file; None for a file of torch.export alone. Raises FileError."""
    try:
        data = Path(path).read_bytes()
        with ZipFile(io.BytesIO(data)) as archive:
            has_graph = any(name.endswith(f"/extra/{GRAPH_FILE}") for name in archive.namelist())
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    except BadZipFile:
        return None
    return read_graph(data, path) if has_graph else None


def stored_graph(path: str | Path) -> Graph:
    """The graph in a .pt2 file that `save` wrote. Raises FileError."""
    try:
        return read_graph(Path(path).read_bytes(), path)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None


def read_graph(data: bytes, path: str | Path) -> Graph:
    """The graph inside a .pt2 file's bytes; nothing else of it is looked at. Raises FileError."""
    # Asked of the archive itself, first: torch.export.load does not look at the checksums.
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            if min((entry.header_offset for entry in archive.infolist()), default=0):  # the end of a zip that lies inside this one
                raise FileError(f"{path}: is truncated: its table of contents is missing. Build it again from its graph.")
            damaged = archive.testzip()
            if damaged is not None:
                raise FileError(f"{path}: is damaged: the checksum of {damaged} in it is wrong. Build it again from its graph.")
            inside = [name for name in archive.namelist() if name.endswith(f"/extra/{GRAPH_FILE}")]
            text = archive.read(inside[0]).decode() if inside else ""
    except (BadZipFile, UnicodeDecodeError) as error:
        raise FileError(f"{path}: must be a .pt2 file of torch.export, but is not: {error}") from None
    if not text:
        raise FileError(f"{path}: has no graph inside. Only .pt2 files that archspace saved have one; torch.export.load reads the others.")
    try:
        return from_dict(json.loads(text), str(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileError(f"{path}: the {GRAPH_FILE} in it must be JSON, but is not: {error}") from None
