"""Studies in a database that many machines share: Optuna's relational storage, with heartbeats.

A study carries all that a worker needs in its attributes: the question, the latency profile, the limits. What Optuna leaves open is done
here: a trial that a dead worker left is queued again without what that worker had written into it, however early it died.
"""

from __future__ import annotations

import os
import re
import socket
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from threading import Event, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError, StorageInternalError
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from archspace.errors import StudyError, UnknownNameError
from archspace.latency.profile_json import profile_to_dict
from archspace.study.question import Question, check_same

QUESTION_ATTR, PROFILE_ATTR, LIMITS_ATTR = "archspace:question", "archspace:profile", "archspace:limits"
ERROR_ATTR = "archspace:first_error"  # of a study: the first traceback of a user's own objective
WORKER_ATTR = "archspace:worker"  # of a trial: who runs it; written after its first heartbeat
ATTEMPTS = 3  # a candidate whose worker died so often is given up
CONNECT_SECONDS = 10
PAUSES_S = (0.5, 1.0, 2.0, 5.0)  # between attempts to reach a database that is away; the last one again and again
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What all workers of a study keep to. A worker that has not been heard of for `grace_s` is taken for dead."""

    trials: int
    time_limit_s: float | None = None
    patience: int | None = None
    heartbeat_s: int = 15
    grace_s: int = 120
    outage_s: float = 600.0  # how long a worker waits for a database that is away


def storage_name(url: str | None) -> str:
    """How a storage is called in messages and in the study's folder: without its password. Raises StudyError for no URL."""
    if url is None:
        return "journal"
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        raise StudyError(f"storage {without_password(url)}: must be a URL like sqlite:///studies.db, but is not") from None


def without_password(text: str) -> str:
    """Text with the password of every URL in it hidden."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)


def open_database(url: str, limits: Limits | None = None) -> optuna.storages.RDBStorage:
    """The database at an Optuna storage URL; with heartbeats where `limits` are given. Raises StudyError when it cannot be reached."""
    name = storage_name(url)
    try:
        options: dict[str, Any] = {"pool_pre_ping": True}
        if make_url(url).get_backend_name() == "postgresql":
            options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats
            if limits is None:
                return optuna.storages.RDBStorage(url, options)
            return optuna.storages.RDBStorage(
                url,
                options,
                heartbeat_interval=limits.heartbeat_s,
                grace_period=limits.grace_s,
                heartbeat_stale_trial_callback=queue_again,
            )
    except ImportError as error:
        raise StudyError(f"storage {name}: its database driver must be installed, but is not: {error}") from None
    except (SQLAlchemyError, OptunaError) as error:
        password = make_url(url).password
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        reason = reason.replace(str(password), "***") if password else reason
        raise StudyError(f"storage {name}: cannot be opened: {reason}. Is the server up, and the address right?") from None


def create_shared(url: str, name: str, question: Question, limits: Limits, *, fresh: bool) -> optuna.Study:
    """The study of that name, made if there is none, with its question and limits. Raises StudyError when it asks another question."""
    database = open_database(url, limits)
    asked = question.to_dict()
    if fresh and name in _names(database):
        optuna.delete_study(study_name=name, storage=database)
    directions = list(question.objectives.values())
    try:
        study = optuna.create_study(storage=database, study_name=name, directions=directions, load_if_exists=True)
    except (ValueError, OptunaError) as error:  # other directions
        raise StudyError(f"study {name} in {storage_name(url)}: belongs to another question: {error}. Give another --study.") from None
    stored = study.user_attrs.get(QUESTION_ATTR)
    if stored is None and not study.get_trials(deepcopy=False):
        profile = question.profile()
        study.set_user_attr(PROFILE_ATTR, None if profile is None else profile_to_dict(profile))
        study.set_user_attr(QUESTION_ATTR, asked)
    else:
        check_same(stored, asked, f"study {name}")
    study.set_user_attr(LIMITS_ATTR, asdict(limits))
    return study


def join_shared(url: str, name: str) -> tuple[optuna.Study, Question, Limits]:
    """A study that somebody began, as a worker finds it: all that is needed is in the database. Raises StudyError, UnknownNameError."""
    found = open_database(url)
    if name not in _names(found):
        raise UnknownNameError(f"study in {storage_name(url)}", name, _names(found))
    attributes = optuna.load_study(study_name=name, storage=found).user_attrs
    place = f"study {name} in {storage_name(url)}"
    if QUESTION_ATTR not in attributes or LIMITS_ATTR not in attributes:
        raise StudyError(f"{place}: was not begun by `archspace search`, or is just being begun")
    question = Question.from_dict(attributes[QUESTION_ATTR], attributes.get(PROFILE_ATTR), place)
    check_same(attributes[QUESTION_ATTR], question.to_dict(), place)
    limits = Limits(**attributes[LIMITS_ATTR])
    return optuna.load_study(study_name=name, storage=open_database(url, limits)), question, limits


def _names(database: optuna.storages.RDBStorage) -> list[str]:
    return optuna.get_all_study_names(database)


def queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue the candidate of a trial whose worker died, unless it died with it too often. Nothing that was set on the trial is kept."""
    before = [*trial.system_attrs.get("retry_history", []), trial.number]
    if len(before) >= ATTEMPTS or not trial.params:
        return  # without parameters nothing was decided yet that could be lost
    attributes = {"failed_trial": before[0], "retry_history": before, "fixed_params": trial.params}
    study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=attributes))


def fail_stale(study: optuna.Study, limits: Limits) -> None:
    """Fail the trials of dead workers and queue their candidates again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # Its worker died before the first heartbeat: Optuna, which looks at heartbeats, would have it run for ever.
        begun = trial.datetime_start
        if WORKER_ATTR not in trial.user_attrs and begun is not None and (datetime.now() - begun).total_seconds() > limits.grace_s:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def worker_name() -> str:
    """This process, for people: 'host:pid'."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Beating:
    """Within it, the heartbeat of a trial is recorded by a thread, which outlives a database that is away for a while."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial, limits: Limits) -> None:
        storage: Any = study._storage  # Optuna has heartbeats in `optimize` alone, which cannot wait for a database
        self._beat: Callable[[], None] = lambda: storage.record_heartbeat(trial._trial_id)
        self._interval_s = limits.heartbeat_s
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._beat()
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self._beat()
            except (SQLAlchemyError, OptunaError):
                continue  # the worker itself waits for the database, and says so


def patient(step: Callable[[], T], limits: Limits, say: Callable[[str], None]) -> T:
    """The result of a step in the database; a database that is away is waited for. Raises StudyError when it stays away."""
    began = monotonic()
    attempt = 0
    while True:
        try:
            return step()
        except (SQLAlchemyError, StorageInternalError) as error:
            away_s = monotonic() - began
            if away_s > limits.outage_s:
                raise StudyError(f"the database has been away for {away_s:.0f} s: {_first_line(error)}") from None
            if attempt == 0:
                say(f"the database does not answer ({_first_line(error)}); waiting for it")
            sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
            attempt += 1


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return without_password(str(cause).strip().partition("\n")[0]) or type(cause).__name__
