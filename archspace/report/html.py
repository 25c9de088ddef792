"""Figures as single HTML files that open without a network."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go

from archspace.files import write_text


def write_figure(figure: go.Figure, path: Path) -> None:
    """Write a page with the figure and the plotting library in it (about 5 MB), over an older one. Raises FileError."""
    page = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    write_text(path, page, force=True)
