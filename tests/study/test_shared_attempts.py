"""What a worker leaves in the database when it is killed at one moment or another, and what the next one makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import optuna
import pytest
from faults import TINY
from optuna.trial import TrialState
from shared_study import NAME, Look, at_once, looking_at

from archspace.study import StudyResult, search
from archspace.study.database import Limits, close_study, joined
from archspace.study.heartbeat import WORKER_ATTR, Watch
from archspace.study.judging import Judge
from archspace.study.lineage import ATTEMPTS, HISTORY_ATTR, candidates, is_counted, is_retry, owed, queue_again, root_of
from archspace.study.link import Link
from archspace.study.quiet import quiet_optuna
from archspace.study.records import Record
from archspace.study.samplers import asked_options
from archspace.study.trials import annotate, answer, records_of

BOUNDS = {"params": 800e3}


def run(tmp_path: Path, url: str, trials: int) -> StudyResult:
    """The search, or the next one that takes it up. Its objectives take no time."""
    fixed: dict[str, Any] = {"bounds": BOUNDS, "sampler": "random", "storage": url, "study": NAME, "grace_s": 1}
    return search(TINY, directory=tmp_path / "study", trials=trials, **fixed)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_optuna():
        yield


class Killed:
    """A worker on a study of two trials, which is killed once it has done what a test says."""

    def __init__(self, url: str) -> None:
        self.study, self.question, self.limits = joined(url, NAME)
        self.judge = Judge(self.question)

    def ask(self) -> optuna.Trial:
        return self.study.ask()

    def live(self, trial: optuna.Trial) -> None:
        """The first heartbeat, and the name after it."""
        storage: Any = self.study._storage
        storage.record_heartbeat(trial._trial_id)
        trial.set_user_attr(WORKER_ATTR, "somewhere:1")

    def decide(self, trial: optuna.Trial) -> dict[str, Any]:
        return asked_options(self.question, trial)

    def record(self, trial: optuna.Trial, options: dict[str, Any]) -> Record:
        return self.judge.record(trial.number, self.judge.submit(options))


@pytest.fixture
def killed(tmp_path: Path, database: str) -> Iterator[Killed]:
    run(tmp_path, database, 2)
    worker = Killed(database)
    yield worker
    close_study(worker.study)


@pytest.fixture
def look(database: str) -> Iterator[Look]:
    with looking_at(database) as looking:
        yield looking


def test_killed_between_asking_and_the_first_heartbeat(killed: Killed, tmp_path: Path, database: str, look: Look) -> None:
    """Nothing is decided yet: another candidate takes its place."""
    left = killed.ask()
    assert len(run(tmp_path, database, 4).records) == 4
    found = look.assert_complete(4)
    assert found[left.number].state == TrialState.FAIL
    assert not any(map(is_retry, found))


def test_killed_between_taking_up_a_candidate_and_the_first_heartbeat(killed: Killed, tmp_path: Path, database: str, look: Look) -> None:
    """It was decided by the attempt before, and must not be lost with this one."""
    first = killed.ask()
    killed.live(first)
    killed.decide(first)
    killed.study.tell(first, state=TrialState.FAIL)
    queue_again(killed.study, look.trials()[first.number])
    second = killed.ask()
    assert look.trials()[second.number].state == TrialState.RUNNING
    run(tmp_path, database, 4)
    found = look.assert_complete(4)
    (third,) = [trial for trial in found if is_counted(trial) and root_of(trial) == first.number]
    assert third.system_attrs[HISTORY_ATTR] == [first.number, second.number]
    assert third.params == look.trials()[first.number].params


def test_killed_after_it_failed_a_trial_and_before_it_queued_it_again(killed: Killed, tmp_path: Path, database: str, look: Look) -> None:
    failed = killed.ask()
    killed.live(failed)
    killed.decide(failed)
    killed.study.tell(failed, state=TrialState.FAIL)
    run(tmp_path, database, 4)
    found = look.assert_complete(4)
    assert failed.number in {root_of(trial) for trial in found if is_counted(trial)}


def test_killed_before_it_told_what_it_had_written_gives_the_next_attempt_nothing_of_it(
    killed: Killed, tmp_path: Path, database: str, look: Look
) -> None:
    """Optuna ignores a constraint that is set: a retry that took over the attempt's would keep a wrong one."""
    left = killed.ask()
    killed.live(left)
    record = killed.record(left, killed.decide(left))
    wrong = Record(record.number, record.options, {**record.metrics, "params": 1.0}, True, "", record.digest)
    annotate(killed.question, left, wrong)
    run(tmp_path, database, 4)
    found = look.assert_complete(4)
    (again,) = [trial for trial in found if is_counted(trial) and root_of(trial) == left.number]
    assert found[left.number].state == TrialState.FAIL
    assert list(found[left.number].constraints.values()) == [(1.0 - BOUNDS["params"]) / BOUNDS["params"]]
    assert list(again.constraints.values()) == [(record.metrics["params"] - BOUNDS["params"]) / BOUNDS["params"]]
    assert look.metrics(again) == record.metrics


