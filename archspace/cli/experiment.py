"""`archspace experiment`: the timing experiments of the ShuffleNet v2 paper, run on this machine."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archspace.cli.experiment_tables import list_table, page_notes, panels, tables
from archspace.cli.measure import BACKENDS
from archspace.cli.output import emit, output_options
from archspace.errors import LawError, MissingPackageError, UnknownNameError
from archspace.files import check_writable
from archspace.units import format_size, parse_size

if TYPE_CHECKING:
    from archspace.timing import Outcome

PAGE = ".html"
NAMES = ("g1", "g2", "g3", "g4", "units", "resolutions")  # archspace.timing.EXPERIMENTS, which takes torch to read; a test compares them
QUICK_ROUNDS = 5


@click.command("experiment")
@click.argument("name", metavar=f"[{'|'.join(NAMES)}]", required=False)
@click.option("--on", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where.")
@click.option(
    "--backend", "backends", type=click.Choice(BACKENDS), multiple=True, help="What runs them; may be repeated.  [default: eager]"
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads within an op, on the CPU.")
@click.option("--batch", metavar="N", type=int, help="Images per batch.  [default: the paper's, nearly everywhere 1]")
@click.option("--paper", type=click.Choice(["arm", "gpu"]), help="Whose channels and batch to take.  [default: arm on cpu, gpu on cuda]")
@click.option("--scale", "scales", metavar="SCALE", multiple=True, help="x1, x2 or x4 (resolutions: 40M to 500M); may be repeated.")
@click.option("--input", "inputs", metavar="SIZE", multiple=True, help="One of the table's input sizes; may be repeated.")
@click.option("--full", is_flag=True, help="What takes long on a CPU too: resolutions at 720x1080.")
@click.option("--quick", is_flag=True, help="The first scale and input alone, and few rounds.")
@click.option("--rounds", type=int, help=f"Rounds, of which the median is taken.  [default: 15; with --quick {QUICK_ROUNDS}]")
@click.option("--seconds", type=float, help="As many rounds as fit into this time, in place of --rounds.")
@output_options
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    on: str,
    backends: tuple[str, ...],
    threads: int,
    batch: int | None,
    paper: str | None,
    scales: tuple[str, ...],
    inputs: tuple[str, ...],
    full: bool,
    quick: bool,
    rounds: int | None,
    seconds: float | None,
    form: str,
    output: str | None,
    force: bool,
) -> int:
    """Repeat a timing experiment of the ShuffleNet v2 paper on this machine, beside the paper's own numbers, with a verdict.

    \b
    g1           table 1: unequal channel widths
    g2           table 2: group convolution
    g3           table 3: fragments, in series and in parallel
    g4           table 4: ReLU and shortcut of a bottleneck
    units        appendix table 1(b): ten units of four networks
    resolutions  appendix table 1(a): four networks at larger inputs

    Rows of a column have about the same multiply-adds and run in the same interleaved rounds; ratios are of times, to the column's first
    row. The paper timed a GTX 1080 Ti and one thread of a Snapdragon 810, with runtimes that fuse. `--backend onnxruntime` is what a
    phone-like runtime does on a CPU; eager runs op by op, with PyTorch's overhead for each. In tables 1 to 3
    the paper gave the two other channels: on a CPU the phone's stacks are run, on a GPU the GPU's, or as --paper says.
    Memory that is freed is kept for the run, as otherwise fresh pages from the system would disturb eager times.

    Without a name, the experiments are listed. With -o, a name in .html gets bars of the ratios here beside the paper's. The exit code is 2
    where a backend cannot run a network; what it can run is shown.

    \b
    Example: archspace experiment g1 --backend eager --backend onnxruntime
    """
    if name is not None and name not in NAMES:
        raise UnknownNameError("experiment", name, NAMES)
    _check(ctx, name, (scales, inputs, full, quick, rounds, seconds, batch), output)
    if output is not None:
        check_writable(output, force=force)
    try:
        from archspace.timing import EXPERIMENTS, ROUNDS, BusyMachineWarning, NotMeasuredWarning, experiment, keep_pages
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None
    if name is None:
        emit(
            form,
            output,
            tables=lambda: [list_table(EXPERIMENTS.values())],
            data=lambda: {"schema": 1, "experiments": [_listed(one) for one in EXPERIMENTS.values()]},
            records=lambda: [_listed(one) for one in EXPERIMENTS.values()],
            force=force,
        )
        return 0
    is_page = output is not None and Path(output).suffix.lower() == PAGE
    if is_page:
        _page_module()  # before anything is timed for it
    one = EXPERIMENTS[name]
    sizes = [parse_size(text) for text in inputs]
    if quick:
        scales, sizes = one.scales[:1], list(one.sizes[:1])
    if on == "cpu":
        keep_pages()
    with warnings.catch_warnings(record=True) as caught, _progress_bar() as report:
        warnings.simplefilter("always")
        outcome = experiment(
            name,
            on=on,
            backends=backends or BACKENDS[:1],
            paper=paper,
            scales=_scales(scales),
            inputs=sizes,
            full=full,
            batch=batch,
            threads=threads,
            rounds=rounds if rounds is not None else QUICK_ROUNDS if quick else ROUNDS,
            seconds=seconds,
            progress=report,
        )
    kinds = NotMeasuredWarning | BusyMachineWarning
    said = list(dict.fromkeys(str(warning.message) for warning in caught if issubclass(warning.category, kinds)))
    if is_page and output is not None:
        _draw(outcome, Path(output))
    else:
        emit(
            form,
            output,
            tables=lambda: tables(outcome),
            data=lambda: outcome.to_dict() | {"warnings": said},
            records=outcome.records,
            force=force,
        )
    for line in said:
        click.echo(f"warning: {line}", err=True)
    return 2 if outcome.missing else 0


def _check(ctx: click.Context, name: str | None, chosen: tuple[Any, ...], output: str | None) -> None:
    """Raise LawError for options that contradict each other."""
    scales, inputs, full, quick, rounds, seconds, _ = chosen
    if name is None:
        given = [key for key in ctx.params if ctx.get_parameter_source(key) is ParameterSource.COMMANDLINE]
        extra = [key for key in given if key not in ("form", "output", "force")]
        if extra:
            raise LawError(f"--{extra[0].rstrip('s')} says how an experiment is run, but none is named. Known: {', '.join(NAMES)}.")
    if rounds is not None and seconds is not None:
        raise LawError("an experiment takes --rounds or --seconds, but got both. Drop one.")
    if quick and (full or scales or inputs):
        raise LawError("--quick chooses the first scale and input, but --full, --scale or --input choose others. Drop one.")
    if full and inputs:
        raise LawError("--full runs every input, but --input chooses some. Drop one.")
    if output is not None and Path(output).suffix.lower() == PAGE:
        if name is None:
            raise LawError(f"a file in {PAGE} gets a figure of an experiment, but none is named. Known: {', '.join(NAMES)}.")
        if ctx.get_parameter_source("form") is ParameterSource.COMMANDLINE:
            raise LawError(
                f"a file in {PAGE} gets a figure, but --format {ctx.params['form']} asks for numbers. Drop it, or name another file."
            )


def _scales(words: tuple[str, ...]) -> list[str]:
    """Scales as the tables write them: '2' and 'X2' are x2, '40m' is 40M; each once."""
    spelled = [f"x{word}" if word in ("1", "2", "4") else word for word in words]
    return list(dict.fromkeys(word.lower() if word[:1] in "xX" else word.upper() for word in spelled))


def _listed(one: Any) -> dict[str, Any]:
    inputs = " ".join(format_size(*size) for size in one.sizes)
    return {
        "experiment": one.name,
        "table": one.table,
        "title": one.title,
        "claim": one.claim,
        "scales": " ".join(one.scales),
        "inputs": inputs,
    }


def _page_module() -> Any:
    try:
        from archspace.report import experiment_page
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "plotly", "search") from None
    return experiment_page


def _draw(outcome: Outcome, path: Path) -> None:
    from archspace.report.html import write_figure

    one = outcome.experiment
    title = f"{one.title} (ShuffleNet v2, {one.table})"
    write_figure(_page_module().experiment_figure(title, panels(outcome), len(one.scales), page_notes(outcome)), path)
    click.echo(f"wrote {path}", err=True)


@contextmanager
def _progress_bar() -> Iterator[Any]:
    """A bar on stderr: what is being timed, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("experiment"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("")

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report
