"""The database goes away in the middle and comes back: whoever works waits, and nothing finished is lost."""

from __future__ import annotations

from pathlib import Path

import mischief
import pytest
from faults import started, until
from postgres import Server
from shared_study import looking_at, searching

from archspace.study.lineage import is_counted


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "grace_s"), [(1, 120), (2, 2)])
def test_workers_wait_for_a_database_that_is_restarted_and_go_on(
    workers: int, grace_s: int, tmp_path: Path, server: Server, database: str
) -> None:
    log = tmp_path / "said"
    command = [*searching(tmp_path, database, "blocked_first", 12, "--workers", str(workers)), "--grace", str(grace_s)]
    with looking_at(database) as look, log.open("w") as stderr, started(command, stderr=stderr) as search:
        until(lambda: len(look.running()) == 1 and look.counted() == (11 if workers == 2 else 0), search)
        before = {trial.number: trial.values for trial in look.trials() if is_counted(trial)}
        server.stop()
        try:
            mischief.let_go()
            until(lambda: log.read_text(encoding="utf-8").count("the database does not answer") >= workers, search)
        finally:
            server.start()
        assert search.wait(120) == 0, log.read_text(encoding="utf-8")
        found = look.assert_complete(12)
    said = log.read_text(encoding="utf-8")
    assert "; waiting for it" in said
    assert "the database answers again" in said
    assert "Traceback" not in said
    assert {number: found[number].values for number in before} == before
    if grace_s == 120:
        assert set(mischief.calls().values()) == {1}
