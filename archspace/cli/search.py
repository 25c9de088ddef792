"""`archspace search`: a study over a design space, under a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspace.analysis.pareto import DIRECTIONS, Direction
from archspace.cli.bounds import bound_options, bounds_of
from archspace.cli.device import device_option
from archspace.cli.output import emit
from archspace.cli.progress import search_bar
from archspace.cli.storage import storage_option
from archspace.cli.verified import check_verify, say_verified, verified_data, verified_of, verified_records, verified_tables, verify_options
from archspace.cli.winners import flat_rows, nearest_text, winners_table
from archspace.errors import LawError, UnknownNameError
from archspace.settings import BOUNDS
from archspace.space import Space
from archspace.units import parse_ms

if TYPE_CHECKING:
    from archspace.study import StudyResult


@click.command("search")
@click.argument("space_file", metavar="SPACE.toml", type=click.Path())
@bound_options
@device_option
@click.option("--hold", metavar="METRIC=VALUE", help="Solve each candidate's width for this value, at most 5 % below it: madds=140M.")
@click.option("--maximize", metavar="METRIC", multiple=True, help="Objective; may be repeated.  [default: the space's]")
@click.option("--minimize", metavar="METRIC", multiple=True, help="Objective; may be repeated.  [default: the space's]")
@click.option("--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Trials in all, earlier ones counted in.")
@click.option("--sampler", metavar="NAME", default="auto", show_default=True, help="auto, tpe, nsga2, gp, random or grid.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that judge candidates.")
@click.option("--in-flight", type=click.IntRange(min=1), help="Candidates out at once.  [default: 1; 8 where judging is slow]")
@click.option("--trial-timeout", metavar="TIME", help="Give a candidate up that takes longer to judge: 60s.")
@click.option("--patience", type=click.IntRange(min=1), metavar="TRIALS", help="Stop when the front has not grown for so many trials.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same trials.")
@verify_options
@storage_option
@click.option("--study", metavar="NAME", help="The study's name in the storage.  [default: the directory's, with a digest]")
@click.option("--grace", metavar="SECONDS", type=click.IntRange(min=1), default=120, hidden=True, help="Until a silent worker is dead.")
@click.option("-o", "--output", "directory", type=click.Path(), help="The study's directory.  [default: runs/SPACE]")
@click.option("--force", is_flag=True, help="Start the study anew, over what is in its directory.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Output format.")
def command(space_file: str, directory: str | None, form: str, trials: int, **options: Any) -> int:
    """Search a design space under a budget, and write the Pareto front.

    The study's directory gets the trials, records.csv, pareto.csv, report.html and winners/01/graph.json and on. The same command goes on
    where it was stopped (Ctrl-C is fine); a higher --trials adds to it. With --storage, other machines join: archspace worker.
    --verify 10 builds the ten best as PyTorch modules, holds them against two other tools and times them on this machine.

    Objectives and bounds are stage_channels, receptive_field, madds, params, mem_elems, acts, findings, prior, latency_ms (with --device),
    the zero-cost proxies naswot, synflow, zen, zico, or python:package.module:function, a function of your own, called with the graph.

    \b
    Example: archspace search spaces/shufflenet_v2.toml --max-madds 60M
    """
    space = Space.load(space_file)
    bounds = bounds_of(options)
    objectives = read_objectives({way: options[way] for way in DIRECTIONS})
    hold = _read_hold(options["hold"])

    from archspace.results import write_results
    from archspace.study import search

    check_verify(options["verify"], options["verify_backend"])

    with search_bar("search") as report:
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
            workers=options["workers"],
            in_flight=options["in_flight"],
            time_limit_s=None if options["trial_timeout"] is None else parse_ms(options["trial_timeout"]) / 1e3,
            patience=options["patience"],
            storage=options["storage"],
            study=options["study"],
            grace_s=options["grace"],
            force=options["force"],
            progress=report,
            say=lambda text: click.echo(text, err=True),
        )
    rows = write_results(result)
    verified = verified_of(result, options["verify"], options["verify_backend"], force=options["force"])
    emit(
        form,
        None,
        tables=lambda: [winners_table(result, rows), *verified_tables(result, verified)],
        data=lambda: _data(result, rows) | verified_data(result, verified),
        records=lambda: verified_records(verified) or flat_rows(rows),
    )
    _say_what_happened(result, trials)
    say_verified(verified)
    return 0 if rows and all(one.ok for one in verified) else 1


def read_objectives(names: dict[Direction, tuple[str, ...]]) -> dict[str, Direction] | None:
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


def _data(result: StudyResult, rows: list[dict[str, Any]]) -> dict[str, Any]:
    from archspace.results.trust import trust_notes

    return {
        "schema": 1,
        "directory": str(result.directory),
        "question": result.question.to_dict(),
        "trials": len(result.records),
        "feasible": result.feasible,
        "interrupted": result.interrupted,
        "notes": trust_notes(result),
        "winners": rows,
    }


def _say_what_happened(result: StudyResult, trials: int) -> None:
    done = len(result.records)
    invalid = sum(not record.metrics for record in result.records)
    parts = [f"{done} trials ({result.resumed} from before), {result.feasible} within the budget"]
    if invalid:
        first = next(record.problem for record in result.records if not record.metrics)
        parts.append(f"{invalid} could not be built or held, e.g. {first}")
    click.echo("; ".join(parts), err=True)
    if result.traceback:
        first = result.traceback.strip().splitlines()[-1]
        click.echo(f"an objective of your own failed: {first} (the first traceback is in {result.directory / 'first_error.txt'})", err=True)
    if result.stalled:
        click.echo(f"stopped after {done} of {trials} trials: the front's hypervolume did not grow any more", err=True)
    if result.interrupted:
        click.echo(f"stopped after {done} of {trials} trials; the same command goes on from here", err=True)
    if result.winners:
        click.echo(f"wrote {result.directory}: winners/, pareto.csv, records.csv, report.html", err=True)
    else:
        way = "run more --trials, or ask for less" if any(record.metrics for record in result.records) else "none could be judged"
        click.echo(f"no candidate meets the budget yet; {way}. {nearest_text(result)}", err=True)
