"""Curves over the trials: best values, feasible share, and the hypervolume as it grows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.analysis.hypervolume import hypervolume
from archspace.analysis.pareto import Direction
from archspace.results.history import best_so_far, feasible_shares, hypervolumes, worst_and_best
from archspace.study import Record

BOTH: dict[str, Direction] = {"a": "maximize", "b": "minimize"}


def records(*rows: tuple[float, ...] | None) -> list[Record]:
    """Feasible records with the metrics a, b, c; None: one beyond a bound."""
    return [
        Record(i, {}, {"a": 99.0, "b": 0.0, "c": 0.0}, False) if row is None else Record(i, {}, dict(zip("abc", row, strict=False)), True)
        for i, row in enumerate(rows)
    ]


def test_the_best_so_far_is_of_feasible_trials_and_none_before_the_first() -> None:
    found = records(None, (3, 5), (2, 7), None, (4, 6))
    assert best_so_far(found, "a", "maximize") == [None, 3, 3, 3, 4]
    assert best_so_far(found, "b", "minimize") == [None, 5, 5, 5, 5]


def test_the_feasible_share_is_of_the_trials_so_far() -> None:
    assert feasible_shares(records(None, (1, 1), (1, 1), None)) == [0, 1 / 2, 2 / 3, 1 / 2]


def test_the_reference_point_is_the_worst_feasible_value_of_each_objective() -> None:
    assert worst_and_best(records((3, 5), None, (1, 9)), BOTH) == ([1, 9], [3, 5])


def test_hypervolume_is_the_share_of_the_box_between_worst_and_best() -> None:
    """Box: a from 0 to 4, b from 10 to 0. (2, 5) has (2/4)(5/10); (4, 8) adds the right half's (2/4)(2/10); (0, 10) nothing; (1, 0) adds
    what lies above b's half: (1/4)(5/10)."""
    shares = hypervolumes(records(None, (0, 10), (2, 5), None, (4, 8), (1, 0)), BOTH)
    assert shares == pytest.approx([None, 0, 0.25, 0.25, 0.35, 0.475])


def test_an_objective_that_never_varies_spans_no_box() -> None:
    assert hypervolumes(records((1, 5), (3, 5), (2, 5)), BOTH) == [0, 1, 1]


def test_without_a_feasible_trial_there_is_no_hypervolume() -> None:
    assert hypervolumes(records(None, None), BOTH) == [None, None]


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=2, max_size=25))
def test_growing_gives_what_the_whole_gives_after_every_trial(rows: list[tuple[int, int, int]]) -> None:
    ways: dict[str, Direction] = {"a": "maximize", "b": "minimize", "c": "maximize"}
    found = records(*rows)
    worst, best = worst_and_best(found, ways)
    varying = [i for i in range(3) if worst[i] != best[i]]
    unit = [[(row[i] - worst[i]) / (best[i] - worst[i]) for i in varying] for row in rows]
    directly = [hypervolume(unit[: n + 1], ["maximize"] * len(varying), [0.0] * len(varying)) if varying else 1.0 for n in range(len(rows))]
    assert hypervolumes(found, ways) == pytest.approx(directly)
