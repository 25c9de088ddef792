"""What is verified of a candidate: checks, times, its places before and after; which candidates come first, and how ranks agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from archspace.analysis.pareto import pareto_front
from archspace.study import Question, Record
from archspace.study.records import key_of, meets


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: what should be, and what was found."""

    what: str
    expected: Any
    found: Any
    ok: bool


@dataclass(frozen=True, slots=True)
class Time:
    """What a network took on this machine, and under which conditions; those of one `time` were timed in the same rounds."""

    measured_ms: float
    noise_pct: float
    spread_pct: float
    backend: str
    threads: int
    batch: int
    device: str
    runtime: str
    rounds: int
    time: str


@dataclass(frozen=True, slots=True)
class Verified:
    """One candidate of a study, verified. `rank` is by the measurement where latency was asked for, else as `rank_before`.

    `is_winner`: it is on the Pareto front. `exceeded`: metric -> value of what is beyond its bound, counted on a graph that was built
    again. `problem` says why it could not be built or run; then the checks after that and the time are missing. `too_slow`: the time is
    beyond the bound on latency, on the very machine that the device's profile was fitted on.
    """

    rank: int
    rank_before: int
    is_winner: bool
    options: Mapping[str, Any]
    digest: str
    metrics: Mapping[str, float]
    predicted_ms: float | None
    exceeded: Mapping[str, float]
    checks: tuple[Check, ...]
    timed: Time | None
    problem: str
    too_slow: bool
    folder: Path

    @property
    def ok(self) -> bool:
        """Whether it is inside every bound, was built, and passed every check."""
        return not self.problem and not self.exceeded and all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the keys are a contract."""
        return {**asdict(self), "folder": str(self.folder), "ok": self.ok}


def best_first(records: Sequence[Record], question: Question, n: int) -> list[tuple[Record, bool]]:
    """The `n` best different networks inside every bound, and whether each is on the front: the Pareto front, best in the first objective
    first, then the front of what is left, and so on. Fewer where there are fewer."""
    names, ways = list(question.objectives), list(question.objectives.values())
    different = {record.digest or key_of(record.options): record for record in reversed(records)}  # of equal networks the earliest
    left = sorted(
        [record for record in different.values() if record.metrics and meets(record.metrics, question.bounds)], key=lambda r: r.number
    )
    found: list[tuple[Record, bool]] = []
    is_front = True
    while left and len(found) < n:
        layer = pareto_front([[record.metrics[name] for name in names] for record in left], ways)
        found += [(left[i], is_front) for i in layer]
        left, is_front = [record for i, record in enumerate(left) if i not in set(layer)], False
    return found[:n]


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """The rank correlation of two rows of numbers, ties by their mean rank; None where one of them has a single value.

    >>> spearman([1, 2, 3, 4], [10, 20, 40, 30])
    0.8
    """
    ranks = [_ranks(values) for values in (a, b)]
    middle = (len(a) + 1) / 2
    one, other = ([rank - middle for rank in row] for row in ranks)
    scale = sqrt(sum(x * x for x in one) * sum(y * y for y in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / scale if scale else None


def _ranks(values: Sequence[float]) -> list[float]:
    """1 for the least; equal values share the mean of their ranks."""
    return [sum(one < value for one in values) + (sum(one == value for one in values) + 1) / 2 for value in values]
