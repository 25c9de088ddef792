"""How a study went: the best value so far, the hypervolume and the feasible share over its trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from archspace.analysis.hypervolume import hypervolume
from archspace.analysis.pareto import MAXIMIZE, Direction
from archspace.objectives.metrics import metric_named, metric_text
from archspace.report.study_page_data import Curve
from archspace.report.study_page_json import axis_scale
from archspace.study import Question, Record

Points = NDArray[np.float64]


def curves(question: Question, records: Sequence[Record]) -> tuple[list[Curve], str]:
    """The page's curves, and a note on what they are."""
    drawn = []
    for name, direction in question.objectives.items():
        best = best_so_far(records, name, direction)
        if best[-1] is None:
            continue
        factor, suffix = axis_scale(best)
        unit = " ".join(part for part in (suffix, metric_named(name).unit) if part)
        scaled = [None if value is None else value / factor for value in best]
        drawn.append(Curve(f"Best {name} so far ({direction})", unit or name, scaled))
    note = "Only candidates within the budget count."
    if len(question.objectives) > 1 and any(record.feasible for record in records):
        drawn.append(Curve("Hypervolume", "share of the box", hypervolumes(records, question.objectives)))
        worst, best_values = worst_and_best(records, question.objectives)
        ends = [
            f"{name} {metric_text(name, low)} to {metric_text(name, high)}"
            for name, low, high in zip(question.objectives, worst, best_values, strict=True)
        ]
        note += (
            " The hypervolume is what the front so far dominates of the box from the reference point, the worst value of each objective, "
            f"to the best: {', '.join(ends)}."
        )
    drawn.append(Curve("Within the budget", "% of the trials so far", [100 * share for share in feasible_shares(records)]))
    return drawn, note


def best_so_far(records: Sequence[Record], name: str, direction: Direction) -> list[float | None]:
    """The best feasible value up to each trial; None before there is one."""
    pick = max if direction == MAXIMIZE else min

    def better(best: float | None, value: float | None) -> float | None:
        return value if best is None else best if value is None else pick(best, value)

    return list(accumulate((record.metrics[name] if record.feasible else None for record in records), better))


def feasible_shares(records: Sequence[Record]) -> list[float]:
    """The part of the trials so far that meets every bound."""
    return [done / i for i, done in enumerate(accumulate(int(record.feasible) for record in records), start=1)]


def worst_and_best(records: Iterable[Record], objectives: Mapping[str, Direction]) -> tuple[list[float], list[float]]:
    """The worst and the best value of each objective among feasible records. Raises ValueError without one."""
    rows = [[record.metrics[name] for name in objectives] for record in records if record.feasible]
    ends = [(min(column), max(column)) for column in zip(*rows, strict=True)]
    ordered = [(low, high) if way == MAXIMIZE else (high, low) for (low, high), way in zip(ends, objectives.values(), strict=True)]
    return [worst for worst, _ in ordered], [best for _, best in ordered]


def hypervolumes(records: Sequence[Record], objectives: Mapping[str, Direction]) -> list[float | None]:
    """The hypervolume after each trial, as a share of the box between the worst and the best feasible value of each objective.

    None before the first feasible trial. An objective that never varies spans no box and is left out.
    """
    if not any(record.feasible for record in records):
        return [None] * len(records)
    worst, best = worst_and_best(records, objectives)
    spans = {name: (low, high - low) for name, low, high in zip(objectives, worst, best, strict=True) if high != low}
    front = _Front(len(spans))
    shares: list[float | None] = []
    for record in records:
        if record.feasible:
            front.add(tuple([(record.metrics[name] - low) / span for name, (low, span) in spans.items()]))
        shares.append(front.volume if record.feasible or (shares and shares[-1] is not None) else None)
    return shares


class _Front:
    """A growing front of points in the unit box, all to be maximized, and the volume that it dominates.

    A point adds its own box less what the front has of it (While et al., "A fast way of calculating exact hypervolumes", 2012), so
    that only points of the front cost anything.
    """

    def __init__(self, size: int) -> None:
        self.volume = 0.0
        self._ways: list[Direction] = [MAXIMIZE] * size
        self._points = np.empty((0, size))

    def add(self, point: Sequence[float]) -> None:
        """Add a point; one that the front dominates or has changes nothing."""
        new = np.array(point)
        if (self._points >= new).all(axis=1).any():
            return
        shared = _undominated(np.minimum(self._points, new))
        self.volume += float(new.prod()) - hypervolume(shared.tolist(), self._ways, [0.0] * len(new))
        self._points = np.vstack([self._points[~(self._points <= new).all(axis=1)], new])


def _undominated(points: Points) -> Points:
    """The rows that no other row reaches in every column, each once."""
    kept = []
    left = points
    while len(left):
        best = left[left.sum(axis=1).argmax()]  # nothing dominates the row of the largest sum
        kept.append(best)
        left = left[~(left <= best).all(axis=1)]
    return np.array(kept).reshape(len(kept), points.shape[1])
