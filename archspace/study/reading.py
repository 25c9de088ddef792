"""Studies read back: one from its folder or out of a database, or all that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from archspace.errors import ArchspaceError, StudyError, UnknownNameError
from archspace.files import read_json, what_is_at
from archspace.study.address import require_database, storage_name
from archspace.study.database import ERROR_ATTR, PROFILE_ATTR, QUESTION_ATTR, close_database, open_database
from archspace.study.heartbeat import WORKER_ATTR
from archspace.study.progress import StudyResult
from archspace.study.question import Question
from archspace.study.quiet import quiet_optuna
from archspace.study.run import DEVICE_FILE, QUESTION_FILE, TRACEBACK_FILE
from archspace.study.store import stored_trials
from archspace.study.trials import records_of

HIDDEN = "***"  # where a stored URL had its password


@dataclass(frozen=True, slots=True)
class Running:
    """A trial that is out: who has it (empty where nobody said so yet), and since when."""

    number: int
    worker: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A study as it is kept: its name, where, what came of it so far, what is out, and how many candidates wait to be tried again."""

    name: str
    place: str
    result: StudyResult
    running: tuple[Running, ...] = ()
    waiting: int = 0
    version: str = ""


def read_study(study: str | Path, storage: str | None = None) -> StoredStudy:
    """The study in a folder, or, with a `storage`, the one of that name in a database.

    Raises StudyError for a folder or a database without it, FileError for files that cannot be read, UnknownNameError with near names.
    """
    with quiet_optuna():
        if storage is not None:
            return _from_database(str(study), storage, Path(str(study)))
        return _from_folder(Path(study))


def stored_studies(place: str | Path = "runs", storage: str | None = None) -> Iterator[StoredStudy | StudyError]:
    """All studies in the folders under `place`, or in a database; the error instead of one that cannot be read."""
    if storage is not None:
        with quiet_optuna():
            require_database(storage)
            database = open_database(storage)
            names = [found.study_name for found in optuna.get_all_study_summaries(database) if QUESTION_ATTR in found.user_attrs]
            close_database(database)
        sources: list[tuple[str | Path, str | None]] = [(name, storage) for name in sorted(names)]
    else:
        sources = [(file.parent, None) for file in sorted(Path(place).rglob(QUESTION_FILE))]
    for source, where in sources:
        try:
            yield read_study(source, where)
        except ArchspaceError as error:
            yield StudyError(str(error))


def _from_folder(folder: Path) -> StoredStudy:
    file = folder / QUESTION_FILE
    if what_is_at(file) != "file":
        raise StudyError(f"{folder}: must hold a study ({QUESTION_FILE}), but does not. Give a folder that a search wrote, or --storage.")
    data = read_json(file)
    where = data.get("storage") if isinstance(data, dict) else None
    if not isinstance(where, str):
        raise StudyError(f"{folder}: its {QUESTION_FILE} is none that a search wrote")
    if where != "journal":
        if HIDDEN in where:
            raise StudyError(f"{folder}: the study is in {where}, whose password is not kept. Give it with --storage URL.")
        return _from_database(data.get("study", ""), where, folder)
    profile = read_json(folder / DEVICE_FILE) if what_is_at(folder / DEVICE_FILE) == "file" else None
    question = Question.from_dict(data, profile, str(folder))
    traceback = folder / TRACEBACK_FILE
    text = traceback.read_text(encoding="utf-8") if what_is_at(traceback) == "file" else ""
    records = tuple(records_of(question, stored_trials(folder)))
    return StoredStudy(
        folder.name, str(folder), StudyResult(question, folder, records, len(records), traceback=text), version=data["version"]
    )


def _from_database(name: str, storage: str, folder: Path) -> StoredStudy:
    require_database(storage)
    database = open_database(storage)
    try:
        return _stored_in(database, name, storage_name(storage), folder)
    finally:
        close_database(database)


def _stored_in(database: optuna.storages.RDBStorage, name: str, place: str, folder: Path) -> StoredStudy:
    names = optuna.get_all_study_names(database)
    if name not in names:
        raise UnknownNameError(f"study in {place}", name, names)
    study = optuna.load_study(study_name=name, storage=database)
    data = study.user_attrs.get(QUESTION_ATTR)
    if data is None:
        raise StudyError(f"study {name} in {place}: was not begun by archspace")
    question = Question.from_dict(data, study.user_attrs.get(PROFILE_ATTR), f"study {name} in {place}")
    trials = study.get_trials(deepcopy=False)
    records = tuple(records_of(question, trials))
    result = StudyResult(question, folder, records, len(records), traceback=study.user_attrs.get(ERROR_ATTR, ""))
    running = tuple(_running(trial) for trial in trials if trial.state == TrialState.RUNNING)
    waiting = sum(trial.state == TrialState.WAITING for trial in trials)
    return StoredStudy(name, place, result, running, waiting, data["version"])


def _running(trial: FrozenTrial) -> Running:
    attributes: dict[str, Any] = trial.user_attrs
    return Running(trial.number, attributes.get(WORKER_ATTR, ""), trial.datetime_start)
