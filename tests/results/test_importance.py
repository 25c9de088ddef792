"""Importance of parameters: what decides is found, and what cannot be said is not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from archspace.results.importance import LEAST_CANDIDATES, importances
from archspace.space import Space
from archspace.study import Question, Record

SPACE = Space.from_dict({"family": "shufflenet_v2", "parameters": {"width": {"choices": [0.5, 1.0]}}}, "halves")
QUESTION = Question(SPACE, {"madds": "minimize", "params": "maximize"})


def candidates(n: int, *, feasible: bool = True) -> list[Record]:
    """madds follow the width, params the last repeats; `kind` and `depth` decide nothing, and depth is there in half of them."""
    rng = random.Random(0)
    found = []
    for i in range(n):
        options: dict[str, Any] = {"width": rng.random(), "repeats": [rng.randint(1, 9), rng.randint(1, 9)], "kind": rng.choice("ab")}
        if options["kind"] == "a":
            options["depth"] = rng.randint(1, 5)
        metrics = {"madds": options["width"], "params": options["repeats"][1]}
        found.append(Record(i, {**options, "constant": 7}, metrics, feasible))
    return found


def test_the_parameter_that_decides_comes_first_per_objective() -> None:
    found = importances(QUESTION, candidates(300))
    assert [next(iter(shares)) for shares in found.shares.values()] == ["width", "repeats.1"]
    for shares in found.shares.values():
        assert set(shares) == {"width", "repeats.0", "repeats.1", "kind", "depth"}
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        assert next(iter(shares.values())) > 0.6
    assert "all 300 candidates within the budget" in found.note


def test_too_few_feasible_candidates_say_so() -> None:
    few = [*candidates(LEAST_CANDIDATES - 1), *candidates(50, feasible=False)]
    found = importances(QUESTION, few)
    assert not found.shares
    assert found.note == "Importance needs at least 40 candidates within the budget, but there are 39: run more trials."


def test_an_objective_with_one_value_has_no_importances() -> None:
    records = [Record(record.number, record.options, {**record.metrics, "params": 5}, True) for record in candidates(60)]
    found = importances(QUESTION, records)
    assert list(found.shares) == ["madds"]
    assert found.note.endswith("params has one value in all of them: nothing decides over it.")
