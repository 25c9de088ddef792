"""archspace: what a network costs before it is trained, and which variant of it fits a budget.

>>> import archspace
>>> graph = archspace.build("shufflenet_v1", groups=8)
>>> archspace.analyze(graph).totals.madds
138365952
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archspace.analysis import analyze
from archspace.errors import ArchspaceError, MissingPackageError
from archspace.ir import Builder, Graph
from archspace.ir.serde import load, save
from archspace.version import VERSION
from archspace.zoo import build

if TYPE_CHECKING:
    from archspace.accuracy import prior
    from archspace.latency import devices, predict
    from archspace.onnx import from_onnx
    from archspace.pytorch import deploy, from_export, from_torch, load_weights, to_module
    from archspace.results import improve, verify, write_results
    from archspace.rules import lint
    from archspace.space import Space
    from archspace.study import search
    from archspace.survey import compare_spaces, describe
    from archspace.timing import experiment, measure

__version__ = VERSION

__all__ = [
    "ArchspaceError",
    "Builder",
    "Graph",
    "Space",
    "analyze",
    "build",
    "calibrate",
    "compare_spaces",
    "deploy",
    "describe",
    "devices",
    "experiment",
    "from_export",
    "from_onnx",
    "from_torch",
    "improve",
    "lint",
    "load",
    "load_weights",
    "measure",
    "predict",
    "prior",
    "save",
    "search",
    "to_module",
    "verify",
    "write_results",
]

# Names that are imported when first asked for (PEP 562): the module that holds each, and the extra that it needs.
_LAZY = {
    "Space": ("archspace.space", ""),
    "calibrate": ("archspace.timing", "measure"),
    "compare_spaces": ("archspace.survey", ""),
    "deploy": ("archspace.pytorch", "torch"),
    "describe": ("archspace.survey", ""),
    "devices": ("archspace.latency", ""),
    "experiment": ("archspace.timing", "torch"),
    "from_export": ("archspace.pytorch", "torch"),
    "from_onnx": ("archspace.onnx", "onnx"),
    "from_torch": ("archspace.pytorch", "torch"),
    "improve": ("archspace.results", "search"),
    "lint": ("archspace.rules", ""),
    "load_weights": ("archspace.pytorch", "torch"),
    "measure": ("archspace.timing", "measure"),
    "predict": ("archspace.latency", ""),
    "prior": ("archspace.accuracy", ""),
    "search": ("archspace.study", "search"),
    "to_module": ("archspace.pytorch", "torch"),
    "verify": ("archspace.results", "search"),
    "write_results": ("archspace.results", "search"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'archspace' has no attribute {name!r}")
    module, extra = _LAZY[name]
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or module, extra) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
