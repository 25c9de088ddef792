"""Where a search on one machine keeps its trials: a journal file of Optuna's in its directory. Finished trials are appended in batches.

The search itself runs on a study in memory, which is some hundred times faster than any storage; the store is its record.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from archspace.analysis.pareto import Direction
from archspace.errors import StudyError
from archspace.study.database import QUESTION_ATTR
from archspace.study.question import check_same

JOURNAL = "journal.log"
LOCK_GRACE_S = 5  # a lock older than this was left by a killed process


class Store:
    """The stored trials of one study. Raises StudyError when they belong to another question or somebody else adds to them."""

    def __init__(
        self, folder: Path, storage: optuna.storages.BaseStorage, question: Mapping[str, Any], directions: Sequence[Direction]
    ) -> None:
        self.folder = folder
        name = folder.resolve().name
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
            try:
                self._study.add_trials(trials)
            except OSError as error:
                raise StudyError(
                    f"{self.folder / JOURNAL}: cannot be written: {error.strerror}. What was written before stays; "
                    "make room, then run the same command again."
                ) from None
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


def open_store(folder: Path, question: Mapping[str, Any], directions: Sequence[Direction], *, fresh: bool = False) -> Store:
    """The store in the journal file in `folder`; `fresh` forgets what was there. Raises StudyError."""
    return Store(folder, _journal(folder / JOURNAL, fresh=fresh), question, directions)


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
