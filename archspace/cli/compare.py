"""`archspace compare`: networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from archspace.analysis import DTYPE_BYTES, analyze
from archspace.cli.device import device_option, latency_note, latency_record, predicted
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit, output_options
from archspace.cli.request import Request, request_options
from archspace.errors import LawError
from archspace.units import format_bytes, format_count, format_share

if TYPE_CHECKING:
    from archspace.latency import Latency

# metric -> how people read it
METRICS: dict[str, Callable[[float], str]] = {
    "madds": format_count,
    "params": format_count,
    "mem_elems": format_count,
    "mem_bytes": format_bytes,
    "acts": format_count,
    "elementwise_share": format_share,
    "movement_share": format_share,
    "intensity": lambda v: f"{v:.2f}",
    "nodes": lambda v: f"{v:.0f}",
    "fragments_per_block": lambda v: f"{v:.2f}",
    "max_fragments": lambda v: f"{v:.0f}",
    "max_parallel_width": lambda v: f"{v:.0f}",
    "critical_path": lambda v: f"{v:.0f}",
    "critical_madds": format_count,
    "latency_ms": lambda v: f"{v:.2f} ms",
}

RELIED_ON = ("low_ms", "high_ms", "interval_holds", "lower_bound")  # of a predicted latency


@click.command("compare", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL MODEL...", nargs=-1, type=click.UNPROCESSED)
@request_options
@device_option
@click.option("--rules", is_flag=True, help="Compare the design rules that they break, per rule and stage, and what that wastes.")
@click.option("--select", metavar="CODES", help="With --rules: ask these alone, codes or their beginnings, as in G1,S.  [default: all]")
@click.option("--ignore", metavar="CODES", help="With --rules: leave these out.")
@click.option("--dtype", type=click.Choice(list(DTYPE_BYTES)), default="float32", show_default=True, help="What bytes are counted in.")
@output_options
def command(
    words: tuple[str, ...],
    request: Request,
    device: str | None,
    rules: bool,
    select: str | None,
    ignore: str | None,
    dtype: str,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Put networks side by side: one column each, with ratios to the first.

    With --rules, what is compared are the findings of `archspace lint`, with the defaults of [tool.archspace] in pyproject.toml.

    \b
    Example: archspace compare shufflenet_v1@g=3 shufflenet_v2 mobilenet_v2 fenet
    """
    names, options = split_words(words)
    if options:
        raise LawError(f"compare takes a model's options in its spec, but got --{next(iter(options))}. Example: shufflenet_v1@g=3")
    if len(names) < 2:
        raise LawError(f"compare takes at least two MODELs, but got {len(names)}. For one use: archspace analyze")
    if not rules and (select is not None or ignore is not None):
        raise LawError("--select and --ignore choose among the design rules, which are compared with --rules alone. Add --rules.")
    graphs = [load_model(name, request=request) for name in names]
    if rules:
        from archspace.cli.compare_rules import compare_rules  # the rules take a while to load

        compare_rules(names, graphs, (select, ignore, device), form, output, force)
        return
    columns: list[dict[str, Any]] = [asdict(analyze(graph, dtype).totals) for graph in graphs]
    latencies = [predicted(graph, device, request.batch) for graph in graphs]
    for column, latency in zip(columns, latencies, strict=True):
        column.update({"latency_ms": latency.ms} if latency else {})
    records = [
        {"model": name, **column, **{f"{key}_ratio": _ratio(column[key], columns[0][key]) for key in METRICS if key in column}}
        for name, column in zip(names, columns, strict=True)
    ]
    known = [latency_record(latency) if latency else {} for latency in latencies]
    lines = [
        {**record, **{key: of[key] for key in RELIED_ON}, "extrapolates": "; ".join(of["extrapolates"])} if of else record
        for record, of in zip(records, known, strict=True)
    ]
    notes = [
        line for name, latency in zip(names, latencies, strict=True) if latency for line in latency_note(latency, f"latency of {name}")
    ]
    emit(
        form,
        output,
        tables=lambda: [_table(names, columns, latencies, notes)],
        data=lambda: {
            "schema": 1,
            "first": names[0],
            "models": [{**record, **({"latency": of} if of else {})} for record, of in zip(records, known, strict=True)],
        },
        records=lambda: lines,
        force=force,
    )


def _ratio(value: float, first: float) -> float | None:
    return value / first if first else None


def _table(names: list[str], columns: list[dict[str, Any]], latencies: Sequence[Latency | None], notes: list[str]) -> Table:
    rows = []
    for metric, text in METRICS.items():
        if metric not in columns[0]:
            continue
        first = columns[0][metric]
        cells = [metric]
        for i, (column, latency) in enumerate(zip(columns, latencies, strict=True)):
            least = "≥ " if metric == "latency_ms" and latency and latency.lower_bound else ""
            ratio = _ratio(column[metric], first) if i else None
            cells.append(f"{least}{text(column[metric])}" + (f"  x{ratio:.2f}" if ratio is not None else ""))
        rows.append(cells)
    return Table(("<", *names), rows, notes=notes)
