"""Trained networks in files: a graph and its weights, read without running anything that is in the file, and written.

A .pt2 file is a zip: its graph is JSON, its weights are raw bytes that a JSON table describes. Both are read from the archive itself,
because torch.export.load unpickles weights where that table asks for it, and a pickle runs code.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor
from torch.export.pt2_archive.constants import WEIGHTS_DIR

from archspace.errors import FileError
from archspace.files import check_writable, make_folder, what_is_at
from archspace.ir.graph import Graph
from archspace.ir.serde import load as load_graph
from archspace.ir.serde import save as save_graph
from archspace.pytorch.export import read_graph
from archspace.pytorch.export import save as save_program
from archspace.pytorch.lower import Network, to_module
from archspace.pytorch.oracle import quiet

GRAPH, WEIGHTS, PROGRAM = "graph.json", "weights.pt", "model.pt2"
UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError, IndexError)

# torch.export's number of a dtype (torch._export.serde.schema.ScalarType) -> the dtype.
DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}


def read_network(path: str | Path) -> tuple[Graph, dict[str, Tensor]]:
    """The graph and the state dict of a .pt2 file that archspace wrote, or of a folder with graph.json and weights.pt or model.pt2.

    Raises FileError for what is missing, foreign, damaged or a pickle of more than tensors.
    """
    source = Path(path)
    if what_is_at(source) != "folder":
        data = _read_bytes(source)
        return read_graph(data, path), _program_weights(data, source)
    graph = load_graph(source / GRAPH)
    if what_is_at(source / WEIGHTS) == "file":
        return graph, read_weights(source / WEIGHTS)
    if what_is_at(source / PROGRAM) == "file":
        data = _read_bytes(source / PROGRAM)
        read_graph(data, source / PROGRAM)  # which looks at the archive's checksums
        return graph, _program_weights(data, source / PROGRAM)
    raise FileError(f"{path}: a network's folder must hold {WEIGHTS} or {PROGRAM} beside {GRAPH}, but has neither. Write one with build.")


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """A state dict that torch.save wrote: names and tensors, nothing else is loaded. Raises FileError."""
    data = _read_bytes(Path(path))
    try:
        with quiet():
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except UNREADABLE:
        raise FileError(
            f"{path}: must be a plain state dict that torch.save wrote, whole and of tensors alone, but is not; "
            "other pickles are never loaded, because they run code. Write it with torch.save(module.state_dict(), ...)."
        ) from None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise FileError(f"{path}: must be a state dict, names to tensors, but holds {type(state).__name__} of something else")
    return {key: tensor.detach() for key, tensor in state.items()}


def network_of(graph: Graph, state: Mapping[str, Tensor], place: str | Path) -> Network:
    """The module of a graph with these weights, in eval mode. Raises FileError, naming `place`, when they do not fit."""
    module = to_module(graph, seed=0)
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        first = " ".join(str(error).partition("\n")[2].split())
        raise FileError(f"{place}: the weights must fit the graph, but do not: {first[:200]}") from None
    return module.eval()


def check_output(path: str | Path, *, force: bool = False) -> None:
    """Raise FileError unless a network may be written there: to a .pt2 file, or to a folder as three files."""
    target = Path(path)
    if target.suffix == ".pt2":
        check_writable(target, force=force)
    elif what_is_at(target) == "folder":
        for name in (GRAPH, WEIGHTS, PROGRAM):
            check_writable(target / name, force=force)
    elif what_is_at(target) == "file":
        raise FileError(f"{path}: a network is written to a .pt2 file or a folder, but this is a file. Name it: -o {target.stem}.pt2")


def write_network(module: Network, graph: Graph, path: str | Path, *, force: bool = False) -> None:
    """Write the module as a .pt2 file, or as graph.json, weights.pt and model.pt2 into a folder. Raises FileError."""
    check_output(path, force=force)
    target = Path(path)
    if target.suffix == ".pt2":
        save_program(module, graph, target, force=force)
        return
    folder = make_folder(target)
    save_graph(graph, folder / GRAPH, force=force)
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    try:
        (folder / WEIGHTS).write_bytes(buffer.getvalue())
    except OSError as error:
        raise FileError(f"{folder / WEIGHTS}: cannot be written: {error.strerror}") from None
    save_program(module, graph, folder / PROGRAM, force=force)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None


def _program_weights(data: bytes, path: Path) -> dict[str, Tensor]:
    """The weights of a .pt2 archive, from their table and raw bytes. Raises FileError."""
    with ZipFile(io.BytesIO(data)) as archive:
        tables = [name for name in archive.namelist() if name.endswith("_weights_config.json") and f"/{WEIGHTS_DIR}" in name]
        if len(tables) != 1:
            raise FileError(f"{path}: must hold the weights of one program, as torch {torch.__version__} does, but has {len(tables)}")
        try:
            rows: dict[str, Any] = json.loads(archive.read(tables[0]))["config"]
            folder = tables[0].rpartition("/")[0]
            return {key: _tensor(archive, folder, row) for key, row in rows.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise FileError(f"{path}: its weights must be raw tensors, which alone are read, but are not: {error}") from None


def _tensor(archive: ZipFile, folder: str, row: dict[str, Any]) -> Tensor:
    if row["use_pickle"]:
        raise ValueError(f"{row['path_name']} is a pickle, which is never loaded, because it runs code")
    meta = row["tensor_meta"]
    size, stride = ([one["as_int"] for one in meta[key]] for key in ("sizes", "strides"))
    if prod(size) == 0:
        return torch.zeros(size, dtype=DTYPES[meta["dtype"]])
    raw = bytearray(archive.read(f"{folder}/{row['path_name']}"))
    return torch.frombuffer(raw, dtype=DTYPES[meta["dtype"]]).as_strided(size, stride, meta["storage_offset"]["as_int"]).contiguous()
