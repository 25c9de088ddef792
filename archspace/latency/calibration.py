"""Calibration: coefficients from benchmarks of single ops, corrected by networks, and the error on networks that were not seen.

Two steps (nothing else of some dozens of fits did as well on 58 networks, studies/latency_cpu): non-negative least squares of all
coefficients on the op benchmarks alone; then a factor per op type, pulled to 1, and a constant, on the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from archspace.latency.baselines import Work, baselines
from archspace.latency.fit import CONSTANT, Feature, Fitted, Sample, fit, leave_family_out, predicted_ms
from archspace.latency.judge import Judged, coverage_80_share, interval_80_pct, judge

OPS_RIDGE = 1e-4  # decides between features that the benchmarks cannot tell apart
FACTORS_RIDGE = 0.1  # toward a factor of 1
FACTOR = "factor"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Fitted coefficients and how far off they are on networks that a fit has not seen."""

    fitted: Fitted
    unseen: Judged  # each family of networks left out in turn
    baselines: Mapping[str, Judged]  # the same for FLOPs, FLOPs + memory and max-roofline
    ops_alone: Judged  # on the networks, by the op benchmarks without any network
    predicted_ms: Mapping[str, float]  # network -> what the fit without its family says
    residuals_pct: Mapping[str, float]  # network -> 100 * (that / measured - 1)
    interval_80_pct: float
    coverage_80_share: float


def calibration(ops: Sequence[Sample], networks: Sequence[Sample], works: Sequence[Work]) -> Calibration:
    """The calibration of a device from its op benchmarks and its networks; `works` are the same networks, for the baselines.

    Raises LawError without benchmarks and with fewer than two families of networks.
    """
    by_ops = fit(ops, ridge=OPS_RIDGE)
    predicted = leave_family_out(networks, lambda seen: _predictor(corrected(by_ops, seen)))
    measured = [network.measured_ms for network in networks]
    families = [network.family for network in networks]
    return Calibration(
        corrected(by_ops, networks),
        judge(predicted, measured, families),
        {name: judge(times, measured, families) for name, times in baselines(works).items()},
        judge([predicted_ms(network.features, by_ops) for network in networks], measured, families),
        {network.name: ms for network, ms in zip(networks, predicted, strict=True)},
        {network.name: 100 * (ms / network.measured_ms - 1) for network, ms in zip(networks, predicted, strict=True)},
        interval_80_pct(predicted, measured),
        coverage_80_share(predicted, measured, families),
    )


def corrected(by_ops: Fitted, networks: Sequence[Sample]) -> dict[Feature, float]:
    """The coefficients of the op benchmarks times a factor per op type, and a constant, that fit the networks."""
    shares = [_by_type(network, by_ops) for network in networks]
    factors = fit(shares, prior={key: 1.0 for share in shares for key in share.features if key != CONSTANT}, ridge=FACTORS_RIDGE)
    found = {(op_type, name): value * factors.get((op_type, FACTOR), 1.0) for (op_type, name), value in by_ops.items() if op_type}
    return {CONSTANT: factors[CONSTANT], **found}


def _by_type(network: Sample, by_ops: Fitted) -> Sample:
    """A network as milliseconds by op type, as the op benchmarks predict them."""
    features: dict[Feature, float] = {CONSTANT: 1.0}
    for (op_type, name), value in network.features.items():
        if op_type:
            key = (op_type, FACTOR)
            features[key] = features.get(key, 0.0) + value * by_ops.get((op_type, name), 0.0)
    return Sample(network.name, network.family, network.measured_ms, features)


def _predictor(fitted: Fitted) -> Callable[[Sample], float]:
    return lambda sample: predicted_ms(sample.features, fitted)
