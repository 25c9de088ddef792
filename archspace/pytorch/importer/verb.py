"""from_torch: a module and its example inputs in, a graph out, with a word about what is not known."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from archspace.analysis.coverage import coverage
from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.pytorch.importer.assemble import graph_of
from archspace.pytorch.importer.capture import capture

SHOWN = 3  # opaque nodes that a message names


class OpaqueWarning(UserWarning):
    """Some of a module's work is unknown, and counted as memory access alone."""


def from_torch(module: nn.Module, *inputs: Any, strict: bool = False) -> Graph:
    """The graph of any torch module, as it runs in eval mode on example inputs (of which only the shapes and types matter).

    Names and blocks come from the module tree, and the shapes, batch included, from the inputs. Parameters that several nodes use are
    counted once. What the vocabulary has no op for becomes `Opaque`, and an OpaqueWarning says how much is known; work on weights alone,
    which does not depend on the input, is left out. The module stays as it is: mode, weights, buffers, hooks, random state.
    Raises LawError for what is no module, where forward cannot run or be followed (with its line), and with `strict` for opaque nodes.
    """
    if not isinstance(module, nn.Module):
        raise LawError(f"from_torch takes a torch.nn.Module, but got {type(module).__name__}")
    if not inputs:
        name = type(module).__name__
        raise LawError(f"from_torch needs the example inputs of {name}.forward, but got none. Example: torch.empty(1, 3, 224, 224)")
    graph = graph_of(capture(module, inputs))
    found = coverage(graph)
    if found.opaque:
        kinds = [f"{name} ({kind})" for name, kind in found.opaque[:SHOWN]]
        more = f" and {len(found.opaque) - SHOWN} more" if len(found.opaque) > SHOWN else ""
        if strict:
            unknown = f"{', '.join(kinds)}{more}"
            raise LawError(f"{graph.name}: with strict every node must be known, but {found}; opaque: {unknown}. Import it without strict.")
        warnings.warn(f"{graph.name}: {found}; counted as memory access alone: {', '.join(kinds)}{more}", OpaqueWarning, stacklevel=2)
    return graph
