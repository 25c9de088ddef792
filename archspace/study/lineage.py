"""Attempts at one candidate: a trial that a dead worker left is queued again as another trial, and all of them are one candidate.

What of a study is counted, is under way or is owed is read off its trials, so that whoever looks next mends what a kill at any moment left.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

ATTEMPTS = 3  # a candidate whose worker died so often is given up
RECORD_ATTR = "archspace:record"  # of a trial: what came of it; written before it is told
HISTORY_ATTR, FIXED_ATTR = "retry_history", "fixed_params"  # Optuna's own words, which its tools know


def root_of(trial: FrozenTrial) -> int:
    """The number of the first attempt."""
    history = trial.system_attrs.get(HISTORY_ATTR)
    return int(history[0]) if history else trial.number


def is_retry(trial: FrozenTrial) -> bool:
    """Whether a trial takes a candidate up again."""
    return HISTORY_ATTR in trial.system_attrs


def is_counted(trial: FrozenTrial) -> bool:
    """Whether somebody finished a trial. One that failed with its metrics written was taken for dead before it was told."""
    if not trial.state.is_finished() or RECORD_ATTR not in trial.user_attrs:
        return False
    return trial.state == TrialState.COMPLETE or not stored_record(trial)["metrics"]


def stored_record(trial: FrozenTrial) -> dict[str, Any]:
    """What `annotate` wrote of a trial's record: options, metrics, problem, digest."""
    parts: dict[str, Any] = json.loads(trial.user_attrs[RECORD_ATTR])
    return parts


def lives(trial: FrozenTrial) -> bool:
    """Whether a trial is counted, under way or queued."""
    return is_counted(trial) or not trial.state.is_finished()


def owed(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The last attempt at each candidate that is to be tried again and is not queued yet."""
    attempts: dict[int, list[FrozenTrial]] = defaultdict(list)
    for trial in trials:
        attempts[root_of(trial)].append(trial)
    return [each[-1] for each in attempts.values() if not any(map(lives, each)) and may_go_on(each[-1])]


def may_go_on(trial: FrozenTrial) -> bool:
    """Whether a failed attempt is worth another one: something had been decided, and it failed not too often."""
    return bool(decided(trial)) and len(trial.system_attrs.get(HISTORY_ATTR, ())) + 1 < ATTEMPTS


def decided(trial: FrozenTrial) -> dict[str, Any]:
    """The parameters that a trial has, or will have."""
    return {**trial.system_attrs.get(FIXED_ATTR, {}), **trial.params}


def candidates(trials: Sequence[FrozenTrial]) -> set[int]:
    """The first attempts' numbers of all candidates that are counted, under way, queued or owed."""
    return {root_of(trial) for trial in trials if lives(trial)} | {root_of(trial) for trial in owed(trials)}


def queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue the candidate of a failed attempt. Nothing else that was set on the trial is kept."""
    if is_counted(trial) or not may_go_on(trial):
        return
    before = [*trial.system_attrs.get(HISTORY_ATTR, []), trial.number]
    attributes = {"failed_trial": before[0], HISTORY_ATTR: before, FIXED_ATTR: decided(trial)}
    study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=attributes))
