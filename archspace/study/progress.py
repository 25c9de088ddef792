"""How far a search is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archspace.analysis.pareto import MAXIMIZE
from archspace.study.question import Question
from archspace.study.records import Record, winners


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is: trials done of all asked for, feasible ones, and the best value of the first objective."""

    done: int
    trials: int
    feasible: int
    best: float | None


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Run:
    """How a study's trials are run: how many in all, by how many processes, how long each may take, when to stop early.

    `grace_s`: a worker on a shared study that has not been heard of for so long is taken for dead.
    """

    trials: int
    workers: int = 1
    time_limit_s: float | None = None
    patience: int | None = None
    grace_s: int = 120


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run leaves: all records, how many were there before, how it ended, the first traceback of a user's own objective."""

    records: list[Record]
    resumed: int
    interrupted: bool
    stalled: bool
    traceback: str


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Every record of a study so far.

    `resumed` of them were there before; `interrupted` says that somebody stopped it, `stalled` that the front stood still. `traceback` is
    the first one that a user's own objective left.
    """

    question: Question
    directory: Path
    records: tuple[Record, ...]
    resumed: int = 0
    interrupted: bool = False
    stalled: bool = False
    traceback: str = ""

    @property
    def winners(self) -> list[Record]:
        """The Pareto front of the feasible records, best in the first objective first."""
        return winners(self.records, self.question)

    @property
    def feasible(self) -> int:
        """How many records meet every bound."""
        return sum(record.feasible for record in self.records)


class Tally:
    """Counts records as they come, for progress: feasible ones and the best of the first objective."""

    def __init__(self, question: Question, records: Sequence[Record] = ()) -> None:
        self._name, direction = next(iter(question.objectives.items()))
        self._better = max if direction == MAXIMIZE else min
        self._done = self._feasible = 0
        self._best: float | None = None
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """One more record."""
        self._done += 1
        if record.feasible:
            value = record.metrics[self._name]
            self._feasible += 1
            self._best = value if self._best is None else self._better(self._best, value)

    def progress(self, trials: int) -> Progress:
        """Where the search is."""
        return Progress(self._done, trials, self._feasible, self._best)
