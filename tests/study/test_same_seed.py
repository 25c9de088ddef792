"""The same seed gives the same trials, whoever judges them, however often the search is stopped; and no network is judged twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mischief
import pytest
from faults import journaled, run

from archspace.space import Space
from archspace.study import Progress

SAMPLERS = ("tpe", "nsga2", "random")
TRIALS = {"tpe": 24, "nsga2": 64, "random": 24}  # TPE models from the 11th trial on, NSGA-II breeds from the 51st
BOUNDS = {"params": 800e3}


def calls_are_single() -> bool:
    return set(mischief.calls().values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_trials_are_the_same_for_any_number_of_workers_and_in_parts(sampler: str, tmp_path: Path) -> None:
    """Judging takes up to 12 ms, by the candidate: with several workers it ends in another order than it began."""
    trials = TRIALS[sampler]
    more: dict[str, Any] = {"sampler": sampler, "bounds": BOUNDS, "in_flight": 8}
    alone = run(tmp_path / "alone", "slow", trials, **more)
    assert {record.feasible for record in alone.records} == {True, False}
    assert run(tmp_path / "three", "slow", trials, workers=3, **more).records == alone.records
    assert journaled(tmp_path / "three") == journaled(tmp_path / "alone")
    for part in (trials // 2 - 3, trials):  # no multiple of what is out at once
        parts = run(tmp_path / "parts", "slow", part, workers=2, **more)
    assert parts.records == alone.records
    assert journaled(tmp_path / "parts") == journaled(tmp_path / "alone")


def test_how_many_are_out_at_once_is_part_of_what_decides_the_trials(tmp_path: Path) -> None:
    one, eight = (run(tmp_path / f"{out}", "slow", 16, sampler="tpe", in_flight=out).records for out in (1, 8))
    assert one[:10] == eight[:10]  # those are random
    assert one != eight


def test_no_network_is_judged_twice_under_other_options_or_after_a_resume(tmp_path: Path) -> None:
    parameters = {"groups": {"choices": [1, 2, 3]}, "shuffle": {"choices": [True, False]}}
    space = Space.from_dict({**mischief.SPACE, "parameters": parameters}, "six")
    more = {"objectives": {"python:mischief:slow": "minimize"}, "workers": 2, "space": space}
    first = run(tmp_path / "study", "slow", 20, **more)
    asked = {json.dumps(record.options, sort_keys=True) for record in first.records}
    # Without groups there is nothing to shuffle: two of the six options give one network.
    assert (len(asked), len({record.digest for record in first.records})) == (6, 5)
    assert len(run(tmp_path / "study", "slow", 30, **more).records) == 30
    assert len(mischief.calls()) == 5
    assert calls_are_single()


def stop_at(number: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.done == number:
            raise KeyboardInterrupt

    return stop


def test_a_front_that_stands_still_ends_the_search_after_the_same_trials_however_often_it_is_stopped(tmp_path: Path) -> None:
    more: dict[str, Any] = {"patience": 4, "in_flight": 8, "sampler": "tpe", "bounds": BOUNDS}
    whole = run(tmp_path / "whole", "slow", 90, **more)
    assert whole.stalled
    for number in (3, len(whole.records) - 2):  # the second is among those that were out when the front was found to stand still
        stopped = run(tmp_path / "stopped", "slow", 90, workers=2, progress=stop_at(number), **more)
        assert (stopped.interrupted, len(stopped.records)) == (True, number)
    resumed = run(tmp_path / "stopped", "slow", 90, workers=2, **more)
    assert resumed.records == whole.records
    assert resumed.stalled
    assert run(tmp_path / "stopped", "slow", 90, **more).records == whole.records  # and once more does nothing


def test_a_search_that_stood_still_goes_on_with_more_patience_as_if_it_never_had(tmp_path: Path) -> None:
    more: dict[str, Any] = {"in_flight": 4, "sampler": "tpe", "bounds": BOUNDS}
    first = run(tmp_path / "study", "slow", 30, patience=3, **more)
    assert first.stalled
    assert run(tmp_path / "study", "slow", 30, **more).records == run(tmp_path / "whole", "slow", 30, **more).records
