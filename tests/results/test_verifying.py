"""`verify`: the best of a study built, checked and timed, with a folder for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_studies import Here, own_device, studied

import archspace.pytorch
import archspace.timing
from archspace import build, load
from archspace.errors import LawError, UnknownNameError
from archspace.ir.digest import graph_digest
from archspace.results import verify
from archspace.results.verify_files import forget
from archspace.study import StudyResult

FILES = ["config.json", "graph.json", "network.py", "report.md"]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Here:
    """Number 1 of the search takes 1 ms more than number 2, and so on."""
    here = Here(lambda row, backend: [10.0 - int(row)] * 4)
    monkeypatch.setattr(archspace.timing, "measure", here)
    return here


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return studied(tmp_path_factory.mktemp("studied"), bounds={"madds": 2e6})


@pytest.fixture
def result(study: StudyResult, tmp_path: Path) -> StudyResult:
    """The same study, with a folder of its own."""
    return replace(study, directory=tmp_path)


def config(result: StudyResult, number: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((result.directory / f"verified/{number:02d}/config.json").read_text(encoding="utf-8"))
    return data


def test_each_of_the_best_is_checked_and_its_folder_holds_that_network(result: StudyResult, timed: Here) -> None:
    rows = verify(result, 3)
    assert [row.rank for row in rows] == [1, 2, 3]
    in_the_searchs_order = sorted(rows, key=lambda row: row.rank_before)
    assert [row.digest for row in in_the_searchs_order] == [record.digest for record in result.winners[:3]]
    for row in rows:
        assert row.ok
        assert not row.exceeded
        what = [check.what for check in row.checks]
        assert {"params", "madds by fvcore", "madds by torch's flop counter", "madds at most 2M", "metrics as recorded"} <= set(what)
        assert sorted(path.name for path in row.folder.iterdir()) == FILES
        graph = load(row.folder / "graph.json")
        assert graph_digest(graph) == row.digest
        data = config(result, row.rank_before)
        assert graph_digest(build(data["family"], **data["options"])) == row.digest
        assert (data["measured_ms"], data["noise_pct"]) == (10.0 - row.rank_before, 1.0)
        assert data["metrics"] == dict(row.metrics)
        assert (data["seed"], data["device_id"], data["space_id"]) == (0, None, result.question.to_dict()["space_id"])


def test_the_code_in_the_folder_is_the_network(result: StudyResult, timed: Here) -> None:
    (row,) = verify(result, 1)
    namespace: dict[str, Any] = {"__name__": "network"}
    exec(compile((row.folder / "network.py").read_text(encoding="utf-8"), "network.py", "exec"), namespace)
    written = [value for value in namespace.values() if isinstance(value, type) and value.__module__ == "network"][-1]
    assert sum(p.numel() for p in written().parameters()) == row.metrics["params"]


def test_the_report_says_what_was_checked_measured_and_found(result: StudyResult, timed: Here) -> None:
    (row,) = verify(result, 1)
    text = (row.folder / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# small, number 1 of the search: verified\n")
    for part in ("| madds by fvcore |", "Measured: 9 ms, noise floor 1.0 %", "| stage4.unit0 |", "## Findings"):
        assert part in text


def test_the_measured_time_ranks_with_latency_among_the_metrics_and_without(study: StudyResult, tmp_path: Path, timed: Here) -> None:
    assert [row.rank_before for row in verify(replace(study, directory=tmp_path), 3)] == [3, 2, 1]
    bounded = studied(tmp_path, bounds={"latency_ms": 50.0}, device="gtx1080ti")
    rows = verify(bounded, 3)
    assert [(row.rank, row.rank_before) for row in rows] == [(1, 3), (2, 2), (3, 1)]
    assert [row.timed.measured_ms for row in rows if row.timed] == [7.0, 8.0, 9.0]
    assert [row.predicted_ms for row in rows] == [row.metrics["latency_ms"] for row in rows]
    assert not any(row.too_slow for row in rows)  # the device is another one


def test_more_than_the_front_are_taken_from_the_front_of_the_rest(result: StudyResult, timed: Here) -> None:
    front = len(result.winners)
    rows = verify(result, 100)
    assert front < len(rows) == len({record.digest for record in result.records if record.feasible})
    assert [row.is_winner for row in sorted(rows, key=lambda row: row.rank_before)[: front + 1]] == [True] * front + [False]


def test_what_is_verified_is_not_verified_again_unless_forced(result: StudyResult, timed: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    first = verify(result, 2)
    built: list[str] = []
    to_module: Callable[..., Any] = archspace.pytorch.to_module
    monkeypatch.setattr(archspace.pytorch, "to_module", lambda graph, **rest: built.append(graph.name) or to_module(graph, **rest))
    assert verify(result, 2) == first
    assert (len(built), len(timed.asked)) == (0, 1)
    verify(result, 3)  # one is new: it alone is built, but times compare in the same rounds alone
    assert (len(built), [asked["rows"] for asked in timed.asked[1:]]) == (1, [["01", "02", "03"]])
    verify(result, 3, force=True)
    assert (len(built), len(timed.asked)) == (4, 3)


def test_other_versions_questions_and_damaged_files_are_verified_again(result: StudyResult, timed: Here) -> None:
    verify(result, 1)
    path = result.directory / "verified/01/config.json"
    for text in (path.read_text(encoding="utf-8").replace('"version": "', '"version": "9.'), "{torn"):
        path.write_text(text, encoding="utf-8")
        asked = len(timed.asked)
        verify(result, 1)
        assert len(timed.asked) == asked + 1


def test_fewer_than_before_leave_no_stale_folder_and_files_of_others_stay(result: StudyResult, timed: Here) -> None:
    verify(result, 3)
    (result.directory / "verified/03/notes.txt").write_text("mine", encoding="utf-8")
    verify(result, 1)
    assert sorted(str(path.relative_to(result.directory)) for path in result.directory.glob("verified/*/*")) == [
        *(f"verified/01/{name}" for name in FILES),
        "verified/03/notes.txt",
    ]
    forget(result.directory)
    assert [path.name for path in result.directory.glob("verified/*")] == ["03"]


def test_one_that_cannot_be_built_is_named_and_the_rest_goes_on(result: StudyResult, timed: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    to_module: Callable[..., Any] = archspace.pytorch.to_module
    broken = graph_digest(result.question.space.build(result.winners[0].options))

    def failing(graph: Any, **rest: Any) -> Any:
        if graph_digest(graph) == broken:
            raise LawError("this one has no module")
        return to_module(graph, **rest)

    monkeypatch.setattr(archspace.pytorch, "to_module", failing)
    good, bad = verify(result, 2)  # what has no time comes last
    assert (bad.ok, bad.problem, bad.timed) == (False, "this one has no module", None)
    assert good.ok
    assert "this one has no module" in (bad.folder / "report.md").read_text(encoding="utf-8")
    monkeypatch.setattr(archspace.pytorch, "to_module", to_module)
    assert all(row.ok for row in verify(result, 2))  # what failed is tried again


def test_a_record_that_lies_about_its_network_is_found_out(result: StudyResult, timed: Here) -> None:
    front = result.winners[0]
    lying = replace(front, options={**front.options, "width": 2.0}, metrics={**front.metrics})
    (row,) = verify(replace(result, records=(lying,)), 1)
    assert not row.ok
    assert set(row.exceeded) == {"madds"}
    assert row.exceeded["madds"] > 2e6 >= row.metrics["madds"]
    wrong = [check.what for check in row.checks if not check.ok]
    assert wrong == ["the network that was judged", "metrics as recorded", "madds at most 2M"]


def test_what_the_backend_cannot_run_has_a_problem_and_no_time(result: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(subjects: Any, **conditions: Any) -> Any:
        raise LawError("folded cannot run 01: no")

    monkeypatch.setattr(archspace.timing, "measure", measure)
    (row,) = verify(result, 1)
    assert (row.timed, row.problem) == (None, "folded cannot run 01: no")
    assert all(check.ok for check in row.checks)


def test_on_the_profiles_own_machine_times_are_of_its_batch_and_held_against_the_bound(tmp_path: Path, timed: Here) -> None:
    bounded = studied(tmp_path, bounds={"latency_ms": 8.5}, device=own_device(tmp_path))
    rows = verify(bounded, 2)
    assert timed.asked[0]["shapes"] == [(2, 3, 32, 32)] * 2
    assert [(row.timed.measured_ms, row.too_slow) for row in rows if row.timed] == [(8.0, False), (9.0, True)]
    assert all(row.ok for row in rows)  # the bound is on the prediction
    elsewhere = studied(tmp_path / "other", bounds={"latency_ms": 8.5}, device=own_device(tmp_path, title="Another CPU"))
    assert not any(row.too_slow for row in verify(elsewhere, 2))


def test_bad_arguments_are_refused_before_anything_is_built(result: StudyResult) -> None:
    with pytest.raises(LawError, match="n must be a whole number of at least 1, but got 0"):
        verify(result, 0)
    with pytest.raises(UnknownNameError, match=r"unknown backend 'foldet'\. Did you mean 'folded'"):
        verify(result, 1, backend="foldet")
    assert list(result.directory.iterdir()) == []


def test_a_study_without_a_candidate_inside_its_bounds_has_nothing_to_verify(result: StudyResult, timed: Here) -> None:
    assert verify(replace(result, records=()), 3) == ()
    assert list(result.directory.iterdir()) == []


def test_real_times_have_a_noise_floor_and_the_conditions(result: StudyResult) -> None:
    rows = verify(result, 2)
    times = [row.timed for row in rows if row.timed]
    assert len(times) == 2
    assert all(one.measured_ms > 0 and one.noise_pct >= 0 and one.backend == "folded" and one.batch == 1 for one in times)
    assert verify(result, 2) == rows
