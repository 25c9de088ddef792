"""Where a study lives: a journal file in its directory, or any Optuna storage URL. Finished trials are appended in batches.

The search itself runs on a study in memory, which is some hundred times faster than any storage; the store is its record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.exc import SQLAlchemyError

from archspace.analysis.pareto import Direction
from archspace.errors import StudyError
from archspace.study.question import check_same

QUESTION_ATTR = "archspace:question"
LOCK_GRACE_S = 5  # a lock older than this was left by a killed process


class Store:
    """The stored trials of one study. Raises StudyError when they belong to another question or somebody else adds to them."""

    def __init__(
        self, storage: optuna.storages.BaseStorage, name: str, question: Mapping[str, Any], directions: Sequence[Direction]
    ) -> None:
        self._study = optuna.create_study(storage=storage, study_name=name, directions=list(directions), load_if_exists=True)
        asked = json.loads(json.dumps(question))
        stored = self._study.user_attrs.get(QUESTION_ATTR)
        if stored is None and not self._study.get_trials(deepcopy=False):
            self._study.set_user_attr(QUESTION_ATTR, asked)
        else:
            check_same(stored, asked, f"study {name}")
        self._saved = len(self._study.get_trials(deepcopy=False))

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """All finished trials, in order."""
        return self._study.get_trials()

    def append(self, trials: Sequence[optuna.trial.FrozenTrial]) -> None:
        """Add finished trials. Raises StudyError when another process added some since."""
        stored = len(self._study.get_trials(deepcopy=False))
        if stored != self._saved:
            raise StudyError(
                f"study {self._study.study_name}: one process at a time may write a study, but another one added "
                f"{stored - self._saved} trials. Stop it, then run the same command again."
            )
        self._study.add_trials(trials)
        self._saved += len(trials)


def open_store(
    directory: Path,
    database: optuna.storages.RDBStorage | None,
    question: Mapping[str, Any],
    directions: Sequence[Direction],
    *,
    fresh: bool = False,
) -> Store:
    """The store in a database, or in a journal file in `directory`, which names the study; `fresh` forgets what was there."""
    name = directory.resolve().name
    storage = database or _journal(directory / "journal.log", fresh=fresh)
    if fresh and any(summary.study_name == name for summary in optuna.get_all_study_summaries(storage)):
        optuna.delete_study(study_name=name, storage=storage)
    return Store(storage, name, question, directions)


def open_database(url: str) -> optuna.storages.RDBStorage:
    """The database at an Optuna storage URL. Raises StudyError when it cannot be reached."""
    try:
        return optuna.storages.RDBStorage(url)
    except ImportError as error:
        raise StudyError(f"storage {url}: its database driver must be installed, but is not: {error}") from None
    except SQLAlchemyError as error:
        raise StudyError(f"storage {url}: cannot be opened: {str(error).splitlines()[0]}") from None


def _journal(path: Path, *, fresh: bool) -> optuna.storages.JournalStorage:
    lock = JournalFileSymlinkLock(str(path), grace_period=LOCK_GRACE_S)
    try:
        if fresh:
            path.unlink(missing_ok=True)
        if path.exists():
            lock.acquire()
            try:
                cut_torn_tail(path)
            finally:
                lock.release()
        return optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except OSError as error:
        raise StudyError(f"{path}: cannot be opened: {error.strerror}") from None


def cut_torn_tail(path: Path) -> None:
    """Drop an unfinished last line, which a killed process leaves and which would make the journal unreadable once more is appended."""
    data = path.read_bytes()
    good = len(data)
    while good:
        start = data.rfind(b"\n", 0, good - 1) + 1
        line = data[start:good]
        if line.endswith(b"\n"):
            with suppress(ValueError):
                json.loads(line)
                break
        good = start
    if good < len(data):
        with path.open("r+b") as file:
            file.truncate(good)
