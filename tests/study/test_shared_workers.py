"""Studies in PostgreSQL with several workers: joined from elsewhere, killed, paused, and always as many candidates as were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import finished
from shared_study import Look, looking_at, searching

from archspace.study.lineage import is_counted


@pytest.fixture
def look(database: str) -> Iterator[Look]:
    with looking_at(database) as looking:
        yield looking


@pytest.mark.slow
def test_two_workers_run_as_many_trials_as_were_asked_for_each_once(tmp_path: Path, database: str, look: Look) -> None:
    done = finished(searching(tmp_path, database, "slow", 24, "--workers", "2"))
    assert (done.returncode, done.stderr.splitlines()[0][:28]) == (0, "24 trials (0 from before), 2")
    found = look.assert_complete(24)
    assert len({trial.user_attrs["archspace:worker"] for trial in found if is_counted(trial)}) == 2
    again = finished(searching(tmp_path, database, "slow", 24, "--workers", "2"))
    assert (again.returncode, again.stderr.splitlines()[0][:29]) == (0, "24 trials (24 from before), 2")
    assert len(look.trials()) == len(found)
