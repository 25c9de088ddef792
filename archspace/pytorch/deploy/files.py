"""Trained networks in files: a graph and its weights, read without running anything that is in the file, and written.

A .pt2 file is a zip: its graph is JSON, its weights are raw bytes that a JSON table describes. Both are read from the archive itself
(`archspace.pytorch.state`), because torch.export.load unpickles weights where that table asks for it, and a pickle runs code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from archspace.errors import FileError
from archspace.files import check_writable, make_folder, what_is_at
from archspace.ir.graph import Graph
from archspace.ir.serde import load as load_graph
from archspace.ir.serde import save as save_graph
from archspace.pytorch.export import graph_in
from archspace.pytorch.export import save as save_program
from archspace.pytorch.importer import from_export
from archspace.pytorch.lower import Network, to_module
from archspace.pytorch.state import read_state, write_state
from archspace.pytorch.weights import load_weights

GRAPH, WEIGHTS, PROGRAM = "graph.json", "weights.pt", "model.pt2"


def read_network(path: str | Path) -> tuple[Graph, dict[str, Tensor]]:
    """The graph and the state dict of a .pt2 file, or of a folder with graph.json and weights.pt or model.pt2.

    Raises FileError for what is missing, foreign, damaged or a pickle of more than tensors, LawError for a program with unknown ops.
    """
    source = Path(path)
    if what_is_at(source) != "folder":
        return _of_program(source)
    graph = load_graph(source / GRAPH)
    if what_is_at(source / WEIGHTS) == "file":
        return graph, read_state(source / WEIGHTS)
    if what_is_at(source / PROGRAM) == "file":
        return graph, read_state(source / PROGRAM)
    raise FileError(f"{path}: a network's folder must hold {WEIGHTS} or {PROGRAM} beside {GRAPH}, but has neither. Write one with build.")


def _of_program(path: Path) -> tuple[Graph, dict[str, Tensor]]:
    """The graph that archspace wrote into a .pt2 file, or that of the program in it, and the program's weights by the graph's names."""
    graph = graph_in(path)
    if graph is not None:
        return graph, read_state(path)
    graph = from_export(path, strict=True)
    module = to_module(graph, seed=0)
    load_weights(module, read_state(path))
    return graph, module.state_dict()


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
    write_state(module.state_dict(), folder / WEIGHTS, force=force)
    save_program(module, graph, folder / PROGRAM, force=force)
