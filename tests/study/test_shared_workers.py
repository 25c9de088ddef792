"""Studies in PostgreSQL with several workers: joined from elsewhere, killed, paused, and always as many candidates as were asked for."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import mischief
import pytest
from faults import ROOT, environment, finished, is_alive, started, until
from optuna.trial import FrozenTrial, TrialState
from shared_study import NAME, Look, joining, looking_at, searching

from archspace.study.heartbeat import WORKER_ATTR
from archspace.study.lineage import FIXED_ATTR, HISTORY_ATTR, is_counted, is_retry, stored_record


@pytest.fixture
def look(database: str) -> Iterator[Look]:
    with looking_at(database) as looking:
        yield looking


def process_of(trial: FrozenTrial) -> int:
    """The worker that runs it."""
    return int(trial.user_attrs[WORKER_ATTR].rpartition(":")[2])


def at_work(look: Look) -> list[int]:
    """The workers whose trials are running."""
    return [process_of(trial) for trial in look.running() if WORKER_ATTR in trial.user_attrs]


@pytest.mark.slow
def test_three_workers_run_as_many_trials_as_were_asked_for_and_the_same_command_none_more(
    tmp_path: Path, database: str, look: Look
) -> None:
    done = finished(searching(tmp_path, database, "slow", 20, "--workers", "3"))
    assert (done.returncode, done.stderr.splitlines()[0][:27]) == (0, "20 trials (0 from before), ")
    found = look.assert_complete(20)
    again = finished(searching(tmp_path, database, "slow", 20, "--workers", "1"))
    assert (again.returncode, again.stderr.splitlines()[0][:28]) == (0, "20 trials (20 from before), ")
    assert len(look.trials()) == len(found)


@pytest.mark.slow
def test_a_worker_joins_from_elsewhere_without_any_file(tmp_path: Path, database: str, look: Look) -> None:
    """It has neither the space nor the device's profile, which is nobody's but the user's own."""
    profile, empty = tmp_path / "my_phone.json", tmp_path / "elsewhere"
    shutil.copy(ROOT / "archspace" / "latency" / "devices" / "sd810.json", profile)
    empty.mkdir()
    more = ["--device", str(profile), "--minimize", "latency_ms"]
    with started(searching(tmp_path, database, "blocked", 8, *more)) as search:
        until(lambda: len(at_work(look)) == 1, search)
        profile.unlink()
        (tmp_path / "tiny.toml").unlink()
        with started(joining(database), cwd=empty, env={**environment(), "ARCHSPACE_DATA": str(empty)}) as worker:
            until(lambda: worker.pid in at_work(look), worker)
            mischief.let_go()
            said = worker.communicate(timeout=120)[1]
            assert worker.returncode == 0, said
        assert f"study {NAME} is done; this worker finished " in said
        assert search.wait(120) == 0
    found = look.assert_complete(8)
    theirs = [trial for trial in found if is_counted(trial) and process_of(trial) == worker.pid]
    assert theirs
    assert all(stored_record(trial)["metrics"]["latency_ms"] > 0 for trial in theirs)
    assert list(empty.iterdir()) == []


@pytest.mark.slow
def test_a_candidate_whose_worker_is_killed_is_tried_again_by_another_and_counted_once(tmp_path: Path, database: str, look: Look) -> None:
    bound = 800e3
    command = searching(tmp_path, database, "blocked_first", 12, "--workers", "2", "--max-params", "800K")
    with started(command) as search:
        until(lambda: look.counted() == 11, search)  # all but the one that blocks
        (blocked,) = look.running()
        os.kill(process_of(blocked), signal.SIGKILL)
        said = search.communicate(timeout=120)[1]
        assert search.returncode == 0, said
    assert "a worker died (exit code -9); another one takes its place" in said
    found = look.assert_complete(12)
    (retried,) = [trial for trial in found if is_retry(trial)]
    assert found[blocked.number].state == TrialState.FAIL
    assert (retried.system_attrs[HISTORY_ATTR], retried.params) == ([blocked.number], blocked.params)
    digests = mischief.calls()
    assert digests.pop(stored_record(retried)["digest"]) == 2
    assert set(digests.values()) == {1}
    for trial in filter(is_counted, found):
        metrics = stored_record(trial)["metrics"]
        assert list(trial.constraints.values()) == [metrics["params"] / bound - 1]
    assert not any(map(is_alive, set(mischief.judges())))


@pytest.mark.slow
def test_a_worker_that_was_paused_beyond_the_grace_goes_on_and_nothing_is_counted_twice(tmp_path: Path, database: str, look: Look) -> None:
    with started(searching(tmp_path, database, "blocked", 6)) as search:
        until(lambda: len(at_work(look)) == 1, search)
        with started(joining(database)) as worker:
            until(lambda: worker.pid in at_work(look), worker)
            worker.send_signal(signal.SIGSTOP)
            mischief.let_go()
            said = search.communicate(timeout=120)[1]
            assert search.returncode == 0, said
            assert "the last trials are with other workers; one not heard of for 2 s is taken for dead" in said
            found = look.assert_complete(6)
            worker.send_signal(signal.SIGCONT)
            said = worker.communicate(timeout=120)[1]
            assert worker.returncode == 0, said
    assert "this worker was not heard of for so long that its trial was given to another one" in said
    assert f"study {NAME} is done; this worker finished 0 trials" in said
    assert [trial.state for trial in look.assert_complete(6)] == [trial.state for trial in found]
    assert sum(map(is_retry, found)) == 1


@pytest.mark.slow
def test_a_search_ends_when_its_study_is_done_though_one_of_its_workers_is_paused(tmp_path: Path, database: str, look: Look) -> None:
    with started(searching(tmp_path, database, "blocked_first", 6, "--workers", "2")) as search:
        until(lambda: look.counted() == 5, search)
        (paused,) = at_work(look)
        os.kill(paused, signal.SIGSTOP)
        said = search.communicate(timeout=120)[1]
        assert search.returncode == 0, said
    look.assert_complete(6)
    assert not is_alive(paused)


@pytest.mark.slow
def test_a_killed_search_takes_its_workers_with_it_and_the_same_command_goes_on(tmp_path: Path, database: str, look: Look) -> None:
    command = searching(tmp_path, database, "slow", 30, "--workers", "2")
    with started(command) as search:
        until(lambda: look.counted() >= 6, search)
        search.send_signal(signal.SIGKILL)
    workers = {process_of(trial) for trial in look.trials() if WORKER_ATTR in trial.user_attrs}
    until(lambda: not any(map(is_alive, workers | set(mischief.judges()))))
    before = {trial.number: trial.values for trial in look.trials() if is_counted(trial)}
    judged = mischief.calls()
    assert 6 <= len(before) < 30
    done = finished(command)
    assert done.returncode == 0, done.stderr
    assert f"30 trials ({len(before)} from before)" in done.stderr
    found = look.assert_complete(30)
    assert {number: found[number].values for number in before} == before
    again = (mischief.calls() - judged) & judged
    assert again.total() <= 2  # what the two workers had at hand
    assert all(FIXED_ATTR in trial.system_attrs for trial in found if is_retry(trial))
