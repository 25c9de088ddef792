"""`archspace search`: a study over a design space, under a budget."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspace.analysis.pareto import DIRECTIONS, Direction
from archspace.cli.device import device_option
from archspace.cli.output import Table, emit
from archspace.errors import LawError, UnknownNameError
from archspace.settings import BOUNDS
from archspace.space import Space
from archspace.units import format_count

if TYPE_CHECKING:
    from archspace.study import Progress, StudyResult

SHOWN = 15  # rows of the Pareto table on a terminal; the files have all

# option -> (metric, how its word is read)


@click.command("search")
@click.argument("space_file", metavar="SPACE.toml", type=click.Path())
@click.option("--max-madds", metavar="COUNT", help="At most so many multiply-adds: 140M.")
@click.option("--max-params", metavar="COUNT", help="At most so many parameters: 2.3M.")
@click.option("--max-mem-elems", metavar="COUNT", help="At most so much memory access, in elements: 20M.")
@click.option("--max-acts", metavar="COUNT", help="At most so many activations: 3M.")
@click.option("--max-latency", metavar="TIME", help="At most this predicted latency: 30ms. Needs --device.")
@device_option
@click.option("--hold", metavar="METRIC=VALUE", help="Solve each candidate's width for this value: madds=140M.")
@click.option("--maximize", metavar="METRIC", multiple=True, help="Objective; may be repeated.  [default: the space's]")
@click.option("--minimize", metavar="METRIC", multiple=True, help="Objective; may be repeated.  [default: the space's]")
@click.option("--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Trials in all, earlier ones counted in.")
@click.option("--sampler", metavar="NAME", default="auto", show_default=True, help="auto, tpe, nsga2, random or gp.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same trials.")
@click.option("--storage", metavar="URL", help="Keep the trials in this Optuna database instead of a journal file.")
@click.option("-o", "--output", "directory", type=click.Path(), help="The study's directory.  [default: runs/SPACE]")
@click.option("--force", is_flag=True, help="Start the study anew, over what is in its directory.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Output format.")
def command(space_file: str, directory: str | None, form: str, trials: int, **options: Any) -> int:
    """Search a design space under a budget, and write the Pareto front.

    The study's directory gets the trials, records.csv, pareto.csv, pareto.html and winners/01/graph.json and on. The same command goes on
    where it was stopped (Ctrl-C is fine); a higher --trials adds to it.

    \b
    Example: archspace search spaces/shufflenet_v1.toml --max-madds 140M --trials 200
    """
    space = Space.load(space_file)
    bounds = {metric: read(options[name]) for name, (metric, read) in BOUNDS.items() if options[name] is not None}
    objectives = _read_objectives({way: options[way] for way in DIRECTIONS})
    hold = _read_hold(options["hold"])

    from archspace.results import write_results
    from archspace.study import search

    with _progress_bar(trials) as report:
        result = search(
            space,
            directory=Path(directory) if directory is not None else Path("runs") / space.name,
            bounds=bounds,
            objectives=objectives,
            hold=hold,
            device=options["device"],
            trials=trials,
            sampler=options["sampler"],
            seed=options["seed"],
            storage=options["storage"],
            force=options["force"],
            progress=report,
        )
    rows = write_results(result)
    emit(form, None, tables=lambda: [_table(result, rows)], data=lambda: _data(result, rows), records=lambda: [_flat(row) for row in rows])
    _say_what_happened(result, trials)
    return 0 if rows else 1


def _read_objectives(names: dict[Direction, tuple[str, ...]]) -> dict[str, Direction] | None:
    """Metric -> direction; None when none is given."""
    objectives: dict[str, Direction] = {}
    for way, metrics in names.items():
        for name in metrics:
            if objectives.get(name, way) != way:
                raise LawError(f"an objective has one direction, but {name} is to be maximized and minimized. Drop one.")
            objectives[name] = way
    return objectives or None


def _read_hold(text: str | None) -> dict[str, float]:
    if text is None:
        return {}
    metric, equals, value = text.partition("=")
    if not equals:
        raise LawError(f"--hold takes METRIC=VALUE, but got {text!r}. Example: --hold madds=140M")
    holdable = dict(BOUNDS.values())
    if metric not in holdable:
        raise UnknownNameError("metric to hold", metric, holdable)
    return {metric: holdable[metric](value)}


@contextmanager
def _progress_bar(trials: int) -> Iterator[Any]:
    """A bar on stderr with trials done, the feasible share, the best value so far, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("search"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=trials)

        def report(progress: Progress) -> None:
            share = f"{100 * progress.feasible / progress.done:.0f} % feasible"
            best = f", best {format_count(progress.best)}" if progress.best is not None else ""
            bar.update(task, completed=progress.done, description=share + best)

        yield report


def _table(result: StudyResult, rows: list[dict[str, Any]]) -> Table:
    from archspace.objectives.metrics import metric_text
    from archspace.report.tables import options_text

    question = result.question
    columns = ("#", *question.metrics, "<options", "<graph")
    cells = [
        [
            str(row["rank"]),
            *(metric_text(name, row["metrics"][name]) for name in question.metrics),
            options_text(row["options"], list(question.space.constants)),
            row["graph"],
        ]
        for row in rows[:SHOWN]
    ]
    notes = [f"... and {len(rows) - SHOWN} more on the front, in {result.directory / 'pareto.csv'}"] if len(rows) > SHOWN else []
    device = question.profile()
    if device is not None and "latency_ms" in question.metrics:
        notes.append(f"latency_ms: one batch of {device.batch} on {device.device}, ± {device.interval_pct:.0f} % (80 % interval)")
    return Table(columns, cells, str(question), notes, optional=("params", "<graph"))


def _data(result: StudyResult, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": 1,
        "directory": str(result.directory),
        "question": result.question.to_dict(),
        "trials": len(result.records),
        "feasible": result.feasible,
        "interrupted": result.interrupted,
        "winners": rows,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    from archspace.report.tables import option_columns

    return {"rank": row["rank"], **row["metrics"], **option_columns(row["options"]), "graph": row["graph"]}


def _say_what_happened(result: StudyResult, trials: int) -> None:
    done = len(result.records)
    invalid = sum(not record.metrics for record in result.records)
    parts = [f"{done} trials ({result.resumed} from before), {result.feasible} within the budget"]
    if invalid:
        first = next(record.problem for record in result.records if not record.metrics)
        parts.append(f"{invalid} could not be built or held, e.g. {first}")
    click.echo("; ".join(parts), err=True)
    if result.interrupted:
        click.echo(f"stopped after {done} of {trials} trials; the same command goes on from here", err=True)
    if result.winners:
        click.echo(f"wrote {result.directory}: winners/, pareto.csv, pareto.html, records.csv", err=True)
    else:
        click.echo(f"no candidate meets the budget yet; run more --trials, or ask for less. {_nearest(result)}", err=True)


def _nearest(result: StudyResult) -> str:
    """The candidate that exceeds its worst bound by the least, in words."""
    from archspace.objectives.metrics import metric_text
    from archspace.report.tables import options_text

    bounds = result.question.bounds
    measured = [record for record in result.records if record.metrics]
    if not measured or not bounds:
        return ""
    nearest = min(measured, key=lambda record: max(record.metrics[name] / most for name, most in bounds.items()))
    parts = [f"{name} {metric_text(name, nearest.metrics[name])} (at most {metric_text(name, most)})" for name, most in bounds.items()]
    return f"The nearest has {', '.join(parts)}: {options_text(nearest.options, list(result.question.space.constants))}"
