"""Trials and records: what of a record an Optuna trial carries, and how one is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from archspace.objectives import excess
from archspace.study.lineage import RECORD_ATTR, is_counted, root_of, stored_record
from archspace.study.question import Question
from archspace.study.records import Record, meets


def annotate(question: Question, trial: optuna.Trial, record: Record) -> None:
    """Write a record into its trial: the record first, then, in this one place, the constraints (feasible at or below 0)."""
    parts = {"options": dict(record.options), "metrics": dict(record.metrics), "problem": record.problem, "digest": record.digest}
    trial.set_user_attr(RECORD_ATTR, json.dumps(parts))  # one word: Optuna copies attributes deeply, again and again
    if record.metrics:
        for name, most in question.bounds.items():
            trial.set_constraint(f"{name} <= {most:g}", excess(record.metrics[name], most))


def answer(question: Question, record: Record) -> dict[str, Any]:
    """What `Study.tell` is told of a record: its values, or that it failed."""
    if not record.metrics:
        return {"state": TrialState.FAIL}
    return {"values": [record.metrics[name] for name in question.objectives]}


def record_of(question: Question, trial: FrozenTrial) -> Record | None:
    """The record that a trial carries; None for one that nobody finished. Bounds are checked again."""
    if not is_counted(trial):
        return None
    stored = stored_record(trial)
    metrics = stored["metrics"]
    feasible = bool(metrics) and meets(metrics, question.bounds)
    return Record(trial.number, stored["options"], metrics, feasible, stored["problem"], stored["digest"])


def records_of(question: Question, trials: Iterable[FrozenTrial]) -> list[Record]:
    """The records of all candidates that are finished, in the order of their trials; each once, however often it was tried."""
    found: dict[int, Record] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        record = record_of(question, trial)
        if record is not None:
            found.setdefault(root_of(trial), record)
    return list(found.values())
