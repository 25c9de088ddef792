"""Where studies live: torn journals, other writers, foreign databases."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import optuna
import pytest

from archspace.errors import StudyError
from archspace.study.database import open_database
from archspace.study.quiet import quiet_optuna
from archspace.study.store import Store, cut_torn_line, open_store

QUESTION = {"archspace_study": 2, "seed": 0}


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with quiet_optuna():
        yield


def finished(value: float) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(value=value, params={}, distributions={})


def opened(folder: Path, question: dict[str, Any] = QUESTION, **more: Any) -> Store:
    return open_store(folder, question, ["minimize"], **more)


def values(store: Store) -> list[float]:
    return [trial.values[0] for trial in store.trials()]


GOOD = b'{"op_code": 0}\n{"op_code": 1}\n'


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b'{"op_code": 2',  # half a line
        b'{"op_code": 2}',  # a whole value, but its line end is not there: more may have been coming
        b"\x00\x00\x00",
    ],
)
def test_a_torn_last_line_is_cut_and_what_was_whole_stays(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_bytes(GOOD + tail)
    cut_torn_line(path)
    assert path.read_bytes() == GOOD


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_journal_without_a_whole_line_becomes_empty(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_bytes(content)
    cut_torn_line(path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "content", [b"garbage\n", GOOD + b"garbage\n", GOOD + b'{"op_code": 2\n{"op', b"\xff\xfe\n", b'{"a": 1}\n', b"[]\n"]
)
def test_a_journal_that_something_else_wrote_is_refused_and_stays_as_it_was(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"journal\.log: not a journal of a study, or a damaged one"):
        opened(tmp_path)
    assert path.read_bytes() == content


def test_trials_are_there_again_when_the_store_is_opened_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append([finished(1.0), finished(2.0)])
    store.append([])
    store.append([finished(3.0)])
    assert values(opened(tmp_path)) == [1.0, 2.0, 3.0]


def test_a_torn_journal_opens_takes_more_and_opens_again(tmp_path: Path) -> None:
    opened(tmp_path).append([finished(1.0)])
    journal = tmp_path / "journal.log"
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 4, "worker_id": "x", "stu')
    store = opened(tmp_path)
    assert values(store) == [1.0]
    store.append([finished(2.0)])
    assert values(opened(tmp_path)) == [1.0, 2.0]


def test_a_store_of_another_question_is_refused_with_the_part(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(StudyError, match=rf"^study {tmp_path.name}: .* but seed was 0 and now is 5\."):
        opened(tmp_path, {**QUESTION, "seed": 5})


def test_a_second_writer_is_noticed_and_its_trials_stay(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    second.append([finished(1.0), finished(2.0)])
    with pytest.raises(StudyError, match=r"one process at a time may write a study, but another one added 2 trials\. Stop it, then run"):
        first.append([finished(3.0)])
    assert values(opened(tmp_path)) == [1.0, 2.0]


def test_a_fresh_store_forgets_what_was_there_and_whose_it_was(tmp_path: Path) -> None:
    opened(tmp_path).append([finished(1.0)])
    assert values(opened(tmp_path, {**QUESTION, "seed": 5}, fresh=True)) == []


def test_an_interrupt_while_trials_are_written_waits_until_all_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    add = optuna.Study.add_trial

    def interrupted(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        signal.raise_signal(signal.SIGINT)
        add(study, trial)

    monkeypatch.setattr(optuna.Study, "add_trial", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append([finished(1.0), finished(2.0)])
    assert store.saved == 2
    assert values(opened(tmp_path)) == [1.0, 2.0]


def test_a_journal_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.log").mkdir()
    with pytest.raises(StudyError, match=r"journal\.log: cannot be opened: Is a directory$"):
        opened(tmp_path)


@pytest.mark.parametrize("url", ["", "trials.db", "foo://x", "sqlite:////nowhere/at/all/trials.db"])
def test_a_database_that_cannot_be_opened_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(StudyError) as caught:
        open_database(url)
    assert str(caught.value).startswith(f"storage {url}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_no_database_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database\n" * 200, encoding="utf-8")
    with pytest.raises(StudyError, match="cannot be opened"):
        open_database(f"sqlite:///{path}")
    assert path.read_text(encoding="utf-8") == "no database\n" * 200


@pytest.mark.parametrize("target", ["journal.log", "nowhere"])
def test_a_lock_that_a_killed_process_left_is_taken_over(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("study")
    folder.mkdir()
    opened(folder).append([finished(1.0)])
    monkeypatch.setattr("archspace.study.store.LOCK_GRACE_S", 3)  # the least that Optuna takes without a warning
    # Optuna's lock is a link to the journal; one with a relative path points nowhere from its own folder.
    (folder / "journal.log.lock").symlink_to(tmp_path / "study" / target)
    store = opened(folder)
    store.append([finished(2.0)])
    assert values(store) == [1.0, 2.0]
