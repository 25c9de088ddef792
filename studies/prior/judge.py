"""How well held-out predictions agree with what was published: mean error, rank correlation per complexity band, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rows import TIMM, Row
from scipy.stats import spearmanr

BANDS = ((0.0, 0.1), (0.1, 0.35), (0.35, 0.6), (0.6, 1.5), (1.5, 5.0), (5.0, None))


def in_band(rows: Sequence[Row], low: float, high: float | None, source: str = TIMM) -> list[int]:
    """The places of a source's rows with that many 1e9 multiply-adds, lower end included."""
    return [i for i, row in enumerate(rows) if row.source == source and low <= row.gmadds and (high is None or row.gmadds < high)]


def spearman(a: Sequence[float], b: Sequence[float], places: Sequence[int]) -> float:
    """Spearman's correlation of two columns on some rows, ties by their mean rank. nan where one is constant."""
    left, right = [a[i] for i in places], [b[i] for i in places]
    if len(set(left)) < 2 or len(set(right)) < 2:
        return float("nan")
    return float(spearmanr(left, right).statistic)


def mae_pct(rows: Sequence[Row], predicted: Sequence[float], source: str | None = None) -> float:
    """Mean absolute error in points, each network at a size once."""
    chosen = [(abs(p - row.error_pct), row.weight) for row, p in zip(rows, predicted, strict=True) if source in (None, row.source)]
    return float(np.average([error for error, _ in chosen], weights=[weight for _, weight in chosen]))


def quantile(values: Sequence[float], weights: Sequence[float], share: float = 0.8) -> float:
    """The value that a share of the weight is at or below."""
    order = np.argsort(values)
    total = np.cumsum(np.array(weights)[order])
    return float(np.array(values)[order][np.searchsorted(total, share * total[-1])])


def width_without(rows: Sequence[Row], residuals: Sequence[float], family: str) -> float:
    """Half of the interval that 80 % of the other families' networks are in."""
    others = [(abs(r), row.weight) for row, r in zip(rows, residuals, strict=True) if row.family != family]
    return quantile([r for r, _ in others], [w for _, w in others])


def coverage_80(rows: Sequence[Row], residuals: Sequence[float]) -> dict[str, float]:
    """Per family, the share of its networks inside the interval that comes from the other families' residuals."""
    found = {}
    for family in sorted({row.family for row in rows}):
        width = width_without(rows, residuals, family)
        own = [(abs(r) <= width, row.weight) for row, r in zip(rows, residuals, strict=True) if row.family == family]
        found[family] = float(np.average([inside for inside, _ in own], weights=[w for _, w in own]))
    return found


@dataclass(frozen=True, slots=True)
class Judged:
    """The figures of one form, on rows that it has not seen the family of."""

    mae_pct: float
    mae_timm_pct: float
    mae_papers_pct: float
    bands: tuple[float, ...]  # Spearman on timm's rows, one per band
    overall: float


def judge(rows: Sequence[Row], predicted: Sequence[float]) -> Judged:
    """The figures of predictions that have the recipes in them."""
    published = [row.error_pct for row in rows]
    return Judged(
        mae_pct(rows, predicted),
        mae_pct(rows, predicted, "timm"),
        mae_pct(rows, predicted, "papers"),
        tuple([spearman(predicted, published, in_band(rows, low, high)) for low, high in BANDS]),
        spearman(predicted, published, in_band(rows, 0.0, None)),
    )
