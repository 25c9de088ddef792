"""Sources: the package's own layers as standalone code, cut out of the modules that define them."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

OWN = "archspace."
STANDS_FOR = {"LawError": "ValueError"}  # the package's errors in code that stands alone


@dataclass(frozen=True, slots=True)
class Sources:
    """Import lines and definitions, each in order."""

    imports: tuple[str, ...]
    definitions: tuple[str, ...]


def sources_of(wanted: Iterable[Callable[..., Any]]) -> Sources:
    """The source of these classes and functions and of all that they need, and what it imports. They stay in the order of their files."""
    imports: dict[str, None] = {}
    definitions: dict[tuple[str, int], str] = {}
    for one in wanted:
        _collect(sys.modules[one.__module__], one.__name__, imports, definitions)
    return Sources(tuple(imports), tuple(definitions[place] for place in sorted(definitions)))


def _collect(module: ModuleType, name: str, imports: dict[str, None], definitions: dict[tuple[str, int], str]) -> None:
    """Add what a name in a module stands for: a definition with all that it uses, or the import that it comes from."""
    text = inspect.getsource(module)
    lines = text.splitlines()
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom | ast.Import):
            _collect_import(statement, name, imports, definitions)
        elif name in _defined(statement):
            first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))])
            place = (module.__name__, first)
            if place in definitions:
                return
            used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - {name}
            definitions[place] = "\n".join(lines[first - 1 : statement.end_lineno])
            for error, stand_in in STANDS_FOR.items():
                definitions[place] = definitions[place].replace(error, stand_in)
            for one in sorted(used - set(dir(builtins)) - STANDS_FOR.keys()):
                _collect(module, one, imports, definitions)


def _defined(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return {statement.target.id}
    return set()


def _collect_import(
    statement: ast.Import | ast.ImportFrom, name: str, imports: dict[str, None], definitions: dict[tuple[str, int], str]
) -> None:
    for alias in statement.names:
        if (alias.asname or alias.name) != name:
            continue
        origin = statement.module if isinstance(statement, ast.ImportFrom) else None
        if origin and origin.startswith(OWN):
            _collect(sys.modules[origin], alias.name, imports, definitions)
        else:
            words = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
            imports[f"from {origin} import {words}" if origin else f"import {words}"] = None


def merged(imports: Iterable[str]) -> list[str]:
    """Import lines in isort's order, one line per module, the standard library apart.

    >>> merged(["from torch import nn", "import torch", "from torch import Tensor", "from math import sqrt"])
    ['from math import sqrt', '', 'import torch', 'from torch import Tensor, nn']
    """
    names: dict[str, set[str]] = {}
    plain: set[str] = set()
    for line in imports:
        if line.startswith("from "):
            module, _, rest = line.removeprefix("from ").partition(" import ")
            names.setdefault(module, set()).add(rest)
        else:
            plain.add(line.removeprefix("import "))
    parts: list[list[str]] = [[], []]
    for module in sorted(plain):
        parts[_is_outside(module)].append(f"import {module}")
    for module in sorted(names):
        order = sorted(names[module], key=lambda one: (not one.isupper(), not one[:1].isupper(), one))
        parts[_is_outside(module)].append(f"from {module} import {', '.join(order)}")
    return [*parts[0], *([""] if all(parts) else []), *parts[1]]


def _is_outside(module: str) -> bool:
    return module.partition(".")[0] not in sys.stdlib_module_names
