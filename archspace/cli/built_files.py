"""The files that `archspace build` writes: a .pt2 file, or a folder with code, .pt2, ONNX and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspace.errors import LawError, MissingPackageError
from archspace.files import check_writable, make_folder, what_is_at, write_text
from archspace.ir.graph import Graph

if TYPE_CHECKING:
    from archspace.pytorch import Network

SHOWN = 3  # names of tensors in a note
PT2, ONNX, WEIGHTS = "model.pt2", "model.onnx", "weights.pt"


def check_output(output: str | None, parts: Sequence[str], *, force: bool) -> None:
    """Raise LawError or FileError when the output is not what the parts asked for (--code, --pt2, --onnx) need, or is taken."""
    if output is None:
        if parts:
            raise LawError(f"{' '.join(parts)}: a folder to write to is needed. Give one with -o DIR.")
    elif not parts or (output.endswith(".pt2") and list(parts) == ["--pt2"]):
        if not output.endswith(".pt2"):
            name = Path(output).stem or "model"
            raise LawError(
                f"{output}: a built module is saved as a .pt2 file. Name it so: -o {name}.pt2; or fill a folder with --code, --pt2, --onnx."
            )
        check_writable(output, force=force)
    elif output.endswith(".pt2") or what_is_at(output) == "file":
        raise LawError(f"{output}: {' '.join(parts)} write into a folder, but this is a file. Name a folder with -o.")


def planned(graph: Graph, output: str | None, parts: Sequence[str], *, has_weights: bool, force: bool) -> dict[str, str]:
    """The files to write, path -> text; '' for those that are no text. Raises FileError when one of them is there (without `force`)."""
    if output is None:
        return {}
    if output.endswith(".pt2"):
        return {output: ""}
    others = [name for name, flag in ((PT2, "--pt2"), (ONNX, "--onnx")) if flag in parts]
    texts: Mapping[str, str] = {}
    if "--code" in parts:
        from archspace.pytorch import code_files

        others += [WEIGHTS] * has_weights
        texts = code_files(graph, others)
    files = {str(Path(output) / name): text for name, text in ({**texts, **dict.fromkeys(others, "")}).items()}
    for path in files if what_is_at(output) == "folder" else ():
        check_writable(path, force=force)
    return files


def take_weights(module: Network, whole: Graph, path: str) -> None:
    """Load a file of weights into a module of `whole` or of its backbone. Says on stderr what it had no place for."""
    from archspace.pytorch import load_weights, read_state, to_module

    state = read_state(path)
    try:
        used = load_weights(module, state)
    except LawError:
        full = to_module(whole)
        if full.state_dict().keys() == module.state_dict().keys():
            raise
        used = load_weights(full, state)
        load_weights(module, full.state_dict())
    left = [name for name in state if name not in used.values()]
    if len(state) > len(used):
        click.echo(f"{path}: {len(state) - len(used)} tensors were not needed: {', '.join(left[:SHOWN])}", err=True)


def write_files(files: Mapping[str, str], module: Network, graph: Graph, output: str | None, *, force: bool) -> None:
    """Write what was planned. Raises FileError where it cannot be written, MissingPackageError for an exporter that is not there."""
    from archspace.pytorch import save_module, write_state

    if files and output is not None and not output.endswith(".pt2"):
        make_folder(output)
    for path, text in files.items():
        if text:
            write_text(path, text, force=force)
        elif path.endswith(".onnx"):
            _export_onnx(module, graph, path, force=force)
        elif path.endswith(".pt2"):
            save_module(module, graph, path, force=force)
        else:
            write_state(module.state_dict(), path, force=force)


def _export_onnx(module: Network, graph: Graph, path: str, *, force: bool) -> None:
    try:
        import_module("archspace.onnx").export_onnx(module, graph, path, force=force)
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "onnx", "onnx") from None
