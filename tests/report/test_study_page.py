"""The page of a study as text: what stands in it, that nothing in it is fetched, and that words stay words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from archspace.errors import FileError
from archspace.report.study_page import ASSETS, SCRIPTS, STYLES, study_html, write_study_page
from archspace.report.study_page_data import (
    BlockRow,
    Curve,
    Importances,
    MetricColumn,
    NetworkTable,
    ParameterColumn,
    ReferencePoint,
    State,
    StudyPage,
)
from archspace.report.study_page_html import importance_html, notes_html, winners_html
from archspace.report.study_page_json import axis_scale, axis_title, page_data, page_json

MADDS = MetricColumn("madds", "multiply-adds", "work", [60e6, 50e6, None], ["60M", "50M", ""], "minimize", 55e6, "55M")
PARAMS = MetricColumn("params", "parameters", "size", [1_200_000, 1_300_000, None], ["1.2M", "1.3M", ""])
TABLE = NetworkTable([BlockRow("stem", "conv 3x3", "24x56x56", "8M", "696", "2M", ""), BlockRow("total", "", "", "8M", "696", "2M", "")])
PAGE = StudyPage(
    title="a space",
    question="Which?",
    facts={"Trials": "3"},
    notes=["trust little"],
    numbers=[0, 1, 2],
    states=[State.OUTSIDE, State.FRONT, State.BROKEN],
    option_names=["width", "num_classes"],
    options=[["1.0", "10"], ["0.5", "10"], ["9", "10"]],
    problems={2: "too wide"},
    commands=["archspace analyze a", "", "archspace analyze c"],
    metrics=[MADDS, PARAMS],
    parameters=[ParameterColumn("width", [1.0, 0.5, 9.0])],
    winners=[1],
    first=1,
    tables=[TABLE, TABLE],
    candidate_tables=[None, 0, None],
    references=[ReferencePoint("published", "about", "width=1", {"madds": 58e6}, {"madds": "58M"}, 1)],
    nearest=0,
    reference_note="diamonds",
    importances=Importances({"madds": {"width": 1.0}}, "by whom"),
    curves=[Curve("Best madds", "M", [None, 50.0, 50.0])],
    curve_note="feasible ones",
    constants={"num_classes": "10"},
)


def test_everything_that_the_page_draws_with_is_in_it() -> None:
    text = study_html(PAGE)
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)\s*=\s*\"(?!data:,)", text) == []
    assert "default-src 'none'" in text
    assert "plotly.js v" in text
    for name in (*STYLES, *SCRIPTS):
        assert (ASSETS / name).read_text(encoding="utf-8") in text


def test_the_assets_are_those_that_the_page_is_made_of() -> None:
    assert {entry.name for entry in ASSETS.iterdir()} == {"page.html", *STYLES, *SCRIPTS}


def test_the_data_is_what_the_page_was_given() -> None:
    text = study_html(PAGE)
    (stored,) = re.findall(r'<script type="application/json" id="study-data">(.*?)</script>', text)
    data = json.loads(stored)
    assert data == json.loads(json.dumps(page_data(PAGE)))
    assert data["states"] == [1, 3, 0]
    assert data["metrics"][0]["values"] == [60e6, 50e6, None]
    assert (data["metrics"][0]["factor"], data["metrics"][0]["title"]) == (1e6, "madds (M multiply-adds), minimize")
    assert data["tables"][0]["blocks"][0] == ["stem", "conv 3x3", "24x56x56", "8M", "696", "2M", ""]


def test_no_text_of_a_study_can_end_the_script_or_become_markup() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    page = replace(
        PAGE, title=evil, question=evil, facts={evil: evil}, notes=[evil], options=[[evil, evil]] * 3, reference_note=evil, curve_note=evil
    )
    assert "<" not in page_json(page)
    assert json.loads(page_json(page))["options"][0] == [evil, evil]
    assert "<img" not in study_html(page).replace(study_html(PAGE).split("<header>")[0], "")


def test_floats_keep_seven_digits_and_counts_all() -> None:
    metric = replace(PARAMS, values=[123_456_789, 1 / 3, 0.0])
    data = page_data(replace(PAGE, metrics=[metric]))
    assert data["metrics"][0]["values"] == [123_456_789, 0.3333333, 0.0]


@pytest.mark.parametrize(
    ("values", "scale"),
    [([], (1.0, "")), ([None, 9_999], (1.0, "")), ([10_000], (1e3, "K")), ([1, 2_500_000], (1e6, "M")), ([-3e9], (1e9, "G"))],
)
def test_an_axis_is_scaled_from_ten_thousand_on(values: list[float | None], scale: tuple[float, str]) -> None:
    assert axis_scale(values) == scale


def test_an_axis_names_its_unit_and_its_direction() -> None:
    assert axis_title(MADDS, "M") == "madds (M multiply-adds), minimize"
    assert axis_title(PARAMS, "") == "params (parameters)"
    assert axis_title(replace(PARAMS, unit=""), "") == "params"


def test_the_winners_table_has_their_metrics_and_what_varies() -> None:
    text = winners_html(PAGE)
    assert re.findall(r"<button type='button'>([^<]+)</button>", text) == ["rank", "trial", "madds", "params", "width"]
    assert re.findall(r"data-sort='([^']+)'", text) == ["1", "1", "50000000.0", "1300000", "0.5"]
    assert winners_html(replace(PAGE, winners=[])) == "<p>No candidate meets the budget.</p>"
    assert "A click on a column's name sorts" in text


def test_importances_are_bars_as_long_as_their_shares() -> None:
    text = importance_html(Importances({"madds": {"width": 0.75, "repeats": 0.25}}, "a note"))
    assert re.findall(r"width:([0-9.]+)%", text) == ["75.0", "25.0"]
    assert "75.0 %" in text
    assert importance_html(Importances({}, "too few")) == "<p class='note'>too few</p>"


def test_without_notes_there_is_no_list() -> None:
    assert notes_html([]) == ""
    assert "<li>trust little</li>" in notes_html(PAGE.notes)


def test_a_page_is_written_over_an_older_one_but_not_over_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    write_study_page(PAGE, path)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(FileError, match="this is a folder"):
        write_study_page(PAGE, tmp_path)
