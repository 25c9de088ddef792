"""Domains: what a parameter of a design space may be."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import exp, isfinite, log
from typing import Any

from archspace.errors import SpaceError

MOST_STEPS = 1_000_000
DIGITS = 10  # decimals that steps of a float range are rounded to
Value = bool | int | float | str | tuple[Any, ...] | None


def value_text(value: object) -> str:
    """A value for people: True -> 'yes', (4, 8, 4) -> '4x8x4', 0.30000000000000004 -> '0.3'."""
    if isinstance(value, tuple | list):
        return "x".join(map(value_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


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

    def __str__(self) -> str:
        """As a person writes it: '3, 5, 7', 'yes, no', '4x8x4, 2x4x2'."""
        return ", ".join(value_text(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from low to high (both included) in steps; integers when all three are, else floats (step None: any).

    `log`: every ratio is as likely as any other, not every difference; without a step.
    """

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

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
        if self.log and self.low <= 0:
            raise SpaceError(f"{place}: low must be above 0 on a log scale, but got {self.low}. Give a small one, or drop log.")
        if self.log and self.step is not None:
            raise SpaceError(f"{place}: step is a difference, but log asks for ratios. Drop one of them.")
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
        """A value at random, uniform over the steps, or over their logarithms."""
        if self.log and self.is_int:
            # Every whole number has the stretch of the scale that rounds to it.
            return min(max(round(exp(rng.uniform(log(self.low - 0.5), log(self.high + 0.5)))), int(self.low)), int(self.high))
        if self.log:
            return min(max(exp(rng.uniform(log(self.low), log(self.high))), self.low), self.high)
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

    def __str__(self) -> str:
        """As a person writes it: '0.25 to 2 by 0.05', '1e-05 to 0.0005 (log)', '2 to 6'.

        >>> str(Range(2, 6)), str(Range(0.25, 2.0, 0.05)), str(Range(1e-5, 5e-4, log=True))
        ('2 to 6', '0.25 to 2 by 0.05', '1e-05 to 0.0005 (log)')
        """
        ends = f"{self.low:g} to {self.high:g}"
        return (
            f"{ends} (log)" if self.log else ends if self.step is None or (self.step == 1 and self.is_int) else f"{ends} by {self.step:g}"
        )


Domain = Choice | Range
