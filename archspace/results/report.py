"""The report of a study: what is computed of its records for the page, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archspace.analysis.pareto import pareto_front
from archspace.errors import StudyError
from archspace.latency import Profile
from archspace.objectives.metrics import metric_text
from archspace.report.study_page import write_study_page
from archspace.report.study_page_data import NetworkTable, ReferencePoint, State, StudyPage
from archspace.report.tables import option_text, options_text
from archspace.results.columns import analyze_command, metric_columns, option_rows, parameter_columns
from archspace.results.history import curves
from archspace.results.importance import importances
from archspace.results.networks import network_table
from archspace.results.references import SHARED, Reference, References, nearest_reference, references
from archspace.results.words import facts, nearest, notes_of, question_words
from archspace.study import Question, Record, StudyResult
from archspace.study.records import key_of
from archspace.zoo import chosen_options

MOST_TABLES = 100  # candidates beside the winners whose blocks the page keeps: 2 KB each
MOST_LINTED = 40  # winners that the linter looks at


def study_report(result: StudyResult, path: str | Path, *, notes: Sequence[str] = ()) -> None:
    """Write a study's report as one HTML file that opens without a network, over an older one.

    `notes`: what a reader must know beside what the records say, e.g. how well a prior ranks. Raises FileError, and StudyError for a study
    in which no candidate could be measured.
    """
    write_study_page(study_page(result, notes), Path(path))


def study_page(result: StudyResult, notes: Sequence[str] = ()) -> StudyPage:
    """What the page shows. Raises StudyError for a study in which no candidate could be measured."""
    question, records = result.question, result.records
    if not any(record.metrics for record in records):
        raise StudyError(f"{result.directory}: a report needs a candidate with metrics, but none of {len(records)} trials has them.")
    device = question.profile()
    rows = {record.number: row for row, record in enumerate(records)}
    winners = [rows[record.number] for record in result.winners]
    beside = references(question, records, device)
    tables = _Tables(question, records, device)
    candidate_tables = tables.of_candidates(winners)
    points = [_point(one, tables) for one in beside.found]
    best = records[winners[0]].metrics["madds"] if winners else 0.0
    names, options = option_rows(records)
    drawn, curve_note = curves(question, records)
    return StudyPage(
        title=f"{question.space.name}: what {len(records)} trials found",
        question=question_words(question),
        facts=facts(result, device),
        notes=notes_of(result, beside, notes),
        numbers=[record.number for record in records],
        states=_states(records, set(winners)),
        option_names=names,
        options=options,
        problems={row: record.problem for row, record in enumerate(records) if record.problem},
        commands=[
            "" if kept is not None else analyze_command(question.space.family, record.options)
            for record, kept in zip(records, candidate_tables, strict=True)
        ],
        metrics=metric_columns(question, records),
        parameters=parameter_columns(records),
        winners=winners,
        first=winners[0] if winners else rows[nearest(question, records).number],
        tables=tables.kept,
        candidate_tables=candidate_tables,
        references=points,
        nearest=nearest_reference(beside.found, question.space.family, best),
        reference_note=_reference_note(question, beside),
        importances=importances(question, records),
        curves=drawn,
        curve_note=curve_note,
        constants={name: str(option_text(value)) for name, value in question.space.constants.items()},
    )


class _Tables:
    """The networks' tables that the page keeps, each network once."""

    def __init__(self, question: Question, records: Sequence[Record], device: Profile | None) -> None:
        self.kept: list[NetworkTable] = []
        self._question, self._records, self._device = question, records, device

    def of_candidates(self, winners: Sequence[int]) -> list[int | None]:
        """Tables of the winners, linted, and of the best others; a place in `kept` per record, None where none is kept."""
        places: dict[str, int] = {}
        for rank, row in enumerate([*winners, *_best(self._question, self._records, set(winners))]):
            record = self._records[row]
            key = key_of(record.options)
            if key not in places:
                graph = self._question.space.build(record.options)
                places[key] = self.add(network_table(graph, self._device, with_findings=rank < min(len(winners), MOST_LINTED)))
        return [places.get(key_of(record.options)) for record in self._records]

    def add(self, table: NetworkTable) -> int:
        """Keep a table; its place."""
        self.kept.append(table)
        return len(self.kept) - 1

    def of_reference(self, reference: Reference) -> int:
        """The table of a published network, linted."""
        return self.add(network_table(reference.graph, self._device, with_findings=True))


def _best(question: Question, records: Sequence[Record], without: set[int]) -> list[int]:
    """Rows of the best feasible candidates, front after front."""
    rows = [row for row, record in enumerate(records) if record.feasible and row not in without]
    ways = list(question.objectives.values())
    best: list[int] = []
    while rows and len(best) < MOST_TABLES:
        front = [rows[i] for i in pareto_front([[records[row].metrics[name] for name in question.objectives] for row in rows], ways)]
        best += front
        rows = [row for row in rows if row not in set(front)]
    return best[:MOST_TABLES]


def _states(records: Sequence[Record], winners: set[int]) -> list[State]:
    def state(row: int, record: Record) -> State:
        if row in winners:
            return State.FRONT
        return State.WITHIN if record.feasible else State.OUTSIDE if record.metrics else State.BROKEN

    return [state(row, record) for row, record in enumerate(records)]


def _point(reference: Reference, tables: _Tables) -> ReferencePoint:
    about = [f"Built as {reference.graph.name} with the candidates' input."]
    if reference.top1_err_pct is not None:
        about.append(f"ImageNet top-1 error {reference.top1_err_pct:g} %, {reference.source}.")
    return ReferencePoint(
        reference.name,
        " ".join(about),
        options_text({name: value for name, value in chosen_options(reference.graph.config).items() if name not in SHARED}),
        reference.metrics,
        {name: metric_text(name, value) for name, value in reference.metrics.items()},
        tables.of_reference(reference),
    )


def _reference_note(question: Question, beside: References) -> str:
    """Which published networks stand on the page, and which could not."""
    if not beside.found and not beside.left_out:
        return "No published network is at this budget's scale."
    text = "Published networks at the budget's scale are diamonds, their metrics computed as the candidates' are."
    if beside.left_out:
        text += " Left out: " + "; ".join(f"{name} ({why})" for name, why in beside.left_out.items()) + "."
    return text
