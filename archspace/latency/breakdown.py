"""Where a predicted latency goes: its kernels summed per op, block, stage or op type, each sum by cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from archspace.errors import LawError, UnknownNameError
from archspace.latency.model import KernelLatency, Latency

CONSTANT = "(constant)"  # the part that belongs to no kernel

# What kernels can be summed over: the name of a kernel's part.
PARTS: Mapping[str, Callable[[KernelLatency], str]] = MappingProxyType(
    {
        "op": lambda row: row.name,
        "block": lambda row: row.block,
        "stage": lambda row: row.block.partition(".")[0],
        "type": lambda row: row.op_type,
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some kernels of a prediction, in ms by cause. `constant_ms` is that of no kernel, and 0 in all parts but one."""

    name: str
    kernels: tuple[KernelLatency, ...]
    compute_ms: float
    memory_ms: float
    overhead_ms: float
    constant_ms: float = 0.0

    @property
    def ms(self) -> float:
        """All causes together."""
        return self.compute_ms + self.memory_ms + self.overhead_ms + self.constant_ms


def breakdown(latency: Latency, per: str = "block") -> tuple[Part, ...]:
    """The parts that a prediction adds up from: one per 'op' (a fused kernel), 'block', 'stage' or 'type' in order of first appearance.

    A part "(constant)" comes last where the device takes a time that belongs to no kernel. Raises UnknownNameError for other words.
    """
    if per not in PARTS:
        raise UnknownNameError("grouping", per, PARTS)
    key = PARTS[per]
    groups: dict[str, list[KernelLatency]] = {}
    for row in latency.rows:
        groups.setdefault(key(row), []).append(row)
    parts = [_part(name, rows) for name, rows in groups.items()]
    return (*parts, *([Part(CONSTANT, (), 0.0, 0.0, 0.0, latency.constant_ms)] if latency.constant_ms else []))


def total(latency: Latency) -> Part:
    """The whole prediction by cause."""
    return _part("total", latency.rows, latency.constant_ms)


def costliest(parts: Sequence[Part], top: int, what: str = "others") -> tuple[Part, ...]:
    """The `top` parts that take longest, the longest first, and what is left as one more: "(13 others)"; the constant stays last.

    Raises LawError for fewer than one.
    """
    if top < 1:
        raise LawError(f"the costliest are at least 1, but got {top}")
    ranked = sorted((part for part in parts if part.name != CONSTANT), key=lambda part: -part.ms)
    rest = ranked[top:]
    others = [_part(f"({len(rest)} {what})", [row for part in rest for row in part.kernels])] if rest else []
    return (*ranked[:top], *others, *(part for part in parts if part.name == CONSTANT))


def _part(name: str, rows: Sequence[KernelLatency], constant_ms: float = 0.0) -> Part:
    return Part(
        name,
        tuple(rows),
        compute_ms=sum([row.compute_ms for row in rows]),
        memory_ms=sum([row.memory_ms for row in rows]),
        overhead_ms=sum([row.overhead_ms for row in rows]),
        constant_ms=constant_ms,
    )
