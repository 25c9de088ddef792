"""Records as columns over all candidates: what the page draws its axes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspace.objectives.metrics import metric_named, metric_text
from archspace.report.study_page_data import MetricColumn, ParameterColumn
from archspace.report.tables import option_text
from archspace.study import Question, Record

Scalar = bool | int | float | str | None


def metric_columns(question: Question, records: Sequence[Record]) -> list[MetricColumn]:
    """The question's metrics, its objectives first."""
    columns = []
    for name in question.metrics:
        metric = metric_named(name)
        values = [record.metrics.get(name) for record in records]
        bound = question.bounds.get(name)
        columns.append(
            MetricColumn(
                name,
                metric.unit,
                metric.summary,
                values,
                ["" if value is None else metric_text(name, value) for value in values],
                question.objectives.get(name),
                bound,
                "" if bound is None else metric_text(name, bound),
            )
        )
    return columns


def scalars(options: Mapping[str, Any]) -> dict[str, Scalar]:
    """Options with a name per scalar.

    >>> scalars({"width": 0.5, "repeats": [4, 8]})
    {'width': 0.5, 'repeats.0': 4, 'repeats.1': 8}
    """
    found: dict[str, Scalar] = {}
    for name, value in options.items():
        if isinstance(value, list | tuple):
            found.update({key: one for i, part in enumerate(value) for key, one in scalars({f"{name}.{i}": part}).items()})
        else:
            found[name] = value
    return found


def varying(records: Sequence[Record]) -> dict[str, list[Scalar]]:
    """The scalars that differ between candidates, a value per candidate; None where one is not active."""
    rows = [scalars(record.options) for record in records]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return {name: values for name, values in columns.items() if len({(type(value), value) for value in values}) > 1}


def parameter_columns(records: Sequence[Record]) -> list[ParameterColumn]:
    """What varies, as numbers; what is no number as places among its words."""
    columns = []
    for name, values in varying(records).items():
        if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
            columns.append(ParameterColumn(name, [None if value is None else float(value) for value in values]))
        else:
            words = sorted({str(value) for value in values if value is not None})
            columns.append(ParameterColumn(name, [None if value is None else words.index(str(value)) for value in values], words))
    return columns


def option_rows(records: Sequence[Record]) -> tuple[list[str], list[list[str]]]:
    """All options' names, and their texts per candidate: '' where one is not active."""
    names = list(dict.fromkeys(name for record in records for name in record.options))
    return names, [[str(option_text(record.options[name])) if name in record.options else "" for name in names] for record in records]


def analyze_command(family: str, options: Mapping[str, Any]) -> str:
    """What shows a candidate's blocks in a terminal.

    >>> analyze_command("shufflenet_v2", {"width": 0.5, "repeats": [4, 8, 4]})
    'archspace analyze shufflenet_v2@width=0.5,repeats=4,8,4 --per block'
    """
    words = {name: ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value) for name, value in options.items()}
    chosen = ",".join(f"{name}={word}" for name, word in words.items())
    return f"archspace analyze {family}{'@' if chosen else ''}{chosen} --per block"
