"""Processes that judge candidates are killed, hang, raise, or lose the search that started them: nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mischief
import pytest
from faults import TINY, aims, environment, is_alive, run, until

from archspace.errors import StudyError
from archspace.ir.digest import graph_digest
from archspace.study.judging import Outcome
from archspace.study.pool import ATTEMPTS, Pool, processes
from archspace.study.question import Question

CANDIDATES = [{"groups": 2, "width": round(0.25 + 0.05 * i, 2), "repeats": (1, 1, 1)} for i in range(8)]
DIGESTS = [graph_digest(TINY.build(options)) for options in CANDIDATES]
UNLUCKY = [mischief.is_unlucky(digest) for digest in DIGESTS]


def question(objective: str) -> Question:
    return Question(TINY, aims(objective))  # type: ignore[arg-type]


def judged(pool: Pool) -> list[Outcome]:
    """All candidates' outcomes."""
    pending = [pool.submit(options, digest) for options, digest in zip(CANDIDATES, DIGESTS, strict=True)]
    return [each() for each in pending]


def outcomes(objective: str, workers: int = 2, time_limit_s: float | None = None) -> list[Outcome]:
    with processes(question(objective), workers, time_limit_s, lambda *_: None) as pool:
        return judged(pool)


@pytest.fixture(scope="module")
def expected() -> list[float]:
    """What an objective without mischief returns."""
    return [mischief.value(TINY.build(options)) for options in CANDIDATES]


def test_some_candidates_are_unlucky_and_most_are_not() -> None:
    assert 1 < sum(UNLUCKY) < len(UNLUCKY) / 2


def test_a_candidate_whose_process_was_killed_is_tried_again_by_another(expected: list[float]) -> None:
    assert [outcome.metrics["python:mischief:dies_once"] for outcome in outcomes("dies_once")] == expected
    assert mischief.calls() == {digest: 1 + unlucky for digest, unlucky in zip(DIGESTS, UNLUCKY, strict=True)}


def test_a_candidate_that_always_kills_its_process_is_given_up_and_the_others_are_judged() -> None:
    for outcome, unlucky, digest in zip(outcomes("dies"), UNLUCKY, DIGESTS, strict=True):
        assert (outcome.metrics == {}) == unlucky
        assert outcome.problem == (f"the process that judged it died {ATTEMPTS} times, last with exit code -9" if unlucky else "")
        assert mischief.calls()[digest] == (ATTEMPTS if unlucky else 1)


def test_a_process_that_is_killed_while_it_has_nothing_to_do_is_replaced(expected: list[float]) -> None:
    with processes(question("quick"), 1, None, lambda *_: None) as pool:
        pool.submit(CANDIDATES[0], DIGESTS[0])()
        (idle,) = mischief.judges()
        os.kill(idle, signal.SIGKILL)
        until(lambda: not is_alive(idle))
        assert [outcome.metrics["python:mischief:quick"] for outcome in judged(pool)] == expected


def test_a_candidate_that_hangs_is_given_up_after_its_time_and_the_others_are_judged(expected: list[float]) -> None:
    found = outcomes("hangs", time_limit_s=1.5)
    for outcome, unlucky, value in zip(found, UNLUCKY, expected, strict=True):
        if unlucky:
            assert outcome == Outcome({}, "judging it took longer than 1.5 s, the limit of --trial-timeout")
        else:
            assert outcome.metrics["python:mischief:hangs"] == value


def test_what_an_objective_raises_fails_its_candidate_with_the_traceback(expected: list[float]) -> None:
    for outcome, unlucky, value, digest in zip(outcomes("raises"), UNLUCKY, expected, DIGESTS, strict=True):
        if unlucky:
            assert outcome.problem == f"python:mischief:raises raised ZeroDivisionError: no luck with {digest}"
            assert outcome.traceback.startswith("Traceback (most recent call last):")
            assert "mischief.py" in outcome.traceback
        else:
            assert outcome.metrics["python:mischief:raises"] == value


def test_an_objective_may_print_and_finds_its_stdin_empty(expected: list[float], capfd: pytest.CaptureFixture[str]) -> None:
    assert [outcome.metrics["python:mischief:prints_and_reads"] for outcome in outcomes("prints_and_reads", 1)] == expected
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("judging ") == len(CANDIDATES)


def test_processes_are_gone_when_the_search_is_whatever_they_were_doing() -> None:
    with processes(question("blocked"), 2, None, lambda *_: None) as pool:
        for options, digest in zip(CANDIDATES, DIGESTS, strict=True):
            pool.submit(options, digest)
        until(lambda: len(mischief.judges()) == 2)
        assert all(map(is_alive, mischief.judges()))
    assert not any(map(is_alive, mischief.judges()))
    assert len(mischief.judges()) == 2


def test_nothing_is_kept_of_a_candidate_that_was_being_judged_when_the_search_ended() -> None:
    kept: list[Any] = []
    with processes(question("blocked_first"), 2, None, lambda *given: kept.append(given)) as pool:
        pending = [pool.submit(options, digest) for options, digest in zip(CANDIDATES[:4], DIGESTS, strict=False)]
        until(lambda: len(kept) == 3)
    assert len(kept) == 3
    assert len(pending) == 4


def test_an_outcome_that_cannot_be_kept_ends_the_search_with_the_reason() -> None:
    def full(*_: Any) -> None:
        raise StudyError("evaluated.jsonl: cannot be written: No space left on device.")

    with processes(question("quick"), 1, None, full) as pool, pytest.raises(StudyError, match="No space left"):
        pool.submit(CANDIDATES[0], DIGESTS[0])()


def test_a_module_that_only_the_search_can_import_is_named_instead_of_tried_three_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def score(graph):\n    return 1.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    asked = Question(TINY, {"python:only_here:score": "minimize"})
    assert asked.is_slow
    (tmp_path / "only_here.py").unlink()
    with (
        processes(asked, 1, None, lambda *_: None) as pool,
        pytest.raises(StudyError, match=r"python:only_here:score: its module cannot be"),
    ):
        pool.submit(CANDIDATES[0], DIGESTS[0])()


SCRIPT = """
from pathlib import Path
from archspace.study import search
from faults import TINY
result = search(TINY, directory={folder!r}, objectives={{"python:mischief:quick": "minimize"}}, trials=4, sampler="random", workers=2)
print(len(result.records), result.feasible)
"""


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    """multiprocessing would run it once more in every process."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path / "study")), encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 4\n", "")


@pytest.fixture
def orphans(tmp_path: Path) -> Iterator[list[int]]:
    """The processes of a search that was killed while both judged."""
    command = [sys.executable, "-c", SCRIPT.format(folder=str(tmp_path / "study")).replace("quick", "blocked")]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: len(mischief.judges()) == 2)
        finally:
            process.kill()
    yield mischief.judges()
    mischief.let_go()


def test_processes_that_lose_their_search_end_themselves(orphans: list[int]) -> None:
    until(lambda: not any(map(is_alive, orphans)))


def test_a_search_goes_on_by_itself_when_its_processes_are_killed(tmp_path: Path) -> None:
    disturbed = run(tmp_path / "disturbed", "dies_once", 40, workers=2)
    assert not disturbed.interrupted
    assert len(disturbed.records) == 40
    assert all(record.metrics for record in disturbed.records)
    asked = {record.digest for record in disturbed.records}
    assert mischief.calls() == {digest: 1 + mischief.is_unlucky(digest) for digest in asked}
    assert any(map(mischief.is_unlucky, asked))
