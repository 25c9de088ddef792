"""MODEL as something to run: a graph as it is built, a Python module or a .pt2 file's program itself, an .onnx file as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archspace.cli.models import load_model, parse_spec
from archspace.cli.onnx_models import is_onnx
from archspace.cli.python_models import is_python, load_module
from archspace.cli.request import Request
from archspace.errors import LawError, MissingPackageError

if TYPE_CHECKING:
    from archspace.timing import Subject


def load_subject(spec: str, options: Mapping[str, str], request: Request) -> Subject:
    """What is to be run for one MODEL, under the name that it was given. Raises what `load_model` raises, and MissingPackageError."""
    try:
        from archspace.pytorch.importer.exported import load_export
        from archspace.timing import Subject
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None
    path, spec_options = parse_spec(spec)
    name = _name(spec, options)
    if is_python(path):
        for key in spec_options.keys() & options.keys():
            raise LawError(f"{path}: the argument {key} is given twice, in the spec and beside it. Drop one.")
        return load_module(name, path, {**spec_options, **options}, request)
    graph = load_model(spec, options, request)
    if is_onnx(path):
        return Subject(name, Path(path), graph=graph)
    if path.endswith(".pt2"):
        return Subject(name, load_export(Path(path)).module(), graph=graph)
    return Subject(name, graph)


def _name(spec: str, options: Mapping[str, str]) -> str:
    """The MODEL with its options, as a spec that gives it again."""
    given = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{spec}{',' if '@' in spec else '@'}{given}" if given else spec
