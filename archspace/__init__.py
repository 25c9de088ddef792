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
from archspace.errors import ArchspaceError
from archspace.ir import Builder, Graph
from archspace.ir.serde import load, save
from archspace.zoo import build

if TYPE_CHECKING:
    from archspace.latency import predict
    from archspace.pytorch import to_module
    from archspace.space import Space
    from archspace.study import search

__version__ = "0.1.0"

__all__ = [
    "ArchspaceError",
    "Builder",
    "Graph",
    "Space",
    "analyze",
    "build",
    "load",
    "predict",
    "save",
    "search",
    "to_module",
]

# Verbs that are imported when first asked for (PEP 562), with the module that holds them.
_LAZY = {
    "Space": "archspace.space",
    "predict": "archspace.latency",
    "search": "archspace.study",
    "to_module": "archspace.pytorch",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'archspace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
