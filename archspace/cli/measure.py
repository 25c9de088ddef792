"""`archspace measure`: networks timed on this machine, side by side."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from archspace.cli.models import FAMILY_OPTIONS, split_words
from archspace.cli.output import Table, emit
from archspace.cli.request import Request, request_options
from archspace.cli.subjects import load_subject
from archspace.errors import FileError, LawError, MissingPackageError
from archspace.files import what_is_at

if TYPE_CHECKING:
    from archspace.timing import Measured

BACKENDS = ("eager", "folded", "compile", "onnxruntime")  # archspace.timing.BACKENDS, which takes torch to read; a test compares them
CLOCKS = {
    "thread": "CPU time of one thread",
    "wall": "wall-clock time",
    "events": "CUDA events, launched op by op",
    "graph replay": "CUDA events around graph replays",
}


@click.command("measure", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL... [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--backend", "backends", type=click.Choice(BACKENDS), multiple=True, help="What runs them; may be repeated.  [default: eager]"
)
@click.option("--on", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads within an op, on the CPU.")
@click.option("--rounds", type=int, help="Rounds, of which the median is taken.  [default: 15]")
@click.option("--seconds", type=float, help="As many rounds as fit into this time, in place of --rounds.")
@request_options
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(), default="measurements", show_default=True, help="Append to the CSV files in DIR."
)
@click.option("--no-save", is_flag=True, help="Append to no file.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Output format.")
def command(
    words: tuple[str, ...],
    backends: tuple[str, ...],
    on: str,
    threads: int,
    rounds: int | None,
    seconds: float | None,
    request: Request,
    output: str,
    no_save: bool,
    form: str,
) -> int:
    """Time networks on this machine, all in the same interleaved rounds, with ratios to the first and the noise floor.

    Zoo networks and graphs are built with random weights; Python models and .pt2 files are timed as they are, .onnx files by
    onnxruntime. Times are medians over rounds of the least time of a call. One thread is timed by its CPU time, several by the wall
    clock, a GPU by CUDA events around graph replays. Rows are appended to a CSV file whose name says device, backend, version, threads
    and batch. What a backend cannot run is said on stderr, the rest goes on, and the exit code is 2.

    \b
    Example: archspace measure shufflenet_v2 mobilenet_v2 --backend eager --backend onnxruntime
    """
    names, options = split_words(words)
    if not names:
        raise LawError("measure takes at least one MODEL, but got none. Example: archspace measure shufflenet_v2")
    if options and len(names) > 1:
        raise LawError(f"measure takes the options of several models in their specs, but got --{next(iter(options))}: shufflenet_v1@g=3")
    if rounds is not None and seconds is not None:
        raise LawError("a measurement takes --rounds or --seconds, but got both. Drop one.")
    subjects = [load_subject(name, options, request) for name in names]
    try:
        from archspace.timing import ROUNDS, BusyMachineWarning, NotMeasuredWarning, append_rows, files_of, keep_pages, measure
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None

    if not no_save and what_is_at(output) == "file":
        raise FileError(f"{output}: measurements are kept in a folder, but this is a file. Name a folder with -o, or give --no-save.")
    chosen = backends or BACKENDS[:1]
    count = ROUNDS if rounds is None else rounds
    keep_pages()
    with warnings.catch_warnings(record=True) as caught, progress_bar("measure") as report:
        warnings.simplefilter("always")
        rows = measure(subjects, backends=chosen, on=on, threads=threads, rounds=count, seconds=seconds, progress=report)
    said = [str(warning.message) for warning in caught if issubclass(warning.category, NotMeasuredWarning | BusyMachineWarning)]
    files = [] if no_save else list(files_of(rows, output))
    emit(
        form,
        None,
        tables=lambda: [_table(rows)],
        data=lambda: {
            "schema": 1,
            "rows": [{**row.to_dict(), "least_ms": row.least_ms} for row in rows],
            "warnings": said,
            "files": [str(path) for path in files],
        },
        records=lambda: [row.to_dict() for row in rows],
    )
    for line in said:
        click.echo(f"warning: {line}", err=True)
    if not no_save:
        append_rows(rows, output)  # last: a file that cannot be written loses no result
    for path in files:
        click.echo(f"appended to {path}", err=True)
    return 0 if len(rows) == len(subjects) * len(chosen) else 2


@contextmanager
def progress_bar(verb: str) -> Iterator[Any]:
    """A bar on stderr: what is being done, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(verb), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("")

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report


def _table(rows: Sequence[Measured]) -> Table:
    first = rows[0]
    cells = [
        [row.model, row.backend, f"{row.measured_ms:.4g}", f"{row.spread_pct:.1f} %", f"x{row.ratio:.3g}", row.input_text, row.runtime]
        for row in rows
    ]
    clocks = " or ".join(dict.fromkeys(CLOCKS[row.clock] for row in rows))
    threads = f", {first.threads} thread{'s' if first.threads > 1 else ''}" if first.on == "cpu" else ""
    busy = f", others used {first.busy_pct:.0f} % of the machine" if first.busy_pct is not None else ""
    notes = [
        f"noise floor {first.noise_pct:.1f} % (odd against even rounds of this run; another run may lie a few percent off)",
        f"{first.device}{threads}, {first.dtype}; {clocks}; {first.rounds} rounds{busy}",
    ]
    columns = ("<model", "<backend", "ms", "spread", "ratio", "<input", "<runtime")
    return Table(columns, cells, notes=notes, optional=("<runtime", "<input", "spread"))
