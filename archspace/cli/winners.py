"""The winners of a study as a table and as records, and the nearest candidate where nothing wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspace.cli.output import Table

if TYPE_CHECKING:
    from archspace.study import StudyResult

SHOWN = 15  # rows of the Pareto table on a terminal; the files have all


def winners_table(result: StudyResult, rows: Sequence[Mapping[str, Any]], shown: int = SHOWN) -> Table:
    """The Pareto front, best in the first objective first. rows: the winners' records with their ranks, and their graphs if written."""
    from archspace.objectives import metric_text
    from archspace.report.tables import options_text
    from archspace.results.trust import trust_notes

    question = result.question
    written = any("graph" in row for row in rows)
    columns = ("#", *question.metrics, "<options", *(("<graph",) if written else ()))
    cells = [
        [
            str(row["rank"]),
            *(metric_text(name, row["metrics"][name]) for name in question.metrics),
            options_text(row["options"], list(question.space.constants)),
            *((str(row["graph"]),) if written else ()),
        ]
        for row in rows[:shown]
    ]
    notes = [f"... and {len(rows) - shown} more on the front, in {result.directory / 'pareto.csv'}"] if len(rows) > shown else []
    return Table(columns, cells, str(question), [*notes, *trust_notes(result)], optional=("params", "<graph"))


def ranked(result: StudyResult) -> list[dict[str, Any]]:
    """The winners' records with their ranks."""
    return [{"rank": rank, **record.to_dict()} for rank, record in enumerate(result.winners, start=1)]


def flat_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Winners as lines of a CSV file."""
    from archspace.report.tables import option_columns

    graph = [{"graph": row["graph"]} if "graph" in row else {} for row in rows]
    return [
        {"rank": row["rank"], **row["metrics"], **option_columns(row["options"]), **more} for row, more in zip(rows, graph, strict=True)
    ]


def nearest_text(result: StudyResult) -> str:
    """The candidate that exceeds its worst bound by the least, and the bound that binds, in words; nothing without one."""
    from archspace.objectives import excess, metric_text
    from archspace.report.tables import options_text

    bounds = result.question.bounds
    measured = [record for record in result.records if record.metrics]
    if not measured or not bounds:
        return ""
    nearest = min(measured, key=lambda record: max(excess(record.metrics[name], most) for name, most in bounds.items()))
    binding = max(bounds, key=lambda name: excess(nearest.metrics[name], bounds[name]))
    parts = [f"{name} {metric_text(name, nearest.metrics[name])} (at most {metric_text(name, most)})" for name, most in bounds.items()]
    options = options_text(nearest.options, list(result.question.space.constants))
    return f"The nearest has {', '.join(parts)}: {options}. The bound that binds is {binding}."
