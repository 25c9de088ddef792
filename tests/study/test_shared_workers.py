"""Studies in PostgreSQL with several workers: joined from elsewhere, killed, paused, and always as many candidates as were asked for."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import mischief
import pytest
from faults import DEADLINE_S, ROOT, environment, finished, is_alive, run, started, until, words
from optuna.trial import FrozenTrial, TrialState
from shared_study import GRACE_S, NAME, Look, joining, looking_at, searching

from archspace.study.heartbeat import WORKER_ATTR
from archspace.study.lineage import FIXED_ATTR, is_counted, is_retry, root_of


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
    done = finished(searching(tmp_path, database, "slow", 20, workers=3))
    assert done.returncode == 0, done.stderr
    assert "20 trials (0 from before)" in done.stderr
    found = look.assert_complete(20)
    again = run(tmp_path / "study", "slow", 20, storage=database, study=NAME)
    assert (again.resumed, len(again.records), again.stalled) == (20, 20, False)
    assert len(look.trials()) == len(found)


@pytest.mark.slow
def test_a_worker_joins_from_elsewhere_without_any_file(tmp_path: Path, database: str, look: Look) -> None:
    """It has neither the space nor the device's profile, which is nobody's but the user's own."""
    empty = tmp_path / "elsewhere"
    shutil.copy(ROOT / "archspace" / "latency" / "devices" / "sd810.json", tmp_path / "my_phone.json")
    empty.mkdir()
    fixed = ["--sampler", "random", "--storage", database, "--study", NAME]
    command = words(tmp_path / "study", "blocked", 8, *fixed, "--device", "my_phone.json", "--minimize", "latency_ms")
    with started(command, cwd=tmp_path) as search:
        until(lambda: len(at_work(look)) == 1, search, 0.2)
        with started(joining(database), cwd=empty, env={**environment(), "ARCHSPACE_DATA": str(empty)}) as worker:
            until(lambda: worker.pid in at_work(look), worker, 0.2)
            mischief.let_go()
            said = worker.communicate(timeout=DEADLINE_S)[1]
            assert worker.returncode == 0, said
        assert f"study {NAME} is done; this worker finished " in said
        assert search.wait(DEADLINE_S) == 0
    found = look.assert_complete(8)
    theirs = [trial for trial in found if is_counted(trial) and process_of(trial) == worker.pid]
    assert theirs
    assert all(look.metrics(trial)["latency_ms"] > 0 for trial in theirs)
    assert list(empty.iterdir()) == []


def test_a_worker_without_the_module_of_an_objective_says_so_and_takes_no_trial(tmp_path: Path, database: str, look: Look) -> None:
    run(tmp_path / "study", "quick", 1, storage=database, study=NAME)
    joined = finished(joining(database), env={**environment(), "PYTHONPATH": str(ROOT)})
    assert (joined.returncode, len(joined.stderr.splitlines())) == (2, 1)
    assert joined.stderr.startswith("archspace: python:mischief:quick: its module cannot be imported: ModuleNotFoundError")
    assert len(look.trials()) == 1


@pytest.mark.slow
def test_a_candidate_whose_worker_is_killed_is_tried_again_by_another_and_counted_once(tmp_path: Path, database: str, look: Look) -> None:
    bound = 800e3
    command = searching(tmp_path, database, "blocked_first", 12, workers=2, bounds={"params": bound})
    with started(command) as search:
        until(lambda: look.counted() == 11, search)  # all but the one that blocks
        (blocked,) = look.running()
        os.kill(process_of(blocked), signal.SIGKILL)
        said = search.communicate(timeout=DEADLINE_S)[1]
        assert search.returncode == 0, said
    assert "a worker died (exit code -9); another one takes its place" in said
    found = look.assert_complete(12)
    assert found[blocked.number].state == TrialState.FAIL
    (retried,) = [trial for trial in found if is_counted(trial) and root_of(trial) == blocked.number]
    assert is_retry(retried)
    assert retried.params == blocked.params
    assert max(mischief.calls().values()) >= 2
    for trial in filter(is_counted, found):
        assert list(trial.constraints.values()) == [(look.metrics(trial)["params"] - bound) / bound]
    assert not any(map(is_alive, set(mischief.judges())))


@pytest.mark.slow
def test_a_worker_that_was_paused_beyond_the_grace_goes_on_and_nothing_is_counted_twice(tmp_path: Path, database: str, look: Look) -> None:
    with started(searching(tmp_path, database, "blocked", 6)) as search:
        until(lambda: len(at_work(look)) == 1, search, 0.2)
        with started(joining(database)) as worker:
            until(lambda: worker.pid in at_work(look) and len(mischief.judges()) == 2, worker, 0.2)
            worker.send_signal(signal.SIGSTOP)
            mischief.let_go()
            said = search.communicate(timeout=DEADLINE_S)[1]
            assert search.returncode == 0, said
            assert f"the last trials are with other workers; one not heard of for {GRACE_S} s is taken for dead" in said
            found = look.assert_complete(6)
            worker.send_signal(signal.SIGCONT)
            said = worker.communicate(timeout=DEADLINE_S)[1]
            assert worker.returncode == 0, said
    assert "this worker was not heard of for so long that its trial was given to another one" in said
    assert f"study {NAME} is done; this worker finished 0 trials" in said
    assert [trial.state for trial in look.assert_complete(6)] == [trial.state for trial in found]
    assert any(map(is_retry, found))


@pytest.mark.slow
def test_a_search_ends_when_its_study_is_done_though_one_of_its_workers_is_paused(tmp_path: Path, database: str, look: Look) -> None:
    with started(searching(tmp_path, database, "blocked_first", 6, workers=2)) as search:
        until(lambda: look.counted() == 5, search, 0.2)
        (paused,) = at_work(look)
        os.kill(paused, signal.SIGSTOP)
        said = search.communicate(timeout=DEADLINE_S)[1]
        assert search.returncode == 0, said
    look.assert_complete(6)
    assert not is_alive(paused)


@pytest.mark.slow
def test_a_killed_search_takes_its_workers_with_it_and_the_same_command_goes_on(tmp_path: Path, database: str, look: Look) -> None:
    command = searching(tmp_path, database, "slow", 30, workers=2)
    with started(command) as search:
        until(lambda: look.counted() >= 6, search, 0.2)
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
    done_before = {look.digest(found[number]) for number in before}
    assert not {digest for digest, times in mischief.calls().items() if times > judged[digest] > 0} & done_before
    assert all(FIXED_ATTR in trial.system_attrs for trial in found if is_retry(trial))
