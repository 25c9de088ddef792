"""kill -9 of the search itself: the same command goes on to exactly the trials of one that was never killed, and judges nothing twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import mischief
import pytest
from faults import DEADLINE_S, finished, is_alive, journaled, lines, run, search_command, started, until, words

from archspace.study.evaluated import Evaluated
from archspace.study.judging import Outcome


@pytest.mark.slow
def test_a_killed_search_goes_on_where_it_was_and_judges_nothing_again(tmp_path: Path) -> None:
    """The first candidate blocks: the seven others that are out are judged, and wait to be told after it."""
    assert mischief.first_time("first")
    run(tmp_path / "whole", "blocked_first", 20, sampler="tpe")
    before = mischief.calls()
    (mischief.folder() / "first").unlink()
    (mischief.folder() / "calls").unlink()

    study = tmp_path / "study"
    command = words(study, "blocked_first", 20, "--sampler", "tpe", "--workers", "2")
    with started(command) as search:
        until(lambda: lines(study / "evaluated.jsonl") >= 7, search)
        search.send_signal(signal.SIGKILL)
    assert len(mischief.calls()) in (8, 9)  # nine when it was not trial 0 but trial 1 that came first
    told = len(journaled(study))
    assert told <= 1
    until(lambda: not any(map(is_alive, set(mischief.judges()))))

    again = finished(command)
    assert again.returncode == 0
    assert again.stderr.startswith(f"20 trials ({told} from before), ")
    assert journaled(study) == journaled(tmp_path / "whole")
    judged = {digest: times for digest, times in mischief.calls().items() if digest in before}  # the report asks for known networks too
    assert sorted(judged.values()) == [*[1] * (len(before) - 1), 2]  # twice the one that was being judged
    assert not (study / "evaluated.jsonl").exists()


@pytest.mark.slow
def test_a_search_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    study = tmp_path / "study"
    command = search_command(study, "slow", 30, sampler="tpe", workers=2)
    for kill_at in (4, 16):
        with started(command) as search:
            until(lambda at=kill_at: len(mischief.calls()) >= at, search)  # type: ignore[misc]
            search.send_signal(signal.SIGKILL)
    whole = run(tmp_path / "whole", "slow", 30, sampler="tpe")
    assert run(study, "slow", 30, sampler="tpe").records == whole.records
    assert journaled(study) == journaled(tmp_path / "whole")


def test_what_was_judged_and_not_told_is_told_with_its_traceback(tmp_path: Path) -> None:
    """As if the search had been killed when all was judged and nothing told."""
    whole = run(tmp_path / "whole", "raises", 16)
    assert whole.traceback
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.json").write_bytes((tmp_path / "whole" / "study.json").read_bytes())
    for record in whole.records:
        Evaluated(study).add(record.options, record.digest, Outcome(record.metrics, record.problem, whole.traceback))
    before = mischief.calls()
    again = run(study, "raises", 16)
    assert (again.records, again.traceback) == (whole.records, whole.traceback)
    assert mischief.calls() == before


def test_an_interrupted_search_is_told_what_others_of_its_processes_had_finished(tmp_path: Path) -> None:
    """Ctrl-C while the first candidate blocks."""
    study = tmp_path / "study"
    command = words(study, "blocked_first", 12, "--sampler", "random", "--workers", "2")
    with started(command, start_new_session=True) as search:
        until(lambda: lines(study / "evaluated.jsonl") >= 7, search)
        os.killpg(search.pid, signal.SIGINT)
        said = search.communicate(timeout=DEADLINE_S)[1]
    assert search.returncode in (0, 1)
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
    assert not any(map(is_alive, set(mischief.judges())))
    mischief.let_go()
    judged = mischief.calls()
    resumed = run(study, "blocked_first", 12)
    assert len(resumed.records) == 12
    again = mischief.calls() - judged
    assert sum(judged[digest] for digest in again) == 1
