"""The floors: who may import whom. Every import statement of the package is read, those inside functions and type checks too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import archspace

PACKAGE = Path(archspace.__file__).parent

# One row per folder or module of the package: (floor, side). A side imports itself and any floor below, not the sides beside it.
FLOORS = {
    "errors": (0, "base"), "units": (0, "base"), "files": (0, "base"), "settings": (0, "base"),
    "version": (0, "base"),
    "ir": (1, "ir"),
    "analysis": (2, "analysis"), "zoo": (2, "zoo"),
    "latency": (3, "latency"), "space": (3, "space"), "accuracy": (3, "accuracy"),
    "rules": (4, "rules"),
    "pytorch": (5, "pytorch"), "onnx": (5, "onnx"), "report": (5, "report"),
    "objectives": (6, "objectives"), "timing": (6, "timing"),
    "study": (7, "study"), "survey": (7, "survey"),
    "results": (8, "results"),
    "cli": (9, "cli"), "__main__": (9, "cli"),
}  # fmt: skip
FACADE = "__init__"  # archspace/__init__.py: floors 0 to 2 at once, 3 to 8 lazily

# What else each may import, beside the standard library.
PACKAGES = {
    "study": {"optuna", "sqlalchemy"},
    "results": {"optuna", "numpy"},  # importances, hypervolumes
    "pytorch": {"torch", "numpy", "fvcore", "torchinfo", "thop", "ptflops", "torchprofile"},
    "onnx": {"onnx", "google", "numpy", "onnxscript", "torch"},  # torch and onnxscript to export alone
    "report": {"plotly", "pandas", "PIL"},
    "timing": {"torch", "numpy", "onnxruntime"},
    "cli": {"click", "rich"},
    "__main__": {"click", "rich"},
}
LOCAL_PACKAGES = {"networkx"}  # inside functions only, on floors 0 to 4
OF_LATENCY = {"numpy", "scipy", "platformdirs"}  # inside its functions only: fitting a device, and where own profiles lie


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module: where, and whether it is loaded when the importing module is."""

    module: str
    line: int
    at_load: bool


def imports_of(source: str) -> Iterator[Import]:
    """Every import statement, and every `import_module` with a literal (or the literal beginning of a) name."""

    def visit(node: ast.AST, at_load: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from archspace import zoo` imports a folder, `from archspace import build` a name of the facade.
            folders = [alias.name for alias in node.names if module == "archspace" and alias.name in FLOORS]
            yield from (Import(f"archspace.{name}", node.lineno, at_load) for name in folders)
            if len(folders) < len(node.names):
                yield Import(module, node.lineno, at_load)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__") and node.args:
            name = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield Import(name.value.rstrip("."), node.lineno, at_load)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from visit(statement, False)
            for statement in node.orelse:
                yield from visit(statement, at_load)
            return
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_load and not inside)

    yield from visit(ast.parse(source), True)


def faults(part: str, source: str) -> list[str]:
    """What a module of `part` imports and may not."""
    found = []
    for item in imports_of(source):
        head, _, rest = item.module.partition(".")
        if head == "":
            found.append(f"line {item.line}: a relative import hides its floor: {item.module}")
        elif head == "archspace":
            found += _inner_fault(part, rest.partition(".")[0] or FACADE, item)
        elif head not in sys.stdlib_module_names and not _allowed_package(part, head, item):
            found.append(f"line {item.line}: {part} may not import the package {head}")
    return found


def _inner_fault(part: str, target: str, item: Import) -> list[str]:
    if target == FACADE:
        allowed = part in ("cli", "__main__")  # whatever the command line can do, a notebook can
    elif target not in FLOORS:
        allowed = False
    elif part == FACADE:
        allowed = FLOORS[target][0] <= (2 if item.at_load else 8)
    else:
        (floor, side), (target_floor, target_side) = FLOORS[part], FLOORS[target]
        allowed = side == target_side or target_floor < floor
    return [] if allowed else [f"line {item.line}: {part} may not import archspace.{target}"]


def _allowed_package(part: str, package: str, item: Import) -> bool:
    if package in PACKAGES.get(part, ()):
        return True
    on_low_floor = part in FLOORS and FLOORS[part][0] <= 4
    local = LOCAL_PACKAGES | (OF_LATENCY if part == "latency" else set())
    return on_low_floor and package in local and not item.at_load


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_its_own_folder_and_the_floors_below(path: Path) -> None:
    assert faults(part_of(path), path.read_text(encoding="utf-8")) == []


def test_every_folder_and_module_has_its_floor() -> None:
    assert {part_of(path) for path in MODULES} - {FACADE} <= set(FLOORS)
    assert {"errors", "ir", "zoo", "analysis", "cli"} <= {part_of(path) for path in MODULES}


def test_what_the_facade_loads_lazily_exists_on_a_floor() -> None:
    lazy = {module.removeprefix("archspace.") for module, _ in archspace._LAZY.values()}
    assert lazy <= set(FLOORS)
    assert all(FLOORS[part][0] in range(3, 9) for part in lazy)


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("ir", "import archspace.zoo"),  # up
        ("ir", "from archspace import zoo"),
        ("ir", "from archspace import build"),  # the facade sits above
        ("ir", "def f():\n    from archspace.analysis import analyze"),  # up, inside a function
        ("ir", "if TYPE_CHECKING:\n    from archspace.study import search"),  # up, for types
        ("ir", "import numpy"),
        ("ir", "import networkx"),  # at load
        ("ir", "from . import graph"),
        ("ir", "import archspace.nowhere"),
        ("ir", "import_module('torch')"),
        ("zoo", "import archspace.analysis"),  # across
        ("analysis", "import archspace.zoo"),
        ("latency", "import archspace.space"),
        ("study", "import archspace.results"),
        ("study", "import torch"),
        ("pytorch", "import optuna"),
        ("report", "import archspace.pytorch.lower"),
        ("objectives", "import archspace.timing"),
        ("cli", "import torch"),
        ("cli", "def f():\n    import pandas"),
        ("errors", "import archspace.ir"),
        ("__init__", "import archspace.pytorch"),
        ("__init__", "from archspace.cli import main"),
    ],
)
def test_a_forbidden_import_is_found(part: str, source: str) -> None:
    assert len(faults(part, source)) == 1


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("ir", "import json\nfrom archspace.ir.ops import OPS\nfrom archspace.errors import LawError"),
        ("ir", "def f():\n    import networkx"),
        ("ir", "if TYPE_CHECKING:\n    import networkx"),
        ("units", "from archspace.errors import LawError"),
        ("space", "from archspace.zoo import ZOO\nfrom archspace.analysis import analyze"),
        ("pytorch", "import torch.fx\nfrom archspace.ir import Graph"),
        ("cli", "from archspace import __version__\nimport click\ndef f():\n    import archspace.study, rich"),
        ("cli", "import_module(f'archspace.cli.{name}').command"),
        ("__main__", "from archspace.cli import main"),
        ("__init__", "from archspace.zoo import build\nif TYPE_CHECKING:\n    from archspace.pytorch import to_module"),
    ],
)
def test_an_allowed_import_is_not_complained_about(part: str, source: str) -> None:
    assert faults(part, source) == []
