"""Hypervolume: against counting unit cells, and by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.analysis.hypervolume import hypervolume
from archspace.errors import LawError


def test_one_objective_is_the_distance_of_the_best_from_the_reference() -> None:
    assert hypervolume([(3,), (7,), (5,)], ["maximize"], (2,)) == 5
    assert hypervolume([(3,), (7,)], ["minimize"], (10,)) == 7


def test_two_boxes_share_their_overlap() -> None:
    # (3, 1) gains 3 x 3 = 9 and (5, 2) gains 5 x 2 = 10 towards (0, 4); both cover 3 x 2 = 6.
    assert hypervolume([(3, 1), (5, 2)], ["maximize", "minimize"], (0, 4)) == 9 + 10 - 6


def test_what_does_not_reach_the_reference_adds_nothing() -> None:
    assert hypervolume([(5, 4), (-1, 0)], ["maximize", "minimize"], (0, 4)) == 0
    assert hypervolume([], ["maximize", "minimize"], (0, 4)) == 0


@settings(deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 4)] * n), min_size=1, max_size=8)))
def test_the_volume_is_the_number_of_unit_cells_that_some_row_covers(rows: list[tuple[int, ...]]) -> None:
    n = len(rows[0])
    cells = sum(any(all(cell[i] < row[i] for i in range(n)) for row in rows) for cell in product(range(4), repeat=n))
    assert hypervolume(rows, ["maximize"] * n, [0] * n) == cells


def test_sizes_must_agree() -> None:
    with pytest.raises(LawError, match="one value per objective"):
        hypervolume([(1, 2)], ["maximize"], (0,))
