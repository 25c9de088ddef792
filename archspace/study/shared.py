"""A search that many processes on many machines share through a database: each asks, judges and tells on its own.

Which trials come then depends on who is how fast. What does not: no finished trial is lost, a dead worker loses at most its own trial,
which another one takes over, and no more trials are counted than were asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from time import sleep
from typing import Any
from uuid import uuid4

import optuna
from optuna.trial import FrozenTrial, TrialState

from archspace.study.database import ERROR_ATTR, WORKER_ATTR, Beating, Limits, fail_stale, join_shared, patient, queue_again, worker_name
from archspace.study.judging import Judge
from archspace.study.local import objective_values
from archspace.study.pool import processes
from archspace.study.progress import Report, Tally
from archspace.study.question import GRID, Question
from archspace.study.quiet import quiet_optuna
from archspace.study.records import Record
from archspace.study.samplers import asked_options, grid_size, sampler_for
from archspace.study.stagnation import Stagnation
from archspace.study.trials import RECORD_ATTR, annotate, answer, records_of

POLL_SECONDS = 0.5  # between looks at a study whose last trials are with other workers


class Worker:
    """One process that works on a shared study. `alone`: it is the one that began the study, and asks as a search without others would."""

    def __init__(
        self, study: optuna.Study, question: Question, limits: Limits, judge: Judge, say: Callable[[str], None], *, alone: bool = False
    ) -> None:
        self._study, self._question, self._limits, self._judge, self._say = study, question, limits, judge, say
        self._salt = "" if alone else uuid4().hex
        self._name = worker_name()
        self._learned: set[int] = set()
        self.finished = 0  # trials that this worker told

    def run(self, report: Report | None = None) -> None:
        """Work until the study has its trials, its front stalls, or somebody interrupts: then the trial at hand is queued again."""
        while True:
            trials = self._patient(lambda: self._study.get_trials(deepcopy=False))
            records = self._learn(trials)
            if report is not None:
                report(Tally(self._question, records).progress(self._limits.trials))
            if len(records) >= self._trials or self._has_stalled(records):
                return
            self._patient(lambda: fail_stale(self._study, self._limits))
            out = [trial for trial in trials if trial.state == TrialState.RUNNING]
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if len(records) + len(out) >= self._trials and not waiting:
                sleep(POLL_SECONDS)  # the last ones are with others, who may yet die
                continue
            self._one_trial(len(trials))

    @property
    def _trials(self) -> int:
        question, trials = self._question, self._limits.trials
        return min(trials, grid_size(question.space, question.solved)) if question.sampler == GRID else trials

    def _one_trial(self, number: int) -> None:
        self._study.sampler = sampler_for(self._question, number, self._salt)
        trial = self._patient(self._study.ask)
        try:
            with Beating(self._study, trial, self._limits):
                self._patient(lambda: trial.set_user_attr(WORKER_ATTR, self._name))
                if self._is_surplus(trial):
                    self._patient(lambda: self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True))
                    return
                options = self._patient(lambda: asked_options(self._question, trial))
                record = self._judge.record(trial.number, self._judge.submit(options))
                self._patient(lambda: self._tell(trial, record))
        except KeyboardInterrupt:
            self._patient(lambda: self._abandon(trial))
            raise

    def _tell(self, trial: optuna.Trial, record: Record) -> None:
        """Store what came of a trial, unless it was taken for dead meanwhile: then it is queued again, and known here at once."""
        if self._frozen(trial).state.is_finished():
            return
        annotate(self._question, trial, record)
        if self._judge.first_traceback and ERROR_ATTR not in self._study.user_attrs:
            self._study.set_user_attr(ERROR_ATTR, self._judge.first_traceback)
        self._study.tell(trial, **answer(self._question, record), skip_if_finished=True)
        self.finished += 1

    def _abandon(self, trial: optuna.Trial) -> None:
        frozen = self._frozen(trial)
        if not frozen.state.is_finished():
            self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            queue_again(self._study, frozen)

    def _is_surplus(self, trial: optuna.Trial) -> bool:
        """Whether enough earlier trials are finished or out: several workers may have asked at once for the last one."""
        trials = self._patient(lambda: self._study.get_trials(deepcopy=False))
        earlier = [other for other in trials if other.number < trial.number]
        counted = sum(not other.state.is_finished() or RECORD_ATTR in other.user_attrs for other in earlier)
        return counted >= self._trials and "fixed_params" not in self._frozen(trial).system_attrs

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        trials = self._study.get_trials(deepcopy=False)
        return trials[trial.number]

    def _learn(self, trials: list[FrozenTrial]) -> list[Record]:
        """The records so far; what other workers found is not judged again here."""
        records = records_of(self._question, trials)
        for record in records:
            if record.number not in self._learned:
                self._learned.add(record.number)
                self._judge.learn(record)
        return records

    def _has_stalled(self, records: list[Record]) -> bool:
        if self._limits.patience is None:
            return False
        watch = Stagnation(list(self._question.objectives.values()), self._limits.patience)
        for record in records:
            watch.add(objective_values(self._question, record))
        return watch.has_stalled

    def _patient(self, step: Callable[[], Any]) -> Any:
        return patient(step, self._limits, self._say)


def work(url: str, name: str, *, report: Report | None = None, say: Callable[[str], None] = lambda _: None, alone: bool = False) -> int:
    """Join the study `name` in the database at `url` and work on it until it is done; returns how many trials this process finished.

    Raises StudyError when the database cannot be reached or holds no such study, KeyboardInterrupt when it is stopped.
    """
    with quiet_optuna():
        study, question, limits = join_shared(url, name)
        with processes(question, 1, limits.time_limit_s, lambda *_: None) if question.is_slow else nullcontext() as pool:
            worker = Worker(study, question, limits, Judge(question, pool), say, alone=alone)
            worker.run(report)
    return worker.finished
