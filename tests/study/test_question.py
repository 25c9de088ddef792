"""Questions: which contradict themselves, which cannot be met, and how two of them differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archspace.errors import ArchspaceError, BudgetError, SpaceError, StudyError, UnknownNameError
from archspace.space import Space
from archspace.study import Question
from archspace.study.question import check_same
from archspace.zoo import build

SPACE = Space.from_dict(
    {
        "family": "shufflenet_v1",
        "constants": {"repeats": [1, 1, 1], "input": [64, 64]},
        "parameters": {"groups": {"choices": [1, 2, 3]}, "width": {"low": 0.5, "high": 1.0, "step": 0.25}},
    },
    "tiny",
)


def question(**parts: Any) -> Question:
    return Question(**{"space": SPACE, "objectives": {"params": "minimize"}, **parts})


def corner_madds(largest: bool) -> int:
    """The extreme multiply-adds of the six corners of SPACE, in the open."""
    from archspace.analysis import analyze

    found = [
        analyze(build("shufflenet_v1", repeats=(1, 1, 1), input=(64, 64), groups=g, width=w)).totals.madds
        for g in (1, 2, 3)
        for w in (0.5, 1.0)
    ]
    return max(found) if largest else min(found)


def test_the_metrics_are_those_asked_for_and_madds_and_params_always_each_once() -> None:
    asked = question(objectives={"acts": "minimize", "params": "minimize"}, bounds={"mem_elems": 1e9, "acts": 1e9})
    assert asked.metrics == ("acts", "params", "mem_elems", "madds")


def test_a_question_that_can_be_met_passes() -> None:
    question(bounds={"madds": corner_madds(largest=False)}).check()
    question(hold={"madds": corner_madds(largest=True)}).check()


REFUSED: dict[str, tuple[dict[str, Any], type[ArchspaceError], str]] = {
    "no objective": ({"objectives": {}}, SpaceError, "at least one objective"),
    "unknown objective": ({"objectives": {"parms": "minimize"}}, UnknownNameError, "unknown metric 'parms'. Did you mean 'params'?"),
    "unknown direction": (
        {"objectives": {"params": "min"}},
        UnknownNameError,
        "unknown direction of params 'min'. Known: maximize, minimize.",
    ),
    "unknown bound": ({"bounds": {"mads": 1e9}}, UnknownNameError, "unknown metric 'mads'. Did you mean 'madds'?"),
    "unknown hold": ({"hold": {"mads": 1e9}}, UnknownNameError, "unknown metric 'mads'. Did you mean 'madds'?"),
    "unknown sampler": ({"sampler": "tep"}, UnknownNameError, "unknown sampler 'tep'. Did you mean 'tpe'?"),
    "unknown device": ({"device": "gtx1080"}, UnknownNameError, "unknown device 'gtx1080'. Did you mean 'gtx1080ti'?"),
    "two holds": ({"hold": {"madds": 1e8, "params": 1e6}}, BudgetError, "one width can hold one metric, but got 2: madds, params"),
    "latency bound without a device": ({"bounds": {"latency_ms": 30.0}}, BudgetError, "latency needs a device, but none is given"),
    "latency objective without a device": ({"objectives": {"latency_ms": "minimize"}}, BudgetError, "Add --device gtx1080ti"),
    "latency held without a device": ({"hold": {"latency_ms": 30.0}}, BudgetError, "latency needs a device"),
    "latency out of reach": (
        {"bounds": {"latency_ms": 0.001}, "device": "sd810"},
        BudgetError,
        "latency_ms must be at most 0.001 ms, but the smallest value found in the space is",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_question_that_contradicts_itself_is_refused(case: str) -> None:
    parts, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        question(**parts).check()
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_impossible_budget_names_the_smallest_value_and_its_options() -> None:
    least = corner_madds(largest=False)
    with pytest.raises(BudgetError) as caught:
        question(bounds={"madds": least - 1}).check()
    assert "space tiny: madds must be at most" in str(caught.value)
    assert f"the smallest value found in the space is {least:.0f} (" in str(caught.value)
    assert "width=0.5" in str(caught.value)
    assert "Ask for that or more" in str(caught.value)


def test_a_hold_above_the_space_names_the_largest_value() -> None:
    most = corner_madds(largest=True)
    with pytest.raises(BudgetError) as caught:
        question(hold={"madds": most + 1}).check()
    assert f"the largest value found in the space is {most:.0f} (" in str(caught.value)
    assert "Ask for that or less" in str(caught.value)


def test_a_hold_needs_a_width_to_solve() -> None:
    space = replace(SPACE, parameters=SPACE.parameters[:1])
    with pytest.raises(BudgetError, match="width must be a parameter with low and high"):
        question(space=space, hold={"madds": 1e7}).check()


def test_a_question_is_json_and_the_same_after_a_round_trip() -> None:
    asked = question(bounds={"madds": 5e6}, device="sd810", seed=3).to_dict()
    check_same(json.loads(json.dumps(asked)), asked, "here")


OTHERS: Mapping[str, dict[str, Any]] = {
    "space": {"space": replace(SPACE, name="other")},
    "objectives": {"objectives": {"params": "maximize"}},
    "bounds": {"bounds": {"madds": 1e9}},
    "hold": {"hold": {"madds": 1e7}},
    "device": {"device": "sd810"},
    "sampler": {"sampler": "random"},
    "seed": {"seed": 1},
}


@pytest.mark.parametrize("part", OTHERS)
def test_another_question_is_told_apart_by_the_part_that_differs(part: str) -> None:
    with pytest.raises(
        StudyError, match=rf"^here: a study goes on with the question that it began with, but {part} was .* and now is .*\. Give"
    ):
        check_same(question().to_dict(), question(**OTHERS[part]).to_dict(), "here")


def test_objectives_in_another_order_are_another_question() -> None:
    """The first objective ranks the winners, so the order is part of what was asked."""
    first = {"params": "minimize", "acts": "minimize"}
    second = dict(reversed(first.items()))
    with pytest.raises(StudyError, match="objectives"):
        check_same(question(objectives=first).to_dict(), question(objectives=second).to_dict(), "here")


@pytest.mark.parametrize("stored", [None, 3, [], {}, {"archspace_study": 0}, "text"])
def test_what_no_archspace_wrote_is_no_study(stored: Any) -> None:
    with pytest.raises(StudyError, match=r"^here: not a study that this archspace wrote\. Give another directory with -o\.$"):
        check_same(stored, question().to_dict(), "here")


def test_a_device_by_path_is_refused_when_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ArchspaceError, match="cannot be read"):
        question(device=str(tmp_path / "none.json")).check()


def test_a_bound_that_corners_do_not_decide_is_no_reason_to_refuse() -> None:
    """The linter's findings do not grow with the width: narrow networks waste more."""
    space = Space.load(Path(__file__).parents[2] / "spaces" / "mobilenet_v2.toml")
    Question(space, {"findings": "minimize"}, {"findings": 850e3}).check()
