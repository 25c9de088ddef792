"""A user's own objective: `python:package.module:function`, called with the candidate's graph, returning a number."""

from __future__ import annotations

import reprlib
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from math import isfinite

from archspace.errors import ObjectiveError, SpaceError, UnknownNameError
from archspace.ir.graph import Graph

PREFIX = "python:"


def is_user_function(name: str) -> bool:
    """Whether the name of an objective means a function of the user's own."""
    return name.startswith(PREFIX)


def user_function(name: str) -> Callable[[Graph], float]:
    """The function behind `python:package.module:function`; modules are looked for in the working directory too.

    Calling it raises ObjectiveError, with the traceback, for whatever the function raises and for what is no finite number. Raises
    SpaceError when the name is not of that form or its module cannot be imported, UnknownNameError for a function that is not there.
    """
    module_name, colon, function_name = name.removeprefix(PREFIX).partition(":")
    if not colon or not module_name or not function_name:
        raise SpaceError(f"an objective of your own is python:package.module:function, but got {name!r}. Example: python:score:of_graph")
    module = _imported(module_name, name)
    found = getattr(module, function_name, None)
    if not callable(found):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UnknownNameError(f"function of {module_name}", function_name, names)

    def objective(graph: Graph) -> float:
        try:
            value = found(graph)
        except (Exception, SystemExit) as error:  # it is not ours: whatever it raises fails the trial, and is kept
            raise ObjectiveError(f"{name} raised {type(error).__name__}: {error}", traceback.format_exc()) from None
        number = _number(value)
        if number is None:
            raise ObjectiveError(f"{name} must return a finite number, but returned {reprlib.repr(value)} for {graph.name}")
        return number

    return objective


def _number(value: object) -> float | None:
    """A finite number as a float, numpy's and torch's among them; None for anything else."""
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return number if isfinite(number) else None


def _imported(module_name: str, name: str) -> object:
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does; a command line's path begins at its script
    try:
        return import_module(module_name)
    except Exception as error:  # a module of the user's own may fail in any way while it is imported
        raise SpaceError(f"{name}: its module cannot be imported: {type(error).__name__}: {error}") from None
