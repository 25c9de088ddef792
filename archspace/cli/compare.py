"""`archspace compare`: networks side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from archspace.analysis import DTYPE_BYTES, analyze
from archspace.cli.models import FAMILY_OPTIONS, image_options, load_model, split_words
from archspace.cli.output import Table, emit, output_options
from archspace.errors import LawError
from archspace.units import format_bytes, format_count, format_share

# metric of Totals -> how people read it
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
}


@click.command("compare", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL MODEL...", nargs=-1, type=click.UNPROCESSED)
@image_options
@click.option("--dtype", type=click.Choice(list(DTYPE_BYTES)), default="float32", show_default=True, help="What bytes are counted in.")
@output_options
def command(words: tuple[str, ...], size: str | None, batch: int | None, dtype: str, form: str, output: str | None, force: bool) -> None:
    """Put networks side by side: one column each, with ratios to the first.

    \b
    Example: archspace compare shufflenet_v1@g=3 shufflenet_v2 mobilenet_v2 fenet
    """
    names, options = split_words(words)
    if options:
        raise LawError(f"compare takes a model's options in its spec, but got --{next(iter(options))}. Example: shufflenet_v1@g=3")
    if len(names) < 2:
        raise LawError(f"compare takes at least two MODELs, but got {len(names)}. For one use: archspace analyze")
    totals = [asdict(analyze(load_model(name, size=size, batch=batch), dtype).totals) for name in names]
    records = [
        {"model": name, **total, **{f"{key}_ratio": _ratio(total[key], totals[0][key]) for key in METRICS}}
        for name, total in zip(names, totals, strict=True)
    ]
    emit(
        form,
        output,
        tables=lambda: [_table(names, totals)],
        data=lambda: {"schema": 1, "first": names[0], "models": records},
        records=lambda: records,
        force=force,
    )


def _ratio(value: float, first: float) -> float | None:
    return value / first if first else None


def _table(names: list[str], totals: list[dict[str, Any]]) -> Table:
    rows = []
    for metric, text in METRICS.items():
        cells = [metric, text(totals[0][metric])]
        for total in totals[1:]:
            ratio = _ratio(total[metric], totals[0][metric])
            cells.append(f"{text(total[metric])}  x{ratio:.2f}" if ratio is not None else text(total[metric]))
        rows.append(cells)
    return Table(("<", *names), rows)
