"""Published networks beside a study: at its budget's scale, on its input, the family first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from archspace import build
from archspace.analysis import analyze
from archspace.results.references import WELL_KNOWN, nearest_reference, references
from archspace.space import Space
from archspace.study import Question, Record
from archspace.zoo import MEMBERS
from archspace.zoo.published import published_by_member

WIDTH = {"width": {"choices": [0.5, 1.0]}}


def question(bounds: Mapping[str, float], constants: Mapping[str, Any] | None = None, **more: Any) -> Question:
    space = Space.from_dict({"family": "shufflenet_v2", "constants": dict(constants or {}), "parameters": WIDTH}, "halves")
    return Question(space, more.pop("objectives", {"stage_channels": "maximize"}), bounds, **more)


def test_every_well_known_network_is_in_the_zoo() -> None:
    assert set(WELL_KNOWN) <= set(MEMBERS)
    assert len(set(WELL_KNOWN)) == len(WELL_KNOWN)


def test_references_are_within_the_budgets_scale_and_measured_as_the_candidates_are() -> None:
    found = references(question({"madds": 140e6}), [], None).found
    names = [one.name for one in found]
    assert names[0].startswith("shufflenet_v2_")
    assert {"shufflenet_v2_1x", "shufflenet_v1_1x_g3", "mobilenet_v2_0.5x"} <= set(names)
    for one in found:
        totals = analyze(one.graph).totals
        assert 0.3 * 140e6 <= one.metrics["madds"] == totals.madds <= 2 * 140e6
        assert one.metrics["params"] == totals.params
    (v2,) = [one for one in found if one.name == "shufflenet_v2_1x"]
    assert (v2.metrics["stage_channels"], v2.top1_err_pct) == (464, 30.6)  # ShuffleNet v2, tables 5 and 8


def test_only_networks_with_a_printed_error_stand_for_the_family() -> None:
    printed = published_by_member()
    found = references(question({"madds": 140e6}), [], None).found
    assert all(any(row.top1_err_pct for row in printed[one.name]) for one in found if one.family == "shufflenet_v2")


def test_references_are_built_on_the_candidates_input() -> None:
    found = references(question({"madds": 140e6}, {"input": [128, 128], "num_classes": 10}), [], None).found
    assert {one.graph.input_shape for one in found} == {(1, 3, 128, 128)}
    assert {one.graph.nodes[-1].shape for one in found} == {(1, 10)}


def test_other_families_have_one_network_each_before_any_has_two() -> None:
    found = references(question({"madds": 140e6}), [], None).found
    others = [one.family for one in found if one.family != "shufflenet_v2"]
    assert len(others) == 8
    assert len(set(others[:6])) == 6


def test_without_bounds_the_candidates_set_the_scale_and_there_is_always_one_of_the_family() -> None:
    records = [Record(0, {}, {"madds": madds, "params": 1}, True) for madds in (1_000_000, 2_000_000)]
    found = references(question({}), records, None).found
    assert [one.name for one in found if one.family == "shufflenet_v2"] == ["shufflenet_v2_0.5x"]
    assert all(one.metrics["madds"] <= 4_000_000 for one in found[1:])


def test_a_network_without_the_metric_is_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "score_of_names.py").write_text("def of(graph): return {'shufflenet_v2': 1.0}[graph.name]\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = references(question({"madds": 300e6}, objectives={"python:score_of_names:of": "maximize"}), [], None)
    assert {one.family for one in found.found} == {"shufflenet_v2"}
    assert len(found.found) == len(found.left_out) == 3  # fewer than usual: a function of the user's own may take long
    assert all(f"raised KeyError: '{MEMBERS[name][0]}'" in why for name, why in found.left_out.items())


def test_a_network_that_two_papers_print_is_one_point() -> None:
    space = Space.from_dict({"family": "mobilenet_v2", "parameters": {"width": {"choices": [0.5, 1.0]}}}, "halves")
    names = [one.name for one in references(Question(space, {"params": "minimize"}, {"madds": 300e6}), [], None).found]
    assert "mobilenet_v2_1x" in names
    assert "mobilenet_v2_1x_reimpl" not in names


def test_the_nearest_of_the_family_is_compared_with() -> None:
    found = references(question({"madds": 140e6}), [], None).found
    madds = analyze(build("shufflenet_v2_1x")).totals.madds
    nearest = nearest_reference(found, "shufflenet_v2", madds)
    assert nearest is not None
    assert found[nearest].metrics["madds"] == madds
    assert nearest_reference(found, "a family without members", madds) is not None
    assert nearest_reference([], "shufflenet_v2", madds) is None
