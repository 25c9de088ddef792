"""Where predicted time goes, as a page: bars per block stacked by cause, and what each op type takes (ShuffleNet v2, figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from textwrap import wrap

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from archspace.latency.breakdown import CONSTANT, Part, breakdown, total
from archspace.latency.model import Latency
from archspace.report.heatmap import ticks

# cause -> (what it is called, its colour): blue, red, yellow and grey, which colour-blind readers tell apart
CAUSES: Mapping[str, tuple[str, str]] = {
    "compute_ms": ("compute", "#5b8def"),
    "memory_ms": ("memory access", "#d1495b"),
    "overhead_ms": ("per-kernel overhead", "#edae49"),
    "constant_ms": ("constant, of no kernel", "#c9ced6"),
}
# After Okabe and Ito, "Color universal design" (2008), then greys: op types in the order of what they take.
TYPE_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7a7a7a", "#b0b0b0", "#4d4d4d")
REST_COLOR = "#e4e6ea"
BAR_PIXELS, LEAST_PANEL = 24, 96
WIDTH, TOP, NOTE_PIXELS, GAP = 1040, 104, 18, 110
MOST_NAMED = 120  # bars with a name each
LONGEST_NAME, LONGEST_LINE = 48, 150  # characters


def network_figure(title: str, latency: Latency, parts: Sequence[Part], per: str, notes: Sequence[str]) -> go.Figure:
    """One network: a bar per part (`breakdown(latency, per)`) from top to bottom, below them one per op type, the longest first."""
    types = sorted((part for part in breakdown(latency, "type") if part.name != CONSTANT), key=lambda part: -part.ms)
    panels = [(f"Time of each {per}, by cause", list(parts)), ("Time of each op type, by cause", types)]
    figure, heights = _panels(panels)
    for row, (_, bars) in enumerate(panels, start=1):
        for cause, (name, color) in _causes_of([total(latency)]).items():
            _bars(figure, row, bars, [getattr(part, cause) for part in bars], name, color, in_legend=row == 1)
        _end_labels(figure, row, bars, [f"{_ms(part.ms)}, {100 * part.ms / latency.ms:.1f} %" if part.ms else "0 ms" for part in bars])
    return _finished(figure, title, notes, heights, below=70)


def networks_figure(labels: Sequence[str], latencies: Sequence[Latency], notes: Sequence[str]) -> go.Figure:
    """Several networks on one device: a bar each, by cause; below it what share each op type takes, as in figure 2 of ShuffleNet v2."""
    wholes = [replace(total(latency), name=label) for label, latency in zip(labels, latencies, strict=True)]
    names, shares = _shown_types([{part.name: part.ms for part in breakdown(latency, "type")} for latency in latencies])
    figure, heights = _panels([("Time of each network, by cause", wholes), ("Share of each op type", wholes)])
    for cause, (name, color) in _causes_of(wholes).items():
        _bars(figure, 1, wholes, [getattr(part, cause) for part in wholes], name, color, in_legend=True)
    for i, name in enumerate(names):
        color = REST_COLOR if name == CONSTANT else TYPE_COLORS[i]
        values = [100 * share[name] / part.ms if part.ms else 0.0 for share, part in zip(shares, wholes, strict=True)]
        _bars(figure, 2, wholes, values, name.strip("()"), color, in_legend=True, unit="%")
    _end_labels(figure, 1, wholes, [_with_interval(latency) for latency in latencies])
    figure.update_xaxes(title_text="% of the network's time", range=[0, 100], row=2, col=1)
    return _finished(figure, f"Latency on {latencies[0].device}, batch {latencies[0].batch}", notes, heights, below=130)


def _with_interval(latency: Latency) -> str:
    least = "at least " if latency.lower_bound else ""
    return f"{least}{_ms(latency.ms)}" + (f" ± {latency.interval_pct:.0f} %" if latency.interval_holds else ", no interval")


def _shown_types(times: Sequence[Mapping[str, float]]) -> tuple[list[str], list[dict[str, float]]]:
    """Op types by what they take in all networks, those that no colour is left for as one, the constant last; and their times."""
    taken = {name: sum(share.get(name, 0.0) for share in times) for share in times for name in share}
    ranked = sorted((name for name in taken if taken[name] and name != CONSTANT), key=lambda name: -taken[name])
    shown = ranked if len(ranked) <= len(TYPE_COLORS) else ranked[: len(TYPE_COLORS) - 1]
    rest = ranked[len(shown) :]
    names = [*shown, *([f"{len(rest)} others"] if rest else []), *([CONSTANT] if taken.get(CONSTANT) else [])]
    others = {f"{len(rest)} others": rest}
    return names, [{name: sum(share.get(one, 0.0) for one in others.get(name, [name])) for name in names} for share in times]


def _ms(value: float) -> str:
    return f"{value:.3g} ms" if value < 1000 else f"{value:.0f} ms"


def _short(name: str) -> str:
    """A name that leaves room for its bar: of a long one the end, which tells it from its neighbours."""
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def _causes_of(wholes: Sequence[Part]) -> dict[str, tuple[str, str]]:
    """The causes that take any time at all."""
    return {cause: look for cause, look in CAUSES.items() if any(getattr(part, cause) for part in wholes)}


def _panels(panels: Sequence[tuple[str, Sequence[Part]]]) -> tuple[go.Figure, list[int]]:
    """Empty panels below each other, each as high as its bars need."""
    heights = [max(LEAST_PANEL, BAR_PIXELS * len(bars)) for _, bars in panels]
    plot = sum(heights) + GAP * (len(panels) - 1)
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        row_heights=[height / sum(heights) for height in heights],
        vertical_spacing=GAP / plot,
        subplot_titles=[title for title, _ in panels],
    )
    figure.update_annotations(x=0, xanchor="left", font={"size": 15})
    for row, (_, bars) in enumerate(panels, start=1):
        shown = ticks(len(bars), MOST_NAMED)
        figure.update_yaxes(
            tickvals=list(shown),
            ticktext=[escape(_short(bars[i].name)) for i in shown],
            range=[len(bars) - 0.5, -0.5],
            showgrid=False,
            zeroline=False,
            row=row,
            col=1,
        )
        figure.update_xaxes(title_text="ms", rangemode="tozero", zeroline=False, row=row, col=1)
    return figure, heights


def _bars(
    figure: go.Figure, row: int, bars: Sequence[Part], values: Sequence[float], name: str, color: str, *, in_legend: bool, unit: str = "ms"
) -> None:
    """One layer of a panel's stacks. Bars stand at their numbers: two networks may bear one name."""
    trace = go.Bar(
        x=list(values),
        y=list(range(len(bars))),
        orientation="h",
        name=name,
        legend="legend" if row == 1 else f"legend{row}",
        legendgroup=f"{row} {name}" if in_legend else f"1 {name}",
        showlegend=in_legend,
        marker={"color": color, "line": {"width": 0}},
        hovertext=[escape(part.name) for part in bars],
        hovertemplate=f"%{{hovertext}}<br>{name} %{{x:.3~g}} {unit}<extra></extra>",
    )
    figure.add_trace(trace, row=row, col=1)


