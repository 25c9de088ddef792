"""Surveys of design spaces as pages: histograms of what one space holds, distribution functions of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import log10
from textwrap import wrap

import plotly.graph_objects as go
from plotly.subplots import make_subplots

WITHIN, OUTSIDE, BOUND = "#5b8def", "#c9ced6", "#d1495b"
# After Okabe and Ito, "Color universal design" (2008): one per space.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a")
BINS = 40
WIDTH, PANEL, GAP, TOP, NOTE_PIXELS = 1080, 280, 100, 112, 22
LONGEST_LINE = 165  # characters
UNITS = {"latency_ms": "ms"}


@dataclass(frozen=True, slots=True)
class Histogram:
    """One metric of the candidates within a budget and of those outside, and its bound where it has one."""

    metric: str
    within: Sequence[float]
    outside: Sequence[float]
    bound: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """One space's values of a metric, in order."""

    label: str
    values: Sequence[float]


def description_figure(title: str, histograms: Sequence[Histogram], notes: Sequence[str], *, is_bounded: bool) -> go.Figure:
    """A histogram per metric, two in a row: what is within the budget in front of what is outside; ratios where values span a decade."""
    figure, plot = _grid([""] * len(histograms), columns=2)
    for i, one in enumerate(histograms):
        row, column = i // 2 + 1, i % 2 + 1
        values = [*one.within, *one.outside]
        is_log = min(values) > 0 and max(values) / min(values) > 10
        scaled = (lambda value: log10(value)) if is_log else (lambda value: value)
        low, high = scaled(min(values)), scaled(max(values))
        size = (high - low) / BINS or 1.0
        sets = [("within the budget" if is_bounded else "candidates", one.within, WITHIN)]
        sets += [("outside", one.outside, OUTSIDE)] if is_bounded else []
        edges = [low + size * k for k in range(BINS + 1)]
        for name, numbers, color in sets:
            counts = [0] * BINS
            for value in numbers:
                counts[min(int((scaled(value) - low) / size), BINS - 1)] += 1
            ends = [10**edge if is_log else edge for edge in edges]
            figure.add_trace(
                go.Bar(
                    x=[(a * b) ** 0.5 if is_log else (a + b) / 2 for a, b in pairwise(ends)],
                    y=counts,
                    width=[b - a for a, b in pairwise(ends)],
                    name=name,
                    legendgroup=name,
                    showlegend=i == 0 and is_bounded,
                    marker={"color": color, "line": {"width": 0}},
                    hovertemplate=f"{escape(one.metric)} about %{{x:.3s}}<br>%{{y}} candidates<extra>{name}</extra>",
                ),
                row=row,
                col=column,
            )
        figure.update_xaxes(title_text=_axis(one.metric), **_scale(is_log=is_log), row=row, col=column)
        figure.update_yaxes(title_text="candidates" if column == 1 else None, rangemode="tozero", row=row, col=column)
        if one.bound is not None:
            figure.add_vline(one.bound, line={"color": BOUND, "width": 1, "dash": "dot"}, row=row, col=column)
    figure.update_layout(barmode="stack", bargap=0)
    return _finished(figure, title, notes, plot)


def comparison_figure(curves: Mapping[str, Sequence[Curve]], directions: Mapping[str, str], notes: Sequence[str]) -> go.Figure:
    """The distribution functions of each metric, one curve per space; where less is better, the curve above is the better space."""
    names = list(curves)
    titles = [
        f"{name}: {'more is better, further right' if directions[name] == 'maximize' else 'less is better, further left'}" for name in names
    ]
    figure, plot = _grid(titles, columns=1 if len(names) == 1 else 2)
    for i, name in enumerate(names):
        columns = 1 if len(names) == 1 else 2
        row, column = i // columns + 1, i % columns + 1
        for k, curve in enumerate(curves[name]):
            n = len(curve.values)
            figure.add_trace(
                go.Scatter(
                    x=[curve.values[0], *curve.values],
                    y=[j / n for j in range(n + 1)],
                    mode="lines",
                    line={"shape": "hv", "width": 2, "color": COLORS[k % len(COLORS)]},
                    name=f"{escape(curve.label)} ({n})",
                    legendgroup=curve.label,
                    showlegend=i == 0,
                    hovertemplate=f"%{{y:.1%}} have at most %{{x:.4s}}<extra>{escape(curve.label)}</extra>",
                ),
                row=row,
                col=column,
            )
        values = [value for curve in curves[name] for value in curve.values]
        is_log = min(values) > 0 and max(values) / min(values) > 10
        figure.update_xaxes(title_text=_axis(name), **_scale(is_log=is_log), row=row, col=column)
        title = "share of the members" if column == 1 else None
        figure.update_yaxes(title_text=title, range=[0, 1.01], tickformat=".0%", row=row, col=column)
    return _finished(figure, "Design spaces compared", notes, plot)


def _grid(titles: Sequence[str], columns: int) -> tuple[go.Figure, int]:
    lines = -(-len(titles) // columns)
    plot = PANEL * lines + GAP * (lines - 1)
    figure = make_subplots(
        rows=lines,
        cols=columns,
        horizontal_spacing=0.08,
        vertical_spacing=GAP / plot if lines > 1 else 0,
        subplot_titles=[escape(title) for title in titles],
    )
    figure.update_annotations(font={"size": 14})
    return figure, plot


def _scale(*, is_log: bool) -> dict[str, str]:
    """An axis of ratios has ticks at 1, 2 and 5."""
    return {"type": "log", "dtick": "D2", "tickformat": "~s"} if is_log else {"type": "linear", "tickformat": "~s"}


def _axis(metric: str) -> str:
    unit = UNITS.get(metric)
    return f"{escape(metric)}, {unit}" if unit and unit not in metric else escape(metric)


def _finished(figure: go.Figure, title: str, notes: Sequence[str], plot: int) -> go.Figure:
    small = [line for note in notes for line in wrap(note, LONGEST_LINE)]
    lines = [f"<b>{escape(title)}</b>", *(f"<span style='font-size:12px;color:#5a6068'>{escape(line)}</span>" for line in small)]
    top = TOP + NOTE_PIXELS * len(small)
    figure.update_layout(
        template="plotly_white",
        width=WIDTH,
        height=plot + top + 80,
        margin={"l": 70, "r": 30, "t": top, "b": 80},
        title={
            "text": "<br>".join(lines),
            "x": 0,
            "xref": "container",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 24, "l": 20},
        },
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1 + 34 / plot, "yanchor": "bottom"},
    )
    return figure
