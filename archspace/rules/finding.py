"""What a rule reports: a breach found in a network, and the finding that is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# From the least to the most serious.
SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Breach:
    """One violation as a rule finds it: what is `measured` lies beyond `bound`.

    `node` is the position in `Graph.nodes` that it points at. `waste` says which nodes access how many elements for nothing (node position
    -> elements); with `saves_ops` these nodes could go altogether, and with them what it costs to launch them.
    """

    node: int
    measured: float
    bound: float
    message: str
    instead: str
    waste: Mapping[int, int] = field(default_factory=dict)
    saves_ops: bool = False

    @property
    def excess_mem_elems(self) -> int:
        """All wasted elements."""
        return sum(self.waste.values())


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach with its rule's code and, where a device is given, what it wastes there."""

    code: str
    severity: str
    node: str
    block: str
    measured: float
    bound: float
    excess_mem_elems: int
    excess_ms: float | None  # None without a device
    message: str
    instead: str
