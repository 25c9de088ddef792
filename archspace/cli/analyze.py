"""`archspace analyze`: what one network costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from archspace.analysis import CONVENTIONS, DTYPE_BYTES, Report, analyze
from archspace.analysis.coverage import coverage
from archspace.analysis.receptive_field import ReceptiveField, stage_fields
from archspace.analysis.rows import GROUPINGS
from archspace.analysis.structure import fragments, parallel_widths
from archspace.cli.device import device_option, latency_record, predicted
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit, output_options
from archspace.cli.request import Request, request_options
from archspace.errors import LawError
from archspace.ir.counts import Counts
from archspace.ir.graph import describe
from archspace.ir.ops import Shape
from archspace.units import format_bytes, format_count, format_share
from archspace.zoo import chosen_options

if TYPE_CHECKING:
    from archspace.latency import Latency


@click.command("analyze", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option("--per", type=click.Choice(list(GROUPINGS)), help="One row per what.  [default: block in tables, op in JSON and CSV]")
@request_options
@click.option("--dtype", type=click.Choice(list(DTYPE_BYTES)), default="float32", show_default=True, help="What bytes are counted in.")
@device_option
@click.option("--convention", metavar="NAME", help=f"Print only this FLOPs number: {', '.join(CONVENTIONS)}.")
@output_options
def command(
    words: tuple[str, ...],
    per: str | None,
    request: Request,
    dtype: str,
    device: str | None,
    convention: str | None,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Count what a network costs, per op, block or stage.

    MODEL is a zoo name with its options (`archspace zoo NAME` lists them), a spec like shufflenet_v1@g=8,width=0.5, or a JSON file.

    \b
    Example: archspace analyze shufflenet_v1 --g 8 --input 224
    """
    names, options = split_words(words)
    if len(names) != 1:
        raise LawError(f"analyze takes one MODEL, but got {len(names)}: {' '.join(names) or 'none'}. For several use: archspace compare")
    report = analyze(load_model(names[0], options, request), dtype)
    if convention is not None:
        flops = report.flops(convention)
        record = {"model": report.model, "convention": convention, "flops": flops}
        emit(form, output, tables=lambda: [Table([], [], notes=[str(flops)])], data=lambda: record, records=lambda: [record], force=force)
        return
    per = per or ("block" if form == "table" else "op")
    latency = predicted(report.graph, device, request.batch)
    emit(
        form,
        output,
        tables=lambda: report_tables(report, per, latency),
        data=lambda: report.to_dict(per) | ({"latency": latency_record(latency)} if latency else {}),
        records=lambda: report.to_dict(per)["rows"],
        force=force,
    )


def report_tables(report: Report, per: str, latency: Latency | None = None) -> list[Table]:
    """The rows, the totals (with the predicted latency, where there is one) and the conventions of a report."""
    title = f"{report.model}  input {_shape(report.input_shape)}  {report.dtype}"
    chosen = ", ".join(f"{key}={value}" for key, value in chosen_options(report.config).items() if key not in ("input", "batch"))
    rows = _op_table(report, title) if per == "op" else _group_table(report, per, title)
    return [rows, _totals_table(report, chosen, latency), _conventions_table(report)]


def _counts_cells(counts: Counts) -> list[str]:
    mem = counts.mem_elems
    shares = [format_share(part / mem) if mem else "-" for part in (counts.elementwise_elems, counts.movement_elems)]
    return [format_count(counts.madds), format_count(counts.params), format_count(mem), format_count(counts.acts), *shares]


COUNT_COLUMNS = ("madds", "params", "mem elems", "acts", "element-wise", "movement")
OPTIONAL_COLUMNS = ("acts", "movement")


def _op_table(report: Report, title: str) -> Table:
    rows = [[row.name, describe(row.op), _shape(row.output_shape), *_counts_cells(row.counts)] for row in report.rows]
    return Table(("<name", "<op", "<output", *COUNT_COLUMNS), rows, title, optional=("<op", *OPTIONAL_COLUMNS))


def _group_table(report: Report, per: str, title: str) -> Table:
    rows = [[row.name, str(row.nodes), _shape(row.output_shape), *_counts_cells(row.counts)] for row in report.per(per)]
    names = [row[0] for row in rows]
    notes: list[str] = []
    if per == "block":
        in_block, widths = fragments(report.graph), parallel_widths(report.graph)
        own_columns = ("fragments", "parallel")
        own_cells = [[str(in_block.get(name, 0)), str(widths[name])] for name in names]
    else:
        fields = stage_fields(report.graph)
        own_columns = ("receptive field", "stride")
        own_cells = [[_shape(field.size), _shape(field.stride)] if field else ["-", "-"] for field in map(fields.get, names)]
        notes = _field_notes(fields)
    columns = (f"<{per}", "ops", "<output", *COUNT_COLUMNS, *own_columns)
    rows = [row + own for row, own in zip(rows, own_cells, strict=True)]
    return Table(columns, rows, title, notes, optional=("ops", *OPTIONAL_COLUMNS, *own_columns))


def _field_notes(fields: Mapping[str, ReceptiveField]) -> list[str]:
    """What the size of a stage's receptive field leaves unsaid."""
    told = {
        "a gate or another global path sees the whole image besides": [name for name, field in fields.items() if field.sees_all],
        "paths of unequal stride or centre meet (not aligned)": [name for name, field in fields.items() if not field.aligned],
    }
    return [f"{what}: {', '.join(names)}" for what, names in told.items() if names]


def _totals_table(report: Report, chosen: str, latency: Latency | None) -> Table:
    t = report.totals
    on_path = f", {format_share(t.critical_madds / t.madds)} on the heaviest path" if t.madds else ""
    notes = [
        f"multiply-adds   {format_count(t.madds)} ({t.madds:,}){on_path}",
        f"parameters      {format_count(t.params)} ({t.params:,})",
        f"memory access   {format_count(t.mem_elems)} elements, {format_bytes(t.mem_bytes)} "
        f"({format_share(t.elementwise_share)} element-wise, {format_share(t.movement_share)} movement), {t.intensity:.2f} madds/byte",
        f"activations     {format_count(t.acts)} out of convolution and linear",
        f"structure       {t.nodes} ops, critical path {t.critical_path}, "
        f"{t.fragments_per_block:.2f} fragments per block (max {t.max_fragments}), parallel width {t.max_parallel_width}",
    ]
    if latency is not None:
        notes.append(f"latency         {latency}")
        notes += [f"                extrapolates: {reason}" for reason in latency.extrapolates]
    if chosen:
        notes.append(f"options         {chosen}")
    if report.opaque:
        notes.append(f"opaque          {coverage(report.graph)}; counted as memory access alone: {', '.join(report.opaque)}")
    return Table((), (), "total", notes)


def _conventions_table(report: Report) -> Table:
    rows = [[name, f"{report.flops(name):,}", convention.summary] for name, convention in CONVENTIONS.items()]
    return Table(("<convention", "FLOPs", "<as printed by"), rows)


def _shape(shape: Sequence[int] | Shape) -> str:
    return "x".join(map(str, shape))
