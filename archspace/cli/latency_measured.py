"""`archspace latency --compare-measured`: what networks take on this machine, and a line for each that cannot be run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import click

from archspace.cli.latency_records import Timed
from archspace.cli.request import Request
from archspace.cli.subjects import load_subject
from archspace.errors import FileError, LawError


def measured(
    names: Mapping[str, str], options: Mapping[str, str], request: Request, *, backend: str, on: str, threads: int
) -> dict[str, Timed]:
    """What the networks take, by label, in rounds that take turns; `names` are their MODELs by label.

    Zoo networks and graphs are built with random weights, Python models, .pt2 and .onnx files run as they are, as in `archspace measure`.
    Those that cannot be run are left out, with a line each on stderr: a prediction does not depend on them.
    Raises UnknownNameError for a backend that is none, MissingPackageError for one that is not installed.
    """
    import archspace

    measure = archspace.measure  # MissingPackageError, where torch is not there
    from archspace.timing import keep_pages
    from archspace.timing.subject import Subject

    subjects: list[Subject] = []
    for label, name in names.items():
        try:
            subjects.append(replace(load_subject(name, options, request), name=label))
        except (LawError, FileError) as error:
            _warn(f"{label} is not measured: {error}")
    if not subjects:
        return {}
    keep_pages()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            times = measure(subjects, backends=(backend,), on=on, threads=threads)
        except LawError as error:
            times = ()
            _warn(f"nothing is measured: {error}")
    for warning in said:
        if issubclass(warning.category, UserWarning):
            _warn(str(warning.message))
    return {
        one.model: Timed(one.measured_ms, backend, on, threads, one.spread_pct, one.noise_pct, one.busy_pct, one.rounds, one.clock)
        for one in times
    }


def noise_lines(timed: Sequence[Timed | None]) -> list[tuple[str, str]]:
    """How far to trust the measured times, which are of one run: its noise floor, and what others used of the machine."""
    one = next((one for one in timed if one), None)
    if one is None:
        return []
    lines = [("noise floor", f"{one.noise_pct:.1f} % in these {one.rounds} rounds; another run may lie a few percent off")]
    return lines + ([("others used", f"{one.busy_pct:.0f} % of the machine meanwhile")] if one.busy_pct is not None else [])


def _warn(words: str) -> None:
    click.echo(f"warning: {words}", err=True)
