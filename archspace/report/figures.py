"""Figures of a search, drawn with plotly from rows that are computed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

INFEASIBLE, FEASIBLE, FRONT = "#c9ced6", "#5b8def", "#d1495b"


def pareto_figure(
    frame: pd.DataFrame, front: Sequence[int], objectives: Mapping[str, str], bounds: Mapping[str, float], labels: Sequence[str], title: str
) -> go.Figure:
    """All candidates of a search over its first two objectives, the Pareto front in front.

    frame: one row per candidate (`archspace.report.tables.records_frame`); front: the winners' row numbers, best first; labels: one hover
    text per row. With one objective, trials run along the x axis.
    """
    names = list(objectives)
    y = names[0]
    x = names[1] if len(names) > 1 else "number"
    measured = frame[frame[y].notna()]
    winners = frame.loc[list(front)].sort_values(x)
    feasible = measured[measured["feasible"] & ~measured.index.isin(list(front))]
    outside = measured[~measured["feasible"]]
    figure = go.Figure()
    for rows, name, color, size in (
        (outside, "outside the budget", INFEASIBLE, 6),
        (feasible, "within the budget", FEASIBLE, 7),
        (winners, "Pareto front", FRONT, 10),
    ):
        figure.add_trace(
            go.Scatter(
                x=rows[x].tolist(),
                y=rows[y].tolist(),
                mode="lines+markers" if name == "Pareto front" and len(names) == 2 else "markers",
                line={"shape": "hv" if objectives.get(x) == "minimize" else "vh", "width": 1, "color": FRONT},
                marker={"size": size, "color": color},
                name=f"{name} ({len(rows)})",
                hovertext=[labels[i] for i in rows.index],
                hovertemplate=f"%{{hovertext}}<br>{y} %{{y:,.4s}}<br>{x} %{{x:,.4s}}<extra></extra>",
            )
        )
    for axis, name in (("x", x), ("y", y)):
        if name in bounds:
            add_line = figure.add_vline if axis == "x" else figure.add_hline
            add_line(bounds[name], line_dash="dot", annotation_text=f"{name} at most {bounds[name]:,.4g}")
    figure.update_layout(
        title=title,
        xaxis_title=_axis_title(x, objectives),
        yaxis_title=_axis_title(y, objectives),
        template="plotly_white",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        margin={"t": 110},
        height=720,
    )
    return figure


def _axis_title(name: str, objectives: Mapping[str, str]) -> str:
    return f"{name} ({objectives[name]})" if name in objectives else "trial" if name == "number" else name
