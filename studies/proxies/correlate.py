"""Rank correlations with what networks reach when trained: Spearman with an interval, Kendall, and Spearman given others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of one measure over n networks. `low` to `high` holds 95 % of Spearman's coefficient over resampled networks."""

    n: int
    spearman: float
    low: float
    high: float
    kendall: float


def correlation(values: Sequence[float], accuracies: Sequence[float]) -> Correlation:
    """All of it. What does not vary correlates with nothing: nan."""
    x, y = np.array(values, dtype=float), np.array(accuracies, dtype=float)
    generator = np.random.default_rng(0)
    drawn = [spearman(x[i], y[i]) for i in (generator.integers(len(x), size=len(x)) for _ in range(RESAMPLES))]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Correlation(len(x), spearman(x, y), float(low), float(high), kendall(x, y))


def ranks(x: Numbers) -> Numbers:
    """Ranks from 0 on, equal values sharing their mean."""
    _, where, count = np.unique(x, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray((ends - (count + 1) / 2)[where])


def spearman(x: Numbers, y: Numbers) -> float:
    """The correlation of ranks."""
    return pearson(ranks(x), ranks(y))


def pearson(x: Numbers, y: Numbers) -> float:
    """nan where one does not vary."""
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-12 else float("nan")


def kendall(x: Numbers, y: Numbers) -> float:
    """Kendall's tau-b: concordant less discordant pairs over the geometric mean of the pairs that x and y tell apart."""
    above = np.triu_indices(len(x), 1)
    dx, dy = (np.sign(v[:, None] - v[None, :])[above] for v in (x, y))
    scale = float(np.sqrt(np.abs(dx).sum() * np.abs(dy).sum()))
    return float(dx @ dy) / scale if scale else float("nan")


def partial_spearman(values: Sequence[float], accuracies: Sequence[float], given: Sequence[Sequence[float]]) -> float:
    """The correlation of what is left of the ranks of both when those of `given` have explained what they can, linearly.

    Ranks do not notice logarithms: given params and multiply-adds is given their logarithms.
    """
    x, y, *others = (ranks(np.array(each, dtype=float)) for each in (values, accuracies, *given))
    basis = np.stack([np.ones(len(x)), *others], axis=1)
    left = [rank - basis @ np.linalg.lstsq(basis, rank, rcond=None)[0] for rank in (x, y)]
    return pearson(left[0], left[1])
