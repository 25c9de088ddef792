"""Interleaved rounds: every entry runs in every round, a round keeps the least time of each, and medians are taken over rounds.

A machine that slows down for a while slows all entries of a round alike, so ratios are taken inside rounds; the least time of a round is
the one that nothing interrupted. No single run and no mean is ever reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import ceil
from statistics import median, quantiles

from archspace.errors import LawError

Call = Callable[[], object]
Clock = Callable[[Call, int], float]  # (call, n) -> ms of one call, of n in a row
Progress = Callable[[int, int], None]  # (rounds done, rounds in all)

ROUNDS = 15
LEAST_ROUNDS = 4  # two odd and two even ones, for the noise floor
ROUND_MS = 30.0  # what an entry takes of a round
LEAST_SAMPLES = 3  # of which a round keeps the least
SAMPLE_MS = 0.2  # shorter calls are timed several in a row: reading the thread's clock takes 0.0006 ms (Linux, in a virtual machine)
WARM_SHARE = 0.1  # an entry is warm when two timings in a row differ by less
MOST_WARMING = 20
NOTHING_MS = 1e-6  # a clock that sees less than this sees nothing


@dataclass(frozen=True, slots=True)
class Rounds:
    """What rounds of several entries took: `least_ms[entry][round]` is the least time of one call, `calls` how many each round made.

    Rounds of more than one run, an interrupted one and what went on from it, do not say how many calls.
    """

    least_ms: tuple[tuple[float, ...], ...]
    calls: tuple[int, ...] = ()

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return len(self.least_ms[0])

    def ms(self, entry: int) -> float:
        """The median over rounds of an entry's least time."""
        return median(self.least_ms[entry])

    def spread_pct(self, entry: int) -> float:
        """The middle half of an entry's rounds, from its lower to its upper end, in percent of the median."""
        low, middle, high = quantiles(self.least_ms[entry], n=4, method="inclusive")
        return 100 * (high - low) / middle

    def ratio(self, entry: int, to: int = 0) -> float:
        """The median over rounds of an entry's time over another's in the same round."""
        return median(a / b for a, b in zip(self.least_ms[entry], self.least_ms[to], strict=True))

    @property
    def noise_pct(self) -> float:
        """The noise floor: how far medians of odd and of even rounds lie apart, in percent, the median over entries."""
        return median(100 * abs(median(times[::2]) / median(times[1::2]) - 1) for times in self.least_ms)


def interleave(
    entries: Sequence[Call],
    clock: Clock,
    *,
    rounds: int = ROUNDS,
    seconds: float | None = None,
    round_ms: float = ROUND_MS,
    progress: Progress | None = None,
) -> Rounds:
    """Warm every entry up, then time all of them in turn, round after round.

    An entry is called for about `round_ms` in each round, at least three times; one that takes different buffers in turn is a call like any
    other (`in_turn`). With `seconds` there are as many rounds as fit into that time, at least four.
    Raises LawError for no entries and for fewer rounds than that; whatever an entry raises goes through.
    """
    if not entries:
        raise LawError("interleave times at least one entry, but got none")
    check_length(rounds, seconds)
    plans = _plans(entries, clock, round_ms)
    if seconds is not None:
        rounds = max(LEAST_ROUNDS, int(1000 * seconds / sum(plan.ms for plan in plans)))
    least: list[tuple[float, ...]] = []
    for done in range(rounds):
        least.append(_round(entries, plans, clock))
        if progress is not None:
            progress(done + 1, rounds)
    return Rounds(tuple(zip(*least, strict=True)), tuple([plan.samples * plan.calls for plan in plans]))


def endless_rounds(entries: Sequence[Call], clock: Clock, *, round_ms: float = ROUND_MS) -> Iterator[tuple[float, ...]]:
    """The rounds of `interleave` one by one, for as long as they are asked for: the least time of each entry. Warms up before the first."""
    plans = _plans(entries, clock, round_ms)
    while True:
        yield _round(entries, plans, clock)


def check_length(rounds: int, seconds: float | None) -> None:
    """Raise LawError unless so many rounds, or so long a time, make a measurement."""
    if rounds < LEAST_ROUNDS:
        raise LawError(f"a measurement takes at least {LEAST_ROUNDS} rounds, but got {rounds}. By default there are {ROUNDS}.")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise LawError(f"a measurement's seconds must be positive and finite, but got {seconds:g}")


def in_turn(calls: Sequence[Call]) -> Call:
    """One call that makes these in turn: the same work on other buffers, so that none is found in a cache again."""
    following = cycle(calls).__next__
    return lambda: following()()


def warmed_up(call: Call, clock: Clock) -> float:
    """Call until two timings in a row differ by less than a tenth, twenty times at most; the last of them, in ms of one call."""
    last = max(NOTHING_MS, clock(call, 1))
    for _ in range(MOST_WARMING):
        now = max(NOTHING_MS, clock(call, _in_a_row(last)))
        if abs(now - last) < WARM_SHARE * last:
            return now
        last = now
    return last


@dataclass(frozen=True, slots=True)
class _Plan:
    """How an entry is called in a round: `samples` timings of `calls` calls each, of `ms` in all."""

    samples: int
    calls: int
    ms: float


def _plan(ms: float, round_ms: float) -> _Plan:
    calls = _in_a_row(ms)
    samples = max(LEAST_SAMPLES, round(round_ms / (ms * calls)))
    return _Plan(samples, calls, samples * calls * ms)


def _plans(entries: Sequence[Call], clock: Clock, round_ms: float) -> list[_Plan]:
    return [_plan(warmed_up(call, clock), round_ms) for call in entries]


def _round(entries: Sequence[Call], plans: Sequence[_Plan], clock: Clock) -> tuple[float, ...]:
    """The least time of each entry in one round."""
    pairs = zip(entries, plans, strict=True)
    return tuple([max(NOTHING_MS, min(clock(call, plan.calls) for _ in range(plan.samples))) for call, plan in pairs])


def _in_a_row(ms: float) -> int:
    return max(1, ceil(SAMPLE_MS / ms))
