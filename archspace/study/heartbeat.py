"""Who is alive: a worker's heartbeat while it has a trial, and what becomes of the trials whose worker has none any more."""

from __future__ import annotations

import os
import socket
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Any

import optuna
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from archspace.study.database import Limits
from archspace.study.lineage import owed, queue_again
from archspace.study.link import Link

WORKER_ATTR = "archspace:worker"  # of a trial: who runs it; written after its first heartbeat


def worker_name() -> str:
    """This process, for people: 'host:pid'."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Beating:
    """Within it, the heartbeat of a trial is recorded by a thread, which outlives a database that is away for a while."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial, limits: Limits, link: Link) -> None:
        self._storage: Any = study._storage  # Optuna has heartbeats in `optimize` alone, which cannot wait for a database
        self._trial_id, self._interval_s, self._link = trial._trial_id, limits.heartbeat_s, link
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._link.patient(self._beat)
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        self._storage.record_heartbeat(self._trial_id)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self._beat()
            except (SQLAlchemyError, OptunaError) as error:
                self._link.note(error)  # the worker itself waits for the database, and says so


class Watch:
    """Fails the trials of dead workers and queues their candidates again, as one worker sees them.

    Nobody is taken for dead until the database has answered for some heartbeats: while it is away, nobody's heart beats.
    """

    def __init__(self, study: optuna.Study, limits: Limits, link: Link) -> None:
        self._study, self._limits, self._link = study, limits, link
        self._seen: dict[int, float] = {}  # trial number -> since when it has looked abandoned, by the clock of this process

    def look(self) -> None:
        """Once around."""
        if self._link.steady_s < min(2 * self._limits.heartbeat_s, self._limits.grace_s):
            return
        optuna.storages.fail_stale_trials(self._study)  # by heartbeats, in the database's own time
        trials = self._study.get_trials(deepcopy=False)
        silent = [trial for trial in trials if trial.state == TrialState.RUNNING and WORKER_ATTR not in trial.user_attrs]
        lost = owed(trials)
        self._seen = {trial.number: self._seen.get(trial.number, monotonic()) for trial in (*silent, *lost)}
        for trial in silent:
            # Its worker died before the first heartbeat: Optuna, which looks at heartbeats, would have it run for ever.
            if self._age_s(trial) > self._limits.grace_s and self._fail(trial):
                queue_again(self._study, trial)
        for trial in lost:
            # Whoever failed it did not come to queue it again.
            if self._age_s(trial) > self._limits.heartbeat_s:
                queue_again(self._study, trial)

    def _age_s(self, trial: FrozenTrial) -> float:
        return monotonic() - self._seen[trial.number]

    def _fail(self, trial: FrozenTrial) -> bool:
        """Whether it was this process that failed the trial."""
        try:
            return self._study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
