"""Objectives of the user's own that raise or hang: their trials fail, the study goes on, and the first traceback is kept."""

from __future__ import annotations

from pathlib import Path

import mischief
import pytest
from faults import journaled, run
from optuna.trial import TrialState


def test_a_trial_that_raises_fails_and_the_study_goes_on_with_the_first_traceback_kept(tmp_path: Path) -> None:
    result = run(tmp_path / "study", "raises", 24, workers=2)
    unlucky = [record for record in result.records if mischief.is_unlucky(record.digest)]
    assert 0 < len(unlucky) < 24
    for record, (_, state, *_) in zip(result.records, journaled(tmp_path / "study"), strict=True):
        assert (state == TrialState.FAIL) == (record.metrics == {}) == mischief.is_unlucky(record.digest)
    kept = (tmp_path / "study" / "first_error.txt").read_text(encoding="utf-8")
    assert kept == result.traceback
    assert kept.splitlines()[0] == "Traceback (most recent call last):"
    assert kept.splitlines()[-1] == f"ZeroDivisionError: no luck with {unlucky[0].digest}"


def test_the_first_traceback_stays_the_first_when_the_study_goes_on(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", "raises", 40)
    unlucky = [record.number for record in whole.records if mischief.is_unlucky(record.digest)]
    assert len(unlucky) >= 2
    first = run(tmp_path / "study", "raises", unlucky[0] + 1)
    assert run(tmp_path / "study", "raises", 40).traceback == first.traceback == whole.traceback


def test_a_trial_that_hangs_is_given_up_after_its_time_and_the_study_goes_on(tmp_path: Path) -> None:
    result = run(tmp_path / "study", "hangs", 16, workers=2, time_limit_s=1.0)
    assert len(result.records) == 16
    unlucky = {record.digest for record in result.records if mischief.is_unlucky(record.digest)}
    assert unlucky
    for record in result.records:
        if record.digest in unlucky:
            assert record.problem == "judging it took longer than 1 s, the limit of --trial-timeout"
        else:
            assert record.metrics
    assert all(mischief.calls()[digest] == 1 for digest in unlucky)  # nor does it hang again when it is asked for again


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_whose_every_trial_raises_ends_without_a_winner(workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "always.py").write_text("def fails(graph):\n    raise RuntimeError('always')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = run(tmp_path / "study", "", 5, workers=workers, objectives={"python:always:fails": "minimize"})
    assert (len(result.records), result.feasible, result.winners) == (5, 0, [])
    assert {record.problem for record in result.records} == {"python:always:fails raised RuntimeError: always"}
