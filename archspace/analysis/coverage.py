"""Coverage: how much of a graph is known, and which nodes are not."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from archspace.ir.graph import Graph
from archspace.ir.ops import Input, Opaque, Parameter


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many ops of a graph are of a known kind, and name and kind of the others."""

    known: int
    total: int
    opaque: tuple[tuple[str, str], ...]

    @property
    def share(self) -> float:
        """Known ops per op; 1 for a graph without ops."""
        return self.known / self.total if self.total else 1.0

    def __str__(self) -> str:
        # Rounded down: 100 % means all.
        return f"{floor(1000 * self.share) / 10:g} % of nodes known ({self.known} of {self.total})"


def coverage(graph: Graph) -> Coverage:
    """The known and the opaque ops of a graph; inputs and parameters are no ops."""
    ops = [node for node in graph if not isinstance(node.op, Input | Parameter)]
    opaque = tuple([(node.name, node.op.kind) for node in ops if isinstance(node.op, Opaque)])
    return Coverage(len(ops) - len(opaque), len(ops), opaque)
