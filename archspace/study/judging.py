"""Judging candidates: built, recognised by their digests, measured once each, in this process or in others.

A candidate that was judged before, under these or other options, is not judged again: options are looked up first, which saves the
building, then the digest of the network that they give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from archspace.errors import BudgetError, LawError, ObjectiveError
from archspace.ir.digest import graph_digest
from archspace.ir.graph import Graph
from archspace.latency import Profile
from archspace.objectives import measure, measure_of
from archspace.space.budget import hold_width
from archspace.study.question import Question
from archspace.study.records import Record, json_options, key_of, meets


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of judging a network: its metrics, or the problem and the traceback of a user's own function."""

    metrics: Mapping[str, float]
    problem: str = ""
    traceback: str = ""


Pending = Callable[[], Outcome]  # waits for what is still being judged


class Processes(Protocol):
    """Other processes that judge (`archspace.study.pool`)."""

    def submit(self, options: Mapping[str, Any], digest: str) -> Pending:
        """Judge a candidate's options there; `digest` is the network's that they give."""
        ...


@dataclass(slots=True)
class Judged:
    """A candidate that is judged or on its way: `record` waits for it."""

    options: Mapping[str, Any]
    digest: str
    pending: Pending
    outcome: Outcome | None = None

    def settled(self) -> Outcome:
        """What came of it; waits for that."""
        if self.outcome is None:
            self.outcome = self.pending()
        return self.outcome


def outcome_of(question: Question, device: Profile | None, graph: Graph) -> Outcome:
    """A network measured by the question's metrics."""
    try:
        return Outcome(measure(graph, question.metrics, device, question.seed))
    except (BudgetError, LawError) as error:
        return Outcome({}, str(error))
    except ObjectiveError as error:
        return Outcome({}, str(error), error.traceback)


class Judge:
    """Judges the candidates of one question, each network once. `processes` do the slow work."""

    def __init__(self, question: Question, processes: Processes | None = None) -> None:
        self._question = question
        self._device = question.profile()
        self._processes = processes
        self._by_options: dict[str, Judged] = {}
        self._by_digest: dict[str, Judged] = {}
        self.first_traceback = ""

    def learn(self, record: Record) -> None:
        """Take over a record from before."""
        self.know(record.options, record.digest, Outcome(record.metrics, record.problem))

    def know(self, options: Mapping[str, Any], digest: str, outcome: Outcome) -> None:
        """Take over what was judged before."""
        judged = Judged(options, digest, lambda: outcome, outcome)
        self._by_options.setdefault(self._key(options), judged)
        if digest:
            self._by_digest.setdefault(digest, judged)

    def submit(self, options: Mapping[str, Any]) -> Judged:
        """Begin to judge a candidate, unless it is known; at once where no other processes do it."""
        key = self._key(options)
        if key not in self._by_options:
            self._by_options[key] = self._begin(options)
        return self._by_options[key]

    def record(self, number: int, judged: Judged) -> Record:
        """The candidate's record as trial `number`; waits until it is judged."""
        outcome = judged.settled()
        if outcome.traceback and not self.first_traceback:
            self.first_traceback = outcome.traceback
        feasible = bool(outcome.metrics) and meets(outcome.metrics, self._question.bounds)
        return Record(number, json_options(judged.options), outcome.metrics, feasible, outcome.problem, judged.digest)

    def _begin(self, options: Mapping[str, Any]) -> Judged:
        question = self._question
        try:
            for name, target in question.hold.items():
                try:
                    options = hold_width(question.space, options, measure_of(name, self._device), target)
                except BudgetError as error:
                    raise BudgetError(f"{name}: {error}") from None
            graph = question.space.build(options)
        except (BudgetError, LawError) as error:
            outcome = Outcome({}, str(error))
            return Judged(options, "", lambda: outcome, outcome)
        digest = graph_digest(graph)
        if digest in self._by_digest:
            same = self._by_digest[digest]
            return Judged(options, digest, same.settled)
        if self._processes is None:
            outcome = outcome_of(question, self._device, graph)
            judged = Judged(options, digest, lambda: outcome, outcome)
        else:
            judged = Judged(options, digest, self._processes.submit(options, digest))
        self._by_digest[digest] = judged
        return judged

    def _key(self, options: Mapping[str, Any]) -> str:
        """A candidate's key; what is solved for follows from the rest."""
        return key_of({key: value for key, value in options.items() if key not in self._question.solved})
