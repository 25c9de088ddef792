"""Trials and records: what of a record an Optuna trial carries, and how one is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from archspace.study.question import Question
from archspace.study.records import Record, meets

RECORD_ATTR = "archspace:record"


def annotate(question: Question, trial: optuna.Trial, record: Record) -> None:
    """Write a record into its trial: the record first, then, in this one place, the constraints (feasible at or below 0)."""
    parts = {"options": dict(record.options), "metrics": dict(record.metrics), "problem": record.problem, "digest": record.digest}
    trial.set_user_attr(RECORD_ATTR, parts)
    if record.metrics:
        for name, most in question.bounds.items():
            trial.set_constraint(f"{name} <= {most:g}", record.metrics[name] / most - 1)


def answer(question: Question, record: Record) -> dict[str, Any]:
    """What `Study.tell` is told of a record: its values, or that it failed."""
    if not record.metrics:
        return {"state": TrialState.FAIL}
    return {"values": [record.metrics[name] for name in question.objectives]}


def record_of(question: Question, trial: FrozenTrial) -> Record | None:
    """The record that a trial carries; None for one that nobody finished. Bounds are checked again."""
    stored: Mapping[str, Any] | None = trial.user_attrs.get(RECORD_ATTR)
    if stored is None or not trial.state.is_finished():
        return None
    metrics = stored["metrics"]
    feasible = bool(metrics) and meets(metrics, question.bounds)
    return Record(trial.number, stored["options"], metrics, feasible, stored["problem"], stored["digest"])


def records_of(question: Question, trials: Iterable[FrozenTrial]) -> list[Record]:
    """The records of all trials that are finished, in the order of their numbers."""
    found = (record_of(question, trial) for trial in sorted(trials, key=lambda trial: trial.number))
    return [record for record in found if record is not None]
