"""How good a prediction is on networks it has not seen: percentage error, ranks, intervals and what they cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archspace.errors import LawError


@dataclass(frozen=True, slots=True)
class Judged:
    """Errors of predictions against measurements. Shares are between 0 and 1."""

    mape_pct: float  # mean |predicted / measured - 1|
    median_pct: float
    bias_pct: float  # mean of predicted / measured - 1
    within_10_pct_share: float
    kendall_tau: float
    spearman: float
    networks: int
    families: int


def judge(predicted: Sequence[float], measured: Sequence[float], families: Sequence[str]) -> Judged:
    """The errors of predictions, all in the same order. Ranks of fewer than two networks are 0. Raises LawError without networks."""
    import numpy as np
    from scipy.stats import kendalltau, spearmanr

    if not predicted:
        raise LawError("a judgement needs at least 1 network, but got 0")
    errors = 100 * (np.array(predicted) / np.array(measured) - 1)
    ranked = len(set(predicted)) > 1 and len(set(measured)) > 1
    return Judged(
        float(np.abs(errors).mean()),
        float(np.median(np.abs(errors))),
        float(errors.mean()),
        float((np.abs(errors) <= 10).mean()),
        float(kendalltau(predicted, measured).statistic) if ranked else 0.0,
        float(spearmanr(predicted, measured).statistic) if ranked else 0.0,
        len(predicted),
        len(set(families)),
    )


def by_family(predicted: Sequence[float], measured: Sequence[float], families: Sequence[str]) -> Mapping[str, Judged]:
    """The same for each family, worst sum of errors first."""
    rows = {
        family: [(p, m) for p, m, f in zip(predicted, measured, families, strict=True) if f == family] for family in dict.fromkeys(families)
    }
    judged = {family: judge([p for p, _ in pairs], [m for _, m in pairs], [family]) for family, pairs in rows.items()}
    return dict(sorted(judged.items(), key=lambda item: -item[1].mape_pct * item[1].networks))


def interval_80_pct(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """The half-width, in percent of the prediction, that holds 80 % of the measurements: with n of them the ceil(0.8 (n + 1))-th smallest.

    The distribution-free quantile of split conformal prediction (Vovk et al. 2005): a network like these lies inside with a
    probability of at least 80 %; with fewer than 4 it is the largest. Raises LawError without networks.
    """
    if not predicted:
        raise LawError("an interval needs at least 1 network, but got 0")
    errors = sorted(100 * abs(m / p - 1) for p, m in zip(predicted, measured, strict=True))
    n = len(errors)
    return errors[min(n, -(-8 * (n + 1) // 10)) - 1]


def coverage_80_share(predicted: Sequence[float], measured: Sequence[float], families: Sequence[str]) -> float:
    """The share of measurements inside intervals that are taken from the errors of the other families alone.

    Raises LawError with fewer than two families.
    """
    if len(set(families)) < 2:
        raise LawError(f"coverage of unseen families needs at least 2 families, but got {len(set(families))}")
    inside = 0
    for family in set(families):
        others = [(p, m) for p, m, f in zip(predicted, measured, families, strict=True) if f != family]
        half = interval_80_pct([p for p, _ in others], [m for _, m in others])
        inside += sum(100 * abs(m / p - 1) <= half for p, m, f in zip(predicted, measured, families, strict=True) if f == family)
    return inside / len(predicted)
