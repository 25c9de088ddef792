"""A search that many processes on many machines share through a database: each asks, judges and tells on its own.

Which trials come then depends on who is how fast. What does not: no finished trial is lost, a dead worker loses at most its own trial,
which another one takes over, and no more candidates are counted than were asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from time import monotonic, sleep
from uuid import uuid4

import optuna
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from archspace.errors import ArchspaceError
from archspace.study.database import ERROR_ATTR, Limits, close_study, join_shared, joined
from archspace.study.heartbeat import WORKER_ATTR, Beating, Watch, worker_name
from archspace.study.judging import Judge
from archspace.study.lineage import candidates, is_counted, is_retry, lives, queue_again, root_of
from archspace.study.link import OUTAGE_SECONDS, Link
from archspace.study.local import objective_values
from archspace.study.pool import processes
from archspace.study.progress import Report, Tally
from archspace.study.question import GRID, Question
from archspace.study.quiet import quiet_optuna
from archspace.study.records import Record
from archspace.study.samplers import Samplers, asked_options, grid_size
from archspace.study.stagnation import Stagnation
from archspace.study.trials import annotate, answer, records_of

POLL_SECONDS = 0.5  # between looks at a study whose last trials are with other workers
SILENT_SECONDS = 10.0  # of waiting for others before it is said


class Worker:
    """One process that works on a shared study. `alone`: it is the one that began the study, and asks as a search without others would."""

    def __init__(
        self, study: optuna.Study, question: Question, limits: Limits, judge: Judge, link: Link, say: Callable[[str], None], *, alone: bool
    ) -> None:
        self._study, self._question, self._limits, self._judge, self._link, self._say = study, question, limits, judge, link, say
        self._salt = "" if alone else uuid4().hex
        self._name = worker_name()
        self._samplers = Samplers(question)
        self._watch = Watch(study, limits, link)
        self._learned: set[int] = set()
        self._trials = candidates_wanted(question, limits)
        self.finished = 0  # trials that this worker told

    def run(self, report: Report | None = None) -> None:
        """Work until the study has its trials, its front stalls, or somebody interrupts: then the trial at hand is queued again."""
        idle_since: float | None = None
        while True:
            trials = self._link.patient(lambda: self._study.get_trials(deepcopy=False))
            records = self._learn(trials)
            if report is not None:
                report(Tally(self._question, records).progress(self._limits.trials))
            if is_over(self._question, self._limits, records):
                return
            self._link.patient(self._watch.look)
            if len(candidates(trials)) >= self._trials and not any(trial.state == TrialState.WAITING for trial in trials):
                idle_since = self._wait(idle_since)
                continue
            idle_since = None
            try:
                self._one_trial(len(trials))
            except UpdateFinishedTrialError:
                self._say("this worker was not heard of for so long that its trial was given to another one")

    def _wait(self, since: float | None) -> float:
        """Wait a moment for trials that others have; say so once when it takes long. Returns since when."""
        since = monotonic() if since is None else since
        patience_s = min(SILENT_SECONDS, self._limits.grace_s / 2)
        before = monotonic() - since
        sleep(POLL_SECONDS)
        if before <= patience_s < monotonic() - since:
            self._say(f"the last trials are with other workers; one not heard of for {self._limits.grace_s} s is taken for dead")
        return since

    def _one_trial(self, number: int) -> None:
        patient = self._link.patient
        self._study.sampler = self._samplers.at(number, self._salt)
        trial = patient(self._study.ask)
        try:
            with Beating(self._study, trial, self._limits, self._link):
                patient(lambda: trial.set_user_attr(WORKER_ATTR, self._name))
                trials = patient(lambda: self._study.get_trials(deepcopy=False))
                if self._is_surplus(trials, trials[trial.number]):
                    patient(lambda: self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True))
                    return
                if self._question.sampler == GRID:
                    self._study.sampler = self._samplers.at(self._place(trials, trial.number))
                options = patient(lambda: asked_options(self._question, trial))
                record = self._judge.record(trial.number, self._judge.submit(options))
                patient(lambda: self._tell(trial, record))
                self.finished += 1
        except (KeyboardInterrupt, ArchspaceError):
            with suppress(SQLAlchemyError, OptunaError):  # where this fails, the heart stops beating all the same
                self._abandon(trial)
            raise

    def _tell(self, trial: optuna.Trial, record: Record) -> None:
        """Store what came of a trial. Raises UpdateFinishedTrialError when it was taken for dead meanwhile."""
        if is_counted(self._now(trial)):
            return  # told by this step itself, in an attempt whose answer was lost
        annotate(self._question, trial, record)
        if self._judge.first_traceback and ERROR_ATTR not in self._study.user_attrs:
            self._study.set_user_attr(ERROR_ATTR, self._judge.first_traceback)
        self._study.tell(trial, **answer(self._question, record), skip_if_finished=True)
        if not is_counted(self._now(trial)):
            raise UpdateFinishedTrialError

    def _abandon(self, trial: optuna.Trial) -> None:
        now = self._now(trial)
        if not now.state.is_finished():
            self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            queue_again(self._study, now)

    def _now(self, trial: optuna.Trial) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[trial.number]

    def _is_surplus(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> bool:
        """Whether there are enough earlier candidates, as several workers may ask at once for the last one; or earlier attempts at it."""
        if is_retry(trial):
            return any(lives(other) for other in trials if root_of(other) == root_of(trial) and other.number < trial.number)
        return sum(number < trial.number for number in candidates(trials)) >= self._trials

    def _place(self, trials: Sequence[FrozenTrial], number: int) -> int:
        """Which candidate of a grid a trial gets: that of its number, or, beyond the grid's end, one that was lost."""
        lost = sorted(set(range(self._grid)) - candidates(trials))
        return number if number < self._grid or not lost else lost[(number - self._grid) % len(lost)]

    @property
    def _grid(self) -> int:
        return grid_size(self._question.space, self._question.solved)

    def _learn(self, trials: list[FrozenTrial]) -> list[Record]:
        """The records so far; what other workers found is not judged again here."""
        records = records_of(self._question, trials)
        for record in records:
            if record.number not in self._learned:
                self._learned.add(record.number)
                self._judge.learn(record)
        return records


