"""What a rule is: its code, its name, how serious it is, its check and its thresholds; and its manual page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import getdoc

from archspace.errors import LawError
from archspace.rules.finding import Breach
from archspace.rules.network import Network

Check = Callable[[Network, Mapping[str, float]], Iterator[Breach]]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound that a user may set: its default and the range that makes sense."""

    default: float
    low: float
    high: float
    whole: bool = False  # a number of things


@dataclass(frozen=True, slots=True)
class Rule:
    """A design rule. `name` reads as what one would allow; the check's docstring is the manual page."""

    code: str
    name: str
    severity: str
    check: Check
    thresholds: Mapping[str, Threshold]

    @property
    def summary(self) -> str:
        """The first line of the manual page."""
        return (getdoc(self.check) or "").partition("\n")[0]

    @property
    def page(self) -> str:
        """The manual page: what, Why, Instead, Source, Thresholds."""
        return getdoc(self.check) or ""

    def limits(self, given: Mapping[str, float]) -> dict[str, float]:
        """All thresholds, those given in the place of their defaults. Raises LawError for one that is unknown or out of range."""
        for name, value in given.items():
            if name not in self.thresholds:
                raise LawError(f"{self.code}: it has the thresholds {', '.join(self.thresholds) or '(none)'}, but got {name!r}")
            bound = self.thresholds[name]
            if not isinstance(value, int | float) or isinstance(value, bool) or not bound.low <= value <= bound.high:
                raise LawError(f"{self.code}.{name} must be a number from {bound.low:g} to {bound.high:g}, but got {value!r}")
            if bound.whole and value != int(value):
                raise LawError(f"{self.code}.{name} must be a whole number, but got {value!r}. Near: {int(value)}, {int(value) + 1}.")
        return {name: float(given.get(name, bound.default)) for name, bound in self.thresholds.items()}
