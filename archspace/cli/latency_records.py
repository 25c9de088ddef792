"""Predicted latencies beside measured ones, as JSON and as CSV lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archspace.cli.device import latency_record
from archspace.ir.graph import Graph
from archspace.ir.ops import Opaque
from archspace.latency import Latency, Part, Profile, breakdown
from archspace.latency.breakdown import costliest, total

CAUSES = ("compute", "memory", "overhead", "constant")


@dataclass(frozen=True, slots=True)
class Timed:
    """What a network took on this machine; noise and what others used are of all that were timed with it (`archspace.timing.Measured`)."""

    measured_ms: float
    backend: str
    on: str
    threads: int
    spread_pct: float
    noise_pct: float
    busy_pct: float | None
    rounds: int
    clock: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """A network as it was asked for, its prediction and, where it was run too, what it took."""

    label: str
    graph: Graph
    latency: Latency
    timed: Timed | None = None

    @property
    def opaque(self) -> list[str]:
        """Names of the ops whose work nobody knows: they are priced by their memory access at most."""
        return [node.name for node in self.graph if isinstance(node.op, Opaque)]

    def parts(self, per: str, top: int | None) -> tuple[Part, ...]:
        """The rows: all in the network's order, or the `top` costliest and the others as one."""
        parts = breakdown(self.latency, per)
        return parts if top is None else costliest(parts, top, f"other {per}s")

    @property
    def error_pct(self) -> float | None:
        """By how much the prediction is above what was measured, in percent of that."""
        return 100 * (self.latency.ms / self.timed.measured_ms - 1) if self.timed else None

    @property
    def is_within(self) -> bool | None:
        """Whether what was measured lies in the interval."""
        return self.latency.low_ms <= self.timed.measured_ms <= self.latency.high_ms if self.timed else None


def data(found: Sequence[Predicted], profile: Profile, per: str, top: int | None) -> dict[str, Any]:
    """JSON values; the keys are a contract, and more may be added. Times are ms of one batch, shares parts of the network's `latency_ms`.

    {"schema": 1, "device": its name, "per": "op" | "block" | "stage",
     "profile": {"title", "runtime", "threads", "batch", "dtype", "fusion", "interval_pct", "provenance",
                 "error": {"method", "mape_pct", "within_10_pct_share", "kendall_tau", "networks", "families", ...}},
     "models": [{"model": as asked for, "config": {...}, "input_shape": [1, 3, 224, 224] of the graph, "batch": of the prediction,
                 "device", "latency_ms", "low_ms", "high_ms": 80 % interval, "interval_pct": half its width,
                 "interval_holds": false where it extrapolates, "ratio": to the first model,
                 "causes": {"compute_ms", "memory_ms", "overhead_ms", "constant_ms"},
                 "op_types": [{"name", "kernels", "latency_ms", "share", "compute_ms", "memory_ms", "overhead_ms", "constant_ms"}],
                 "rows": [the same keys; per op also "op_type", "block" and "nodes", the ops that run as this kernel],
                 "extrapolates": [why the prediction may not hold], "opaque": [names of ops of unknown work],
                 "lower_bound": true where there are such ops, or some without a price,
                 "measured": null or {"measured_ms", "backend", "on", "threads", "spread_pct", "noise_pct": the run's noise floor,
                                      "busy_pct": what others used of the machine, "rounds", "clock", "error_pct", "within_interval",
                                      "ratio"}}]}

    `rows` and `op_types` each add up to `latency_ms`; time of no kernel has a row "(constant)". Of the `top` costliest rows the others are
    one row, "(9 other blocks)".
    """
    first = found[0]
    error = {key: value for key, value in asdict(profile.error).items() if value is not None}
    keys = ("title", "runtime", "threads", "batch", "dtype", "fusion", "interval_pct", "provenance")
    return {
        "schema": 1,
        "device": profile.device,
        "per": per,
        "profile": {key: getattr(profile, key) for key in keys} | {"error": error},
        "models": [_model(one, first, per, top) for one in found],
    }


def _model(one: Predicted, first: Predicted, per: str, top: int | None) -> dict[str, Any]:
    latency = one.latency
    return {
        "model": one.label,
        "config": dict(one.graph.config),
        "input_shape": list(one.graph.input_shape),
        **latency_record(latency),
        "interval_pct": latency.interval_pct,
        "ratio": ratio_of(latency.ms, first.latency.ms),
        "causes": _causes(total(latency)),
        "op_types": [_row(part, latency) for part in breakdown(latency, "type")],
        "rows": [_row(part, latency) | (kernel_record(part) if per == "op" else {}) for part in one.parts(per, top)],
        "opaque": one.opaque,
        "measured": _measured(one, first),
    }


def _measured(one: Predicted, first: Predicted) -> dict[str, Any] | None:
    if one.timed is None:
        return None
    ratio = ratio_of(one.timed.measured_ms, first.timed.measured_ms) if first.timed else None
    return asdict(one.timed) | {"error_pct": one.error_pct, "within_interval": one.is_within, "ratio": ratio}


def _causes(part: Part) -> dict[str, float]:
    return {f"{cause}_ms": getattr(part, f"{cause}_ms") for cause in CAUSES}


def _row(part: Part, latency: Latency) -> dict[str, Any]:
    share = ratio_of(part.ms, latency.ms)
    return {"name": part.name, "kernels": len(part.kernels), "latency_ms": part.ms, "share": share, **_causes(part)}


def kernel_record(part: Part) -> dict[str, Any]:
    """What a row per op says more; rows that are no kernel's have empty values."""
    if len(part.kernels) != 1:
        return {"op_type": "", "block": "", "nodes": []}
    kernel = part.kernels[0]
    return {"op_type": kernel.op_type, "block": kernel.block, "nodes": list(kernel.nodes)}


def ratio_of(value: float, first: float) -> float | None:
    return value / first if first else None


def records(found: Sequence[Predicted], per: str, top: int | None, *, of_parts: bool) -> list[dict[str, Any]]:
    """CSV lines: one per row of each network (`of_parts`), or one per network. The nodes of a kernel stand in one cell, spaces between."""
    if of_parts:
        lines = [{"model": one.label, **row} for one in found for row in _model(one, found[0], per, top)["rows"]]
        return [{key: " ".join(value) if isinstance(value, list) else value for key, value in line.items()} for line in lines]
    lines = []
    for one in found:
        model = _model(one, found[0], per, top)
        keys = ("model", "device", "batch", "latency_ms", "low_ms", "high_ms", "interval_holds", "ratio", "lower_bound")
        measured = {f"measured_{key.removeprefix('measured_')}": value for key, value in (model["measured"] or {}).items()}
        reasons = "; ".join(model["extrapolates"])
        lines.append({key: model[key] for key in keys} | model["causes"] | {"extrapolates": reasons} | measured)
    return lines
