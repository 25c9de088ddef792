"""Records: evaluated candidates, and the ones that win."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archspace.analysis.pareto import pareto_front
from archspace.study.question import Question


@dataclass(frozen=True, slots=True)
class Record:
    """One evaluated candidate. `metrics` is empty and `problem` says why where it cannot be built, held or judged.

    `digest` is the network's (`archspace.ir.digest`): candidates with the same one are one network. Empty where none was built.
    """

    number: int
    options: Mapping[str, Any]
    metrics: Mapping[str, float]
    feasible: bool
    problem: str = ""
    digest: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def meets(metrics: Mapping[str, float], bounds: Mapping[str, float]) -> bool:
    """Whether every bounded metric is within its bound."""
    return all(metrics[name] <= most for name, most in bounds.items())


def winners(records: Sequence[Record], question: Question) -> list[Record]:
    """The Pareto front of the records that meet every bound (checked again here), best in the first objective first."""
    feasible = [record for record in records if record.metrics and meets(record.metrics, question.bounds)]
    values = [[record.metrics[name] for name in question.objectives] for record in feasible]
    return [feasible[i] for i in pareto_front(values, list(question.objectives.values()))]


def json_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they come back from JSON: lists for tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}


def key_of(options: Mapping[str, Any]) -> str:
    """A canonical key of a candidate: equal options, equal key."""
    return json.dumps(json_options(options), sort_keys=True)
