"""`archspace latency`: how long networks take on a device, per block and op, by cause; as numbers or as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from archspace.cli.device import device_option
from archspace.cli.latency_tables import Predicted, Timed, data, page_notes, records, tables
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import emit, output_options
from archspace.cli.request import Request, request_options
from archspace.errors import LawError, MissingPackageError
from archspace.files import check_writable
from archspace.latency import Profile, load_profile, predict
from archspace.settings import load_settings

if TYPE_CHECKING:
    from archspace.ir.graph import Graph

PAGE = ".html"
ROWS = ("op", "block", "stage")

# fusion rule set -> the backend that runs networks so, of profiles that do not name theirs
BACKENDS = {"none": "eager", "torch_eager": "eager", "folded": "folded", "ort": "onnxruntime"}


@click.command("latency", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL... [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@device_option
@click.option("--per", type=click.Choice(ROWS), help="One row per what.  [default: block in tables and pages, op in JSON and CSV]")
@click.option("--top", metavar="N", type=click.IntRange(min=1), help="Only the N rows that take longest, the longest first.")
@click.option("--compare-measured", is_flag=True, help="Run the networks on this machine too, and show both.")
@click.option(
    "--backend", metavar="NAME", help="What --compare-measured runs them with: eager, folded, onnxruntime.  [default: the device's]"
)
@click.option("--on", type=click.Choice(["cpu", "cuda"]), help="What --compare-measured runs them on.  [default: cpu]")
@request_options
@output_options
@click.pass_context
def command(
    ctx: click.Context,
    words: tuple[str, ...],
    device: str | None,
    per: str | None,
    top: int | None,
    compare_measured: bool,
    backend: str | None,
    on: str | None,
    request: Request,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Predict how long a network takes on a device: with its interval, per block and op, by cause. Several MODELs: side by side.

    Times are for one batch of the device's own size, or of --batch. With -o, a name in .html gets bars per block, stacked by cause, and what
    each op type takes (ShuffleNet v2, figure 2); of several networks a bar each. The device may stand in [tool.archspace] of pyproject.toml.

    \b
    Example: archspace latency shufflenet_v2 --device gtx1080ti
    """
    names, options = split_words(words)
    if not names:
        raise LawError("latency takes at least one MODEL, but got none. Example: archspace latency shufflenet_v2 --device gtx1080ti")
    if len(names) > 1 and options:
        raise LawError(f"of several networks each has its options in its spec, but got --{next(iter(options))}. Example: shufflenet_v1@g=3")
    if not compare_measured and (backend is not None or on is not None):
        raise LawError("--backend and --on say how --compare-measured runs the networks. Add it, or drop them.")
    is_page = output is not None and Path(output).suffix.lower() == PAGE
    if is_page and ctx.get_parameter_source("form") is ParameterSource.COMMANDLINE:
        raise LawError(f"a file in {PAGE} gets figures, but --format {form} asks for numbers. Drop it, or name another file.")
    if is_page and len(names) > 1 and (per or top):
        raise LawError("a page of several networks has a bar for each, but --per and --top ask for parts. Drop them, or name one MODEL.")
    if output is not None:
        check_writable(output, force=force)
    profile = asked_profile(device)
    backend = backend_of(profile, backend) if compare_measured else None
    graphs = [load_model(name, options, request) for name in names]
    given = [f"{key}={value}" for key, value in options.items()]
    latencies = [predict(graph, profile, batch=request.batch) for graph in graphs]
    if backend is not None:
        timed: Sequence[Timed | None] = measured(graphs, profile, batch=latencies[0].batch, backend=backend, on=on or "cpu")
    else:
        timed = [None] * len(graphs)
    found = [
        Predicted(" ".join([name, *given]), graph, latency, time)
        for name, graph, latency, time in zip(names, graphs, latencies, timed, strict=True)
    ]
    if is_page and output is not None:
        _draw(found, profile, per or "block", top, Path(output))
        return
    of_parts = len(found) == 1 or per is not None or top is not None
    per = per or ("block" if form == "table" else "op")
    emit(
        form,
        output,
        tables=lambda: tables(found, profile, per, top, of_parts=of_parts),
        data=lambda: data(found, profile, per, top),
        records=lambda: records(found, per, top, of_parts=of_parts),
        force=force,
    )


def asked_profile(device: str | None) -> Profile:
    """The device of the command line, else that of the project's settings. Raises LawError when neither names one."""
    if device is not None:
        return load_profile(device)
    settings = load_settings()
    if settings.device is None:
        raise LawError("latency needs a device, but none is given. Add --device gtx1080ti; archspace devices lists them.")
    with settings.blamed("device"):
        return load_profile(settings.device)


def backend_of(profile: Profile, asked: str | None) -> str:
    """What a network is run with to be compared with a prediction: as asked, else as the device was calibrated.

    Raises LawError for a device that was not calibrated by running networks here.
    """
    found = asked or getattr(profile, "backend", None) or BACKENDS.get(profile.fusion)
    if found is None:
        raise LawError(
            f"{profile.device} was not calibrated by running networks on a machine like this ({profile.runtime}), so that no time measured "
            "here is its own. Compare all the same with --backend eager."
        )
    return found


def measured(graphs: Sequence[Graph], profile: Profile, *, batch: int, backend: str, on: str) -> tuple[Timed, ...]:
    """What the networks take on this machine, in rounds that take turns; one per graph, in their order. Raises MissingPackageError."""
    import archspace

    threads = profile.threads or 1
    times = archspace.measure(list(graphs), backends=(backend,), on=on, batch=batch, threads=threads)
    return tuple([Timed(time.measured_ms, backend, on, threads) for time in times])


def _draw(found: Sequence[Predicted], profile: Profile, per: str, top: int | None, path: Path) -> None:
    try:
        from archspace.report.html import write_figure
        from archspace.report.latency_page import network_figure, networks_figure
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "plotly", "search") from None
    notes = page_notes(found, profile)
    if len(found) == 1:
        figure = network_figure(found[0].label, found[0].latency, found[0].parts(per, top), notes)
    else:
        figure = networks_figure([one.label for one in found], [one.latency for one in found], notes)
    write_figure(figure, path)
    click.echo(f"wrote {path}", err=True)
