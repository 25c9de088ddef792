"""Surveys of spaces as tables for people and as rows for CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspace.cli.output import Table
from archspace.objectives import metric_text, notes_on
from archspace.space.domains import value_text
from archspace.survey import Comparison, Description
from archspace.survey.describing import Share, condition_text, values_text
from archspace.survey.statistics import bin_counts, bin_edges
from archspace.units import format_share

BINS = 14
BAR = 48  # characters of the longest bar
WITHIN, OUTSIDE = "█", "░"


def description_tables(found: Description) -> list[Table]:
    """Parameters; how many and what share; what they cost; the distribution of the first bounded metric, or of the multiply-adds."""
    space = found.space
    rows = [[p.name, values_text(p), condition_text(p)] for p in space.parameters]
    notes = [f"always: {_options(space.constants)}"] if space.constants else []
    title = f"{space.name} ({space.family})" + (f": {space.description}" if space.description else "")
    columns = ("<parameter", "<values", "<only where") if any(row[2] for row in rows) else ("<parameter", "<values")
    parameters = Table(columns, [row[: len(columns)] for row in rows], title, [*notes, *found.notes])
    return [parameters, _shares(found), _spreads(found), _histogram(found)]


def _shares(found: Description) -> Table:
    rows = [
        ["architectures", str(found.size), ""],
        ["can be built", *_share(found.buildable)],
    ]
    if found.bounds:
        rows.append([f"within {_bounds(found.bounds)}", *_share(found.feasible)])
    notes = [f"shares of {len(found.samples)} random candidates (seed {found.seed}), with their 95 % intervals"]
    if found.problem:
        notes.append(f"the first that cannot be built: {found.problem}")
    return Table(("<", "in the space", "<of the samples"), rows, notes=notes)


def _share(share: Share) -> list[str]:
    values = share.to_dict()
    interval = f"{100 * values['low']:.1f} to {100 * values['high']:.1f} %"
    return [format_share(values["share"]), f"{share.hits} of {share.samples} ({interval})"]


def _spreads(found: Description) -> Table:
    quantiles = ("min", "5 %", "median", "95 %", "max")
    everywhere = {spread.metric: spread for spread in found.spreads()}
    inside = {spread.metric: spread for spread in found.spreads(within=True)} if found.bounds else {}
    rows: list[list[str]] = []
    for metric in dict.fromkeys([*everywhere, *inside]):
        named = [("all", everywhere.get(metric)), ("within", inside.get(metric))]
        texts = [[word, *(metric_text(metric, value) for value in spread.values)] for word, spread in named if spread is not None]
        rows += [[metric if i == 0 else "", *(text if found.bounds else text[1:])] for i, text in enumerate(texts)]
    columns = ("<metric", "<samples", *quantiles) if found.bounds else ("<metric", *quantiles)
    notes = notes_on([*everywhere, *inside])
    notes += [f"latency_ms: predicted for {found.device}"] if found.device else []
        [f"latency_ms: predicted for {found.device}"] if found.device else []
    )
    return Table(columns, rows, notes=notes)


def _histogram(found: Description) -> Table:
    metric = next(iter(found.bounds), "madds")
    within = [sample.metrics[metric] for sample in found.built if sample.feasible]
    outside = [sample.metrics[metric] for sample in found.built if not sample.feasible]
    edges = bin_edges(within + outside, BINS)
    hits, misses = bin_counts(within, edges), bin_counts(outside, edges)
    longest = max(a + b for a, b in zip(hits, misses, strict=True))
    rows = []
    for i, (a, b) in enumerate(zip(hits, misses, strict=True)):
        full, whole = round(BAR * a / longest), round(BAR * (a + b) / longest)
        # What is there is seen: a bar of its own for the few.
        full = max(full, 1) if a else 0
        whole = max(whole, full + 1) if b else full
        rows.append(
            [metric_text(metric, edges[i]), metric_text(metric, edges[i + 1]), str(a + b), WITHIN * full + OUTSIDE * (whole - full)]
        )
    notes = [f"{WITHIN} within the budget, {OUTSIDE} outside"] if found.bounds else []
    return Table(("from", "to", "samples", f"<{metric}"), rows, notes=notes)


def comparison_tables(found: Comparison) -> list[Table]:
    """Per metric the spaces' distributions, and of every two which one is ahead."""
    tables = []
    for metric, direction in found.metrics.items():
        levels = found.levels[metric]
        word = "above" if direction == "maximize" else "below"
        columns = (
            "<space",
            "samples",
            "min",
            "5 %",
            "median",
            "95 %",
            "max",
            "mean",
            *(f"{word} {metric_text(metric, v)}" for v in levels),
        )
        rows = [
            [
                row["space"],
                str(row["n"]),
                *(metric_text(metric, row[key]) for key in ("min", "p5", "median", "p95", "max", "mean")),
                *(format_share(share) for share in row["better_than"].values()),
            ]
            for row in found.rows(metric)
        ]
        tables.append(Table(columns, rows, f"{metric} ({direction})" + _within(found.bounds), optional=("min", "max", "5 %", "95 %")))
        pairs = [
            [pair.first, pair.second, f"{pair.apart.distance:.3f}", _p_text(pair.apart.p_value), pair.verdict]
            for pair in found.pairs(metric)
        ]
        tables.append(Table(("<space", "<against", "KS distance", "p", "<verdict"), pairs))
    return [*tables, Table((), (), notes=_comparison_notes(found))]