def candidates_wanted(question: Question, limits: Limits) -> int:
    """How many candidates a study is done with."""
    return min(limits.trials, grid_size(question.space, question.solved)) if question.sampler == GRID else limits.trials


def is_over(question: Question, limits: Limits, records: Sequence[Record]) -> bool:
    """Whether a study has its trials, or its front stands still."""
    if len(records) >= candidates_wanted(question, limits):
        return True
    if limits.patience is None:
        return False
    watch = Stagnation(list(question.objectives.values()), limits.patience)
    for record in records:
        watch.add(objective_values(question, record))
    return watch.has_stalled


def work(
    url: str,
    name: str,
    *,
    report: Report | None = None,
    say: Callable[[str], None] = lambda _: None,
    alone: bool = False,
    begun: bool = False,
) -> int:
    """Join the study `name` in the database at `url` and work on it until it is done; returns how many trials this process finished.

    `begun`: the study is known to be there, so that a database that does not answer is waited for from the first step on.
    Raises StudyError when the database cannot be reached or holds no such study, KeyboardInterrupt when it is stopped.
    """
    link = Link(url, OUTAGE_SECONDS, say)
    with quiet_optuna():
        study, question, limits = link.patient(lambda: joined(url, name)) if begun else join_shared(url, name)
        try:
            with processes(question, 1, limits.time_limit_s, lambda *_: None) if question.is_slow else nullcontext() as pool:
                worker = Worker(study, question, limits, Judge(question, pool), link, say, alone=alone)
                worker.run(report)
        finally:
            close_study(study)
    return worker.finished
