"""The importer: any torch module as a graph.

`capture` exports the module, `patterns` finds what several calls spell together, `aten` says what each call is (by `readings`),
`scopes` names nodes and blocks after the module tree, `assemble` puts the graph together, `sources` finds modules by name.
"""

from __future__ import annotations

from archspace.analysis.opaque import OpaqueWarning
from archspace.pytorch.importer.verb import from_export, from_torch

__all__ = ["OpaqueWarning", "from_export", "from_torch"]
