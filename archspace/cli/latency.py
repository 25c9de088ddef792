"""--device on the command line: the predicted latency beside the counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archspace.ir.graph import Graph

if TYPE_CHECKING:
    from archspace.latency import Latency

F = TypeVar("F", bound=Callable[..., Any])


def device_option(command: F) -> F:
    """--device."""
    help_text = "Predict latency on this device: gtx1080ti, sd810 or a profile's JSON file."
    return click.option("--device", metavar="NAME", help=help_text)(command)


def predicted(graph: Graph, device: str | None, batch: int | None) -> Latency | None:
    """The prediction for the device's own batch size, or for `batch` where one was asked for. Raises UnknownNameError or FileError."""
    if device is None:
        return None
    from archspace.latency import predict

    return predict(graph, device, batch=batch)


def latency_record(latency: Latency) -> dict[str, Any]:
    """A prediction as JSON values."""
    return {
        "device": latency.device,
        "batch": latency.batch,
        "latency_ms": latency.ms,
        "low_ms": latency.low_ms,
        "high_ms": latency.high_ms,
        "extrapolates": list(latency.extrapolates),
    }
