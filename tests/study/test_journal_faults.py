"""Journals after a fault: a lock that a killed process left, a full disk, a folder that was renamed, damaged lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mischief
import pytest
from faults import DEADLINE_S, environment, journaled, lines, run, words

import archspace.study.store as store_module
from archspace.errors import StudyError
from archspace.study.evaluated import Evaluated
from archspace.study.judging import Outcome


def leave_lock(study: Path) -> None:
    """What a process leaves that is killed while it writes: a link to the journal."""
    (study / "journal.log.lock").symlink_to((study / "journal.log").absolute())


@pytest.mark.slow
@pytest.mark.parametrize("relative", [True, False])
def test_a_lock_that_a_killed_process_left_is_broken(relative: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOCK_GRACE_S", 3)
    monkeypatch.chdir(tmp_path)
    whole = run(tmp_path / "whole", "quick", 8)
    study = Path("study") if relative else tmp_path / "study"
    run(study, "quick", 4)
    leave_lock(study)
    assert run(study, "quick", 8).records == whole.records
    assert not os.path.lexists(study / "journal.log.lock")


SMALL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from archspace.cli import main
sys.exit(main(sys.argv[1:]))
"""


def on_a_small_disk(command: list[str], limit: int) -> subprocess.CompletedProcess[str]:
    """The command where no file may grow beyond so many bytes: writes beyond fail half way, as on a full disk."""
    code = SMALL_DISK.format(limit=limit)
    words = [sys.executable, "-c", code, *command[command.index("search") :]]
    return subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@pytest.mark.slow
def test_a_disk_that_is_full_for_the_journal_ends_the_search_with_one_line_and_nothing_is_lost(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", "quick", 30, sampler="tpe")
    study = tmp_path / "study"
    run(study, "quick", 10, sampler="tpe")
    command = words(study, "quick", 30, "--sampler", "tpe")
    size = (study / "journal.log").stat().st_size
    full = on_a_small_disk(command, size + 5000)  # some trials of about 1 kB, and half of one
    expected = f"archspace: {study}/journal.log: cannot be written: File too large. What was written before stays; make room, then run"
    assert (full.returncode, full.stdout) == (2, "")
    assert full.stderr.startswith(expected)
    assert len(full.stderr.splitlines()) == 1
    kept = journaled(study)
    assert 10 < len(kept) < 30
    assert kept == journaled(tmp_path / "whole")[: len(kept)]
    assert run(study, "quick", 30, sampler="tpe").records == whole.records
    assert journaled(study) == journaled(tmp_path / "whole")
    assert {mischief.calls()[record.digest] for record in whole.records} == {2}  # once in each study


def test_a_disk_that_is_full_for_what_was_judged_ends_the_search_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole", "quick", 12)
    add = Evaluated.add
    kept: list[str] = []

    def full(self: Evaluated, options: object, digest: str, outcome: Outcome) -> None:
        if len(kept) == 5:
            raise StudyError("evaluated.jsonl: cannot be written: No space left on device.")
        kept.append(digest)
        add(self, options, digest, outcome)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Evaluated, "add", full)
        with pytest.raises(StudyError, match="No space left on device"):
            run(tmp_path / "study", "quick", 12)
    assert 0 < len(journaled(tmp_path / "study")) <= 5
    assert run(tmp_path / "study", "quick", 12).records == whole.records


def test_a_study_goes_on_in_a_folder_that_was_renamed(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", "quick", 8)
    run(tmp_path / "before", "quick", 4)
    (tmp_path / "before").rename(tmp_path / "after")
    resumed = run(tmp_path / "after", "quick", 8)
    assert (resumed.resumed, resumed.records) == (4, whole.records)


@pytest.mark.parametrize("tail", [b'{"options": {"gro', b'{"options": 3}\n', b"[]\n", b"\xff\xfe\n", b"\x00"])
def test_damaged_lines_of_what_was_judged_are_passed_over_and_torn_ones_cut(tail: bytes, tmp_path: Path) -> None:
    file = tmp_path / "evaluated.jsonl"
    kept = Evaluated(tmp_path)
    kept.add({"groups": (1, 2)}, "a", Outcome({"madds": 1.5}))
    file.write_bytes(file.read_bytes() + tail)
    first = ({"groups": [1, 2]}, "a", Outcome({"madds": 1.5}))
    assert list(Evaluated(tmp_path).found()) == [first]
    kept.add({"groups": 3}, "b", Outcome({}, "no", "Traceback"))
    assert list(Evaluated(tmp_path).found()) == [first, ({"groups": 3}, "b", Outcome({}, "no", "Traceback"))]
    assert all(json.loads(line) for line in file.read_bytes().splitlines()[-1:])


def test_nothing_that_was_judged_is_left_over_when_all_is_told(tmp_path: Path) -> None:
    run(tmp_path / "study", "quick", 6, workers=2)
    assert lines(tmp_path / "study" / "evaluated.jsonl") == 0
    assert not (tmp_path / "study" / "evaluated.jsonl").exists()
