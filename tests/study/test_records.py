"""Records: how a candidate is evaluated, keyed and ranked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archspace.analysis import analyze
from archspace.ir.digest import graph_digest
from archspace.space import Space
from archspace.study import Question, Record
from archspace.study.judging import Judge
from archspace.study.records import json_options, key_of, meets, winners
from archspace.zoo import build

SPACE = Space.from_dict(
    {
        "family": "shufflenet_v1",
        "constants": {"repeats": [1, 1, 1], "input": [64, 64]},
        "parameters": {"groups": {"choices": [1, 2, 5]}, "width": {"low": 0.5, "high": 2.0}},
    },
    "tiny",
)
FIXED = {"repeats": [1, 1, 1], "input": [64, 64]}


def question(**parts: Any) -> Question:
    return Question(**{"space": SPACE, "objectives": {"params": "minimize"}, **parts})


def evaluate(asked: Question, options: dict[str, Any], number: int) -> Record:
    judge = Judge(asked)
    return judge.record(number, judge.submit(options))


def test_a_record_holds_what_the_analysis_counts() -> None:
    record = evaluate(question(), {**FIXED, "groups": 2, "width": 1.0}, 7)
    graph = build("shufflenet_v1", repeats=(1, 1, 1), input=(64, 64), groups=2)
    totals = analyze(graph).totals
    metrics = {"params": totals.params, "madds": totals.madds}
    assert record == Record(7, {**FIXED, "groups": 2, "width": 1.0}, metrics, True, digest=graph_digest(graph))


def test_a_record_over_a_bound_is_infeasible_but_measured() -> None:
    madds = evaluate(question(), {**FIXED, "groups": 2, "width": 1.0}, 0).metrics["madds"]
    for most, feasible in ((madds, True), (madds - 1, False)):
        record = evaluate(question(bounds={"madds": most}), {**FIXED, "groups": 2, "width": 1.0}, 0)
        assert (record.feasible, record.metrics["madds"]) == (feasible, madds)


def test_a_candidate_that_cannot_be_built_says_why() -> None:
    record = evaluate(question(), {**FIXED, "groups": 5, "width": 1.0}, 0)
    assert (record.metrics, record.feasible) == ({}, False)
    assert "table 1 has channels for groups 1, 2, 3, 4, 8, but got groups=5" in record.problem


def test_a_held_candidate_gets_the_width_that_meets_the_target() -> None:
    record = evaluate(question(hold={"madds": 5e6}), {**FIXED, "groups": 1}, 0)
    assert record.feasible
    assert 0.95 * 5e6 <= record.metrics["madds"] <= 5e6
    assert 0.5 <= record.options["width"] <= 2.0


def test_a_candidate_that_cannot_be_held_says_why() -> None:
    record = evaluate(question(hold={"madds": 1e12}), {**FIXED, "groups": 1}, 0)
    assert (record.metrics, record.feasible) == ({}, False)
    assert "must reach 1e+12, but the nearest value is" in record.problem


def test_bounds_hold_at_equality() -> None:
    assert meets({"madds": 10.0, "params": 3.0}, {"madds": 10.0})
    assert not meets({"madds": 10.0, "params": 3.0}, {"madds": 10.0, "params": 2.9})
    assert meets({"madds": 10.0}, {})


def test_options_are_json_and_their_keys_do_not_depend_on_order_or_on_lists() -> None:
    assert json_options({"repeats": (4, 8, 4), "width": 0.5}) == {"repeats": [4, 8, 4], "width": 0.5}
    assert key_of({"a": (1, 2), "b": True}) == key_of({"b": True, "a": [1, 2]})
    assert key_of({"a": 1}) != key_of({"a": 2})


def test_a_record_is_json() -> None:
    record = evaluate(question(), {**FIXED, "groups": 2, "width": 1.0}, 7)
    assert Record(**json.loads(json.dumps(record.to_dict()))) == record


def made(number: int, params: float, acts: float, *, feasible: bool = True) -> Record:
    return Record(number, {"groups": number}, {"params": params, "acts": acts, "madds": 1.0}, feasible)


def test_winners_are_the_front_best_in_the_first_objective_first() -> None:
    asked = question(objectives={"params": "minimize", "acts": "maximize"})
    records = [made(0, 3, 9), made(1, 1, 1), made(2, 2, 5), made(3, 2, 4), made(4, 4, 9), made(5, 1, 1)]
    # 3 is beaten by 2, 4 by 0; 5 equals 1, which came first.
    assert [record.number for record in winners(records, asked)] == [1, 2, 0]


def test_no_winner_is_over_a_bound_even_when_its_record_says_feasible() -> None:
    asked = question(objectives={"params": "minimize"}, bounds={"acts": 4.0})
    records = [made(0, 1, 5, feasible=True), made(1, 2, 4), made(2, 3, 1)]
    assert [record.number for record in winners(records, asked)] == [1]


def test_records_without_metrics_never_win() -> None:
    assert winners([Record(0, {}, {}, False, "broken")], question()) == []


@pytest.mark.parametrize("groups", [1, 2])
def test_latency_is_measured_on_the_device_of_the_question(groups: int) -> None:
    asked = question(objectives={"latency_ms": "minimize"}, device="sd810")
    record = evaluate(asked, {**FIXED, "groups": groups, "width": 1.0}, 0)
    assert record.metrics["latency_ms"] > 0
    assert set(record.metrics) == {"latency_ms", "madds", "params"}
