"""Interleaved rounds on made-up clocks: an entry's call returns the milliseconds that the clock then reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, cycle, repeat
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.errors import LawError
from archspace.timing.rounds import LEAST_ROUNDS, MOST_WARMING, ROUNDS, Rounds, in_turn, interleave, warmed_up


def taking(*times: float) -> Callable[[], float]:
    """A call that takes these times in turn, for ever."""
    return cycle(times).__next__


def clock(call: Callable[[], Any], calls: int) -> float:
    """Believes what the call says."""
    return float(call())


def of(*least_ms: Iterable[float]) -> Rounds:
    return Rounds(tuple(map(tuple, least_ms)), (3,) * len(least_ms))


def test_a_round_keeps_the_least_time_of_its_calls() -> None:
    timed = interleave([taking(12, 10, 11)], clock)
    assert timed.calls == (3,)  # 30 ms a round are two calls and a half, but never fewer than three
    assert timed.least_ms == ((10,) * ROUNDS,)
    assert timed.ms(0) == 10


def test_what_was_slow_for_less_than_half_of_the_rounds_does_not_count() -> None:
    timed = of([20.0] * 7 + [10.0] * 8)
    assert timed.ms(0) == 10


def test_ratios_are_taken_inside_rounds_so_a_slower_machine_cancels() -> None:
    slowness = [1.0, 1.5, 3.0, 1.0, 1.2]
    timed = of([10 * s for s in slowness], [20 * s for s in slowness], [5 * s for s in slowness])
    assert [timed.ratio(i) for i in range(3)] == pytest.approx([1, 2, 0.5])
    assert timed.ratio(1, to=2) == pytest.approx(4)


def test_the_noise_floor_is_the_gap_between_odd_and_even_rounds() -> None:
    steady, swinging, worse = [10.0] * 6, [10.0, 11.0] * 3, [10.0, 20.0] * 3
    assert of(steady).noise_pct == 0
    assert of(swinging).noise_pct == pytest.approx(100 * (1 - 10 / 11))
    assert of(steady, swinging, worse).noise_pct == of(swinging).noise_pct  # the median over entries


def test_the_spread_is_the_middle_half_of_the_rounds() -> None:
    assert of([8.0, 9.0, 10.0, 11.0, 12.0]).spread_pct(0) == pytest.approx(100 * (11 - 9) / 10)
    assert of([10.0] * 9 + [1000.0]).spread_pct(0) == 0


def test_every_entry_runs_in_every_round_before_the_next_begins() -> None:
    made: list[str] = []

    def named(name: str) -> Callable[[], float]:
        def call() -> float:
            made.append(name)
            return 10.0

        return call

    interleave([named("a"), named("b")], clock, rounds=4)
    assert made == ["a"] * 2 + ["b"] * 2 + (["a"] * 3 + ["b"] * 3) * 4  # two timings that agree are warm


def test_short_calls_are_timed_several_in_a_row() -> None:
    asked: list[int] = []

    def counting(call: Callable[[], Any], calls: int) -> float:
        asked.append(calls)
        return float(call())

    timed = interleave([taking(0.01)], counting, rounds=4)
    assert asked[0] == 1
    assert set(asked[1:]) == {20}  # 0.2 ms over 0.01 ms
    assert timed.calls == (20 * 150,)  # 30 ms
    assert len(asked) == 2 + 4 * 150
    assert interleave([taking(0.01)], counting, rounds=4, round_ms=6).calls == (20 * 30,)


def test_a_clock_that_sees_nothing_divides_by_nothing() -> None:
    timed = interleave([taking(0.0)], lambda call, calls: 0.0, rounds=4)
    assert (timed.ratio(0), timed.noise_pct) == (1, 0)


def test_an_entry_is_warm_when_two_timings_agree() -> None:
    cold = chain([100.0, 50.0, 20.0, 10.5, 10.0], repeat(10.0))
    assert warmed_up(cold.__next__, clock) == 10.0
    assert next(cold) == 10.0


def test_an_entry_that_never_settles_is_measured_all_the_same() -> None:
    made = []

    def restless() -> float:
        made.append(len(made))
        return 10.0 if len(made) % 2 else 20.0

    warmed_up(restless, clock)
    assert len(made) == 1 + MOST_WARMING


def test_seconds_stand_in_place_of_a_number_of_rounds() -> None:
    entries = [taking(10.0), taking(40.0)]  # 30 ms and 120 ms a round
    assert interleave(entries, clock, seconds=3).rounds == 20
    assert interleave(entries, clock, seconds=0.1).rounds == LEAST_ROUNDS


def test_progress_is_told_after_every_round() -> None:
    told: list[tuple[int, int]] = []
    interleave([taking(10.0)], clock, rounds=5, progress=lambda done, total: told.append((done, total)))
    assert told == [(i, 5) for i in range(1, 6)]


def test_buffers_in_turn_are_one_call() -> None:
    call = in_turn([taking(1), taking(2), taking(3)])
    assert [call() for _ in range(7)] == [1, 2, 3, 1, 2, 3, 1]


@pytest.mark.parametrize(
    ("options", "law"),
    [
        ({"rounds": 1}, "at least 4 rounds, but got 1"),
        ({"rounds": -3}, "at least 4 rounds, but got -3"),
        ({"seconds": 0}, "positive and finite, but got 0"),
        ({"seconds": float("nan")}, "positive and finite, but got nan"),
        ({"seconds": float("inf")}, "positive and finite, but got inf"),
    ],
)
def test_fewer_rounds_than_make_a_measurement_are_refused(options: dict[str, Any], law: str) -> None:
    with pytest.raises(LawError, match=law):
        interleave([taking(1.0)], clock, **options)


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(LawError, match="at least one entry"):
        interleave([], clock)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(0.3, 1e4), min_size=1, max_size=5),
    st.lists(st.floats(0.5, 4), min_size=LEAST_ROUNDS, max_size=12),
)
def test_ratios_do_not_depend_on_how_slow_each_round_was(times: list[float], slowness: list[float]) -> None:
    timed = of(*[[ms * s for s in slowness] for ms in times])
    assert [timed.ratio(i) for i in range(len(times))] == pytest.approx([ms / times[0] for ms in times])
    assert all(min(slowness) * ms <= timed.ms(i) * (1 + 1e-9) for i, ms in enumerate(times))
    assert all(timed.ms(i) <= max(slowness) * ms * (1 + 1e-9) for i, ms in enumerate(times))
