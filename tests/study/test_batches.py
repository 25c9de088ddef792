"""Batches of journal entries: read back at once, written together."""

from __future__ import annotations

from pathlib import Path

from optuna.storages.journal import JournalFileBackend

from archspace.study.batches import BatchedJournal


def test_entries_of_a_batch_are_read_before_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    journal = BatchedJournal(JournalFileBackend(str(path)))
    journal.append_logs([{"n": 0}, {"n": 1}])
    assert [log["n"] for log in journal.read_logs(0)] == [0, 1]
    with journal.batch():
        journal.append_logs([{"n": 2}])
        journal.append_logs([{"n": 3}])
        assert [log["n"] for log in journal.read_logs(2)] == [2, 3]
        assert [log["n"] for log in journal.read_logs(3)] == [3]
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert [log["n"] for log in journal.read_logs(4)] == []
    assert [log["n"] for log in BatchedJournal(JournalFileBackend(str(path))).read_logs(0)] == [0, 1, 2, 3]


def test_an_error_inside_a_batch_still_writes_what_was_added(tmp_path: Path) -> None:
    journal = BatchedJournal(JournalFileBackend(str(tmp_path / "journal.log")))
    try:
        with journal.batch():
            journal.append_logs([{"n": 0}])
            raise KeyError("stop")
    except KeyError:
        pass
    assert [log["n"] for log in journal.read_logs(0)] == [0]
