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
    collector = _Collector()
    for one in wanted:
        collector.add(sys.modules[one.__module__], one.__name__)
    definitions = collector.definitions
    return Sources(tuple(collector.imports), tuple(definitions[place] for place in sorted(definitions)))


class _Collector:
    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.definitions: dict[tuple[str, int], str] = {}
        self.read: dict[str, tuple[list[str], list[ast.stmt]]] = {}  # module -> its lines and statements

    def add(self, module: ModuleType, name: str) -> None:
        """Add what a name in a module stands for: a definition with all that it uses, or the import that it comes from."""
        if module.__name__ not in self.read:
            text = inspect.getsource(module)
            self.read[module.__name__] = text.splitlines(), ast.parse(text).body
        lines, statements = self.read[module.__name__]
        for statement in statements:
            if isinstance(statement, ast.ImportFrom | ast.Import):
                self._add_import(statement, name)
            elif name in _defined(statement):
                self._add_definition(module, name, statement, lines)

    def _add_definition(self, module: ModuleType, name: str, statement: ast.stmt, lines: list[str]) -> None:
        first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))])
        place = (module.__name__, first)
        if place in self.definitions:
            return
        used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - {name}
        text = "\n".join(lines[first - 1 : statement.end_lineno])
        for error, stand_in in STANDS_FOR.items():
            text = text.replace(error, stand_in)
        self.definitions[place] = text
        for one in sorted(used - set(dir(builtins)) - STANDS_FOR.keys()):
            self.add(module, one)

    def _add_import(self, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        for alias in statement.names:
            if (alias.asname or alias.name) != name:
                continue
            origin = statement.module if isinstance(statement, ast.ImportFrom) else None
            if origin and origin.startswith(OWN):
                self.add(sys.modules[origin], alias.name)
            else:
                words = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
                self.imports[f"from {origin} import {words}" if origin else f"import {words}"] = None


def _defined(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return {statement.target.id}
    return set()


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
