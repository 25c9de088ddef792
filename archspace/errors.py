"""Every error that archspace raises on purpose, and how its one line is worded.

    ArchspaceError            anything a user can mend: one line, exit code 2
    ├── LawError              an op, a config or a shape breaks a law (groups must divide channels, ...)
    ├── UnknownNameError      a name that no table knows; carries the nearest ones ("did you mean")
    ├── FileError             a file that is missing, foreign, corrupt, unwritable or already there
    ├── SpaceError            a design space that contradicts itself
    ├── BudgetError           a budget that no member of a space can meet
    ├── StudyError            a study directory or storage that belongs to something else
    ├── ObjectiveError        an objective that fails on one candidate: its trial fails, the study goes on
    └── MissingPackageError   an optional package that a verb needs

A message states the law, the values, the place and the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from math import isqrt


class ArchspaceError(Exception):
    """Base of all errors that a user can mend."""


class LawError(ArchspaceError):
    """A value breaks a law of an op, a config or a shape."""

    def at(self, place: str) -> LawError:
        """The same error with the place where it happened in front."""
        return LawError(f"{place}: {self}")


class UnknownNameError(ArchspaceError):
    """A name that is in none of the tables. `also` is matched for near names but not listed."""

    def __init__(self, what: str, name: str, known: Iterable[str], also: Iterable[str] = ()) -> None:
        known = [str(one) for one in known]
        near = _near(str(name), known, 1, 0.6) or _near(str(name), also, 3, 0.7)
        hint = f"Did you mean {_either(near)}?" if near else f"Known: {', '.join(known) or 'none'}."
        super().__init__(f"unknown {what} {name!r}. {hint}")


class FileError(ArchspaceError):
    """A file that cannot be read or written as asked."""


class SpaceError(ArchspaceError):
    """A design space that contradicts itself."""


class BudgetError(ArchspaceError):
    """A budget that nothing in a space can meet."""


class StudyError(ArchspaceError):
    """A study directory or storage that belongs to another question."""


class ObjectiveError(ArchspaceError):
    """An objective fails on a candidate. `traceback` is what a function of the user's own raised, in full."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback

    def __reduce__(self) -> tuple[type[ObjectiveError], tuple[str, str]]:
        return ObjectiveError, (str(self), self.traceback)


class MissingPackageError(ArchspaceError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package.partition('.')[0]!r}, which is not installed. "
            f"Install it, or archspace with its extra {extra!r}: pip install '.[{extra}]' in a clone."
        )


def _near(name: str, known: Iterable[str], most: int, cutoff: float) -> list[str]:
    """The names in `known` that are close to `name`, upper and lower case apart."""
    spelled = {one.lower(): one for one in known}
    return [spelled[one] for one in difflib.get_close_matches(name.lower(), spelled, n=most, cutoff=cutoff)]


def _either(names: list[str]) -> str:
    return " or ".join(repr(name) for name in names)


def nearest_divisors(number: int, wanted: int) -> str:
    """The divisors of `number` around `wanted`, as a way out of a broken divisibility law.

    >>> nearest_divisors(58, 3)
    '2, 29'
    """
    small = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    divisors = small + [number // d for d in reversed(small) if d * d != number]
    below = [d for d in divisors if d < wanted][-1:]
    above = [d for d in divisors if d > wanted][:1]
    return ", ".join(str(d) for d in below + above)
