"""A journal that takes many entries in one write: Optuna's writes, and waits for the disk, once for each.

While a batch is held, entries are read back from memory, so that Optuna sees what it wrote; at its end they go to the file together.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from optuna.storages.journal import BaseJournalBackend, JournalFileBackend


class BatchedJournal(BaseJournalBackend):
    """A journal file whose entries can be held back for a while by the one process that writes it."""

    def __init__(self, file: JournalFileBackend) -> None:
        self._file = file
        self._held: list[dict[str, Any]] | None = None
        self._in_file = 0  # entries that the file had when the batch began

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The entries from a number on: the file's, or, within a batch, those that are held behind it."""
        if self._held is not None:
            yield from self._held[log_number_from - self._in_file :]
            return
        self._in_file = log_number_from
        for log in self._file.read_logs(log_number_from):
            self._in_file += 1
            yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries: to the batch that is held, or to the file."""
        if self._held is None:
            self._file.append_logs(logs)
        else:
            self._held.extend(logs)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Hold entries back, and write them together on leaving, all that there are. Nothing may be unread in the file before it."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                self._file.append_logs(held)
