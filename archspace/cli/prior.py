"""`archspace prior`: the ImageNet error that published results suggest for networks, with its interval and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from archspace.accuracy import Prior, prior, quality_text, recipes
from archspace.accuracy.model import REFERENCE
from archspace.analysis.report import total_counts
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit, output_options
from archspace.cli.request import Request, request_options
from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.units import format_count
from archspace.zoo import MEMBERS, chosen_options
from archspace.zoo.published import published_by_member


@dataclass(frozen=True, slots=True)
class Found:
    """One network with its prior, and the errors that papers print of it."""

    model: str
    madds: int  # of one image
    params: int
    prior: Prior
    published: tuple[float, ...]


@click.command("prior", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL... [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option("--recipe", type=click.Choice(list(recipes())), default=REFERENCE, show_default=True, help="How it would be trained.")
@request_options
@output_options
def command(words: tuple[str, ...], recipe: str, request: Request, form: str, output: str | None, force: bool) -> None:
    """Say what published results suggest of a network's ImageNet top-1 error: a prior, not a measurement, with its 80 % interval.

    It comes from a fit on some 540 convolutional networks (studies/prior), for a network trained as the papers of efficient networks do.
    `published` is what papers print of a member of the zoo: the lowest and the highest. What lies outside of the fit is said.

    \b
    Example: archspace prior shufflenet_v2_1x mobilenet_v2 fenet_1x
    """
    names, options = split_words(words)
    if not names:
        raise LawError("prior takes at least one MODEL, but got none. Example: archspace prior shufflenet_v2_1x mobilenet_v2")
    if len(names) > 1 and options:
        raise LawError(f"each of several MODELs has its options in its spec, but got --{next(iter(options))}. Example: shufflenet_v1@g=3")
    labels = [" ".join([name, *(f"{key}={value}" for key, value in options.items())]) for name in names]
    found = [_found(label, load_model(name, options, request), recipe) for label, name in zip(labels, names, strict=True)]
    emit(
        form,
        output,
        tables=lambda: [_table(found, recipe)],
        data=lambda: {
            "schema": 1,
            "recipe": recipe,
            "quality": quality_text(),
            "models": [_record(one) | {"extrapolates": list(one.prior.extrapolates)} for one in found],
        },
        records=lambda: [_record(one) | {"recipe": recipe, "extrapolates": "; ".join(one.prior.extrapolates)} for one in found],
        force=force,
    )


def published_errors(graph: Graph) -> tuple[float, ...]:
    """The distinct top-1 errors that papers print of a network of the zoo, ascending."""
    members = {
        member
        for member, (family, options) in MEMBERS.items()
        if family == graph.config.get("family") and _same_network(graph, family, options)
    }
    rows = published_by_member()
    printed = {row.top1_err_pct for member in members for row in rows.get(member, ()) if row.top1_err_pct is not None}
    return tuple(sorted(printed))


def _same_network(graph: Graph, family: str, options: Any) -> bool:
    """Whether a graph's config is that of a member, the batch apart."""
    return _comparable(chosen_options({"family": family, **options})) == _comparable(chosen_options(graph.config))


def _comparable(options: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items() if key != "batch"}


def _found(label: str, graph: Graph, recipe: str) -> Found:
    counts = total_counts(graph)
    batch = graph.input_shape[0] if graph.input_shape else 1
    return Found(label, counts.madds // batch, counts.params, prior(graph, counts, recipe=recipe), published_errors(graph))


def _record(one: Found) -> dict[str, Any]:
    return {
        "model": one.model,
        "madds": one.madds,
        "params": one.params,
        "prior_error_pct": round(one.prior.error_pct, 2),
        "low_pct": round(one.prior.low_pct, 2),
        "high_pct": round(one.prior.high_pct, 2),
        "published_low_pct": min(one.published, default=None),
        "published_high_pct": max(one.published, default=None),
    }


def _table(found: Sequence[Found], recipe: str) -> Table:
    rows = [
        [
            one.model,
            format_count(one.madds),
            format_count(one.params),
            f"{one.prior.error_pct:.1f} %",
            f"{one.prior.low_pct:.1f} to {one.prior.high_pct:.1f} %",
            _published(one.published),
        ]
        for one in found
    ]
    notes = [
        quality_text(found[0].prior if len(found) == 1 else None),
        f"trained by the recipe {recipe!r}: {recipes()[recipe]}",
        *[f"{one.model} extrapolates: {what}" for one in found for what in one.prior.extrapolates],
    ]
    return Table(("<model", "madds", "params", "prior", "80 % interval", "published"), rows, notes=notes)


def _published(errors: tuple[float, ...]) -> str:
    if not errors:
        return "-"
    return f"{errors[0]:g} %" if len(errors) == 1 else f"{errors[0]:g} to {errors[-1]:g} %"
