"""`archspace space`: what a design space holds, and which of several spaces is the better one; as numbers or as a page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from archspace.cli.bounds import bound_options, bounds_of
from archspace.cli.device import device_option
from archspace.cli.output import emit, output_options
from archspace.cli.space_tables import comparison_records, comparison_tables, description_records, description_tables, page_notes
from archspace.errors import LawError, MissingPackageError
from archspace.files import check_writable
from archspace.survey import Comparison, Description, compare_spaces, describe
from archspace.units import parse_number

PAGE = ".html"


@click.command("space")
@click.argument("files", metavar="SPACE.toml...", nargs=-1, type=click.Path())
@bound_options
@device_option
@click.option("--objective", "objectives", metavar="METRIC", multiple=True, help="Measure this within the budget; may be repeated.")
@click.option("--better-than", "than", metavar="VALUE", multiple=True, help="Two spaces and more: the share that beats this value.")
@click.option("--samples", metavar="N", type=click.IntRange(min=1), default=1000, show_default=True, help="Random candidates per space.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same candidates.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that measure candidates.")
@output_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    device: str | None,
    objectives: tuple[str, ...],
    than: tuple[str, ...],
    samples: int,
    seed: int,
    workers: int,
    form: str,
    output: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Show what a design space holds: parameters, number of architectures, the share within a budget, what they cost. Or compare spaces.

    Several spaces are compared by the distribution of a metric over random members within one budget, as in "Designing Network Design
    Spaces" (CVPR 2020), say with --objective stage_channels: which is ahead, how far (Kolmogorov-Smirnov), how sure that is. With -o, a
    name in .html gets the distributions; --format csv has a row per candidate of one space.

    \b
    Example: archspace space spaces/shufflenet_v2.toml --max-madds 60M
    """
    if not files:
        raise LawError("space takes at least one SPACE.toml, but got none. Example: archspace space spaces/shufflenet_v2.toml")
    is_page = output is not None and Path(output).suffix.lower() == PAGE
    if is_page and ctx.get_parameter_source("form") is ParameterSource.COMMANDLINE:
        raise LawError(f"a file in {PAGE} gets figures, but --format {form} asks for numbers. Drop it, or name another file.")
    if than and len(files) == 1:
        raise LawError("--better-than compares spaces, but got one. Name another SPACE.toml, or drop it.")
    if output is not None:
        check_writable(output, force=force)
    asked: dict[str, Any] = {"bounds": bounds_of(options), "device": device, "samples": samples, "seed": seed, "workers": workers}
    with _progress_bar() as report:
        if len(files) == 1:
            found: Description | Comparison = describe(
                files[0], metrics=objectives, progress=lambda *done: report(files[0], *done), **asked
            )
        else:
            levels = [_level(word) for word in than]
            found = compare_spaces(files, objectives=objectives, than=levels, progress=report, **asked)
    if is_page and output is not None:
        _draw(found, Path(output))
        return
    if isinstance(found, Description):
        emit(
            form,
            output,
            tables=lambda: description_tables(found),
            data=found.to_dict,
            records=lambda: description_records(found),
            force=force,
        )
    else:
        emit(
            form,
            output,
            tables=lambda: comparison_tables(found),
            data=found.to_dict,
            records=lambda: comparison_records(found),
            force=force,
        )


def _level(word: str) -> float:
    try:
        return parse_number(word)
    except LawError as error:
        raise error.at("--better-than") from None


@contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr: the space, candidates done, the time left."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("space")
        yield lambda label, done, total: bar.update(task, description=Path(label).stem, completed=done, total=total)


def _draw(found: Description | Comparison, path: Path) -> None:
    try:
        from archspace.report.html import write_figure
        from archspace.report.space_page import Curve, Histogram, comparison_figure, description_figure
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "plotly", "search") from None
    if isinstance(found, Description):
        names = dict.fromkeys(name for sample in found.built for name in sample.metrics)
        within = [sample for sample in found.built if sample.feasible]
        outside = [sample for sample in found.built if not sample.feasible]
        histograms = [
            Histogram(
                name,
                [sample.metrics[name] for sample in within if name in sample.metrics],
                [sample.metrics[name] for sample in outside if name in sample.metrics],
                found.bounds.get(name),
            )
            for name in names
        ]
        figure = description_figure(found.space.name, histograms, page_notes(found), is_bounded=bool(found.bounds))
    else:
        curves = {metric: [Curve(member.label, member.values(metric)) for member in found.members] for metric in found.metrics}
        figure = comparison_figure(curves, found.metrics, page_notes(found))
    write_figure(figure, path)
    click.echo(f"wrote {path}", err=True)
