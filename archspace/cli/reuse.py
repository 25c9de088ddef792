"""`archspace reuse`: how many channels blocks hand on unchanged to later blocks, as numbers or as a heat map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archspace.analysis.reuse import Reuse, reuse_matrix
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit, output_options
from archspace.cli.request import Request, request_options
from archspace.errors import LawError, MissingPackageError
from archspace.files import check_writable, what_is_at
from archspace.ir.graph import Graph

if TYPE_CHECKING:
    from archspace.report.heatmap import HeatMap

PAGE, PICTURE = ".html", ".png"
MOST_SOURCES = 20  # columns of the whole matrix as a table
LONGEST_LABEL = 60  # characters
NEAREST = 9  # blocks back, where there are more


@click.command("reuse", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option("--shares", is_flag=True, help="In the table, per cent of the target's channels instead of channels.")
@request_options
@output_options
@click.pass_context
def command(
    ctx: click.Context,
    words: tuple[str, ...],
    shares: bool,
    request: Request,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Count the channels that blocks hand on to later blocks unchanged (ShuffleNet v2, figure 4 b).

    With -o, a name in .html or .png gets a heat map of their shares.

    \b
    Example: archspace reuse shufflenet_v2 -o reuse.html
    """
    names, options = split_words(words)
    if len(names) != 1:
        raise LawError(f"reuse takes one MODEL, but got {len(names)}: {' '.join(names) or 'none'}. Run it once per network.")
    suffix = Path(output).suffix.lower() if output else ""
    if suffix in (PAGE, PICTURE) and ctx.get_parameter_source("form") is ParameterSource.COMMANDLINE:
        raise LawError(f"a file in {suffix} gets a heat map, but --format {form} asks for numbers. Drop it, or name another file.")
    if output:
        check_writable(output, force=force)
    graph = load_model(names[0], options, request)
    reuse = reuse_matrix(graph)
    if output and suffix in (PAGE, PICTURE):
        asked = " ".join([names[0], *(f"{key}={value}" for key, value in options.items())])
        model = graph.name if what_is_at(names[0]) == "file" else asked
        _draw(reuse_heatmap(reuse, model), output, suffix, force)
        return
    emit(
        form,
        output,
        tables=lambda: [_table(graph, reuse, shares)],
        data=lambda: _data(graph, reuse),
        records=lambda: _records(reuse),
        force=force,
    )


def reuse_heatmap(reuse: Reuse, model: str) -> HeatMap:
    """The matrix as the paper draws it: a row per target block l, a column per source block s; cells above the diagonal are empty."""
    from archspace.report.heatmap import HeatMap

    blocks, shares = tuple([_label(block) for block in reuse.blocks]), reuse.shares()
    values: list[tuple[float | None, ...]] = []
    texts: list[tuple[str, ...]] = []
    hover: list[tuple[str, ...]] = []
    for target, name in enumerate(blocks):
        counts = [reuse.channels[source][target] for source in range(target + 1)]
        above = len(blocks) - target - 1
        values.append((*(shares[source][target] for source in range(target + 1)), *[None] * above))
        texts.append((*(str(count) if count else "" for count in counts), *[""] * above))
        words = [f"{blocks[source]} → {name}: {_words(count, counts[-1])}" for source, count in enumerate(counts)]
        hover.append((*words, *[""] * above))
    return HeatMap(
        title=f"Channel reuse in {_label(model)}",
        subtitle="How many output channels of block l are, unchanged, output channels of block s; coloured as a share of those of l",
        row_axis="target block l",
        column_axis="source block s",
        rows=blocks,
        columns=blocks,
        values=tuple(values),
        texts=tuple(texts),
        hover=tuple(hover),
    )


def _label(name: str) -> str:
    """A name that leaves room for the picture."""
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 3] + "..."


def _words(count: int, whole: int) -> str:
    return f"{count} of {whole} channels" + (f" ({100 * count / whole:.1f} %)" if whole else "")


def _draw(heatmap: HeatMap, output: str, suffix: str, force: bool) -> None:
    try:
        if suffix == PAGE:
            from archspace.report.heatmap_page import heatmap_figure
            from archspace.report.html import write_figure

            write_figure(heatmap_figure(heatmap), Path(output))
        else:
            from archspace.report.heatmap_png import write_heatmap

            write_heatmap(heatmap, output, force=force)
    except ModuleNotFoundError as error:
        raise MissingPackageError("pillow" if suffix == PICTURE else error.name or "plotly", "search") from None
    click.echo(f"wrote {output}", err=True)


def _table(graph: Graph, reuse: Reuse, shares: bool) -> Table:
    """One row per target and one column per source, by their numbers; of many blocks only the nearest sources before each."""
    blocks = reuse.blocks
    what = "per cent of the target's channels" if shares else "channels"
    title = f"{_described(graph)}  {what} that a target block (row) has, unchanged, from a source block (column)"
    names = [[str(i + 1), name] for i, name in enumerate(blocks)]
    if len(blocks) <= MOST_SOURCES:
        cells = [[_cell(reuse, source, target, shares) for source in range(len(blocks))] for target in range(len(blocks))]
        heads = [str(i + 1) for i in range(len(blocks))]
        # Columns of their own would stand three characters apart, and twenty blocks would not fit a terminal.
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        head, *lines = [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *cells)]
        rows = [[*name, line] for name, line in zip(names, lines, strict=True)]
        return Table(("#", "<target", f"<{head}"), rows, title)
    heads = ["own", *(f"-{back}" for back in range(1, NEAREST + 1))]
    rows = [
        [*name, *(_cell(reuse, target - back, target, shares) if back <= target else "" for back in range(NEAREST + 1))]
        for target, name in enumerate(names)
    ]
    note = (
        f"-1: from the block before; at most {NEAREST} blocks back here. All {len(blocks)}: --format csv, or a heat map with -o reuse.html"
    )
    return Table(("#", "<target", *heads), rows, title, [note], optional=heads[:1:-1])


def _cell(reuse: Reuse, source: int, target: int, shares: bool) -> str:
    """Empty above the diagonal, a dot for nothing."""
    if source > target:
        return ""
    count = reuse.channels[source][target]
    if not count:
        return "·"
    return f"{100 * count / reuse.channels[target][target]:.3g}" if shares else str(count)


def _described(graph: Graph) -> str:
    return f"{graph.name}  input {'x'.join(map(str, graph.input_shape))}"


def _data(graph: Graph, reuse: Reuse) -> dict[str, Any]:
    """JSON values; the keys are a contract. The matrices are [source][target]."""
    return {
        "schema": 1,
        "model": graph.name,
        "config": dict(graph.config),
        "input_shape": list(graph.input_shape),
        "blocks": list(reuse.blocks),
        "axes": ["source", "target"],
        "channels": [list(row) for row in reuse.channels],
        "shares": [list(row) for row in reuse.shares()],
    }


def _records(reuse: Reuse) -> list[dict[str, Any]]:
    """One row per pair of a source and a target that is not before it."""
    shares = reuse.shares()
    pairs = [(source, target) for source in range(len(reuse.blocks)) for target in range(source, len(reuse.blocks))]
    return [
        {
            "source": reuse.blocks[source],
            "target": reuse.blocks[target],
            "channels": reuse.channels[source][target],
            "share": shares[source][target],
        }
        for source, target in pairs
    ]
