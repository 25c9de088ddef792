"""`archspace improve`: what is better than a network, near it: what changed, what it gained, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from archspace.analysis.pareto import DIRECTIONS
from archspace.cli.bounds import bound_options, bounds_of
from archspace.cli.device import device_option
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit
from archspace.cli.progress import search_bar
from archspace.cli.request import Request, request_options
from archspace.cli.search import read_objectives
from archspace.errors import LawError
from archspace.units import format_count

if TYPE_CHECKING:
    from archspace.results import Improvement, Variant
    from archspace.rules import Waste


@click.command("improve", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@bound_options
@device_option
@click.option("--maximize", metavar="METRIC", multiple=True, help="Objective; may be repeated.")
@click.option("--minimize", metavar="METRIC", multiple=True, help="Objective; may be repeated.  [default: see below]")
@click.option("--trials", type=click.IntRange(min=1), default=300, show_default=True, help="Trials in all, earlier ones counted in.")
@click.option("--sampler", metavar="NAME", default="auto", show_default=True, help="auto, tpe, nsga2, gp, random or grid.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that judge candidates.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same trials.")
@request_options
@click.option("-o", "--output", "directory", type=click.Path(), help="The study's directory.  [default: runs/improve-FAMILY-DIGEST]")
@click.option("--force", is_flag=True, help="Start the study anew, over what is in its directory.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Output format.")
def command(words: tuple[str, ...], request: Request, directory: str | None, form: str, **options: Any) -> int:
    """Search around a network for what is better: faster, with as much capacity, within its own budget.

    MODEL is a zoo network with its options, a graph.json, or an .onnx, .pt2 or Python network of a known family. Its own options are
    varied, up to half more or less. By default latency is minimised (memory access without --device) and the capacity kept: the prior
    error where there is one, else the channels of the last stage. Without bounds, madds, params and latency may not grow. The directory
    gets what a search leaves. Exit code 1 when nothing is better, nor keeps a bound that the model itself exceeds.

    \b
    Example: archspace improve shufflenet_v1 --g 8 --device gtx1080ti
    """
    names, model_options = split_words(words)
    if len(names) != 1:
        raise LawError(
            f"improve takes one MODEL, but got {len(names)}: {' '.join(names) or 'none'}. Example: archspace improve shufflenet_v1"
        )
    graph = load_model(names[0], model_options, request)
    bounds = bounds_of(options)
    objectives = read_objectives({way: options[way] for way in DIRECTIONS})

    from archspace.results import improve

    with search_bar("improve") as report:
        found = improve(
            graph,
            directory=directory,
            bounds=bounds,
            objectives=objectives,
            device=options["device"],
            trials=options["trials"],
            sampler=options["sampler"],
            seed=options["seed"],
            workers=options["workers"],
            force=options["force"],
            progress=report,
        )
    emit(form, None, tables=lambda: _tables(found), data=lambda: _data(found), records=lambda: _records(found))
    _say(found)
    return 1 if found.outcome == "none" else 0


def _tables(found: Improvement) -> list[Table]:
    """What changed, what it gained, the rules, the alternatives; of the nearest where nothing is better."""
    from archspace.zoo import ZOO

    shown = found.best or found.nearest
    family = found.network.family
    title = f"{family}: {ZOO[family].summary}" if found.best or not shown else f"{family}: nothing better was found; the nearest"
    if shown is None:
        return [Table((), (), f"{family}: nothing was found that can be built", [_asked(found)])]
    tables = [_changes(found, shown, title), _gains(found, shown), _rules(found, shown)]
    return [*tables, _alternatives(found)] if found.alternatives else tables


def _asked(found: Improvement) -> str:
    return str(found.result.question)


def _changes(found: Improvement, shown: Variant, title: str) -> Table:
    rows = [[name, _text(before), _text(after)] for name, (before, after) in shown.changes(found.start).items()]
    return Table(("<option", "<from", "<to"), rows, title)


def _gains(found: Improvement, shown: Variant) -> Table:
    from archspace.objectives import metric_text, notes_on

    question = found.result.question
    rows = []
    for name in found.compared:
        before, after = found.start.metrics[name], shown.metrics[name]
        most = question.bounds.get(name)
        aim = question.objectives.get(name, "")
        limit = "" if most is None else f"at most {metric_text(name, most)}"
        kept = "" if most is None else "kept" if after <= most else "EXCEEDED"
        rows.append([name, metric_text(name, before), metric_text(name, after), _percent(before, after), aim, limit, kept])
    notes = notes_on(found.compared)
    device = question.profile()
    if device is not None:
        notes.append(f"latency_ms: one batch of {device.batch} on {device.device}, ± {device.interval_pct:.0f} % (80 % interval)")
    if "prior" not in question.objectives and "stage_channels" in question.objectives:
        notes.append("stage_channels stands for capacity; accuracy follows it at equal multiply-adds alone (ShuffleNet v1, section 4.2)")
    return Table(("<metric", "from", "to", "change", "<aim", "<bound", ""), rows, notes=notes, optional=("", "<aim"))


def _rules(found: Improvement, shown: Variant) -> Table:
    """Rule by rule what the linter finds, before and after."""
    from archspace.rules import RULES

    before, after = found.start.lint, shown.lint
    rows = []
    for code in (*before.codes, "total"):
        one, other = before.waste[code], after.waste[code]
        if one.findings or other.findings or code == "total":
            label = f"{code} {RULES[code].name}" if code in RULES else code
            pairs = [(str(one.findings), str(other.findings)), (format_count(one.mem_elems), format_count(other.mem_elems))]
            ms = [(_ms(one), _ms(other))] if before.device else []
            rows.append([label, *(f"{was} → {now}" for was, now in (*pairs, *ms)), _percent(one.mem_elems, other.mem_elems)])
    columns = ["<rule", "findings", "wasted elems", *(["ms"] if before.device else []), "change"]
    return Table(columns, rows, notes=["wasted: elements that are accessed for nothing, by each rule of archspace lint"])


def _ms(waste: Waste) -> str:
    return "-" if waste.ms is None else f"{waste.ms:.3f}"


def _alternatives(found: Improvement) -> Table:
    from archspace.objectives import metric_text

    question = found.result.question
    names = list(dict.fromkeys((*question.objectives, *question.bounds)))
    rows = [
        [str(place), *(metric_text(name, one.metrics[name]) for name in names), _changes_text(one, found.start)]
        for place, one in enumerate(found.alternatives, start=2)
    ]
    return Table(("#", *names, "<changes"), rows, "alternatives", optional=("params", "madds"))


def _changes_text(one: Variant, start: Variant) -> str:
    return " ".join(f"{name}={_text(after)}" for name, (_, after) in one.changes(start).items())


def _text(value: Any) -> str:
    """An option's value for people: '4x8x4', 'none', 'yes', '0.55'."""
    if isinstance(value, list):
        return "x".join(map(_text, value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _percent(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %" if before else "-"


def _data(found: Improvement) -> dict[str, Any]:
    question = found.result.question
    shown = found.best or found.nearest
    return {
        "schema": 1,
        "family": found.network.family,
        "options": dict(found.network.options),
        "is_exact": found.network.is_exact,
        "outcome": found.outcome,
        "question": question.to_dict(),
        "directory": str(found.result.directory),
        "trials": len(found.result.records),
        "feasible": found.result.feasible,
        "exceeds": list(found.exceeds),
        "start": _variant_record(found.start, found.start),
        "best": _variant_record(found.best, found.start) if found.best else None,
        "nearest": _variant_record(found.nearest, found.start) if found.nearest else None,
        "alternatives": [_variant_record(one, found.start) for one in found.alternatives],
        "rules": _rule_records(found.start, shown) if shown else {},
    }


def _variant_record(one: Variant, start: Variant) -> dict[str, Any]:
    changes = {name: {"from": before, "to": after} for name, (before, after) in one.changes(start).items()}
    gains = {name: one.metrics[name] / start.metrics[name] - 1 if start.metrics[name] else None for name in one.metrics}
    return {"options": dict(one.options), "metrics": dict(one.metrics), "changes": changes, "change_share": gains}


def _rule_records(start: Variant, shown: Variant) -> dict[str, Any]:
    def record(waste: Waste) -> dict[str, Any]:
        return {"findings": waste.findings, "wasted_mem_elems": waste.mem_elems, "wasted_ms": waste.ms}

    return {code: {"from": record(start.lint.waste[code]), "to": record(shown.lint.waste[code])} for code in start.lint.waste}


def _records(found: Improvement) -> list[dict[str, Any]]:
    """One flat row per network."""
    from archspace.report.tables import option_columns

    named: Sequence[tuple[str, Variant | None]] = (
        ("start", found.start),
        ("best", found.best),
        ("nearest", found.nearest),
        *(("alternative", one) for one in found.alternatives),
    )
    return [{"network": word, **one.metrics, **option_columns(one.options)} for word, one in named if one is not None]


def _say(found: Improvement) -> None:
    """How the search went, on stderr."""
    from archspace.objectives import metric_text

    result = found.result
    bounds = result.question.bounds
    if not found.network.is_exact:
        spec = ",".join(f"{key}={_text(value).replace('x', ',')}" for key, value in found.network.options.items())
        click.echo(f"recognised as {found.network.family}{'@' if spec else ''}{spec}", err=True)
    click.echo(
        f"{_asked(found)}: {len(result.records)} trials ({result.resumed} from before), {result.feasible} within the bounds", err=True
    )
    for name in found.exceeds:
        value, most = metric_text(name, found.start.metrics[name]), metric_text(name, bounds[name])
        click.echo(f"the model itself exceeds a bound: {name} {value}, at most {most}", err=True)
    if result.interrupted:
        click.echo("stopped; the same command goes on from here", err=True)
    if found.outcome == "fits":
        click.echo("nothing keeps the bounds without a loss; shown is what keeps them and loses least", err=True)
    if found.outcome == "none":
        click.echo("nothing better was found; run more --trials, or ask for less", err=True)
    click.echo(f"wrote {result.directory}: winners/, pareto.csv, records.csv, report.html", err=True)
