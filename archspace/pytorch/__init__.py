"""Graphs as PyTorch modules and back: import, build, check against the graph, train, save.

`from_torch(module, *inputs)` and `from_export(program)` import,
`to_module(graph)` builds, `rebuild(module, *inputs)` does both, `load_weights(module, state)` takes foreign weights,
`code_files(graph)` writes it as readable code, `check(graph, module)` compares, `fit` trains, `deploy` folds and freezes,
`save_module` and `load_module` write and read .pt2 files.
"""

from __future__ import annotations

from archspace.pytorch.code import code_files
from archspace.pytorch.deploy import Deployment, deploy, deployment
from archspace.pytorch.export import load as load_module
from archspace.pytorch.export import save as save_module
from archspace.pytorch.importer import OpaqueWarning, from_export, from_torch
from archspace.pytorch.init import init_weights
from archspace.pytorch.layers import freeze_shifts, shift_sparsity
from archspace.pytorch.lower import LOWERINGS, Network, to_module
from archspace.pytorch.oracle import OracleRow, check, tool_flops
from archspace.pytorch.rebuild import rebuild
from archspace.pytorch.state import read_state, write_state
from archspace.pytorch.train import accuracy, fit
from archspace.pytorch.weights import load_weights

__all__ = [
    "LOWERINGS",
    "Deployment",
    "Network",
    "OpaqueWarning",
    "OracleRow",
    "accuracy",
    "check",
    "code_files",
    "deploy",
    "deployment",
    "fit",
    "freeze_shifts",
    "from_export",
    "from_torch",
    "init_weights",
    "load_module",
    "load_weights",
    "read_state",
    "rebuild",
    "save_module",
    "shift_sparsity",
    "to_module",
    "tool_flops",
    "write_state",
]
