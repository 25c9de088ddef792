"""Pareto fronts: which rows no other row beats in every objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

Direction = Literal["maximize", "minimize"]
MAXIMIZE: Final = "maximize"
MINIMIZE: Final = "minimize"
DIRECTIONS: tuple[Direction, ...] = (MAXIMIZE, MINIMIZE)


def pareto_front(values: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """Indices of the non-dominated rows, best in the first objective first; of equal rows the earliest stays.

    values: (rows, objectives); directions: 'maximize' or 'minimize' per objective.

    >>> pareto_front([(1, 5), (2, 3), (2, 4), (3, 9)], ["maximize", "minimize"])
    [3, 1]
    """
    signs = [-1.0 if direction == MAXIMIZE else 1.0 for direction in directions]
    keys = [tuple(sign * value for sign, value in zip(signs, row, strict=True)) for row in values]
    front: list[int] = []
    # In lexicographic order a row can be beaten only by one that came before it.
    for i in sorted(range(len(keys)), key=lambda i: (keys[i], i)):
        if not any(all(a <= b for a, b in zip(keys[j], keys[i], strict=True)) for j in front):
            front.append(i)
    return front
