"""Sources: modules by name, `path/to/net.py:Net`, `path/to/net.py:make_net`, `timm:NAME` and `torchvision:NAME`."""

from __future__ import annotations

import inspect
import random
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archspace.errors import FileError, LawError, UnknownNameError
from archspace.ir.graph import Graph
from archspace.ir.ops import Shape
from archspace.pytorch.importer.capture import FORWARD_ERRORS
from archspace.pytorch.importer.verb import from_torch

# What each package makes a model of by name, without downloading weights.
PACKAGES: dict[str, tuple[str, str, str]] = {
    "timm": ("timm", "create_model", "list_models"),
    "torchvision": ("torchvision.models", "get_model", "list_models"),
}


def from_source(source: str, *shapes: Shape) -> Graph:
    """The graph of the module behind a source, named after it, on float inputs of these shapes, batch included.

    Raises what `load_source` and `from_torch` raise.
    """
    module = load_source(source)
    return replace(from_torch(module, *[torch.empty(shape, device="meta") for shape in shapes]), name=source)


def load_source(source: str) -> nn.Module:
    """The module behind a source, with empty weights where its constructor allows that.

    A path's file is run, with its folder importable, and nothing is written beside it. Random states stay as they are.
    Raises FileError for a file that cannot be run, UnknownNameError for a name that is not in it, LawError for a package that is missing,
    and for a constructor that needs arguments, fails or makes no module.
    """
    head, _, name = source.rpartition(":")
    make = _of_package(source, head, name) if head in PACKAGES else _of_file(Path(head), name)
    if isinstance(make, nn.Module):
        return make
    if not callable(make):
        raise LawError(f"{source}: this must be a torch.nn.Module, or make one, but is of type {type(make).__name__}")
    _check_arguments(source, make)
    made = _called(source, make)
    if not isinstance(made, nn.Module):
        raise LawError(f"{source}: this must make a torch.nn.Module, but makes {type(made).__name__}")
    return made


def _of_package(source: str, package: str, name: str) -> Callable[[], Any]:
    place, create, list_models = PACKAGES[package]
    try:
        library = import_module(place)
    except ModuleNotFoundError as error:
        missing = (error.name or package).partition(".")[0]
        raise LawError(f"{source}: this needs the package {missing!r}, which is not installed. Install it: pip install {missing}") from None
    known = getattr(library, list_models)()
    if name not in known:
        raise UnknownNameError(f"{package} model", name, known)
    return lambda: getattr(library, create)(name)


def _of_file(path: Path, name: str) -> Any:
    if not path.is_file():
        raise FileError(f"{path}: there is no such file")
    spec = spec_from_file_location(f"archspace_source_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileError(f"{path}: must be a Python file (.py), but is not")
    module = module_from_spec(spec)
    folder, quiet_bytecode = str(path.resolve().parent), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    sys.modules[spec.name] = module  # dataclasses and pickles of the file look it up
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, OSError, *FORWARD_ERRORS) as error:
        raise FileError(f"{path}: must run, but raised {_told(error, path)}") from None
    finally:
        sys.dont_write_bytecode = quiet_bytecode
        sys.path.remove(folder)
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == spec.name]
        raise UnknownNameError(f"name in {path}", name, own or ["none"])
    return getattr(module, name)


def _check_arguments(source: str, make: Callable[..., Any]) -> None:
    """Raise LawError for a constructor or function that cannot be called without arguments; lists them with their types."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:  # made in C: calling tells
        return
    needed = [one for one in parameters if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if needed:
        listed = ", ".join(str(one) for one in needed)
        raise LawError(
            f"{source}: this must be callable without arguments, but needs {listed}. "
            "Write a function without arguments that makes the module, and name that."
        )


def _called(source: str, make: Callable[[], Any]) -> Any:
    """What `make` makes, on the meta device where it can be made there. Random states stay as they are."""
    state = random.getstate()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            try:
                with torch.device("meta"):
                    return make()
            except FORWARD_ERRORS:
                return make()  # it looks into its weights: make them
        except FORWARD_ERRORS as error:
            raise LawError(f"{source}: its constructor must run, but raised {_told(error, Path(source.rpartition(':')[0]))}") from None
        finally:
            random.setstate(state)


def _told(error: BaseException, path: Path) -> str:
    """An error in a line: its type, the line of the file, its message."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == path.name]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    message = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}{f' in line {line}' if line else ''} ({message})"
