"""Hypervolume: how much of the objective space a set of candidates dominates, up to a reference point.

Zitzler and Thiele, "Multiobjective Optimization Using Evolutionary Algorithms" (PPSN 1998). It is exact: a sweep over two objectives, and
slices along the last one for more (Fleischer's and While's "hypervolume by slicing objectives").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from archspace.analysis.pareto import MAXIMIZE, Direction, pareto_front
from archspace.errors import LawError


def hypervolume(values: Sequence[Sequence[float]], directions: Sequence[Direction], reference: Sequence[float]) -> float:
    """The volume that the rows of `values` dominate and that dominates the reference point, in the product of the objectives' units.

    values: (rows, objectives); reference: one value per objective, no better than what shall count: rows that do not reach it in every
    objective add nothing. Raises LawError when the sizes differ.

    >>> hypervolume([(3, 1), (5, 2)], ["maximize", "minimize"], (0, 4))
    13.0
    """
    if len(reference) != len(directions) or any(len(row) != len(directions) for row in values):
        raise LawError(
            f"hypervolume takes one value per objective, but got {len(directions)} directions and a reference of {len(reference)}"
        )
    signs = [1.0 if direction == MAXIMIZE else -1.0 for direction in directions]
    gains = [[sign * (value - worst) for sign, value, worst in zip(signs, row, reference, strict=True)] for row in values]
    return _volume([row for row in gains if all(gain > 0 for gain in row)])


def _volume(gains: list[list[float]]) -> float:
    """The union of the boxes from the origin to each row."""
    if not gains:
        return 0.0
    n = len(gains[0])
    if n == 1:
        return max(row[0] for row in gains)
    if n == 2:
        area, reached = 0.0, 0.0
        for x, y in sorted(map(tuple, gains), reverse=True):
            if y > reached:
                area += x * (y - reached)
                reached = y
        return area
    heights = sorted({row[-1] for row in gains}, reverse=True)
    volume = 0.0
    for top, bottom in pairwise([*heights, 0.0]):
        rows = [row[:-1] for row in gains if row[-1] >= top]
        front = pareto_front(rows, [MAXIMIZE] * (n - 1))
        volume += (top - bottom) * _volume([rows[i] for i in front])
    return volume
