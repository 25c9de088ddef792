"""What is said of work that the vocabulary has no op for."""

from __future__ import annotations

import warnings

from archspace.analysis.coverage import coverage
from archspace.errors import LawError
from archspace.ir.graph import Graph

SHOWN = 3  # opaque nodes that a message names


class OpaqueWarning(UserWarning):
    """Some of a network's work is unknown, and counted as memory access alone."""


def check_known(
    graph: Graph, *, strict: bool, law: str = "with strict every node must be known", way: str = "Import it without strict."
) -> Graph:
    """The graph itself, after an OpaqueWarning (on the line that called the caller) when it has opaque ops; LawError when `strict`.

    That error states `law`, and `way` as the way out.
    """
    found = coverage(graph)
    if found.opaque:
        kinds = [f"{name} ({kind})" for name, kind in found.opaque[:SHOWN]]
        more = f" and {len(found.opaque) - SHOWN} more" if len(found.opaque) > SHOWN else ""
        unknown = f"{', '.join(kinds)}{more}"
        if strict:
            raise LawError(f"{graph.name}: {law}, but {found}; opaque: {unknown}. {way}")
        warnings.warn(f"{graph.name}: {found}; counted as memory access alone: {unknown}", OpaqueWarning, stacklevel=3)
    return graph
