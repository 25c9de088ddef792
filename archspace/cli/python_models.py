"""MODEL in Python: `path/to/net.py:Net`, `timm:NAME`, `torchvision:NAME`, and the .pt2 files of torch.export."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from archspace.cli.request import DEFAULT_SIZE, Request, constructor_arguments, input_shape
from archspace.errors import MissingPackageError
from archspace.ir.graph import Graph

if TYPE_CHECKING:
    from archspace.timing import Subject

PYTHON = re.compile(r"(timm|torchvision|.+\.py):([\w.\-/]+)")


def is_python(name: str) -> bool:
    """Whether a MODEL names Python code."""
    return PYTHON.fullmatch(name) is not None


def load_python(name: str, options: Mapping[str, str], request: Request) -> Graph:
    """The graph of a Python MODEL on inputs that only have shapes; `options` are arguments of its constructor, as `--arg` are.

    Says on stderr that code is run, and what of it is not known. Raises LawError, FileError, UnknownNameError, MissingPackageError.
    """
    inputs, arguments = _inputs(request), _arguments(options, request)
    try:
        from archspace.pytorch.importer.sources import from_source
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None
    _say_what_is_run(name)
    return _told(lambda: from_source(name, inputs, arguments, trace=request.trace, strict=request.strict))


def load_module(title: str, name: str, options: Mapping[str, str], request: Request) -> Subject:
    """The module itself that a Python MODEL is, with weights, and random inputs for it. Says and raises what `load_python` does."""
    inputs, arguments = _inputs(request), _arguments(options, request)
    try:
        from archspace.pytorch.importer.sources import load_source, made_inputs
        from archspace.timing import Subject
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None
    _say_what_is_run(name)
    return Subject(title, load_source(name, arguments, on_meta=False), made_inputs(inputs))


def load_pt2(path: str, request: Request) -> Graph:
    """The graph of an exported program: the one that archspace wrote into its file, else the program's own.

    Raises FileError, LawError, MissingPackageError.
    """
    try:
        from archspace.pytorch.export import graph_in
        from archspace.pytorch.importer import from_export
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None
    return graph_in(path) or _told(lambda: from_export(path, strict=request.strict))


def _inputs(request: Request) -> list[tuple[tuple[int, ...], str]]:
    """The inputs' shapes, batch included, and types."""
    return [((request.batch or 1, *shape), dtype) for shape, dtype in map(input_shape, request.sizes or (DEFAULT_SIZE,))]


def _arguments(options: Mapping[str, str], request: Request) -> dict[str, Any]:
    """The constructor's arguments, of the spec and of --arg."""
    return constructor_arguments((*[f"{key}={value}" for key, value in options.items()], *request.arguments))


def _say_what_is_run(name: str) -> None:
    if ".py:" in name:
        say_once(f"running the code of {name.rpartition(':')[0]}")


def say_once(words: str) -> None:
    """Say something on stderr, once for each command."""
    context = click.get_current_context(silent=True)
    said = context.meta.setdefault(f"{__name__}.said", set()) if context else set()
    if words not in said:
        click.echo(words, err=True)
    said.add(words)


def _told(load: Callable[[], Graph]) -> Graph:
    """What `load` returns, its warnings said on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = load()
    for warning in caught:
        say_once(f"warning: {warning.message}")
    return graph
