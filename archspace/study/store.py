"""Where a study lives: a journal file in its directory, or any Optuna storage URL. Finished trials are appended in batches.

The search itself runs on a study in memory, which is some hundred times faster than any storage; the store is its record.
"""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.engine import make_url
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
        stored = self._study.user_attrs.get(QUESTION_ATTR)
        self.saved = len(self._study.get_trials(deepcopy=False))  # finished trials that are stored
        if stored is None and not self.saved:
            self._study.set_user_attr(QUESTION_ATTR, question)
        else:
            check_same(stored, question, f"study {name}")

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """All finished trials, in order."""
        return self._study.get_trials()

    def append(self, trials: Sequence[optuna.trial.FrozenTrial]) -> None:
        """Add finished trials, all or none: an interrupt waits until they are written.

        Raises StudyError when another process added some since.
        """
        with interrupts_later():
            others = len(self._study.get_trials(deepcopy=False)) - self.saved
            if others:
                raise StudyError(
                    f"study {self._study.study_name}: one process at a time may write a study, but another one added {others} trials. "
                    "Stop it, then run the same command again."
                )
            self._study.add_trials(trials)
            self.saved += len(trials)


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C inside takes effect at the end: half a batch must not be written. Other threads than the main one get none anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if caught:
            raise KeyboardInterrupt


def open_store(
    folder: Path, url: str | None, question: Mapping[str, Any], directions: Sequence[Direction], *, fresh: bool = False
) -> Store:
    """The store in a journal file in `folder`, or in the database at `url`; `fresh` forgets what was there.

    In a database the study is named after the folder and the question, so that different questions do not meet. Raises StudyError.
    """
    name = folder.resolve().name
    if url is None:
        return Store(_journal(folder / "journal.log", fresh=fresh), name, question, directions)
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    name = f"{name}-{digest[:10]}"
    database = open_database(url)
    if fresh and any(summary.study_name == name for summary in optuna.get_all_study_summaries(database)):
        optuna.delete_study(study_name=name, storage=database)
    return Store(database, name, question, directions)


def storage_name(url: str | None) -> str:
    """How a storage is called in messages and in the study's folder: without its password. Raises StudyError for no URL."""
    if url is None:
        return "journal"
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError as error:
        raise StudyError(f"storage {url}: must be a URL like sqlite:///studies.db, but is not: {error}") from None


def open_database(url: str) -> optuna.storages.RDBStorage:
    """The database at an Optuna storage URL. Raises StudyError when it cannot be reached."""
    try:
        return optuna.storages.RDBStorage(url)
    except ImportError as error:
        raise StudyError(f"storage {storage_name(url)}: its database driver must be installed, but is not: {error}") from None
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        raise StudyError(f"storage {storage_name(url)}: cannot be opened: {str(error).splitlines()[0]}") from None


def _journal(path: Path, *, fresh: bool) -> optuna.storages.JournalStorage:
    lock = JournalFileSymlinkLock(str(path), grace_period=LOCK_GRACE_S)
    try:
        if fresh:
            path.unlink(missing_ok=True)
        if path.exists():
            lock.acquire()
            try:
                cut_torn_line(path)
            finally:
                lock.release()
        return optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except OSError as error:
        raise StudyError(f"{path}: cannot be opened: {error.strerror}") from None
    except (AssertionError, KeyError, TypeError, ValueError) as error:  # what replaying lines of another kind raises
        raise StudyError(f"{path}: not a journal of a study, or a damaged one: {error!r}. Start anew with --force.") from None


def cut_torn_line(path: Path) -> None:
    """Drop an unfinished last line, which a killed process leaves and which would make the journal unreadable once more is appended.

    Raises ValueError when the line before it is no JSON either: then something else wrote to the file.
    """
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    last = data[data.rfind(b"\n", 0, max(0, whole - 1)) + 1 : whole]
    if last:
        json.loads(last)
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
