"""An experiment of the paper as a page: bars of each row's time over the first row's, this machine's beside the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil
from textwrap import wrap

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from archspace.report.panels import Panel

HERE = ("#d1495b", "#edae49", "#8f6bb3", "#3a9188")  # this machine's: warm first, one per backend
PAPER = ("#5b8def", "#a9b4c2")  # the phone's, the GPU's
FROM_PAPER = "paper"  # what the names of the paper's bars begin with
WIDTH, PANEL, TOP, NOTE_PIXELS, GAP = 1160, 230, 112, 22, 118
LONGEST_LINE = 190  # characters
MARGINS = {"l": 70, "r": 30}


def experiment_figure(title: str, panels: Sequence[Panel], per_line: int, notes: Sequence[str]) -> go.Figure:
    """Panels side by side, at most `per_line` in a line, all on one scale from 0; 1 is the first row's time."""
    columns = min(per_line, len(panels))
    lines = ceil(len(panels) / columns)
    plot = PANEL * lines + GAP * (lines - 1)
    figure = make_subplots(
        rows=lines,
        cols=columns,
        shared_yaxes="all",
        horizontal_spacing=0.035,
        vertical_spacing=GAP / plot if lines > 1 else 0,
        subplot_titles=[escape(panel.title) for panel in panels],
    )
    figure.update_annotations(font={"size": 14})
    for i, panel in enumerate(panels):
        _draw(figure, panel, i // columns + 1, i % columns + 1, in_legend=i == 0)
    figure.add_hline(y=1, line={"color": "#5a6068", "width": 1, "dash": "dot"}, row="all", col="all")
    return _finished(figure, title, notes, plot)


def _draw(figure: go.Figure, panel: Panel, line: int, column: int, *, in_legend: bool) -> None:
    colors = _colors([bars.name for bars in panel.bars])
    for bars in panel.bars:
        trace = go.Bar(
            x=[escape(row) for row in panel.rows],
            y=list(bars.ratios),
            name=bars.name,
            legendgroup=bars.name,
            showlegend=in_legend,
            marker={"color": colors[bars.name], "line": {"width": 0}},
            hovertext=[escape(text) for text in bars.hover],
            hovertemplate="%{x}: x%{y:.3f}<br>%{hovertext}<extra>" + escape(bars.name) + "</extra>",
        )
        figure.add_trace(trace, row=line, col=column)
    figure.update_xaxes(tickangle=-35, tickfont={"size": 11}, row=line, col=column)


def _colors(names: Sequence[str]) -> dict[str, str]:
    """This machine's in one set of colours, the paper's in the other."""
    paper = [name for name in names if name.startswith(FROM_PAPER)]
    here = [name for name in names if name not in paper]
    return dict(zip(here, HERE, strict=False)) | dict(zip(paper, PAPER, strict=False))


def _finished(figure: go.Figure, title: str, notes: Sequence[str], plot: int) -> go.Figure:
    small = [line for note in notes for line in wrap(note, LONGEST_LINE)]
    text = [escape(title), *(f"<span style='font-size:12px;color:#5a6068'>{escape(line)}</span>" for line in small)]
    top = TOP + NOTE_PIXELS * len(small)
    figure.update_yaxes(rangemode="tozero", zeroline=False)
    figure.update_yaxes(title_text="time, first row = 1", col=1)
    figure.update_layout(
        barmode="group",
        bargap=0.2,
        bargroupgap=0.05,
        template="plotly_white",
        width=WIDTH,
        height=plot + top + 100,
        margin={**MARGINS, "t": top, "b": 100},
        title={
            "text": "<br>".join(text),
            "x": 0,
            "xref": "container",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 24, "l": 20},
        },
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1 + 30 / plot, "yanchor": "bottom"},
    )
    return figure
