"""The Pareto figure: which points are in which trace, and a page that needs no network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from archspace.errors import FileError
from archspace.report.figures import pareto_figure
from archspace.report.html import write_figure
from archspace.report.tables import records_frame

# (madds, params, acts, feasible); number 3 could not be built
CANDIDATES = [(10, 5, 1, True), (20, 4, 1, True), (30, 9, 1, True), None, (90, 1, 1, False), (80, 2, 1, False), (25, 6, 2, True)]
LABELS = [f"candidate {i}" for i in range(len(CANDIDATES))]


def frame() -> pd.DataFrame:
    return records_frame(
        {
            "number": i,
            "options": {"groups": i},
            "metrics": dict(zip(("madds", "params", "acts"), row[:3], strict=True)) if row else {},
            "feasible": bool(row and row[3]),
            "problem": "" if row else "broken",
        }
        for i, row in enumerate(CANDIDATES)
    )


def figure(front: list[int], objectives: dict[str, str], bounds: dict[str, float] | None = None) -> go.Figure:
    return pareto_figure(frame(), front, objectives, bounds or {}, LABELS, "a title")


def points(trace: Any) -> list[tuple[float, float]]:
    return list(zip(trace.x, trace.y, strict=True))


def test_two_objectives_split_into_outside_within_and_front() -> None:
    drawn = figure([0, 1], {"madds": "minimize", "params": "minimize"})
    assert [trace.name for trace in drawn.data] == ["outside the budget (2)", "within the budget (2)", "Pareto front (2)"]
    outside, within, front = drawn.data
    # The second objective runs along x; the front in its order.
    assert points(outside) == [(1, 90), (2, 80)]
    assert points(within) == [(9, 30), (6, 25)]
    assert points(front) == [(4, 20), (5, 10)]
    assert [front.mode, within.mode, outside.mode] == ["lines+markers", "markers", "markers"]


def test_candidates_without_metrics_are_in_no_trace() -> None:
    drawn = figure([0, 1], {"madds": "minimize", "params": "minimize"})
    assert sum(len(trace.x) for trace in drawn.data) == len(CANDIDATES) - 1


def test_every_point_has_its_own_label() -> None:
    drawn = figure([0, 1], {"madds": "minimize", "params": "minimize"})
    assert [list(trace.hovertext) for trace in drawn.data] == [
        ["candidate 4", "candidate 5"],
        ["candidate 2", "candidate 6"],
        ["candidate 1", "candidate 0"],
    ]


def test_one_objective_runs_over_the_trials_and_its_front_is_a_point() -> None:
    drawn = figure([0], {"madds": "minimize"})
    assert points(drawn.data[2]) == [(0, 10)]
    assert points(drawn.data[1]) == [(1, 20), (2, 30), (6, 25)]
    assert drawn.layout.xaxis.title.text == "trial"
    assert drawn.layout.yaxis.title.text == "madds (minimize)"
    assert {trace.mode for trace in drawn.data} == {"markers"}


def test_three_objectives_show_the_first_two_without_a_line() -> None:
    drawn = figure([0, 1, 6], {"madds": "minimize", "params": "minimize", "acts": "maximize"})
    assert drawn.layout.xaxis.title.text == "params (minimize)"
    assert drawn.layout.yaxis.title.text == "madds (minimize)"
    assert sorted(points(drawn.data[2])) == [(4, 20), (5, 10), (6, 25)]
    assert drawn.data[2].mode == "markers"


def test_an_empty_front_draws_the_rest() -> None:
    drawn = figure([], {"madds": "minimize", "params": "minimize"})
    assert [trace.name for trace in drawn.data] == ["outside the budget (2)", "within the budget (4)", "Pareto front (0)"]


@pytest.mark.parametrize(
    ("bounds", "lines"),
    [
        ({}, []),
        ({"madds": 50.0}, [("madds at most 50", "y", 50.0)]),
        ({"params": 7.0}, [("params at most 7", "x", 7.0)]),
        ({"madds": 50.0, "params": 7.0}, [("params at most 7", "x", 7.0), ("madds at most 50", "y", 50.0)]),
        ({"acts": 3.0}, []),
    ],
)
def test_bounds_on_an_axis_are_lines_across_it(bounds: dict[str, float], lines: list[tuple[str, str, float]]) -> None:
    drawn = figure([0, 1], {"madds": "minimize", "params": "minimize"}, bounds)
    assert [note.text for note in drawn.layout.annotations] == [text for text, _, _ in lines]
    assert [(s[f"{axis}0"], s[f"{axis}1"]) for s, (_, axis, _) in zip(drawn.layout.shapes, lines, strict=True)] == [
        (at, at) for _, _, at in lines
    ]


@pytest.mark.parametrize(
    ("x_way", "y_way", "shape"),
    # A step between two winners must leave out what neither dominates: it turns on the worse side of both.
    [("minimize", "minimize", "hv"), ("minimize", "maximize", "hv"), ("maximize", "minimize", "vh"), ("maximize", "maximize", "vh")],
)
def test_the_front_is_a_staircase_on_the_dominated_side(x_way: str, y_way: str, shape: str) -> None:
    drawn = figure([0, 1], {"madds": y_way, "params": x_way})
    assert drawn.data[2].line.shape == shape


def test_the_title_is_the_one_given() -> None:
    assert figure([0], {"madds": "minimize"}).layout.title.text == "a title"


def test_a_page_is_one_file_that_opens_without_a_network(tmp_path: Path) -> None:
    path = tmp_path / "pareto.html"
    write_figure(figure([0, 1], {"madds": "minimize", "params": "minimize"}), path)
    page = path.read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith(("<!doctype html", "<html"))
    assert re.findall(r"<script[^>]*\ssrc\s*=", page) == []
    assert re.findall(r"<link[^>]*\shref\s*=", page) == []
    assert "candidate 5" in page
    assert "Plotly.newPlot" in page


def test_a_page_is_written_over_an_older_one_but_not_over_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "pareto.html"
    path.write_text("old", encoding="utf-8")
    write_figure(go.Figure(), path)
    assert "Plotly.newPlot" in path.read_text(encoding="utf-8")
    with pytest.raises(FileError, match="this is a folder"):
        write_figure(go.Figure(), tmp_path)
