"""How far an order of times agrees with a claim and with another order: pairs are counted, what differs by less than noise is a tie."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import TypeVar

T = TypeVar("T")
Sign = int  # 1: the first takes longer, -1: the second, 0: neither by more than the noise
MOSTLY = 2  # a claim that holds this many times as often as its opposite holds mostly


def sign(ratio: float, noise_pct: float = 0.0) -> Sign:
    """Which of two takes longer, of the ratio of their times.

    >>> sign(1.02, noise_pct=1), sign(1.005, noise_pct=1), sign(1 / 1.02, noise_pct=1)
    (1, 0, -1)
    """
    if max(ratio, 1 / ratio) <= 1 + noise_pct / 100:
        return 0
    return 1 if ratio > 1 else -1


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a claim's comparisons: how many hold, are within the noise, and are the other way round."""

    held: int
    tied: int
    broken: int

    @property
    def pairs(self) -> int:
        """How many comparisons there were."""
        return self.held + self.tied + self.broken

    @property
    def word(self) -> str:
        """The verdict in plain words, which follow what was claimed.

        >>> Tally(6, 0, 0).word, Tally(5, 0, 1).word, Tally(3, 0, 3).word, Tally(1, 5, 0).word, Tally(0, 0, 6).word
        ('holds', 'mostly holds', 'holds in part', 'makes no difference beyond the noise', 'is the other way round')
        """
        if 2 * self.tied > self.pairs:
            return "makes no difference beyond the noise"
        if not self.broken:
            return "holds"
        if self.held >= MOSTLY * self.broken:
            return "mostly holds"
        return "is the other way round" if self.broken >= MOSTLY * self.held else "holds in part"


def tally(signs: Iterable[Sign]) -> Tally:
    """Count the comparisons of a claim: 1 where it holds.

    >>> tally([1, 1, 0, -1])
    Tally(held=2, tied=1, broken=1)
    """
    found = list(signs)
    return Tally(found.count(1), found.count(0), found.count(-1))


def rank_agreement(columns: Iterable[Iterable[T]], here: Callable[[T, T], Sign], there: Callable[[T, T], Sign]) -> float | None:
    """Kendall's tau-b over the pairs inside columns, by two ways of comparing them; None where one of them ties all pairs.

    Pairs that agree minus pairs that do not, over the geometric mean of the pairs that either decides: 1 is the same order, -1 the reverse.

    >>> rank_agreement([[1, 2, 3]], lambda a, b: a - b, lambda a, b: a - b)
    1.0
    """
    agreeing = by_here = by_there = 0
    for column in columns:
        for a, b in combinations(column, 2):
            one, other = _clipped(here(a, b)), _clipped(there(a, b))
            agreeing += one * other
            by_here += abs(one)
            by_there += abs(other)
    return agreeing / sqrt(by_here * by_there) if by_here and by_there else None


def _clipped(value: int) -> Sign:
    return (value > 0) - (value < 0)
