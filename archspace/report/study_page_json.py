"""The data of a study's page as compact JSON, the form that the page's script reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import floor, log10
from typing import Any

from archspace.report.study_page_data import MetricColumn, NetworkTable, StudyPage

DIGITS = 7  # significant ones of a float in the page: more than a screen shows
LEAST_SCALED = 1e4  # channels and milliseconds stay as they are
FACTORS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K"))


def page_json(page: StudyPage) -> str:
    """The page's data, safe inside a script element: no '<' in it."""
    text = json.dumps(page_data(page), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def page_data(page: StudyPage) -> dict[str, Any]:
    """JSON values: columns stay columns."""
    return {
        "numbers": list(page.numbers),
        "states": [int(state) for state in page.states],
        "optionNames": list(page.option_names),
        "options": [list(row) for row in page.options],
        "constants": dict(page.constants),
        "problems": {str(row): text for row, text in page.problems.items()},
        "commands": list(page.commands),
        "metrics": [_metric(metric) for metric in page.metrics],
        "parameters": [{"name": one.name, "values": _numbers(one.values), "words": list(one.words)} for one in page.parameters],
        "winners": list(page.winners),
        "first": page.first,
        "tables": [_table(table) for table in page.tables],
        "candidateTables": list(page.candidate_tables),
        "references": [
            {
                "name": one.name,
                "about": one.about,
                "options": one.options,
                "metrics": {name: _number(value) for name, value in one.metrics.items()},
                "texts": dict(one.texts),
                "table": one.table,
            }
            for one in page.references
        ],
        "nearest": page.nearest,
        "curves": [{"title": curve.title, "axis": curve.axis, "values": _numbers(curve.values)} for curve in page.curves],
    }


def axis_scale(values: Sequence[float | None]) -> tuple[float, str]:
    """What an axis divides by, and the suffix that says so: ticks are plain numbers, the unit stands in the title.

    >>> axis_scale([2e6, 140e6, None]), axis_scale([3, 2048])
    ((1000000.0, 'M'), (1.0, ''))
    """
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    if largest < LEAST_SCALED:
        return 1.0, ""
    return next((factor, suffix) for factor, suffix in FACTORS if largest >= factor)


def axis_title(metric: MetricColumn, suffix: str) -> str:
    """'madds (M multiply-adds), minimize'; a suffix alone where the metric has no unit."""
    unit = " ".join(part for part in (suffix, metric.unit) if part)
    return metric.name + (f" ({unit})" if unit else "") + (f", {metric.direction}" if metric.direction else "")


def _metric(metric: MetricColumn) -> dict[str, Any]:
    factor, suffix = axis_scale(metric.values)
    return {
        "name": metric.name,
        "title": axis_title(metric, suffix),
        "unit": suffix or metric.unit,
        "factor": factor,
        "values": _numbers(metric.values),
        "texts": list(metric.texts),
        "direction": metric.direction,
        "bound": metric.bound,
        "boundText": metric.bound_text,
    }


def _table(table: NetworkTable) -> dict[str, Any]:
    return {
        "blocks": [[row.name, row.ops, row.output, row.madds, row.params, row.mem_elems, row.ms] for row in table.blocks],
        "rules": [[row.code, row.name, row.findings, row.wasted, row.ms] for row in table.rules],
        "wasted": table.wasted,
        "messages": list(table.messages),
    }


def _numbers(values: Sequence[float | None]) -> list[float | int | None]:
    return [None if value is None else _number(value) for value in values]


def _number(value: float) -> float | int:
    if isinstance(value, int) or value == 0:
        return value
    return round(value, DIGITS - 1 - floor(log10(abs(value))))