def test_a_candidate_that_its_workers_died_of_again_and_again_is_given_up(
    killed: Killed, tmp_path: Path, database: str, look: Look
) -> None:
    first = killed.ask()
    killed.decide(first)
    for _ in range(ATTEMPTS - 1):
        number = len(look.trials()) - 1
        killed.study.tell(number, state=TrialState.FAIL)
        queue_again(killed.study, look.trials()[number])
        killed.decide(killed.ask())
    killed.study.tell(len(look.trials()) - 1, state=TrialState.FAIL)
    run(tmp_path, database, 4)
    found = look.assert_complete(4)
    assert sum(root_of(trial) == first.number for trial in found) == ATTEMPTS
    assert first.number not in {root_of(trial) for trial in found if is_counted(trial)}


def test_a_trial_is_told_once_though_the_answer_of_the_database_was_lost(killed: Killed, look: Look) -> None:
    trial = killed.ask()
    record = killed.record(trial, killed.decide(trial))
    for _ in range(2):  # as a step is repeated
        if not is_counted(look.trials()[trial.number]):
            annotate(killed.question, trial, record)
            killed.study.tell(trial, **answer(killed.question, record))
    assert look.counted() == 3


def test_two_attempts_at_one_candidate_that_both_finish_count_once(killed: Killed, look: Look) -> None:
    """A worker that was taken for dead, and queued twice by two that saw it at the same time."""
    first = killed.ask()
    killed.decide(first)
    killed.study.tell(first, state=TrialState.FAIL)
    for _ in range(2):
        queue_again(killed.study, look.trials()[first.number])
    for _ in range(2):
        attempt = killed.ask()
        record = killed.record(attempt, killed.decide(attempt))
        annotate(killed.question, attempt, record)
        killed.study.tell(attempt, **answer(killed.question, record))
    trials = look.trials()
    assert look.counted() == 4
    assert len(records_of(killed.question, trials)) == len(candidates(trials)) == 3
    assert owed(trials) == []


def test_workers_that_look_at_the_same_time_queue_a_dead_ones_candidate_once(killed: Killed, database: str, look: Look) -> None:
    left = killed.ask()
    killed.live(left)
    killed.decide(left)
    sleep(1.5)  # its grace is a second
    others = [joined(database, NAME)[0] for _ in range(4)]
    limits = Limits(4, grace_s=1)
    watches = [Watch(study, limits, Link(database, 10.0, lambda _: None)) for study in others]
    sleep(1.5)  # nobody is taken for dead by one that just came
    assert at_once(4, lambda: watches.pop().look()) == [None] * 4
    for study in others:
        close_study(study)
    assert [trial.system_attrs[HISTORY_ATTR] for trial in look.trials() if is_retry(trial)] == [[left.number]]


def test_a_worker_that_just_came_takes_nobody_for_dead(killed: Killed, database: str, look: Look) -> None:
    """The database may have been away, and with it all heartbeats."""
    left = killed.ask()
    killed.live(left)
    sleep(1.5)
    Watch(killed.study, Limits(4, grace_s=1), Link(database, 10.0, lambda _: None)).look()
    assert look.trials()[left.number].state == TrialState.RUNNING
