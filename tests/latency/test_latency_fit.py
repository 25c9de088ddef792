"""Fitting: coefficients that made the data are found again, priors hold what the data cannot tell, held-out families stay unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from archspace.errors import LawError
from archspace.latency import latency_ms, load_profile
from archspace.latency.baselines import BASELINES, Work, baselines, work_of
from archspace.latency.fit import (
    CONSTANT,
    PIXELS,
    Sample,
    coefficients_of,
    features_of,
    fit,
    leave_family_out,
    predicted_ms,
)
from archspace.latency.judge import by_family, coverage_80_share, interval_80_pct, judge
from archspace.latency.profile_json import profile_from_dict, profile_to_dict, save_profile
from archspace.zoo import build

A, B = ("dense", "ms_per_gmadd"), ("depthwise", "ms_per_gb_in")


def sample(name: str, family: str, ms: float, a: float, b: float) -> Sample:
    return Sample(name, family, ms, {CONSTANT: 1.0, A: a, B: b})


def made(truth: dict[tuple[str, str], float], points: Sequence[tuple[float, float]]) -> list[Sample]:
    rows = [{CONSTANT: 1.0, A: a, B: b} for a, b in points]
    return [Sample(f"n{i}", f"f{i % 3}", predicted_ms(row, truth), row) for i, row in enumerate(rows)]


POINTS = [(1.0, 5.0), (2.0, 1.0), (4.0, 8.0), (8.0, 2.0), (3.0, 3.0), (7.0, 9.0)]


def test_coefficients_that_made_the_times_are_found_again() -> None:
    truth = {CONSTANT: 0.5, A: 2.0, B: 0.25}
    assert fit(made(truth, POINTS)) == pytest.approx(truth)


def test_no_coefficient_is_negative() -> None:
    assert fit(made({CONSTANT: 0.5, A: 2.0, B: -0.1}, POINTS))[B] == 0.0


def test_only_the_named_terms_are_fitted() -> None:
    fitted = fit(made({CONSTANT: 0.5, A: 2.0, B: 0.25}, POINTS), terms={"ms_per_gmadd"})
    assert set(fitted) == {A}


def test_a_prior_holds_what_the_samples_cannot_tell_apart() -> None:
    # b is twice a everywhere: a + 2 b = 10 alone is known; of such the ridge takes the nearest to the prior by share.
    samples = [sample(f"n{i}", "f", 10.0 * x, x, 2 * x) for i, x in enumerate((1.0, 2.0, 3.0))]
    fitted = fit(samples, terms={A[1], B[1]}, prior={A: 4.0, B: 3.0}, ridge=1e-6)
    assert (fitted[A], fitted[B]) == pytest.approx((4.0, 3.0), rel=1e-4)
    without = fit(samples, terms={A[1], B[1]}, ridge=1e-6)
    assert without[A] == pytest.approx(2 * without[B], rel=1e-4)  # equal shares


def test_a_strong_ridge_keeps_the_prior_against_the_data() -> None:
    samples = made({CONSTANT: 0.0, A: 2.0, B: 0.0}, POINTS)
    fitted = fit(samples, terms={A[1]}, prior={A: 3.0}, ridge=1e6)
    assert fitted[A] == pytest.approx(3.0, rel=1e-4)


def test_a_floor_holds_where_the_samples_ask_for_less() -> None:
    """Of t = 2 a with b at least 1: the rest is the best of relative error, sum x (1 - y) = 0 for x = a / t, y = (c a + b) / t."""
    samples = made({CONSTANT: 0.0, A: 2.0, B: 0.0}, POINTS)
    fitted = fit(samples, terms={A[1], B[1]}, floor={B: 1.0})
    assert fitted[B] == 1.0
    left = sum(1 - s.features[B] / s.measured_ms for s in samples) / sum(s.features[A] / s.measured_ms for s in samples)
    assert fitted[A] == pytest.approx(max(0.0, left))  # every x is 1 / 2
    free = fit(made({CONSTANT: 0.0, A: 2.0, B: 0.5}, POINTS), floor={B: 0.25})
    assert free[B] == pytest.approx(0.5)


def test_a_family_power_of_one_lets_a_family_of_nine_count_as_one_network() -> None:
    """Times of 1 and 2 per unit: weights w and v settle on c = (w + v / 2) / (w + v / 4)."""
    samples = [sample("n", "small", 1.0, 1.0, 0.0), *[sample(f"m{i}", "large", 2.0, 1.0, 0.0) for i in range(9)]]
    terms = {A[1]}
    assert fit(samples, terms=terms)[A] == pytest.approx((1 + 9 / 2) / (1 + 9 / 4))
    assert fit(samples, terms=terms, family_power=1.0)[A] == pytest.approx((1 + 1 / 2) / (1 + 1 / 4))


def test_robust_rounds_leave_an_outlier_aside() -> None:
    truth = {CONSTANT: 0.5, A: 2.0, B: 0.25}
    samples = made(truth, [*POINTS, (5.0, 5.0), (6.0, 1.0), (1.0, 9.0)])
    samples[2] = replace(samples[2], measured_ms=samples[2].measured_ms * 3)
    plain, robust = fit(samples), fit(samples, robust_rounds=20)
    assert abs(robust[A] / 2.0 - 1) < abs(plain[A] / 2.0 - 1) / 3


def test_a_fit_of_nothing_is_refused() -> None:
    with pytest.raises(LawError, match="a fit needs at least 1 sample"):
        fit([])


def test_the_features_of_a_graph_times_coefficients_are_its_prediction() -> None:
    graph, profile = build("shufflenet_v2"), load_profile("sd810")
    features = features_of(graph, fusion=profile.fusion, batch=3, element_bytes=4)
    prices = profile.prices()
    fitted = {
        key: profile.constant_ms if key == CONSTANT else profile.ms_per_input_mpixel if key == PIXELS else getattr(prices[key[0]], key[1])
        for key in features
    }
    assert predicted_ms(features, fitted) == pytest.approx(latency_ms(graph, profile, 3), rel=1e-12)


def test_each_family_is_predicted_by_a_fit_that_has_not_seen_it() -> None:
    samples = made({CONSTANT: 0.5, A: 2.0, B: 0.25}, POINTS)
    seen: list[set[str]] = []

    def fitting(rows: Sequence[Sample]) -> Callable[[Sample], float]:
        seen.append({row.family for row in rows})
        return lambda row: float(row.name[1:])

    assert leave_family_out(samples, fitting) == (0, 1, 2, 3, 4, 5)  # in the samples' own order
    assert seen == [{"f1", "f2"}, {"f0", "f2"}, {"f0", "f1"}]
    with pytest.raises(LawError, match="at least 2 families, but got 1"):
        leave_family_out([replace(s, family="f") for s in samples], fitting)


def test_fitted_features_become_a_profiles_rows() -> None:
    rows = coefficients_of({CONSTANT: 1.0, A: 2.34567, B: 0.0})
    assert set(rows) == {"default", "dense", "depthwise"}  # fitted to cost nothing is a price too, not its coarser type's
    assert rows["dense"].ms_per_gmadd == 2.346
    assert set(rows["depthwise"].values) == {0.0}


def test_errors_are_those_of_the_formulas() -> None:
    judged = judge([10.9, 8.0, 31.0], [10.0, 10.0, 30.0], ["a", "b", "b"])
    assert judged.mape_pct == pytest.approx((9 + 20 + 100 / 30) / 3)
    assert (judged.median_pct, judged.bias_pct) == pytest.approx((9, (9 - 20 + 100 / 30) / 3))
    assert judged.within_10_pct_share == pytest.approx(2 / 3)
    assert (judged.networks, judged.families) == (3, 2)
    ordered = judge([1, 2, 3, 4], [10, 30, 20, 40], ["a"] * 4)
    assert ordered.kendall_tau == pytest.approx((5 - 1) / 6)
    assert ordered.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert list(by_family([11, 8, 31], [10, 10, 30], ["a", "b", "b"])) == ["b", "a"]


def test_an_interval_is_the_conformal_quantile_and_coverage_takes_it_from_the_other_families() -> None:
    measured = [100 + i for i in range(1, 10)]  # of predictions of 100: 1 to 9 % off
    assert interval_80_pct([100.0] * 9, measured) == pytest.approx(8)  # ceil(0.8 * 10) = 8th of 9
    assert interval_80_pct([100.0], [130.0]) == pytest.approx(30)
    # Family a is at most 2 % off, b is 50 % off: b's interval (a's errors) misses b, a's (b's errors) covers a.
    assert coverage_80_share([100.0] * 4, [101, 102, 101, 150], ["a", "a", "a", "b"]) == 3 / 4
    with pytest.raises(LawError, match="at least 2 families"):
        coverage_80_share([1.0], [1.0], ["a"])


def test_each_baseline_meets_a_device_that_is_made_as_it_supposes() -> None:
    ops = [((1.0, 2.0), (3.0, 0.5)), ((2.0, 1.0), (0.1, 4.0)), ((5.0, 1.0), (1.0, 1.0)), ((0.5, 3.0), (2.0, 2.0)), ((4.0, 0.1), (0.2, 9.0))]
    laws: dict[str, Callable[[tuple[tuple[float, float], ...]], float]] = {
        "FLOPs": lambda rows: 0.3 + sum(2 * m for m, _ in rows),
        "FLOPs + memory": lambda rows: 0.3 + sum(2 * m + 0.5 * b for m, b in rows),
        "max-roofline": lambda rows: 0.3 + sum(0.5 * max(m / 2, b) for m, b in rows),
    }
    assert set(laws) == set(BASELINES)
    for name, law in laws.items():
        works = [Work(f"f{i}", law(rows), rows) for i, rows in enumerate(ops)]
        assert baselines(works)[name] == pytest.approx([work.measured_ms for work in works], rel=1e-6)


def test_the_work_of_a_graph_is_its_multiply_adds_and_its_bytes() -> None:
    graph = build("shufflenet_v2")
    work = work_of(graph, 1.0, family="f", batch=2, element_bytes=4)
    counted = [graph.counts(node) for node in graph]
    assert sum(madds for madds, _ in work.ops) == pytest.approx(2e-9 * sum(c.madds for c in counted))
    moved = sum(2 * (c.in_elems + c.out_elems) + c.weight_elems for c in counted)
    assert sum(size for _, size in work.ops) == pytest.approx(4e-9 * moved)


def test_a_profile_comes_back_from_its_json(tmp_path: Path) -> None:
    profile = replace(load_profile("sd810"), backend="folded", noise_pct=2.5, residuals_pct={"a": -3.0}, samples="sd810.csv")
    profile = replace(profile, ranges=replace(profile.ranges, batch=(1, 8), op_types=("dense", "linear")))
    profile = replace(profile, error=replace(profile.error, spearman=0.98, interval_80_pct=12.0, coverage_80_share=0.8))
    assert profile_from_dict(profile_to_dict(profile)) == profile
    save_profile(profile, tmp_path / "p.json")
    assert load_profile(tmp_path / "p.json") == profile
    assert profile.interval_pct == 12.0
