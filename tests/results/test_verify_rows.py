"""Which candidates come first, and how ranks agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_studies import SPACE

from archspace.results.verify_rows import Check, Verified, best_first, spearman
from archspace.space import Space
from archspace.study import Question, Record

QUESTION = Question(Space.from_dict(SPACE, "small"), {"params": "maximize", "acts": "minimize"}, {"madds": 10.0})


def records(rows: Sequence[tuple[float, float, float]]) -> list[Record]:
    """(params, acts, madds) of each."""
    return [Record(i, {"width": i}, {"params": a, "acts": b, "madds": c}, c <= 10, "", f"digest{i}") for i, (a, b, c) in enumerate(rows)]


def test_the_front_comes_first_and_then_the_front_of_what_is_left() -> None:
    rows = records([(1, 1, 1), (5, 5, 1), (4, 6, 1), (3, 7, 1), (9, 9, 11)])
    found = best_first(rows, QUESTION, 10)
    assert [(record.number, is_winner) for record, is_winner in found] == [(1, True), (0, True), (2, False), (3, False)]
    assert [record.number for record, _ in best_first(rows, QUESTION, 2)] == [1, 0]


def test_what_is_beyond_a_bound_is_never_among_the_best_however_its_record_is_marked() -> None:
    lying = Record(0, {}, {"params": 9, "acts": 0, "madds": 11}, True, "", "digest")
    assert best_first([lying], QUESTION, 5) == []


def test_one_network_under_two_options_counts_once_by_its_first_trial() -> None:
    one, other = records([(1, 1, 1), (1, 1, 1)])
    same = Record(2, {"width": 7}, one.metrics, True, "", one.digest)
    assert [record.number for record, _ in best_first([one, other, same], QUESTION, 5)] == [0, 1]


@pytest.mark.parametrize(
    ("a", "b", "rho"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [30, 20, 10], -1.0),
        # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
        ([1, 2, 2, 3], [1, 2, 3, 4], 4.5 / (4.5 * 5) ** 0.5),
        ([1, 1, 1], [1, 2, 3], None),
    ],
)
def test_the_rank_correlation_is_spearmans(a: list[float], b: list[float], rho: float | None) -> None:
    found = spearman(a, b)
    assert found is rho if rho is None else found == pytest.approx(rho)


def test_a_candidate_is_ok_when_nothing_at_all_is_wrong_with_it() -> None:
    fine = Check("params", 1, 1, True)
    good = Verified(1, 1, True, {}, "digest", {}, None, {}, (fine,), None, "", False, Path("verified/01"))
    assert good.ok
    assert not replace(good, problem="cannot be built").ok
    assert not replace(good, exceeded={"madds": 11.0}).ok
    assert not replace(good, checks=(fine, Check("params", 1, 2, False))).ok
