"""`archspace build`: a network as a PyTorch module, checked and saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspace.analysis import analyze
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit
from archspace.cli.request import Request, request_options
from archspace.errors import LawError, MissingPackageError
from archspace.files import check_writable
from archspace.units import format_count

if TYPE_CHECKING:
    from archspace.pytorch.oracle import OracleRow


@click.command("build", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option("-o", "--output", metavar="FILE.pt2", type=click.Path(), help="Save the module there (torch.export).")
@click.option("--check", "checks", is_flag=True, help="Compare the module with the graph: parameters, multiply-adds, shapes, gradients.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the initial weights.")
@request_options
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Format of the checks."
)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def command(
    words: tuple[str, ...],
    output: str | None,
    checks: bool,
    seed: int,
    request: Request,
    form: str,
    force: bool,
) -> int:
    """Build a network as a PyTorch module with fresh weights, check it against its graph and save it.

    MODEL is a winner's graph.json or config.json, or a zoo name with options. The file holds an exported program in evaluation mode and
    the graph; `archspace.to_module(archspace.load("graph.json"))` gives the module to train. Exit code 1 when a check fails.

    \b
    Example: archspace build runs/shufflenet_v1/winners/01/graph.json -o model.pt2 --check
    """
    names, options = split_words(words)
    if len(names) != 1:
        raise LawError(f"build takes one MODEL, but got {len(names)}: {' '.join(names) or 'none'}. Name a zoo network or a winner's JSON.")
    if output is None and not checks:
        raise LawError("build has nothing to do: give a file to save to with -o, or --check, or both")
    if output is not None:
        if not output.endswith(".pt2"):
            raise LawError(f"{output}: a built module is saved as a .pt2 file. Name it so: -o {Path(output).stem or 'model'}.pt2")
        check_writable(output, force=force)
    graph = load_model(names[0], options, request)
    try:
        from archspace.pytorch import check, save_module, to_module
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None

    module = to_module(graph, seed=seed)
    rows = check(graph, module) if checks else ()
    totals = analyze(graph).totals
    record: dict[str, Any] = {"schema": 1, "model": graph.name, "madds": totals.madds, "params": totals.params, "output": output}
    passed = all(row.ok for row in rows)
    if output is not None and passed:
        save_module(module, graph, Path(output), force=force)
    emit(
        form,
        None,
        tables=lambda: [_table(graph.name, totals.madds, totals.params, rows)],
        data=lambda: {**record, "checks": _check_records(rows), "passed": passed},
        records=lambda: _check_records(rows) if checks else [record],
    )
    if output is not None:
        click.echo(f"wrote {output}" if passed else f"{output} not written: a check failed", err=True)
    return 0 if passed else 1


def _check_records(rows: tuple[OracleRow, ...]) -> list[dict[str, Any]]:
    return [{"check": row.what, "graph": row.expected, "module": row.found, "ok": row.ok} for row in rows]


def _table(name: str, madds: int, params: int, rows: tuple[OracleRow, ...]) -> Table:
    title = f"{name}: {format_count(madds)} multiply-adds, {format_count(params)} parameters"
    cells = [[row.what, _shown(row.expected), _shown(row.found), "ok" if row.ok else "DIFFERENT"] for row in rows]
    return Table(("<check", "graph", "module", "<verdict") if rows else (), cells, title)


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else " ".join("x".join(map(str, shape)) for shape in value)
