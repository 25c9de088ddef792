"""`improve`: what is better than a network, near it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archspace import build, load
from archspace.analysis import analyze
from archspace.errors import BudgetError, LawError, StudyError, UnknownNameError
from archspace.ir.digest import graph_digest
from archspace.objectives import METRICS
from archspace.results import Improvement, improve
from archspace.results.improvement import default_objectives, ranked
from archspace.rules import lint

SMALL: dict[str, Any] = {"groups": 8, "input": (64, 64), "num_classes": 10}
OBJECTIVES: dict[str, Any] = {"objectives": {"mem_elems": "minimize", "stage_channels": "maximize"}}


def improved(folder: Path, **asked: Any) -> Improvement:
    """ShuffleNet v1 with 8 groups, which pays in memory access."""
    return improve(build("shufflenet_v1", **SMALL), directory=folder / "study", **{"trials": 60, **OBJECTIVES, **asked})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Improvement:
    return improved(tmp_path_factory.mktemp("improved"))


def test_the_start_is_the_network_itself_measured_outside_the_study(found: Improvement) -> None:
    graph = build("shufflenet_v1", **SMALL)
    totals = analyze(graph).totals
    assert graph_digest(found.start.graph) == graph_digest(graph)
    assert (found.start.metrics["madds"], found.start.metrics["mem_elems"]) == (totals.madds, totals.mem_elems)
    assert len(found.result.records) == 60


def test_what_is_better_is_worse_in_nothing_and_keeps_what_the_network_itself_has(found: Improvement) -> None:
    assert found.outcome == "better"
    assert found.best is not None
    for one in (found.best, *found.alternatives):
        assert one.metrics["mem_elems"] <= found.start.metrics["mem_elems"]
        assert one.metrics["stage_channels"] >= found.start.metrics["stage_channels"]
        assert all(one.metrics[name] <= found.start.metrics[name] for name in ("madds", "params"))
        assert one.metrics != found.start.metrics
    assert dict(found.result.question.bounds) == {name: found.start.metrics[name] for name in ("madds", "params")}
    assert found.best.metrics["mem_elems"] == min(one.metrics["mem_elems"] for one in (found.best, *found.alternatives))


def test_changes_are_the_options_that_differ_and_rebuild_the_network(found: Improvement) -> None:
    assert found.best is not None
    changes = found.best.changes(found.start)
    assert changes
    assert all(before != after for before, after in changes.values())
    rebuilt = build("shufflenet_v1", **{**found.start.options, **{name: after for name, (_, after) in changes.items()}})
    assert graph_digest(rebuilt) == graph_digest(found.best.graph)
    assert found.start.changes(found.start) == {}


def test_the_linter_speaks_of_both_networks(found: Improvement) -> None:
    assert found.best is not None
    assert found.start.lint.waste == lint(build("shufflenet_v1", **SMALL)).waste
    assert found.best.lint.waste == lint(found.best.graph).waste


def test_the_folder_is_that_of_a_search(found: Improvement) -> None:
    folder = found.result.directory
    assert {"study.json", "records.csv", "pareto.csv", "winners"} <= {path.name for path in folder.iterdir()}
    assert graph_digest(load(folder / "winners/01/graph.json")) == found.result.winners[0].digest


def test_the_same_call_gives_the_same_and_goes_on_where_it_was(found: Improvement, tmp_path: Path) -> None:
    once, again = improved(tmp_path), improved(tmp_path)
    assert once.best is not None
    assert again.best is not None
    assert found.best is not None
    assert again.result.resumed == 60
    assert once.best.options == again.best.options == found.best.options


def test_a_device_adds_latency_to_what_may_not_grow(tmp_path: Path) -> None:
    there = improve(build("shufflenet_v1", **SMALL), directory=tmp_path / "x", device="gtx1080ti", trials=20)
    assert next(iter(there.result.question.objectives)) == "latency_ms"
    assert there.result.question.bounds["latency_ms"] == there.start.metrics["latency_ms"]
    assert there.start.lint.device == "gtx1080ti"


def test_capacity_is_the_prior_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(METRICS, "prior", raising=False)
    assert default_objectives(None) == {"mem_elems": "minimize", "stage_channels": "maximize"}
    monkeypatch.setitem(METRICS, "prior", METRICS["madds"])
    assert default_objectives(None) == {"mem_elems": "minimize", "prior": "minimize"}


def test_where_the_network_exceeds_a_bound_what_loses_least_is_shown(tmp_path: Path) -> None:
    own = analyze(build("shufflenet_v1", **SMALL)).totals.params
    there = improved(tmp_path, bounds={"params": own * 0.5}, objectives={"stage_channels": "maximize"}, trials=40)
    assert (there.outcome, there.exceeds) == ("fits", ("params",))
    assert there.best is not None
    assert there.best.metrics["params"] <= own * 0.5
    feasible = [record.metrics["stage_channels"] for record in there.result.records if record.feasible]
    assert there.best.metrics["stage_channels"] == max(feasible) < there.start.metrics["stage_channels"]


def test_where_nothing_is_better_the_nearest_is_named(tmp_path: Path) -> None:
    # One trial is not enough for more channels with fewer multiply-adds and parameters.
    there = improved(tmp_path, objectives={"stage_channels": "maximize", "mem_elems": "minimize", "acts": "maximize"}, trials=1)
    assert (there.outcome, there.best, there.alternatives) == ("none", None, ())
    assert there.nearest is not None
    (record,) = there.result.records
    assert there.nearest.metrics["stage_channels"] == record.metrics["stage_channels"]


def test_the_network_itself_is_no_improvement_of_itself(found: Improvement) -> None:
    start, digest = found.start, graph_digest(found.start.graph)
    first = found.result.records[0]
    itself = replace(first, options=start.options, metrics=dict(start.metrics), digest=digest)
    outcome, records = ranked(replace(found.result, records=(itself,)), start.metrics, digest, is_inside=True)
    assert (outcome, records) == ("none", [])


def test_what_cannot_be_improved_is_refused(tmp_path: Path, found: Improvement) -> None:
    graph = build("shufflenet_v1", **SMALL)
    with pytest.raises(BudgetError, match="madds must be at most 1K, but the smallest value found in the space"):
        improve(graph, directory=tmp_path / "a", bounds={"madds": 1000})
    with pytest.raises(LawError, match="latency needs a device"):
        improve(graph, directory=tmp_path / "a", bounds={"latency_ms": 3})
    with pytest.raises(UnknownNameError, match="unknown metric 'paramz'"):
        improve(graph, directory=tmp_path / "a", objectives={"paramz": "minimize"})
    with pytest.raises(LawError, match="but not of this family"):
        improve(build("alexnet"), directory=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(StudyError, match="goes on with the question that it began with"):
        improve(build("shufflenet_v2"), directory=found.result.directory, trials=1)
