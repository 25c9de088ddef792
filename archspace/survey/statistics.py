"""Statistics of samples: quantiles, shares with their intervals, distribution functions and how far two are apart."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor, sqrt

Z95 = 1.959964  # two-sided 95 % of the normal distribution
SIGNIFICANT = 0.05
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's score (JASA 22, 1927): it stays within 0 and 1, also where all or none hit.

    >>> [round(end, 4) for end in wilson(0, 1000)], [round(end, 3) for end in wilson(250, 1000)]
    ([0.0, 0.0038], [0.224, 0.278])
    """
    if not tries:
        return 0.0, 1.0
    share, z2 = hits / tries, Z95 * Z95
    middle = (share + z2 / (2 * tries)) / (1 + z2 / tries)
    half = Z95 / (1 + z2 / tries) * sqrt(share * (1 - share) / tries + z2 / (4 * tries * tries))
    return middle - half if hits else 0.0, middle + half if hits < tries else 1.0


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of sorted values, linear between neighbours.

    >>> quantile([1, 2, 4], 0.5), quantile([1, 2, 4], 0.75)
    (2.0, 3.0)
    """
    at = share * (len(ordered) - 1)
    low = floor(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (at - low) * (ordered[high] - ordered[low]))


@dataclass(frozen=True, slots=True)
class Apart:
    """How far the distribution functions of two samples are apart, and where.

    `ahead`: the most by which the first one's function lies above the second's, at the value `ahead_at`; `behind`: the other way round.
    """

    ahead: float
    ahead_at: float
    behind: float
    behind_at: float
    pairs: float  # n m / (n + m), what the significance goes by

    @property
    def distance(self) -> float:
        """The Kolmogorov-Smirnov distance."""
        return max(self.ahead, self.behind)

    @property
    def p_value(self) -> float:
        """How likely a distance like this is for two samples of one distribution: Kolmogorov's series with Stephens's correction (1970)."""
        root = sqrt(self.pairs)
        t = (root + 0.12 + 0.11 / root) * self.distance
        if t < 0.2:
            return 1.0
        series = sum([(1.0 if k % 2 else -1.0) * exp(-2 * k * k * t * t) for k in range(1, 101)])
        return min(1.0, max(0.0, 2 * series))

    def one_sided(self, distance: float) -> float:
        """How likely a distance like this in one direction is for two samples of one distribution (Smirnov's limit)."""
        return exp(-2 * self.pairs * distance * distance)


def apart(first: Sequence[float], second: Sequence[float]) -> Apart:
    """The distances between the distribution functions of two sorted samples.

    >>> apart([1, 2, 3], [3, 4, 5]).distance.__round__(3), apart([1, 2], [1, 2]).distance
    (0.667, 0.0)
    """
    ahead = behind = 0.0
    ahead_at = behind_at = first[0]
    for value in sorted({*first, *second}):
        difference = bisect_right(first, value) / len(first) - bisect_right(second, value) / len(second)
        if difference > ahead:
            ahead, ahead_at = difference, value
        if -difference > behind:
            behind, behind_at = -difference, value
    return Apart(ahead, ahead_at, behind, behind_at, len(first) * len(second) / (len(first) + len(second)))


def share_better(ordered: Sequence[float], value: float, *, maximize: bool) -> float:
    """The share of sorted values that are better than `value`: below it, or above it.

    >>> share_better([1, 2, 3, 4], 3, maximize=False), share_better([1, 2, 3, 4], 3, maximize=True)
    (0.5, 0.25)
    """
    below = bisect_left(ordered, value)
    return (len(ordered) - bisect_right(ordered, value) if maximize else below) / len(ordered)


def bin_edges(values: Sequence[float], bins: int) -> list[float]:
    """Edges of equal bins over the values: equal ratios where the largest is over ten times the smallest, else equal differences.

    >>> bin_edges([1, 16], 4), bin_edges([0, 8], 4), bin_edges([5, 5], 4)
    ([1.0, 2.0, 4.0, 8.0, 16.0], [0.0, 2.0, 4.0, 6.0, 8.0], [5.0, 5.0])
    """
    low, high = float(min(values)), float(max(values))
    if low == high:
        return [low, high]
    if low > 0 and high / low > 10:
        return [low * (high / low) ** (i / bins) for i in range(bins)] + [high]
    return [low + (high - low) * i / bins for i in range(bins)] + [high]


def bin_counts(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie in each bin; the last one has its upper edge.

    >>> bin_counts([1, 2, 3, 4], [1, 2, 4])
    [1, 3]
    """
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(max(bisect_right(edges, value) - 1, 0), len(counts) - 1)] += 1
    return counts
