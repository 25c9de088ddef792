"""The baselines that a fitted device is held against: multiply-adds alone, with memory access, and the larger of the two per op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from archspace.ir.graph import Graph
from archspace.latency.fit import leave_family_out
from archspace.latency.fusion import fused_kernels

RIDGES = tuple([2.0 ** (step / 2) for step in range(-8, 25)])  # multiply-adds per byte


@dataclass(frozen=True, slots=True)
class Work:
    """A measured network as the baselines see it: nothing fused, one row per op that touches memory."""

    family: str
    measured_ms: float  # one batch
    ops: tuple[tuple[float, float], ...]  # 1e9 multiply-adds and 1e9 bytes of each op
    sums: tuple[float, float] = field(init=False, compare=False)  # of both; every fit asks for these again
    roofs: tuple[float, ...] = field(init=False, compare=False)  # the sum of the larger of the two, under each of RIDGES

    def __post_init__(self) -> None:
        object.__setattr__(self, "sums", (sum([madds for madds, _ in self.ops]), sum([size for _, size in self.ops])))
        roofs = [sum([max(madds / ridge, size) for madds, size in self.ops]) for ridge in RIDGES]
        object.__setattr__(self, "roofs", tuple(roofs))


def work_of(graph: Graph, measured_ms: float, *, family: str, batch: int, element_bytes: int) -> Work:
    """The work of a graph at a batch."""
    scale = batch / graph.input_shape[0]
    kernels = fused_kernels(graph, "none")
    giga = element_bytes * 1e-9
    ops = [(k.madds * scale * 1e-9, ((k.in_elems + k.out_elems) * scale + k.weight_elems) * giga) for k in kernels]
    return Work(family, measured_ms, tuple(ops))


def baselines(works: Sequence[Work]) -> Mapping[str, tuple[float, ...]]:
    """Predictions in ms of each baseline, each family left out in turn. Raises LawError with fewer than two families."""
    return {name: leave_family_out(works, fitting) for name, fitting in BASELINES.items()}


def _linear(columns: Callable[[Work], list[float]]) -> Callable[[Sequence[Work]], Callable[[Work], float]]:
    """A non-negative fit of relative error on columns of a network."""

    def fitting(works: Sequence[Work]) -> Callable[[Work], float]:
        import numpy as np
        from scipy.optimize import nnls

        rows = np.array([[value / work.measured_ms for value in columns(work)] for work in works])
        size = rows.max(axis=0)
        size[size == 0] = 1.0
        solved = (nnls(rows / size, np.ones(len(works)))[0] / size).tolist()
        return lambda work: sum(c * value for c, value in zip(solved, columns(work), strict=True))

    return fitting


def _roofline(works: Sequence[Work]) -> Callable[[Work], float]:
    """A constant plus c * sum over ops of max(multiply-adds / ridge, bytes); the ridge is the best of a grid in powers of sqrt(2)."""
    best: tuple[float, Callable[[Work], float]] | None = None
    for step in range(len(RIDGES)):

        def columns(work: Work, step: int = step) -> list[float]:
            return [1.0, work.roofs[step]]

        predictor = _linear(columns)(works)
        error = sum((predictor(work) / work.measured_ms - 1) ** 2 for work in works)
        if best is None or error < best[0]:
            best = (error, predictor)
    assert best is not None
    return best[1]


BASELINES: Mapping[str, Callable[[Sequence[Work]], Callable[[Work], float]]] = MappingProxyType(
    {
        "FLOPs": _linear(lambda work: [1.0, work.sums[0]]),
        "FLOPs + memory": _linear(lambda work: [1.0, *work.sums]),
        "max-roofline": _roofline,
    }
)
