"""The files of a study: the report beside the tables, and what it says in words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from archspace import Space, search, write_results
from archspace.errors import StudyError
from archspace.results import study_report
from archspace.results.report import MOST_TABLES, study_page
from archspace.results.words import question_words
from archspace.study import Record, StudyResult

SPACE = Space.load(Path(__file__).parents[2] / "spaces" / "shufflenet_v1.toml")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    folder = tmp_path_factory.mktemp("study")
    return search(SPACE, directory=folder, bounds={"madds": "140M"}, trials=25, sampler="random", device="gtx1080ti")


def broken(result: StudyResult) -> StudyResult:
    return replace(result, records=tuple(Record(record.number, record.options, {}, False, "broken") for record in result.records))


def test_the_report_lies_beside_the_tables_and_goes_when_there_is_nothing_to_draw(result: StudyResult) -> None:
    write_results(result, notes=["said by the caller"])
    text = (result.directory / "report.html").read_text(encoding="utf-8")
    assert "said by the caller" in text
    assert len(text) < 6e6
    write_results(broken(result))
    assert not (result.directory / "report.html").exists()


def test_a_report_of_nothing_is_refused(result: StudyResult, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="needs a candidate with metrics, but none of 25 trials has them"):
        study_report(broken(result), tmp_path / "report.html")


def test_the_question_is_said_in_words(result: StudyResult) -> None:
    assert question_words(result.question) == (
        "Which networks of shufflenet_v1 maximize stage_channels (output channels of the last stage) and minimize mem_elems "
        "(memory access, each tensor of each op once) on gtx1080ti, with madds at most 140M?"
    )


def test_facts_are_those_of_the_study(result: StudyResult) -> None:
    facts = study_page(result).facts
    assert facts["Space"] == f"shufflenet_v1, family shufflenet_v1 ({result.question.space.digest[:12]})"
    assert facts["Sampler"] == "random, seed 0"
    assert facts["Within the budget"] == f"{result.feasible} ({100 * result.feasible / 25:.1f} %)"
    assert re.fullmatch(r"\d+\.\d+\.\d+", facts["archspace"])
    assert facts["Device"].startswith("gtx1080ti: ")


def test_winners_and_the_best_others_have_tables_and_the_rest_commands(result: StudyResult) -> None:
    page = study_page(result)
    assert all(page.tables[page.candidate_tables[row]].rules for row in page.winners)
    for row, record in enumerate(result.records):
        assert (page.candidate_tables[row] is not None) == record.feasible
        assert bool(page.commands[row]) == (not record.feasible)
    assert len(page.tables) <= MOST_TABLES + len(page.winners) + len(page.references)


def test_a_candidate_that_came_twice_has_one_table(result: StudyResult) -> None:
    twice = replace(result, records=(*result.records, *(replace(record, number=25 + record.number) for record in result.records)))
    once, both = study_page(result), study_page(twice)
    assert len(both.tables) == len(once.tables)
    assert both.candidate_tables == [*once.candidate_tables, *once.candidate_tables]
    assert both.facts["Trials"].startswith("50, ")
    assert json.dumps(both.facts["Trials"]).split(", ")[1] == json.dumps(once.facts["Trials"]).split(", ")[1]


def test_latency_comes_with_its_interval_and_what_it_extrapolates(tmp_path: Path) -> None:
    bounds = {"latency_ms": "30ms"}
    found = search(SPACE, directory=tmp_path, bounds=bounds, trials=20, sampler="random", device="sd810")
    notes = study_page(found, ["last"]).notes
    assert notes[0].startswith("latency_ms is predicted, not measured: one batch of 1 on sd810, ± 19 % (80 % interval)")
    assert any(note.startswith("sd810 extrapolates for ") and "fitted on " in note for note in notes)
    assert notes[-1] == "last"
