"""The page of an experiment: a panel per column, bars of the ratios that it was given."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import pytest

from archspace.report.experiment_page import HERE, PAPER, experiment_figure
from archspace.report.panels import Bars, Panel

ROWS = ("1:1", "<1:2>")


def panel(title: str, here: tuple[float | None, ...] = (1.0, 1.5)) -> Panel:
    return Panel(title, ROWS, [Bars("this machine", here, ["a", "b"]), Bars("paper, phone", (1.0, 1.2), ["c", "d"])])


def bars(figure: go.Figure) -> list[Any]:
    return [trace for trace in figure.data if trace.type == "bar"]


def test_the_bars_are_the_ratios_in_the_order_of_the_rows() -> None:
    figure = experiment_figure("title", [panel("x1"), panel("x2", (1.0, None))], 3, [])
    assert [tuple(trace.y) for trace in bars(figure)] == [(1.0, 1.5), (1.0, 1.2), (1.0, None), (1.0, 1.2)]


def test_each_source_is_in_the_legend_once_and_has_one_colour() -> None:
    figure = experiment_figure("title", [panel("x1"), panel("x2")], 3, [])
    assert [trace.name for trace in bars(figure) if trace.showlegend] == ["this machine", "paper, phone"]
    assert [trace.marker.color for trace in bars(figure)] == [HERE[0], PAPER[0]] * 2


@pytest.mark.parametrize(("panels", "per_line", "axes"), [(1, 4, 1), (3, 3, 3), (12, 4, 12), (6, 3, 6)])
def test_panels_fill_lines(panels: int, per_line: int, axes: int) -> None:
    figure = experiment_figure("title", [panel(f"x{i}") for i in range(panels)], per_line, [])
    assert len({trace.xaxis for trace in bars(figure)}) == axes
    assert [note.text for note in figure.layout.annotations if note.text.startswith("x")] == [f"x{i}" for i in range(panels)]


def test_more_lines_make_the_page_higher_and_so_do_notes() -> None:
    one, two = (experiment_figure("title", [panel(f"x{i}") for i in range(n)], 2, []) for n in (2, 4))
    noted = experiment_figure("title", [panel("x0"), panel("x1")], 2, ["a note", "another"])
    assert one.layout.height < noted.layout.height < two.layout.height
    assert "a note" in noted.layout.title.text


def test_names_cannot_become_markup() -> None:
    figure = experiment_figure("<title>", [panel("<x1>")], 1, ["<note>"])
    assert list(bars(figure)[0].x) == ["1:1", "&lt;1:2&gt;"]
    assert "&lt;title&gt;" in figure.layout.title.text
    assert "&lt;note&gt;" in figure.layout.title.text
