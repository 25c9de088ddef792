"""A search on one machine: one coordinator asks, judges or has judged, tells, and appends what is finished to the study's journal.

The search runs on a study in memory, which is some hundred times faster than any storage. Trial n is asked for when the answers of trials
up to n - in_flight are told, in order: which trials come is decided by the question alone, not by how many processes judge or how fast.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from archspace.study.evaluated import Evaluated
from archspace.study.judging import Judge, Judged
from archspace.study.pool import processes
from archspace.study.progress import Ran, Report, Run, Tally
from archspace.study.question import GRID, Question
from archspace.study.records import Record
from archspace.study.samplers import Samplers, asked_options, grid_size
from archspace.study.stagnation import Stagnation
from archspace.study.store import Store
from archspace.study.trials import annotate, answer, records_of

WRITE_SECONDS = 1.0  # finished trials wait about this long at most before they are stored


def run(question: Question, store: Store, how: Run, report: Report | None) -> Ran:
    """Run trials until there are as many as asked for, the front stalls, a grid is through, or somebody interrupts."""
    evaluated = Evaluated(store.folder)
    with _judge(question, how, evaluated) as judge:
        search = Coordinator(question, store, how, judge, report)
        for record in search.records:
            judge.learn(record)
        for options, digest, outcome in evaluated.found():
            judge.know(options, digest, outcome)
        interrupted = False
        try:
            search.run()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            try:
                search.write()
            except KeyboardInterrupt:
                interrupted = True
        if not interrupted:
            evaluated.forget()  # everything in it is told
    stalled = search.watch.has_stalled and len(search.records) < how.trials
    return Ran(search.records, search.resumed, interrupted, stalled, store.first_error)


class Coordinator:
    """Asks, tells and writes the trials of one study, in order."""

    def __init__(self, question: Question, store: Store, how: Run, judge: Judge, report: Report | None) -> None:
        stored = store.trials()
        self.records = records_of(question, stored)
        self.resumed = len(self.records)
        self.watch = Stagnation(list(question.objectives.values()), how.patience)
        self._question, self._store, self._judge, self._report = question, store, judge, report
        self._trials = min(how.trials, grid_size(question.space, question.solved) if question.sampler == GRID else how.trials)
        self._tally = Tally(question, self.records)
        for record in self.records:
            self.watch.add(objective_values(question, record))
        self._told = max(0, self.resumed - question.in_flight + 1)  # what the sampler would know if it had never stopped
        self._study = restored(question, stored, self._told)
        self._samplers = Samplers(question)
        self._out: deque[tuple[optuna.Trial, Judged]] = deque()
        self._written_at = time.monotonic()

    def run(self) -> None:
        """Ask as far ahead as the question allows, tell the oldest, until nothing is left to ask for."""
        question = self._question
        while True:
            number = len(self.records) + len(self._out)
            if number < self._last and number - self._told < question.in_flight:
                self._study.sampler = self._samplers.at(number)
                trial = self._study.ask()
                self._out.append((trial, self._judge.submit(asked_options(question, trial))))
            elif self._told < self.resumed and (self._out or number < self._last):
                self._study.tell(self._told, **answer(question, self.records[self._told]))
                self._told += 1
            elif self._out:
                self._tell_oldest()
            else:
                return

    @property
    def _last(self) -> int:
        """How many trials there will be. A front that stands still ends the search with those that are out by then, and they are as many
        whether or not the search was stopped meanwhile."""
        stalled_at = self.watch.stalled_at
        return self._trials if stalled_at is None else min(self._trials, stalled_at + self._question.in_flight - 1)

    def _tell_oldest(self) -> None:
        trial, judged = self._out[0]
        record = self._judge.record(trial.number, judged)
        self._out.popleft()
        annotate(self._question, trial, record)
        self._study.tell(trial, **answer(self._question, record))
        self._told += 1
        self.records.append(record)
        self._tally.add(record)
        self.watch.add(objective_values(self._question, record))
        if time.monotonic() - self._written_at > WRITE_SECONDS:
            self.write()
        if self._report is not None:
            self._report(self._tally.progress(self._trials))

    def write(self) -> None:
        """Append what is told to the store."""
        told = self._study.get_trials(deepcopy=False)[: len(self.records)]
        self._store.append(told[self._store.saved :], self._judge.first_traceback)
        self._written_at = time.monotonic()


def restored(question: Question, stored: Sequence[FrozenTrial], told: int) -> optuna.Study:
    """A study in memory with the first `told` of the stored trials, and the others as ones that are still out."""
    study = optuna.create_study(directions=list(question.objectives.values()))
    study.add_trials(stored[:told])
    for trial in stored[told:]:
        study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs=trial.user_attrs,
                system_attrs=trial.system_attrs,
            )
        )
    return study


def objective_values(question: Question, record: Record) -> list[float] | None:
    """The values of a record's objectives; None where it is not feasible."""
    return [record.metrics[name] for name in question.objectives] if record.feasible else None


@contextmanager
def _judge(question: Question, how: Run, evaluated: Evaluated) -> Iterator[Judge]:
    """A judge; with processes of its own where judging is slow."""
    if not question.is_slow:
        yield Judge(question)
        return
    with processes(question, how.workers, how.time_limit_s, evaluated.add) as pool:
        yield Judge(question, pool)
