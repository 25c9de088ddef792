"""Where a search on one machine keeps its trials: a journal file of Optuna's in its directory. Finished trials are appended in batches.

The search itself runs on a study in memory, which is some hundred times faster than any storage; the store is its record.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from archspace.analysis.pareto import Direction
from archspace.errors import StudyError
from archspace.study.batches import BatchedJournal
from archspace.study.database import ERROR_ATTR, QUESTION_ATTR
from archspace.study.evaluated import cannot_be_written
from archspace.study.question import check_same

JOURNAL = "journal.log"
LOCK_GRACE_S = 5  # a lock older than this was left by a killed process


class Store:
    """The stored trials of one study. Raises StudyError when they belong to another question or somebody else adds to them."""

    def __init__(
        self,
        folder: Path,
        storage: optuna.storages.JournalStorage,
        journal: BatchedJournal,
        question: Mapping[str, Any],
        directions: Sequence[Direction],
    ) -> None:
        self.folder = folder
        self._journal = journal
        names = optuna.get_all_study_names(storage)
        name = names[0] if len(names) == 1 else folder.resolve().name  # a folder may be renamed: the study in it keeps its name
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

    @property
    def first_error(self) -> str:
        """The first traceback that was stored; empty when there is none."""
        return str(self._study.user_attrs.get(ERROR_ATTR, ""))

    def append(self, trials: Sequence[optuna.trial.FrozenTrial], error: str = "") -> None:
        """Add finished trials: an interrupt waits until all are written. `error` is a traceback, stored if it is the study's first.

        Raises StudyError when they cannot be written, or when another process added some since.
        """
        with interrupts_later():
            others = len(self._study.get_trials(deepcopy=False)) - self.saved
            if others:
                raise StudyError(
                    f"study {self._study.study_name}: one process at a time may write a study, but another one added {others} trials. "
                    "Stop it, then run the same command again."
                )
            try:
                with self._journal.batch():
                    if error and not self.first_error:
                        self._study.set_user_attr(ERROR_ATTR, error)
                    self._study.add_trials(trials)
            except OSError as failed:
                self._mend()
                raise StudyError(cannot_be_written(self.folder / JOURNAL, failed)) from None
            self.saved += len(trials)

    def _mend(self) -> None:
        """After a write that failed half way: cut the torn line, if the disk allows, and take what is whole as stored."""
        with suppress(OSError), locked(self.folder / JOURNAL):
            cut_torn_line(self.folder / JOURNAL)
        self.saved = len(self._study.get_trials(deepcopy=False))


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
    storage, journal = _journal(folder / JOURNAL, fresh=fresh)
    return Store(folder, storage, journal, question, directions)


def _journal(path: Path, *, fresh: bool) -> tuple[optuna.storages.JournalStorage, BatchedJournal]:
    try:
        if fresh:
            path.unlink(missing_ok=True)
        repaired(path)
        journal = BatchedJournal(JournalFileBackend(str(path.absolute()), lock_obj=_lock(path)))
        return optuna.storages.JournalStorage(journal), journal
    except OSError as error:
        raise StudyError(f"{path}: cannot be opened: {error.strerror}") from None
    except (AssertionError, KeyError, TypeError, ValueError) as error:  # what replaying lines of another kind raises
        raise StudyError(f"{path}: not a journal of a study, or a damaged one: {error!r}. Start anew with --force.") from None


def stored_trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """The finished trials in the journal of a study's folder, without adding to it. Raises StudyError."""
    if not (folder / JOURNAL).exists():
        return []
    storage, _ = _journal(folder / JOURNAL, fresh=False)
    names = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=names[0], storage=storage).get_trials() if names else []


def repaired(path: Path) -> int:
    """Cut an unfinished last line off a journal, under its lock; one that a dead process left is taken over. The bytes that were cut."""
    if not path.exists():
        return 0
    with locked(path):
        return cut_torn_line(path)


def _lock(path: Path) -> JournalFileSymlinkLock:
    """The lock of a journal: a link to it, whose age tells a left lock from a held one.

    A link to nothing (a journal that is gone, a path relative to another directory) has no age: Optuna would wait for it for ever.
    """
    lock = Path(f"{path.absolute()}.lock")
    if lock.is_symlink() and not lock.exists():
        lock.unlink(missing_ok=True)
    return JournalFileSymlinkLock(str(path.absolute()), grace_period=LOCK_GRACE_S)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the journal's lock."""
    lock = _lock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def cut_torn_line(path: Path) -> int:
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
    return len(data) - whole
