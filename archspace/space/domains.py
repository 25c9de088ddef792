"""Domains: what a parameter of a design space may be."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import isfinite
from typing import Any

from archspace.errors import SpaceError

MOST_STEPS = 1_000_000
DIGITS = 10  # decimals that steps of a float range are rounded to
Value = bool | int | float | str | tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few listed values."""

    values: tuple[Value, ...]

    def check(self, place: str) -> None:
        """Raise SpaceError when nothing is listed, or something twice."""
        if not self.values:
            raise SpaceError(f"{place}: choices must list at least one value, but is empty")
        if len({(type(value), value) for value in self.values}) < len(self.values):
            raise SpaceError(f"{place}: choices must differ, but some value of {list(self.values)} is listed twice")

    def contains(self, value: object) -> bool:
        """Whether the value is listed."""
        return value in self.values

    def sample(self, rng: random.Random) -> Value:
        """A value at random."""
        return rng.choice(self.values)

    def corners(self) -> tuple[Value, ...]:
        """The values worth trying when looking for an extreme: all."""
        return self.values

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from low to high (both included) in steps; integers when all three are, else floats (step None: any)."""

    low: int | float
    high: int | float
    step: int | float | None = None

    @property
    def is_int(self) -> bool:
        """Whether the values are whole numbers."""
        return all(isinstance(v, int) for v in (self.low, self.high)) and isinstance(self.step, int | None)

    def check(self, place: str) -> None:
        """Raise SpaceError when the range is empty or its step does not move."""
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if value is not None and not isfinite(value):
                raise SpaceError(f"{place}: {name} must be a finite number, but got {value}")
        if self.low > self.high:
            raise SpaceError(f"{place}: low must not exceed high, but got low={self.low}, high={self.high}")
        if self.step is not None and self.step <= 0:
            raise SpaceError(f"{place}: step must be above 0, but got {self.step}")
        if self.step is not None and (self.high - self.low) / self.step > MOST_STEPS:
            raise SpaceError(
                f"{place}: a range has at most {MOST_STEPS} steps, but step={self.step} from {self.low} to {self.high} has more"
            )

    def contains(self, value: object) -> bool:
        """Whether the value is in the range, on one of its steps."""
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.is_int else None)
        return step is None or abs((value - self.low) / step - round((value - self.low) / step)) < 1e-6

    def sample(self, rng: random.Random) -> Value:
        """A value at random, uniform over the steps."""
        if self.is_int:
            return rng.randrange(int(self.low), int(self.high) + 1, int(self.step or 1))
        if self.step is None:
            return rng.uniform(self.low, self.high)
        return min(round(self.low + self.step * rng.randrange(len(self)), DIGITS), self.high)

    def corners(self) -> tuple[Value, ...]:
        """The values worth trying when looking for an extreme: the ends."""
        return (self.low, self.high)

    def __len__(self) -> int:
        if self.step is None and not self.is_int:
            raise SpaceError("a continuous range has no number of values")
        # Half a step of slack keeps 0.25..2.0 by 0.05 at 36 values in spite of binary fractions.
        return int((self.high - self.low) / (self.step or 1) + 1e-9) + 1


Domain = Choice | Range
