"""Pages with a figure: one file that needs no network."""

from __future__ import annotations

import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from archspace.errors import FileError
from archspace.report.html import write_figure


def test_a_page_is_one_file_that_opens_without_a_network(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_figure(go.Figure(go.Scatter(x=[1], y=[2], hovertext=["candidate 5"])), path)
    page = path.read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith(("<!doctype html", "<html"))
    assert re.findall(r"<script[^>]*\ssrc\s*=", page) == []
    assert re.findall(r"<link[^>]*\shref\s*=", page) == []
    assert "candidate 5" in page
    assert "Plotly.newPlot" in page


def test_a_page_is_written_over_an_older_one_but_not_over_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old", encoding="utf-8")
    write_figure(go.Figure(), path)
    assert "Plotly.newPlot" in path.read_text(encoding="utf-8")
    with pytest.raises(FileError, match="this is a folder"):
        write_figure(go.Figure(), tmp_path)
