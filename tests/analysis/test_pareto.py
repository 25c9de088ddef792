"""Pareto fronts against their definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspace.analysis.pareto import DIRECTIONS, MAXIMIZE, MINIMIZE, Direction, pareto_front

Rows = list[tuple[int, ...]]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Rows, list[Direction]]:
    """Rows of small numbers, so that ties and equal rows are common."""
    n = draw(st.integers(1, 4))
    rows = draw(st.lists(st.tuples(*[st.integers(0, 4)] * n), max_size=12))
    return rows, draw(st.lists(st.sampled_from(DIRECTIONS), min_size=n, max_size=n))


def at_least_as_good(a: tuple[int, ...], b: tuple[int, ...], directions: list[Direction]) -> bool:
    return all(p >= q if d == MAXIMIZE else p <= q for p, q, d in zip(a, b, directions, strict=True))


def dominates(a: tuple[int, ...], b: tuple[int, ...], directions: list[Direction]) -> bool:
    return a != b and at_least_as_good(a, b, directions)


@given(problems())
def test_no_row_of_the_front_is_dominated_and_every_other_row_is_dominated_or_repeats_one(problem: tuple[Rows, list[Direction]]) -> None:
    rows, directions = problem
    front = pareto_front(rows, directions)
    assert len(front) == len(set(front))
    for i in front:
        assert not any(dominates(row, rows[i], directions) for row in rows)
    for i in set(range(len(rows))) - set(front):
        assert any(at_least_as_good(rows[j], rows[i], directions) for j in front)


@given(problems())
def test_of_equal_rows_the_earliest_stays(problem: tuple[Rows, list[Direction]]) -> None:
    rows, directions = problem
    front = pareto_front(rows, directions)
    assert len({rows[i] for i in front}) == len(front)
    assert all(rows.index(rows[i]) == i for i in front)


@given(problems())
def test_the_best_in_the_first_objective_comes_first(problem: tuple[Rows, list[Direction]]) -> None:
    rows, directions = problem
    first = [rows[i][0] for i in pareto_front(rows, directions)]
    assert first == sorted(first, reverse=directions[0] == MAXIMIZE)


@given(problems())
def test_turning_a_direction_is_the_same_as_negating_its_values(problem: tuple[Rows, list[Direction]]) -> None:
    rows, directions = problem
    turned: list[Direction] = [MINIMIZE if d == MAXIMIZE else MAXIMIZE for d in directions]
    assert pareto_front(rows, directions) == pareto_front([tuple(-value for value in row) for row in rows], turned)


def test_no_rows_have_no_front_and_one_row_is_its_own() -> None:
    assert pareto_front([], [MINIMIZE]) == []
    assert pareto_front([(3, 4)], [MINIMIZE, MAXIMIZE]) == [0]


def test_a_row_has_a_value_per_direction() -> None:
    with pytest.raises(ValueError, match="zip"):
        pareto_front([(1, 2)], [MINIMIZE])
