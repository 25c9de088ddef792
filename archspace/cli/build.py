"""`archspace build`: a network as a PyTorch module, checked, saved, written as code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archspace.analysis import analyze
from archspace.cli.built_files import check_output, planned, take_weights, write_files
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit
from archspace.cli.request import Request, request_options
from archspace.errors import LawError, MissingPackageError
from archspace.ir.features import backbone
from archspace.units import format_count

if TYPE_CHECKING:
    from archspace.pytorch.oracle import OracleRow


@click.command("build", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "-o", "--output", metavar="FILE.pt2|DIR", type=click.Path(), help="Save the module there (torch.export), or fill this folder."
)
@click.option("--code", is_flag=True, help="Write DIR/model.py, readable and standalone, with graph.json and README.md.")
@click.option("--pt2", is_flag=True, help="Write DIR/model.pt2 (torch.export).")
@click.option("--onnx", is_flag=True, help="Write DIR/model.onnx.")
@click.option("--weights", metavar="FROM", type=click.Path(), help="Take the weights of a state dict, a .safetensors or a .pt2 file.")
@click.option("--features", is_flag=True, help="A backbone: without the head, returns the last map of every stage.")
@click.option("--check", "checks", is_flag=True, help="Compare the module with the graph: parameters, multiply-adds, shapes, gradients.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the initial weights.")
@request_options
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Format of the checks."
)
@click.option("--force", is_flag=True, help="Overwrite the output files.")
def command(
    words: tuple[str, ...],
    output: str | None,
    code: bool,
    pt2: bool,
    onnx: bool,
    weights: str | None,
    features: bool,
    checks: bool,
    seed: int,
    request: Request,
    form: str,
    force: bool,
) -> int:
    """Build a network as a PyTorch module with fresh or given weights, check it against its graph, and save it or write it as code.

    MODEL is a winner's graph.json or config.json, or a zoo name with options. A .pt2 file holds an exported program in evaluation mode and
    the graph; `archspace.to_module(archspace.load("graph.json"))` gives the module to train, and so does model.py. Weights go where names
    are equal, else by the order of their shapes; a pickle of anything but tensors is never loaded. Exit code 1 when a check fails.

    \b
    Example: archspace build shufflenet_v2 --width 0.5 -o net --code --pt2 --check
    """
    names, options = split_words(words)
    if len(names) != 1:
        raise LawError(f"build takes one MODEL, but got {len(names)}: {' '.join(names) or 'none'}. Name a zoo network or a winner's JSON.")
    parts = [word for word, wanted in (("--code", code), ("--pt2", pt2), ("--onnx", onnx)) if wanted]
    if output is None and not checks and not parts:
        raise LawError("build has nothing to do: give a file to save to with -o, or --check, or both")
    check_output(output, parts, force=force)
    whole = load_model(names[0], options, request)
    graph = backbone(whole) if features else whole
    try:
        from archspace.pytorch import check, to_module
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None

    files = planned(graph, output, parts, has_weights=weights is not None, force=force)
    module = to_module(graph, seed=seed)
    if weights is not None:
        take_weights(module, whole, weights)
    rows = check(graph, module) if checks else ()
    totals = analyze(graph).totals
    record: dict[str, Any] = {"schema": 1, "model": graph.name, "madds": totals.madds, "params": totals.params, "output": output}
    passed = all(row.ok for row in rows)
    if passed:
        write_files(files, module, graph, output, force=force)
    emit(
        form,
        None,
        tables=lambda: [_table(graph.name, totals.madds, totals.params, rows)],
        data=lambda: {**record, "files": list(files), "checks": _check_records(rows), "passed": passed},
        records=lambda: _check_records(rows) if checks else [record],
    )
    for path in files if passed else [output] if output is not None else []:
        click.echo(f"wrote {path}" if passed else f"{path} not written: a check failed", err=True)
    return 0 if passed else 1


def _check_records(rows: tuple[OracleRow, ...]) -> list[dict[str, Any]]:
    return [{"check": row.what, "graph": row.expected, "module": row.found, "ok": row.ok} for row in rows]


def _table(name: str, madds: int, params: int, rows: tuple[OracleRow, ...]) -> Table:
    title = f"{name}: {format_count(madds)} multiply-adds, {format_count(params)} parameters"
    cells = [[row.what, _shown(row.expected), _shown(row.found), "ok" if row.ok else "DIFFERENT"] for row in rows]
    return Table(("<check", "graph", "module", "<verdict") if rows else (), cells, title)


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else " ".join("x".join(map(str, shape)) for shape in value)
