"""Graphs as PyTorch modules and back: import, build, check against the graph, train, save.

`from_export, from_torch(module, *inputs)` imports,
`to_module(graph)` builds, `rebuild(module, *inputs)` does both and keeps the weights, `check(graph, module)` compares, `fit` trains,
`save_module` and `load_module` write and read .pt2 files.
"""

from __future__ import annotations

from archspace.pytorch.export import load as load_module
from archspace.pytorch.export import save as save_module
from archspace.pytorch.importer import OpaqueWarning, from_export, from_torch
from archspace.pytorch.init import init_weights
from archspace.pytorch.layers import freeze_shifts, shift_sparsity
from archspace.pytorch.lower import LOWERINGS, Network, to_module
from archspace.pytorch.oracle import OracleRow, check, tool_flops
from archspace.pytorch.rebuild import rebuild
from archspace.pytorch.train import accuracy, fit

__all__ = [
    "LOWERINGS",
    "Network",
    "OpaqueWarning",
    "OracleRow",
    "accuracy",
    "check",
    "fit",
    "freeze_shifts",
    "from_export",
    "from_torch",
    "init_weights",
    "load_module",
    "rebuild",
    "save_module",
    "shift_sparsity",
    "to_module",
    "tool_flops",
]
