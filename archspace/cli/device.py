"""--device on the command line: the predicted latency beside the counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archspace.ir.graph import Graph

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from archspace.latency import Latency

F = TypeVar("F", bound=Callable[..., Any])


def device_option(command: F) -> F:
    """--device."""
    help_text = "Predict latency on this device: a name that archspace devices lists, or a profile's JSON file."
    return click.option("--device", metavar="NAME|FILE", help=help_text, shell_complete=completed_device)(command)


def completed_device(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names that begin so; where there are none, the shell's own files."""
    from click.shell_completion import CompletionItem

    from archspace.latency import device_names

    names = [CompletionItem(name) for name in device_names() if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


def predicted(graph: Graph, device: str | None, batch: int | None) -> Latency | None:
    """The prediction for the device's own batch size, or for `batch` where one was asked for. Raises UnknownNameError or FileError."""
    if device is None:
        return None
    from archspace.latency import predict

    return predict(graph, device, batch=batch)


def latency_note(latency: Latency, what: str = "latency") -> list[str]:
    """Lines for people: a prediction with its interval, and why it may not hold."""
    return [f"{what}: {latency}", *(f"{what} extrapolates: {reason}" for reason in latency.extrapolates)]


def latency_record(latency: Latency) -> dict[str, Any]:
    """A prediction as JSON values: `low_ms` to `high_ms` is the 80 % interval where `interval_holds`, `lower_bound` says "at least"."""
    return {
        "device": latency.device,
        "batch": latency.batch,
        "latency_ms": latency.ms,
        "low_ms": latency.low_ms,
        "high_ms": latency.high_ms,
        "interval_holds": latency.interval_holds,
        "lower_bound": latency.lower_bound,
        "extrapolates": list(latency.extrapolates),
    }
