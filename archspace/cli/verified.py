"""`archspace search --verify N`: its options, its table, its JSON."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archspace.cli.measure import BACKENDS, CLOCKS, progress_bar
from archspace.cli.output import Table

if TYPE_CHECKING:
    from archspace.results import Verified
    from archspace.study import StudyResult

F = TypeVar("F", bound=Callable[..., Any])
LATENCY = "latency_ms"


def verify_options(command: F) -> F:
    """--verify and --verify-backend."""
    backends = click.Choice(BACKENDS)
    text = "What times them.  [default: folded]"
    command = click.option("--verify-backend", type=backends, default="folded", help=text)(command)
    text = "Build the N best, check them against other tools, time them here."
    return click.option("--verify", metavar="N", type=click.IntRange(min=1), help=text)(command)


def check_verify(n: int | None, backend: str) -> None:
    """Raise MissingPackageError before the search, where verifying would raise it after."""
    if n is not None:
        from archspace.results.verifying import check_packages

        check_packages(backend)


def verified_of(result: StudyResult, n: int | None, backend: str, *, force: bool) -> tuple[Verified, ...]:
    """The `n` best of a study, verified; none where it was interrupted. Says on stderr what disturbed the measurement."""
    from archspace.results.verify_files import forget

    if force:
        forget(result.directory)  # the study began anew: what was verified of the one before is no part of it
    if n is None or result.interrupted:
        return ()
    from archspace.results import verify
    from archspace.timing import BusyMachineWarning, keep_pages

    keep_pages()
    with warnings.catch_warnings(record=True) as caught, progress_bar("verify") as report:
        warnings.simplefilter("always")
        rows = verify(result, n, backend=backend, progress=report)
    for warning in caught:
        if issubclass(warning.category, BusyMachineWarning):
            click.echo(f"warning: {warning.message}", err=True)
    if len(rows) < n:
        click.echo(f"asked to verify {n}, but the study has {len(rows)} different candidates within the budget", err=True)
    return rows


def verified_tables(result: StudyResult, rows: Sequence[Verified]) -> list[Table]:
    """One row per candidate: its place before and after, metrics, predicted and measured time, checks."""
    if not rows:
        return []
    from archspace.objectives import metric_text
    from archspace.report.tables import options_text

    question = result.question
    names = [name for name in question.metrics if name != LATENCY]
    has_prediction = any(one.predicted_ms is not None for one in rows)
    columns = [
        "#",
        "was",
        *names,
        *(["predicted ms"] if has_prediction else []),
        "measured ms",
        "<checks",
        "<options",
        "<folder",
    ]
    cells = [
        [
            f"{one.rank}{'' if one.is_winner else '*'}",
            str(one.rank_before),
            *(metric_text(name, one.exceeded.get(name, one.metrics[name])) for name in names),
            *(["-" if one.predicted_ms is None else f"{one.predicted_ms:.4g}"] if has_prediction else []),
            "-" if one.timed is None else f"{one.timed.measured_ms:.4g}",
            _checks(one),
            options_text(one.options, list(question.space.constants)),
            str(one.folder),
        ]
        for one in rows
    ]
    optional = ("<folder", "params", "<options", "madds")
    return [Table(columns, cells, f"verified: {len(rows)} best of {question.space.name}", _notes(result, rows), optional)]


def _checks(one: Verified) -> str:
    passed = sum(check.ok for check in one.checks)
    if one.problem:
        return "NOT BUILT" if one.timed is None else "PROBLEM"
    return f"{passed} ok" if passed == len(one.checks) else f"{len(one.checks) - passed} of {len(one.checks)} FAILED"


def _notes(result: StudyResult, rows: Sequence[Verified]) -> list[str]:

    notes = ["#: by the measured time; was: by the search, as in winners/"]
    if any(not one.is_winner for one in rows):
        notes[0] += "; *: not on the front"
    return [*notes, *_time_notes(result, rows), *_faults(result, rows)]


def _time_notes(result: StudyResult, rows: Sequence[Verified]) -> list[str]:
    """What the times are worth, and how well the prediction orders them."""
    timed = [one for one in rows if one.timed is not None]
    first = next((one.timed for one in timed), None)
    if first is None:
        return []
    notes = [
        f"measured: {CLOCKS['thread']}, batch {first.batch}, {first.backend}, {first.runtime}; {first.device}",
        f"noise floor {first.noise_pct:.1f} %: times that differ by less do not differ",
    ]
    agreement = rank_agreement(rows)
    if agreement is not None:
        device = result.question.profile()
        where = f" ({device.device}, batch {device.batch})" if device else ""
        notes.append(f"Spearman of predicted{where} and measured times: {agreement:.2f}, of {len(timed)} networks")
    return notes


def rank_agreement(rows: Sequence[Verified]) -> float | None:
    """Spearman's rank correlation of predicted and measured times; None for fewer than two networks, or where all are alike."""
    from archspace.results.verify_rows import spearman

    pairs = [(one.predicted_ms, one.timed.measured_ms) for one in rows if one.timed is not None and one.predicted_ms is not None]
    return spearman([p for p, _ in pairs], [m for _, m in pairs]) if len(pairs) > 1 else None


def _faults(result: StudyResult, rows: Sequence[Verified]) -> list[str]:
    """Candidates outside of a bound, with a check that failed, or that could not be built."""
    from archspace.objectives import metric_text

    bounds = result.question.bounds
    lines = []
    for one in sorted(rows, key=lambda one: one.rank_before):
        place = f"number {one.rank_before} of the search"
        if one.problem:
            lines.append(f"{place} could not be built or run: {one.problem}")
        for name, value in one.exceeded.items():
            lines.append(f"{place} is OUTSIDE the bound: {name} {metric_text(name, value)}, at most {metric_text(name, bounds[name])}")
        lines += [
            f"{place} fails the check '{check.what}': {check.expected} expected, {check.found} found"
            for check in one.checks
            if not check.ok and " at most " not in check.what
        ]
        if one.too_slow and one.timed is not None:
            lines.append(f"{place} took {one.timed.measured_ms:.4g} ms here, at most {bounds[LATENCY]:.4g} ms were predicted and asked for")
    return lines


def verified_data(result: StudyResult, rows: Sequence[Verified]) -> dict[str, Any]:
    """The JSON form; nothing where nothing was verified."""
    if not rows:
        return {}

    first = next((one.timed for one in rows if one.timed is not None), None)
    return {
        "verified": {
            "ranked_by": "measured_ms",
            "spearman": rank_agreement(rows),
            "noise_pct": None if first is None else first.noise_pct,
            "rows": [one.to_dict() for one in rows],
        }
    }


def verified_records(rows: Sequence[Verified]) -> list[dict[str, Any]]:
    """One flat row per candidate."""
    if not rows:
        return []
    from archspace.report.tables import option_columns

    return [
        {
            "rank": one.rank,
            "rank_before": one.rank_before,
            "is_winner": one.is_winner,
            **one.metrics,
            "predicted_ms": one.predicted_ms,
            "measured_ms": one.timed.measured_ms if one.timed else None,
            "noise_pct": one.timed.noise_pct if one.timed else None,
            "checks": len(one.checks),
            "passed": sum(check.ok for check in one.checks),
            "problem": one.problem,
            **option_columns(one.options),
            "folder": str(one.folder),
        }
        for one in rows
    ]


def say_verified(rows: Sequence[Verified]) -> None:
    """What became of it, on stderr."""
    if rows:
        ok = sum(one.ok for one in rows)
        click.echo(f"verified {ok} of {len(rows)}: wrote {rows[0].folder.parent}/", err=True)