def _comparison_notes(found: Comparison) -> list[str]:
    notes = [
        f"{member.label}: {_share(member.within)[0]} of {len(member.samples)} candidates within the budget" for member in found.members
    ]
    notes = notes if found.bounds else []
    notes.append(f"shares and distances are over random members (seed {found.seed}); p: of so large a distance by chance")
    notes += notes_on(found.metrics)
    return [*notes, *([f"latency_ms: predicted for {found.device}"] if "latency_ms" in found.metrics and found.device else [])]


def page_notes(found: Description | Comparison) -> list[str]:
    """What stands on a page beside its figures."""
    if isinstance(found, Comparison):
        verdicts = [
            f"{metric}: {pair.first} against {pair.second}: {pair.verdict} "
            f"(KS distance {pair.apart.distance:.3f}, p {_p_text(pair.apart.p_value)})"
            for metric in found.metrics
            for pair in found.pairs(metric)
        ]
        return [f"random members{_within(found.bounds)}", *verdicts, *_comparison_notes(found)]
    share = _share(found.buildable)
    lines = [found.space.description, f"{found.size} architectures; {share[0]} can be built: {share[1]}"]
    if found.bounds:
        share = _share(found.feasible)
        lines.append(f"within {_bounds(found.bounds)}: {share[0]}, {share[1]}")
    if found.problem:
        lines.append(f"the first that cannot be built: {found.problem}")
    lines += [f"{p.name}: {values_text(p)}" + (f" (only where {condition_text(p)})" if p.when else "") for p in found.space.parameters]
    lines += [f"always: {_options(found.space.constants)}"] if found.space.constants else []
    return [line for line in [*lines, *found.notes, *notes_on([spread.metric for spread in found.spreads()])] if line]


def description_records(found: Description) -> list[dict[str, Any]]:
    """A row per candidate: its options under `option.`, its metrics, whether it is within the budget, why it cannot be built."""
    return [
        {
            "number": number,
            "feasible": sample.feasible,
            **sample.metrics,
            **{f"option.{key}": value for key, value in sample.options.items()},
            "problem": sample.problem,
        }
        for number, sample in enumerate(found.samples)
    ]


def comparison_records(found: Comparison) -> list[dict[str, Any]]:
    """A row per metric and space."""
    rows = []
    for metric in found.metrics:
        for row in found.rows(metric):
            shares = row.pop("better_than")
            better = {f"level_{i}": level for i, level in enumerate(shares, start=1)}
            better |= {f"better_than_level_{i}": share for i, share in enumerate(shares.values(), start=1)}
            rows.append({"metric": metric, **row, **better})
    return rows


def _bounds(bounds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} at most {metric_text(name, most)}" for name, most in bounds.items())


def _within(bounds: Mapping[str, float]) -> str:
    return f", within {_bounds(bounds)}" if bounds else ""


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value_text(value)}" for key, value in options.items())


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