def _end_labels(figure: go.Figure, row: int, bars: Sequence[Part], texts: Sequence[str]) -> None:
    """What is said of each bar, behind its end."""
    figure.add_trace(
        go.Scatter(
            x=[part.ms for part in bars],
            y=list(range(len(bars))),
            mode="text",
            text=[f" {text}" for text in texts],
            textposition="middle right",
            textfont={"size": 11, "color": "#5a6068"},
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
        ),
        row=row,
        col=1,
    )


def _finished(figure: go.Figure, title: str, notes: Sequence[str], heights: Sequence[int], below: int) -> go.Figure:
    """The title, what to know of the numbers below it, one legend beside the first panel's title and one `below` the last."""
    plot = sum(heights) + GAP * (len(heights) - 1)
    small = [line for note in notes for line in wrap(note, LONGEST_LINE)]
    top = TOP + NOTE_PIXELS * len(small)
    lines = [escape(title), *(f"<span style='font-size:12px;color:#5a6068'>{escape(line)}</span>" for line in small)]
    legend = {"orientation": "h", "traceorder": "normal"}
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        template="plotly_white",
        width=WIDTH,
        height=plot + top + below,
        margin={"l": 40, "r": 120, "t": top, "b": below},
        title={
            "text": "<br>".join(lines),
            "x": 0,
            "xref": "container",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 24, "l": 20},
        },
        legend={**legend, "x": 1, "xanchor": "right", "y": 1 + 4 / plot, "yanchor": "bottom"},
        legend2={**legend, "x": 0, "xanchor": "left", "y": -56 / plot, "yanchor": "top"},
    )
    figure.update_yaxes(automargin=True)
    return figure
