"""`experiment`: one of the paper's tables built and timed on this machine, beside what was printed, with a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.timing.experiments import PAPER_OF, PLATFORMS, Column, Size, columns, find_experiment
from archspace.timing.outcome import Outcome, Timed, outcome, timed_column
from archspace.timing.rounds import ROUNDS
from archspace.timing.subject import Subject
from archspace.timing.verb import Report, measure

PARTS = 100  # what a column's progress is counted in


def experiment(
    name: str,
    *,
    on: str = "cpu",
    backends: Sequence[str] = ("eager",),
    paper: str | None = None,
    scales: Sequence[str] = (),
    inputs: Sequence[Size] = (),
    full: bool = False,
    batch: int | None = None,
    threads: int = 1,
    rounds: int = ROUNDS,
    seconds: float | None = None,
    progress: Report | None = None,
) -> Outcome:
    """Build and time one of the paper's tables, column by column, the rows of a column in the same interleaved rounds.

    `paper` says whose channels and batch are taken, 'arm' or 'gpu': by default the phone's on a CPU, the GPU's on one. `scales` and
    `inputs` choose columns; where no inputs are chosen, those that take long on a CPU are left out there unless `full`. `seconds` is for
    all rounds of all columns, in place of their number. `progress` is told hundredths of columns. What a backend cannot run is a
    NotMeasuredWarning. Raises what `measure` raises, and UnknownNameError for an experiment, a platform, a scale or an input that is none.
    """
    one = find_experiment(name)
    if batch is not None and batch < 1:
        raise LawError(f"the batch must be at least 1, but got {batch}")
    taken = paper or PAPER_OF.get(on, PLATFORMS[0])
    chosen = columns(one, taken, scales, inputs)
    kept = chosen if full or inputs or on != "cpu" else tuple(column for column in chosen if column.size not in one.long_sizes)
    report = progress or (lambda what, done, total: None)
    timed = []
    for i, column in enumerate(kept):
        timed.append(
            _timed(
                column,
                batch,
                backends=backends,
                on=on,
                threads=threads,
                rounds=rounds,
                seconds=None if seconds is None else seconds / len(kept),
                progress=partial(_in_column, report, column.name, i, len(kept)),
            )
        )
    left_out = tuple(column for column in chosen if column not in kept)
    return outcome(one, taken, timed, left_out, backends)


def _in_column(report: Report, name: str, i: int, n: int, what: str, done: int, total: int) -> None:
    # Preparing comes before the rounds, and is not counted.
    report(f"{name}: {what}", PARTS * i + (PARTS * done // total if what == "rounds" else 0), PARTS * n)


def _timed(column: Column, batch: int | None, **conditions: Any) -> Timed:
    graphs = {entry.row: entry.build(batch or entry.batch) for entry in column.entries}
    rows = measure([Subject(row, graph) for row, graph in graphs.items()], **conditions)
    return timed_column(column, rows, {row: _sizes(graph) for row, graph in graphs.items()})


def _sizes(graph: Graph) -> tuple[int, int]:
    counts = [graph.counts(node) for node in graph]
    return sum(one.madds for one in counts), sum(one.mem_elems for one in counts)
