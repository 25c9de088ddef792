"""A heat map as a plotly figure, for a page that says more of each cell under the pointer."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go

from archspace.report.heatmap import SCALE, HeatMap, ticks

NAME_PIXELS = 16  # what a name on an axis needs
MARGINS = {"l": 150, "r": 110, "t": 90, "b": 150}  # room for names, the colour bar and the title


def heatmap_figure(heatmap: HeatMap) -> go.Figure:
    """The map with its first row on top, square cells and the names of a cell's row and column under the pointer."""
    cell = max(3, min(40, 1000 // max(len(heatmap.rows), len(heatmap.columns))))
    width, height = (max(360, cell * len(names)) for names in (heatmap.columns, heatmap.rows))
    figure = go.Figure(
        go.Heatmap(
            z=heatmap.values,
            text=heatmap.texts if heatmap.numbered else None,
            texttemplate="%{text}" if heatmap.numbered else None,
            hovertext=[[escape(text) for text in row] for row in heatmap.hover],
            hovertemplate="%{hovertext}<extra></extra>",
            hoverongaps=False,
            colorscale=[[at, f"rgb{color}"] for at, color in SCALE],
            zmin=0,
            zmax=1,
            xgap=1 if heatmap.numbered else 0,
            ygap=1 if heatmap.numbered else 0,
            colorbar={"thickness": 14, "outlinewidth": 0, "tickformat": ".0%"},
        )
    )
    figure.update_layout(
        title={"text": f"{escape(heatmap.title)}<br><sup>{escape(heatmap.subtitle)}</sup>"},
        xaxis={**_axis(heatmap.column_axis, heatmap.columns, width), "tickangle": -60},
        yaxis={**_axis(heatmap.row_axis, heatmap.rows, height), "autorange": "reversed", "scaleanchor": "x"},
        template="plotly_white",
        margin=MARGINS,
        width=width + MARGINS["l"] + MARGINS["r"],
        height=height + MARGINS["t"] + MARGINS["b"],
    )
    return figure


def _axis(title: str, names: tuple[str, ...], pixels: int) -> dict[str, object]:
    shown = ticks(len(names), max(1, pixels // NAME_PIXELS))
    return {
        "title": {"text": escape(title), "standoff": 12},
        "tickvals": list(shown),
        "ticktext": [escape(names[i]) for i in shown],
        "showgrid": False,
        "zeroline": False,
        "constrain": "domain",
        "automargin": True,
    }
