"""Where predicted time goes, as a page: bars per block stacked by cause, and what each op type takes (ShuffleNet v2, figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

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
WIDTH, TOP, NOTE_PIXELS, GAP = 1040, 120, 18, 110
MOST_NAMED = 120  # bars with a name each


def network_figure(label: str, latency: Latency, parts: Sequence[Part], notes: Sequence[str]) -> go.Figure:
    """One network: a bar per part (`archspace.latency.breakdown`) from top to bottom, below it one per op type, the longest first."""
    types = sorted((part for part in breakdown(latency, "type") if part.name != CONSTANT), key=lambda part: -part.ms)
    panels = [("Time of each part, by cause", list(parts)), ("Time of each op type, by cause", types)]
    figure, heights = _panels(panels)
    for row, (_, bars) in enumerate(panels, start=1):
        for cause, (name, color) in CAUSES.items():
            if cause == "constant_ms" and not latency.constant_ms:
                continue
            _bars(figure, row, bars, [getattr(part, cause) for part in bars], name, color, in_legend=row == 1)
        _end_labels(figure, row, bars, latency.ms)
    return _finished(figure, f"{label}: {latency}", notes, heights)


def networks_figure(labels: Sequence[str], latencies: Sequence[Latency], notes: Sequence[str]) -> go.Figure:
    """Several networks on one device: a bar each, by cause; below it what share each op type takes, as in figure 2 of ShuffleNet v2."""
    wholes = [Part(label, *_causes(latency)) for label, latency in zip(labels, latencies, strict=True)]
    shares = [{part.name: part.ms for part in breakdown(latency, "type")} for latency in latencies]
    names = sorted({name for share in shares for name in share}, key=lambda name: -sum(share.get(name, 0.0) for share in shares))
    figure, heights = _panels([("Time of each network, by cause", wholes), ("Share of each op type", wholes)])
    for cause, (name, color) in CAUSES.items():
        if any(getattr(part, cause) for part in wholes):
            _bars(figure, 1, wholes, [getattr(part, cause) for part in wholes], name, color, in_legend=True)
    for i, name in enumerate(sorted(names, key=lambda name: name == CONSTANT)):
        color = REST_COLOR if name == CONSTANT else TYPE_COLORS[i % len(TYPE_COLORS)]
        values = [100 * share.get(name, 0.0) / part.ms if part.ms else 0.0 for share, part in zip(shares, wholes, strict=True)]
        _bars(figure, 2, wholes, values, name.strip("()"), color, in_legend=True, unit="%")
    _end_labels(figure, 1, wholes, None)
    figure.update_xaxes(title_text="% of the network's time", range=[0, 100], row=2, col=1)
    return _finished(figure, f"Latency on {latencies[0].device}, batch {latencies[0].batch}", notes, heights)


def _causes(latency: Latency) -> tuple[tuple[()], float, float, float, float]:
    whole = total(latency)
    return (), whole.compute_ms, whole.memory_ms, whole.overhead_ms, whole.constant_ms


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
            tickvals=list(shown), ticktext=[escape(bars[i].name) for i in shown], autorange="reversed", showgrid=False, row=row, col=1
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


def _end_labels(figure: go.Figure, row: int, bars: Sequence[Part], whole: float | None) -> None:
    """What each bar adds up to, behind its end, and its share of the whole."""
    texts = [f" {part.ms:.3g} ms" + (f", {100 * part.ms / whole:.1f} %" if whole else "") for part in bars]
    figure.add_trace(
        go.Scatter(
            x=[part.ms for part in bars],
            y=list(range(len(bars))),
            mode="text",
            text=texts,
            textposition="middle right",
            textfont={"size": 11, "color": "#5a6068"},
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
        ),
        row=row,
        col=1,
    )


def _finished(figure: go.Figure, title: str, notes: Sequence[str], heights: Sequence[int]) -> go.Figure:
    """The title, what to know of the numbers below it, the legends above their panels."""
    plot = sum(heights) + GAP * (len(heights) - 1)
    top = TOP + NOTE_PIXELS * len(notes)
    bottom = 70
    lines = [escape(title), *(f"<span style='font-size:12px;color:#5a6068'>{escape(note)}</span>" for note in notes)]
    below = heights[1] / plot  # of the second panel's upper edge
    legend = {"orientation": "h", "x": 1, "xanchor": "right", "yanchor": "bottom", "traceorder": "normal"}
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        template="plotly_white",
        width=WIDTH,
        height=plot + top + bottom,
        margin={"l": 40, "r": 120, "t": top, "b": bottom},
        title={"text": "<br>".join(lines), "x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 24}},
        legend={**legend, "y": 1 + 4 / plot},
        legend2={**legend, "y": below + 4 / plot},
    )
    figure.update_yaxes(automargin=True)
    return figure
