"""Graphs as PyTorch modules and back: import, build, check against the graph, train, save.

`from_torch(module, *inputs)` imports,
`to_module(graph)` builds, `check(graph, module)` compares, `fit` trains, `deploy` folds and freezes, `save_module` and `load_module` write
and read .pt2 files.
"""

from __future__ import annotations

from archspace.pytorch.deploy import Deployment, deploy, deployment
from archspace.pytorch.export import load as load_module
from archspace.pytorch.export import save as save_module
from archspace.pytorch.importer import OpaqueWarning, from_torch
from archspace.pytorch.init import init_weights
from archspace.pytorch.layers import freeze_shifts, shift_sparsity
from archspace.pytorch.lower import LOWERINGS, Network, to_module
from archspace.pytorch.oracle import OracleRow, check, tool_flops
from archspace.pytorch.train import accuracy, fit

__all__ = [
    "LOWERINGS",
    "Deployment",
    "Network",
    "OpaqueWarning",
    "OracleRow",
    "accuracy",
    "check",
    "deploy",
    "deployment",
    "fit",
    "freeze_shifts",
    "from_torch",
    "init_weights",
    "load_module",
    "save_module",
    "shift_sparsity",
    "to_module",
    "tool_flops",
]
