"""Statistics of samples: against scipy, and by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from archspace.survey.statistics import apart, bin_counts, bin_edges, quantile, share_better, wilson

numbers = st.lists(st.integers(0, 20).map(float), min_size=1, max_size=30)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(deadline=None)
def test_the_interval_of_a_share_is_wilsons(case: tuple[int, int]) -> None:
    hits, tries = case
    expected = stats.binomtest(hits, tries).proportion_ci(0.95, method="wilson")
    assert wilson(hits, tries) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_nothing_tried_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(*[numbers.filter(lambda values: len(values) >= 4)] * 2)  # fewer are too few for scipy's limit
@settings(deadline=None)
def test_distances_are_those_of_scipy(first: list[float], second: list[float]) -> None:
    found = apart(sorted(first), sorted(second))

    def of_scipy(alternative: str) -> float:
        return float(stats.ks_2samp(first, second, alternative=alternative, method="asymp").statistic)

    assert found.distance == pytest.approx(of_scipy("two-sided"))
    # scipy's "greater": the first distribution function lies above the second.
    assert (found.ahead, found.behind) == pytest.approx((of_scipy("greater"), of_scipy("less")))


def test_the_p_value_is_near_the_exact_one() -> None:
    rng = random.Random(0)
    for shift in (0.0, 0.1, 0.2, 0.3, 0.5):
        first, second = ([rng.gauss(mean, 1) for _ in range(200)] for mean in (0.0, shift))
        found = apart(sorted(first), sorted(second))
        exact = stats.ks_2samp(first, second, method="exact").pvalue
        assert found.p_value == pytest.approx(exact, abs=0.03)
        one_sided = stats.ks_2samp(first, second, alternative="greater", method="exact").pvalue
        assert found.one_sided(found.ahead) == pytest.approx(one_sided, abs=0.03)


def test_where_a_curve_is_ahead_is_the_value_of_the_largest_gap() -> None:
    found = apart([1, 2, 3, 9], [4, 5, 6, 7])
    assert (found.ahead, found.ahead_at) == (0.75, 3)  # three of four are at most 3, none of the others
    assert (found.behind, found.behind_at) == (0.25, 7)  # all of the others are at most 7, but for the 9


@given(numbers, st.floats(0, 1))
@settings(deadline=None)
def test_quantiles_are_numpys(values: list[float], share: float) -> None:
    import numpy as np

    assert quantile(sorted(values), share) == pytest.approx(np.quantile(values, share))


@given(numbers, st.integers(0, 20).map(float))
@settings(deadline=None)
def test_better_is_strictly_below_or_strictly_above(values: list[float], level: float) -> None:
    ordered = sorted(values)
    assert share_better(ordered, level, maximize=False) == sum(value < level for value in values) / len(values)
    assert share_better(ordered, level, maximize=True) == sum(value > level for value in values) / len(values)


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=50), st.integers(1, 20))
@settings(deadline=None)
def test_every_value_is_in_one_bin(values: list[float], bins: int) -> None:
    edges = bin_edges(values, bins)
    assert edges[0] == min(values)
    assert edges[-1] == max(values)
    assert sum(bin_counts(values, edges)) == len(values)
