"""from_torch and from_export: a module, or an exported program, in; a graph out, with a word about what is not known."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archspace.analysis.opaque import OpaqueWarning, check_known
from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.pytorch.importer.assemble import graph_of
from archspace.pytorch.importer.capture import capture, has_hooks
from archspace.pytorch.importer.exported import load_export, program_of


def from_torch(module: nn.Module, *inputs: Any, strict: bool = False, trace: bool = False) -> Graph:
    """The graph of any torch module, as it runs in eval mode on example inputs (of which only the shapes and types matter).

    Names and blocks come from the module tree, and the shapes, batch included, from the inputs. Parameters that several nodes use are
    counted once. What the vocabulary has no op for becomes `Opaque`, and an OpaqueWarning says how much is known; work on weights alone
    that multiplies none by another is left out, as if it had been done before. The module stays as it is: mode, weights, buffers, hooks,
    random state. With `trace` forward runs on the inputs themselves, and the graph has the branches that their values take.
    Raises LawError for what is no module, where forward cannot run or be followed (with its line), and with `strict` for opaque nodes.
    """
    if not isinstance(module, nn.Module):
        raise LawError(f"from_torch takes a torch.nn.Module, but got {type(module).__name__}")
    if not inputs:
        name = type(module).__name__
        raise LawError(f"from_torch needs the example inputs of {name}.forward, but got none. Example: torch.empty(1, 3, 224, 224)")
    if has_hooks(module):
        warnings.warn(
            f"{type(module).__name__}: forward hooks are not called, so what they compute is not counted", OpaqueWarning, stacklevel=2
        )
    return check_known(graph_of(capture(module, inputs, trace=trace)), strict=strict)


def from_export(source: str | Path | torch.export.ExportedProgram, *, strict: bool = False) -> Graph:
    """The graph of a program that torch.export made, or of the .pt2 file of one, with the shapes that it was exported for.

    Raises FileError for a file that is none, LawError for sizes that may vary, for a program that returns nothing of its inputs, and with
    `strict` for opaque nodes.
    """
    if isinstance(source, torch.export.ExportedProgram):
        return check_known(graph_of(program_of(source, "exported")), strict=strict)
    return check_known(graph_of(program_of(load_export(Path(source)), Path(source).stem)), strict=strict)
