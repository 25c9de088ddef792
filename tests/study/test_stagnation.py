"""Early stop: when a front counts as standing still."""

from __future__ import annotations

import random

from archspace.study.stagnation import GROWTH, Stagnation

Trials = list[tuple[float, ...] | None]


def stalled_at(trials: Trials, patience: int, directions: tuple[str, ...] = ("maximize", "minimize")) -> int | None:
    watch = Stagnation(directions, patience)  # type: ignore[arg-type]
    for values in trials:
        watch.add(values)
    return watch.stalled_at


def test_a_front_never_stands_still_before_there_is_a_feasible_candidate() -> None:
    assert stalled_at([None] * 1000, patience=1) is None


def test_candidates_that_are_not_feasible_count_as_trials_without_growth() -> None:
    assert stalled_at([(1.0, 1.0), None, None, None], patience=3) == 4
    assert stalled_at([None, None, (1.0, 1.0), None, None], patience=3) is None


def test_what_does_not_change_the_front_is_no_growth() -> None:
    dominated: Trials = [(5.0, 5.0), (4.0, 6.0), (5.0, 5.0), (3.0, 9.0)]
    assert stalled_at(dominated, patience=3) == 4


def test_a_better_value_of_a_single_objective_is_growth() -> None:
    better: Trials = [(10.0,), (9.0,), (8.0,), (7.0,)]
    assert stalled_at(better, 1, ("minimize",)) is None
    assert stalled_at(better[::-1], 1, ("minimize",)) == 2


def test_growth_below_a_thousandth_is_none() -> None:
    # The worst is 0 and the first front reaches 1000: a volume of 1000. A thousandth of that is 1.
    assert GROWTH == 1e-3
    begin: Trials = [(0.0,), (1000.0,)]
    assert stalled_at([*begin, (1000.9,), (1000.95,)], 2, ("maximize",)) == 4
    assert stalled_at([*begin, (1000.9,), (1001.1,)], 2, ("maximize",)) is None


def test_small_steps_add_up_to_growth() -> None:
    steps: Trials = [(0.0,), *((1000.0 + 0.6 * i,) for i in range(20))]
    # Every second step exceeds 1.0 since the last growth, so that no three steps pass without one.
    assert stalled_at(steps, 3, ("maximize",)) is None
    assert stalled_at(steps, 1, ("maximize",)) == 3


def test_a_front_that_stood_still_once_has_stood_still() -> None:
    begin: Trials = [(0.0,), (1000.0,), (1.0,), (1.0,)]
    assert stalled_at(begin, 2, ("maximize",)) == 4
    assert stalled_at([*begin, (5000.0,)], 2, ("maximize",)) == 4


def test_one_more_point_beside_the_others_is_growth_as_soon_as_it_covers_more() -> None:
    # Maximize a, minimize b, worst (1, 9): of (1, 1) alone no volume; (5, 5) covers 4 x 4; (9, 9) lies on the worst's edge and adds none.
    trials: Trials = [(1.0, 1.0), (5.0, 5.0), (9.0, 9.0)]
    assert stalled_at(trials, 1) == 2  # before (9, 9), the worst is (1, 5): (5, 5) lies on its edge too
    # Now the worst is (1, 9) and a fourth point makes 4 x 4 + 3 x 2 of 4 x 4.
    assert stalled_at([*trials, (8.0, 7.0)], 3) is None


def test_patience_is_counted_from_the_last_growth() -> None:
    trials: Trials = [(0.0,), (10.0,), None, (20.0,), None, None, None]
    assert stalled_at(trials, 3, ("maximize",)) == 7
    assert stalled_at(trials[:-1], 3, ("maximize",)) is None


def test_more_patience_never_stops_earlier() -> None:
    generator = random.Random(0)
    trials: Trials = [(generator.random(), generator.random()) if generator.random() < 0.7 else None for _ in range(300)]
    ends = [stalled_at(trials, patience) or len(trials) + 1 for patience in (1, 2, 5, 10, 20, 50)]
    assert ends == sorted(ends)
    assert ends[0] < ends[-1]
