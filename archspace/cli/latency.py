"""`archspace latency`: how long networks take on a device, per block and op, by cause; as numbers or as a page."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from archspace.cli.device import device_option
from archspace.cli.latency_measured import measured
from archspace.cli.latency_records import Predicted, Timed, data, records
from archspace.cli.latency_tables import WIDTH, page_notes, tables
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit, fitted, output_options
from archspace.cli.request import Request, device_request_options
from archspace.errors import LawError, MissingPackageError
from archspace.files import check_writable
from archspace.latency import Profile, load_profile, predict
from archspace.settings import load_settings

PAGE = ".html"
ROWS = ("op", "block", "stage")


@click.command("latency", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL... [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@device_option
@click.option("--per", type=click.Choice(ROWS), help="One row per what.  [default: block in tables and pages, op in JSON and CSV]")
@click.option("--top", metavar="N", type=click.IntRange(min=1), help="The N rows that take longest, the longest first.")
@click.option("--compare-measured", is_flag=True, help="Run the networks on this machine too, and show both.")
@click.option("--backend", metavar="NAME", help="With --compare-measured: eager, folded, onnxruntime, ...  [default: the device's]")
@click.option("--on", type=click.Choice(["cpu", "cuda"]), help="With --compare-measured: where to run them.  [default: the device's]")
@device_request_options
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
) -> int:
    """Predict how long a network takes on a device: with its interval, per block and op, by cause. Several MODELs: side by side.

    Times are for one batch of the device's own size, or of --batch. With -o, a name in .html gets bars per block, stacked by cause, and
    what each op type takes (ShuffleNet v2, figure 2); of several networks a bar each. The device may stand in [tool.archspace] of
    pyproject.toml. Where --compare-measured cannot run a network, the exit code is 2, and the prediction is shown all the same.

    \b
    Example: archspace latency shufflenet_v2 --device gtx1080ti
    """
    names, options = split_words(words)
    if not names:
        raise LawError("latency takes at least one MODEL, but got none. Example: archspace latency shufflenet_v2 --device gtx1080ti")
    if len(names) > 1 and options:
        raise LawError(f"each of several MODELs has its options in its spec, but got --{next(iter(options))}. Example: shufflenet_v1@g=3")
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
    labels = [" ".join([name, *(f"{key}={value}" for key, value in options.items())]) for name in names]
    graphs = [load_model(name, options, request) for name in names]
    latencies = [predict(graph, profile, batch=request.batch) for graph in graphs]
    timed: Mapping[str, Timed] = {}
    if backend is not None:
        asked = replace(request, batch=request.batch or profile.batch)
        where = on or profile.on or "cpu"
        timed = measured(dict(zip(labels, names, strict=True)), options, asked, backend=backend, on=where, threads=profile.threads or 1)
    found = [Predicted(label, graph, latency, timed.get(label)) for label, graph, latency in zip(labels, graphs, latencies, strict=True)]
    code = 2 if backend is not None and any(one.timed is None for one in found) else 0
    if is_page and output is not None:
        _draw(found, profile, per or "block", top, Path(output))
        return code
    of_parts = len(found) == 1 or per is not None or top is not None
    per = per or ("block" if form == "table" else "op")
    emit(
        form,
        output,
        tables=lambda: shown(tables(found, profile, per, top, of_parts=of_parts), output),
        data=lambda: data(found, profile, per, top),
        records=lambda: records(found, per, top, of_parts=of_parts),
        force=force,
    )
    return code


def shown(made: Sequence[Table], output: str | None) -> Sequence[Table]:
    """The tables no wider than WIDTH where no terminal says how wide they may be."""
    return made if output is None and sys.stdout.isatty() else [fitted(table, WIDTH) for table in made]


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
    found = asked or profile.backend
    if found is None:
        raise LawError(
            f"{profile.device} was not calibrated by archspace ({profile.runtime}), so that it does not say what to measure with. "
            "To compare all the same, add --backend eager."
        )
    return found


def _draw(found: Sequence[Predicted], profile: Profile, per: str, top: int | None, path: Path) -> None:
    try:
        from archspace.report.html import write_figure
        from archspace.report.latency_page import network_figure, networks_figure
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "plotly", "search") from None
    notes = page_notes(found, profile)
    if len(found) == 1:
        one = found[0]
        figure = network_figure(f"{one.label}: {one.latency}", one.latency, one.parts(per, top), per, notes)
    else:
        figure = networks_figure([one.label for one in found], [one.latency for one in found], notes)
    write_figure(figure, path)
    click.echo(f"wrote {path}", err=True)
