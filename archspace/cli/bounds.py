"""Bounds on the command line: --max-madds and its like, and --max METRIC=VALUE for every other metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from archspace.errors import LawError
from archspace.settings import BOUNDS
from archspace.units import parse_number

F = TypeVar("F", bound=Callable[..., Any])


def bound_options(command: F) -> F:
    """The options of all bounds, under their names in `archspace.settings.BOUNDS`, and `most` for --max."""
    for option in (
        click.option("--max", "most", metavar="METRIC=VALUE", multiple=True, help="At most this, of any metric: findings=2M."),
        click.option("--max-latency", metavar="TIME", help="At most this predicted latency: 30ms. Needs --device."),
        click.option("--max-acts", metavar="COUNT", help="At most so many activations: 3M."),
        click.option("--max-mem-elems", metavar="COUNT", help="At most so much memory access, in elements: 20M."),
        click.option("--max-params", metavar="COUNT", help="At most so many parameters: 2.3M."),
        click.option("--max-madds", metavar="COUNT", help="At most so many multiply-adds: 140M."),
    ):
        command = option(command)
    return command


def named_bounds(options: Mapping[str, Any]) -> dict[str, float]:
    """Metric -> most, of the options that `archspace.settings.BOUNDS` names. Raises LawError with the option."""
    bounds: dict[str, float] = {}
    for key, (metric, read) in BOUNDS.items():
        if options[key] is not None:
            try:
                bounds[metric] = read(options[key])
            except LawError as error:
                raise error.at(f"--{key.replace('_', '-')}") from None
    return bounds


def bounds_of(options: Mapping[str, Any]) -> dict[str, float]:
    """Metric -> most, of the options that `bound_options` gives. Raises LawError, UnknownNameError for a --max of no metric."""
    from archspace.objectives import metric_named

    bounds = named_bounds(options)
    readers = dict(BOUNDS.values())
    for word in options["most"]:
        metric, equals, value = word.rpartition("=")
        if not equals:
            raise LawError(f"--max takes METRIC=VALUE, but got {word!r}. Example: --max findings=2M")
        metric_named(metric)
        if metric in bounds:
            raise LawError(f"a metric has one bound, but {metric} has two. Drop one.")
        bounds[metric] = readers.get(metric, parse_number)(value)
    return bounds
