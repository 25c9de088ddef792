"""Sources: modules by name, `path/to/net.py:Net`, `path/to/net.py:make_net`, `timm:NAME` and `torchvision:NAME`."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archspace.errors import FileError, LawError, UnknownNameError
from archspace.ir.graph import Graph
from archspace.ir.ops import Shape
from archspace.pytorch.importer.capture import FOREIGN_ERRORS, same_random_state
from archspace.pytorch.importer.verb import from_torch

# What each package makes a model of by name, without downloading weights.
PACKAGES: dict[str, tuple[str, str, str]] = {
    "timm": ("timm", "create_model", "list_models"),
    "torchvision": ("torchvision.models", "get_model", "list_models"),
}


def from_source(
    source: str,
    inputs: Sequence[tuple[Shape, str]],
    arguments: Mapping[str, Any] | None = None,
    *,
    trace: bool = False,
    strict: bool = False,
) -> Graph:
    """The graph of the module behind a source, named after it, on inputs of these shapes (batch included) and types ('float32', 'int64').

    With `trace` the module is made with weights and run: on normal random numbers, on zeros where the type is no float.
    Raises what `load_source` and `from_torch` raise.
    """
    module = load_source(source, arguments, on_meta=not trace)
    made = made_inputs(inputs) if trace else [torch.empty(shape, dtype=getattr(torch, dtype), device="meta") for shape, dtype in inputs]
    return replace(from_torch(module, *made, strict=strict, trace=trace), name=source)


def made_inputs(inputs: Sequence[tuple[Shape, str]]) -> tuple[torch.Tensor, ...]:
    """Tensors of these shapes and types, the same every time: normal random numbers, zeros where the type is no float."""
    generator = torch.Generator().manual_seed(0)
    return tuple([_input(shape, getattr(torch, dtype), generator) for shape, dtype in inputs])


def _input(shape: Shape, dtype: torch.dtype, generator: torch.Generator) -> torch.Tensor:
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.zeros(shape, dtype=dtype)


def load_source(source: str, arguments: Mapping[str, Any] | None = None, *, on_meta: bool = True) -> nn.Module:
    """The module behind a source, with empty weights where its constructor allows that (and `on_meta`).

    A path's file is run, with its folder importable, and nothing is written beside it. Random states stay as they are.
    Raises FileError for a file that cannot be run, UnknownNameError for a name that is not in it or an argument that the constructor
    lacks, LawError for a package that is missing, and for a constructor that needs arguments, fails or makes no module.
    """
    head, _, name = source.rpartition(":")
    if head in PACKAGES:
        return _made(source, _of_package(source, head, name), dict(arguments or {}), on_meta=on_meta)
    with _beside(Path(head)):
        return _made(source, _of_file(Path(head), name), dict(arguments or {}), on_meta=on_meta)


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """The folder of a file is importable, and nothing is written into it."""
    folder, quiet_bytecode = str(path.resolve().parent), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = quiet_bytecode
        sys.path.remove(folder)


def _made(source: str, make: Any, given: dict[str, Any], *, on_meta: bool) -> nn.Module:
    """The module that `make` is, or makes of these arguments. Raises LawError and UnknownNameError."""
    if isinstance(make, nn.Module):
        if given:
            raise LawError(f"{source}: this is a module already, which takes no argument, but got {', '.join(given)}. Name its class.")
        return make
    if not callable(make):
        raise LawError(f"{source}: this must be a torch.nn.Module, or make one, but is of type {type(make).__name__}")
    _check_arguments(source, make, given)
    made = _called(source, partial(make, **given), on_meta=on_meta)
    if not isinstance(made, nn.Module):
        raise LawError(f"{source}: this must make a torch.nn.Module, but makes {type(made).__name__}")
    return made


def _of_package(source: str, package: str, name: str) -> Callable[..., Any]:
    place, create, list_models = PACKAGES[package]
    try:
        library = import_module(place)
    except ModuleNotFoundError as error:
        missing = (error.name or package).partition(".")[0]
        raise LawError(f"{source}: this needs the package {missing!r}, which is not installed. Install it: pip install {missing}") from None
    known = getattr(library, list_models)()
    if name not in known:
        raise UnknownNameError(f"{package} model", name, known)
    return partial(getattr(library, create), name)


def _of_file(path: Path, name: str) -> Any:
    if not path.is_file():
        raise FileError(f"{path}: there is no such file")
    spec = spec_from_file_location(f"archspace_source_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileError(f"{path}: must be a Python file (.py), but is not")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles of the file look it up
    try:
        spec.loader.exec_module(module)
    except FOREIGN_ERRORS as error:
        raise FileError(f"{path}: must run, but raised {_told(error, path)}") from None
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == spec.name]
        raise UnknownNameError(f"name in {path}", name, own or ["none"])
    return getattr(module, name)


def _check_arguments(source: str, make: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise LawError where arguments are missing, listed with their types, and UnknownNameError for one that there is not."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:  # made in C: calling tells
        return
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
    for key in given:
        if not takes_any and key not in [one.name for one in named]:
            raise UnknownNameError(f"argument of {source}", key, [one.name for one in named] or ["none"])
    needed = [one for one in named if one.default is one.empty and one.name not in given]
    if needed:
        listed, first = ", ".join(str(one) for one in needed), needed[0].name
        raise LawError(
            f"{source}: its constructor needs {listed}. Give each as --arg {first}=VALUE, or in the name: {source}@{first}=VALUE"
        )


def _called(source: str, make: Callable[[], Any], *, on_meta: bool) -> Any:
    """What `make` makes, on the meta device where it can be made there. Random states stay as they are."""
    with same_random_state():
        try:
            if on_meta:
                with suppress(*FOREIGN_ERRORS), torch.device("meta"):
                    return make()
            return make()  # it looks into its weights, or is to be run: make them
        except FOREIGN_ERRORS as error:
            raise LawError(f"{source}: its constructor must run, but raised {_told(error, Path(source.rpartition(':')[0]))}") from None


def _told(error: BaseException, path: Path) -> str:
    """An error in a line: its type, the line of the file, its message."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == path.name]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    message = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}{f' in line {line}' if line else ''} ({message})"
