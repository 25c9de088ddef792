"""What a page of grouped bars is given: panels of the same rows, in each a set of bars per source of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bars:
    """One number per row, from one source; None where there is none. `hover`: what is said of each beside it."""

    name: str
    ratios: Sequence[float | None]
    hover: Sequence[str]


@dataclass(frozen=True, slots=True)
class Panel:
    """Groups of bars, one group per row."""

    title: str
    rows: Sequence[str]
    bars: Sequence[Bars]
