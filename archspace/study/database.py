"""Studies in a database that many machines share: Optuna's relational storage, with heartbeats.

A study carries all that a worker needs in its attributes: the question, the latency profile, the limits.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import monotonic, sleep
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, OptunaError
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from archspace.errors import ArchspaceError, StudyError, UnknownNameError
from archspace.latency.profile_json import profile_to_dict
from archspace.study.address import parsed, require_database, storage_name, without_password
from archspace.study.lineage import queue_again
from archspace.study.question import Question, check_same

QUESTION_ATTR, PROFILE_ATTR, LIMITS_ATTR = "archspace:question", "archspace:profile", "archspace:limits"
ERROR_ATTR = "archspace:first_error"  # of a study: the first traceback of a user's own objective
CREATION_SECONDS = 5.0  # how long whoever makes a study may take to put its question there
CONNECTING = {  # libpq: a server that does not answer, or whose machine is gone, is given up instead of waited for
    "connect_timeout": 10,  # s
    "keepalives_idle": 30,  # s
    "keepalives_interval": 10,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # ms
}
LIBPQ = ("psycopg", "psycopg2")  # the drivers that take these


@dataclass(frozen=True, slots=True)
class Limits:
    """What all workers of a study keep to. A worker that has not been heard of for `grace_s` is taken for dead."""

    trials: int
    time_limit_s: float | None = None
    patience: int | None = None
    grace_s: int = 120

    @property
    def heartbeat_s(self) -> int:
        """How often a worker with a trial is heard of."""
        return max(1, self.grace_s // 8)


def open_database(url: str, limits: Limits | None = None) -> optuna.storages.RDBStorage:
    """The database at an Optuna storage URL; with heartbeats where `limits` are given. Raises StudyError when it cannot be reached."""
    try:
        _make_tables(url)
        return connected(url, limits)
    except (SQLAlchemyError, OptunaError, RuntimeError) as error:  # RuntimeError: tables that another Optuna made
        raise StudyError(
            f"storage {storage_name(url)}: cannot be opened: {_reason(url, error)}. Is the server up, and the address right?"
        ) from None


def connected(url: str, limits: Limits | None = None) -> optuna.storages.RDBStorage:
    """As `open_database`, for a database that has its tables; raises what SQLAlchemy and Optuna do."""
    heart: dict[str, Any] = {}
    if limits is not None:
        heart = {
            "heartbeat_interval": limits.heartbeat_s,
            "grace_period": limits.grace_s,
            "heartbeat_stale_trial_callback": queue_again,
        }
    return _storage(url, heart, pool_pre_ping=True)


def _make_tables(url: str) -> None:
    """Make Optuna's tables, unless they are there. Several processes may do so at once: then all but one fail, and find them there."""
    for pause_s in (0.5, 1.0, None):
        try:
            _storage(url, {}, poolclass=NullPool)  # where it fails, no connection is left in a pool
            return
        except (IntegrityError, ProgrammingError):
            if pause_s is None:
                raise
            sleep(pause_s)


def _storage(url: str, heart: dict[str, Any], **options: Any) -> optuna.storages.RDBStorage:
    parts = parsed(url)
    if parts.get_backend_name() == "postgresql" and parts.drivername.partition("+")[2] in LIBPQ:
        options["connect_args"] = {key: value for key, value in CONNECTING.items() if key not in parts.query}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats
        try:
            return optuna.storages.RDBStorage(url, options, **heart)
        except ImportError as error:
            raise StudyError(f"storage {storage_name(url)}: its database driver must be installed, but is not: {error}") from None


def create_shared(url: str, name: str, question: Question, limits: Limits, *, fresh: bool) -> optuna.Study:
    """The study of that name, made if there is none, with its question and limits. Raises StudyError when it asks another question."""
    database = open_database(url, limits)
    asked = question.to_dict()
    try:
        if fresh and name in optuna.get_all_study_names(database):
            optuna.delete_study(study_name=name, storage=database)
        study = _claimed(database, name, question, asked)
        check_same(study.user_attrs.get(QUESTION_ATTR), asked, f"study {name} in {storage_name(url)}")
        study.set_user_attr(LIMITS_ATTR, asdict(limits))
    except (SQLAlchemyError, OptunaError) as error:
        close_database(database)
        raise StudyError(f"study {name} in {storage_name(url)}: cannot be begun: {_reason(url, error)}") from None
    except ArchspaceError:
        close_database(database)
        raise
    return study


def _claimed(database: optuna.storages.RDBStorage, name: str, question: Question, asked: Mapping[str, Any]) -> optuna.Study:
    """The study of that name. Of several that begin it at once, one makes it, and the others wait until its question is there."""
    try:
        study = optuna.create_study(storage=database, study_name=name, directions=list(question.objectives.values()))
        made = True
    except DuplicatedStudyError:
        study = optuna.load_study(storage=database, study_name=name)
        made = False
    deadline = monotonic() + CREATION_SECONDS
    while not made and QUESTION_ATTR not in study.user_attrs and not study.get_trials(deepcopy=False):
        made = monotonic() > deadline  # whoever began to make it was killed
        sleep(0.1)
    if made:
        profile = question.profile()
        study.set_user_attr(PROFILE_ATTR, None if profile is None else profile_to_dict(profile))
        study.set_user_attr(QUESTION_ATTR, dict(asked))
    return study


def join_shared(url: str, name: str) -> tuple[optuna.Study, Question, Limits]:
    """A study that somebody began, as a worker finds it: all that is needed is in the database. Raises StudyError, UnknownNameError."""
    require_database(url)
    close_database(open_database(url))
    try:
        return joined(url, name)
    except (SQLAlchemyError, OptunaError) as error:
        raise StudyError(f"storage {storage_name(url)}: does not answer: {_reason(url, error)}") from None


def joined(url: str, name: str) -> tuple[optuna.Study, Question, Limits]:
    """As `join_shared`, but raises what SQLAlchemy and Optuna do when the database does not answer."""
    database = connected(url)
    try:
        names = optuna.get_all_study_names(database)
        if name not in names:
            raise UnknownNameError(f"study in {storage_name(url)}", name, names)
        attributes = optuna.load_study(study_name=name, storage=database).user_attrs
    finally:
        close_database(database)
    place = f"study {name} in {storage_name(url)}"
    if QUESTION_ATTR not in attributes or LIMITS_ATTR not in attributes:
        raise StudyError(f"{place}: was not begun by `archspace search`, or is just being begun")
    question = Question.from_dict(attributes[QUESTION_ATTR], attributes.get(PROFILE_ATTR), place)
    check_same(attributes[QUESTION_ATTR], question.to_dict(), place)
    limits = Limits(**attributes[LIMITS_ATTR])
    return optuna.load_study(study_name=name, storage=connected(url, limits)), question, limits


def close_study(study: optuna.Study) -> None:
    """Close the connections of a shared study."""
    storage: Any = study._storage  # Optuna's cache in front of the database, which has no way to close it
    close_database(storage._backend)


def close_database(database: optuna.storages.RDBStorage) -> None:
    """Close its connections."""
    database.remove_session()
    database.engine.dispose()


def _reason(url: str, error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, OptunaError) and error.__cause__ is not None else error
    return without_password(str(cause), url) or type(cause).__name__
