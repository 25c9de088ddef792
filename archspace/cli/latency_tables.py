"""Predicted latencies as tables for people, as JSON and as CSV lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import floor, log10
from typing import Any

from archspace.cli.device import latency_record
from archspace.cli.output import Table
from archspace.ir.graph import Graph
from archspace.ir.ops import Opaque
from archspace.latency import Latency, Part, Profile, breakdown
from archspace.latency.breakdown import CONSTANT, costliest, total
from archspace.units import format_share

CAUSES = ("compute", "memory", "overhead", "constant")
SHOWN = 5  # names of opaque ops in a table


@dataclass(frozen=True, slots=True)
class Timed:
    """What a network took on this machine."""

    measured_ms: float
    backend: str
    on: str
    threads: int


@dataclass(frozen=True, slots=True)
class Predicted:
    """A network as it was asked for, its prediction and, where it was run too, what it took."""

    label: str
    graph: Graph
    latency: Latency
    timed: Timed | None = None

    @property
    def opaque(self) -> list[str]:
        """Names of the ops whose work nobody knows: they are priced as memory access alone, so that the total is a lower bound."""
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
                 "device", "latency_ms", "low_ms", "high_ms": 80 % interval, "interval_pct": half its width, "ratio": to the first model,
                 "causes": {"compute_ms", "memory_ms", "overhead_ms", "constant_ms"},
                 "op_types": [{"name", "kernels", "latency_ms", "share", "compute_ms", "memory_ms", "overhead_ms", "constant_ms"}],
                 "rows": [the same keys; per op also "op_type", "block" and "nodes", the ops that run as this kernel],
                 "extrapolates": [why the prediction may not hold], "opaque": [names of ops of unknown work],
                 "lower_bound": true where there are such ops,
                 "measured": null or {"measured_ms", "backend", "on", "threads", "error_pct", "within_interval", "ratio"}}]}

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
        "ratio": _ratio(latency.ms, first.latency.ms),
        "causes": _causes(total(latency)),
        "op_types": [_row(part, latency) for part in breakdown(latency, "type")],
        "rows": [_row(part, latency) | (_of_kernel(part) if per == "op" else {}) for part in one.parts(per, top)],
        "opaque": one.opaque,
        "lower_bound": bool(one.opaque),
        "measured": _measured(one, first),
    }


def _measured(one: Predicted, first: Predicted) -> dict[str, Any] | None:
    if one.timed is None or first.timed is None:
        return None
    ratio = _ratio(one.timed.measured_ms, first.timed.measured_ms)
    return asdict(one.timed) | {"error_pct": one.error_pct, "within_interval": one.is_within, "ratio": ratio}


def _causes(part: Part) -> dict[str, float]:
    return {f"{cause}_ms": getattr(part, f"{cause}_ms") for cause in CAUSES}


def _row(part: Part, latency: Latency) -> dict[str, Any]:
    share = _ratio(part.ms, latency.ms)
    return {"name": part.name, "kernels": len(part.kernels), "latency_ms": part.ms, "share": share, **_causes(part)}


def _of_kernel(part: Part) -> dict[str, Any]:
    """What a row per op says more; rows that are no kernel's have empty values."""
    if len(part.kernels) != 1:
        return {"op_type": "", "block": "", "nodes": []}
    kernel = part.kernels[0]
    return {"op_type": kernel.op_type, "block": kernel.block, "nodes": list(kernel.nodes)}


def _ratio(value: float, first: float) -> float | None:
    return value / first if first else None


def records(found: Sequence[Predicted], per: str, top: int | None, *, of_parts: bool) -> list[dict[str, Any]]:
    """CSV lines: one per row of each network (`of_parts`), or one per network. The nodes of a kernel stand in one cell, spaces between."""
    if of_parts:
        lines = [{"model": one.label, **row} for one in found for row in _model(one, found[0], per, top)["rows"]]
        return [{key: " ".join(value) if isinstance(value, list) else value for key, value in line.items()} for line in lines]
    lines = []
    for one in found:
        model = _model(one, found[0], per, top)
        keys = ("model", "device", "batch", "latency_ms", "low_ms", "high_ms", "ratio", "lower_bound")
        measured = {f"measured_{key.removeprefix('measured_')}": value for key, value in (model["measured"] or {}).items()}
        reasons = "; ".join(model["extrapolates"])
        lines.append({key: model[key] for key in keys} | model["causes"] | {"extrapolates": reasons} | measured)
    return lines


def tables(found: Sequence[Predicted], profile: Profile, per: str, top: int | None, *, of_parts: bool) -> list[Table]:
    """Of one network its rows, op types and total; of several their totals side by side and, where asked (`of_parts`), the rows of each."""
    if len(found) == 1:
        one = found[0]
        return [_parts_table(one, per, top), _types_table(one), Table((), (), "total", [*_total_lines(one), profile_line(profile)])]
    return [_networks_table(found, profile), *([_parts_table(one, per, top) for one in found] if of_parts else [])]


def in_ms(whole: float) -> Callable[[float], str]:
    """How times are written beside a total: with as many digits as give it four; nothing is a dash.

    >>> text = in_ms(3.2204)
    >>> text(3.2204), text(0.01), text(0.0)
    ('3.220', '0.010', '-')
    """
    digits = max(0, 3 - floor(log10(whole))) if whole > 0 else 3
    return lambda value: f"{value:.{digits}f}" if value else "-"


def heading(one: Predicted) -> str:
    """'shufflenet_v2  input 3x224x224  batch 8  gtx1080ti'."""
    shape = "x".join(map(str, one.graph.input_shape[1:])) or "1"
    return f"{one.label}  input {shape}  batch {one.latency.batch}  {one.latency.device}"


def profile_line(profile: Profile) -> str:
    """What stands behind the interval."""
    error = profile.error
    return f"fit             {error.mape_pct:.1f} % off on {error.networks} networks it had not seen (archspace devices {profile.device})"


def _cells(part: Part, whole: Part) -> list[str]:
    text = in_ms(whole.ms)
    share = format_share(part.ms / whole.ms) if whole.ms else "-"
    causes = [text(getattr(part, f"{cause}_ms")) for cause in CAUSES[:3]]
    return [str(len(part.kernels)), text(part.ms), share, *causes]


def _parts_table(one: Predicted, per: str, top: int | None) -> Table:
    whole = total(one.latency)
    rows, kinds = [], []
    for part in (*one.parts(per, top), whole):
        kinds.append([_of_kernel(part)["op_type"], str(len(_of_kernel(part)["nodes"]) or "")])
        rows.append([part.name, *_cells(part, whole)])
    columns = ["<block" if per == "block" else f"<{per}", "kernels", "ms", "share", "compute", "memory", "overhead"]
    if per != "op":
        return Table(columns, rows, heading(one), optional=("kernels", "overhead", "compute"))
    columns[1:2] = ["<type", "ops"]  # what runs as the kernel
    rows = [[row[0], *kind, *row[2:]] for row, kind in zip(rows, kinds, strict=True)]
    return Table(columns, rows, heading(one), optional=("ops", "overhead", "compute"))


def _types_table(one: Predicted) -> Table:
    whole = total(one.latency)
    parts = one.parts("type", max(1, len(one.latency.rows)))
    rows = [[part.name, *_cells(part, whole)] for part in parts]
    return Table(("<op type", "kernels", "ms", "share", "compute", "memory", "overhead"), rows, optional=("kernels", "overhead", "compute"))


def _total_lines(one: Predicted) -> list[str]:
    """The total with its interval, its causes, and what to know before it is believed."""
    latency, whole = one.latency, total(one.latency)
    text = in_ms(latency.ms)
    least = "at least " if one.opaque else ""
    lines = [f"latency         {least}{latency}, 80 % interval {text(latency.low_ms)} to {text(latency.high_ms)} ms"]
    if whole.ms:
        shares = [f"{cause} {format_share(getattr(whole, f'{cause}_ms') / whole.ms)}" for cause in CAUSES]
        lines.append(f"by cause        {', '.join(shares)}")
    if one.timed:
        where = f"{one.timed.backend} on {one.timed.on}, threads {one.timed.threads}"
        inside = "inside" if one.is_within else "outside"
        lines.append(
            f"measured        {text(one.timed.measured_ms)} ms here ({where}): predicted {one.error_pct:+.1f} %, {inside} the interval"
        )
    return lines + [f"{key:<16}{value}" for key, value in doubts(one)]


def doubts(one: Predicted) -> list[tuple[str, str]]:
    """What speaks against a prediction: what it extrapolates, work that nobody knows, and op types that the device's fit has no price for."""
    lines = [("extrapolates", reason) for reason in one.latency.extrapolates]
    if names := one.opaque:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        ops = "1 op is" if len(names) == 1 else f"{len(names)} ops are"
        lines.append(("lower bound", f"{ops} of unknown work, priced as memory access alone: {', '.join(names[:SHOWN])}{more}"))
    free = [f"{part.name} ({len(part.kernels)})" for part in breakdown(one.latency, "type") if part.kernels and not part.ms]
    if free:
        lines.append(("no price", f"in the device's fit for {', '.join(free)}: 0 ms"))
    return lines


def _networks_table(found: Sequence[Predicted], profile: Profile) -> Table:
    first = found[0]
    text = in_ms(min(one.latency.ms for one in found))
    rows = []
    for one in found:
        latency, whole = one.latency, total(one.latency)
        ratio = _ratio(latency.ms, first.latency.ms)
        row = [one.label, text(latency.ms), f"{text(latency.low_ms)} to {text(latency.high_ms)}", _times(ratio)]
        if one.timed and first.timed:
            times = _times(_ratio(one.timed.measured_ms, first.timed.measured_ms))
            row += [text(one.timed.measured_ms), times, f"{one.error_pct:+.1f} %"]
        rows.append([*row, *(format_share(getattr(whole, f"{cause}_ms") / whole.ms) if whole.ms else "-" for cause in CAUSES)])
    timed = ["measured", "ratio ", "off"] if first.timed else []
    columns = ("<", "ms", "80 % interval", "ratio", *timed, *CAUSES)
    notes = [f"ms: one batch of {first.latency.batch} on {profile.device}, each ± {profile.interval_pct:.0f} %"]
    if first.timed:
        notes.append(
            f"measured: here, {first.timed.backend} on {first.timed.on}, threads {first.timed.threads}; off: predicted against measured"
        )
    notes += [f"{one.label}: {key}: {value}" for one in found for key, value in doubts(one)]
    return Table(columns, rows, notes=notes, optional=("constant", "compute", "memory", "overhead"))


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x{ratio:.2f}"


def page_notes(found: Sequence[Predicted], profile: Profile) -> list[str]:
    """What a page says below its title."""
    lines = [" ".join(profile_line(profile).split())]
    for one in found:
        timed = [("measured", f"{one.timed.measured_ms:.4g} ms here, {one.timed.backend} on {one.timed.on}")] if one.timed else []
        lines += [f"{one.label}: {key}: {value}" if len(found) > 1 else f"{key}: {value}" for key, value in (*timed, *doubts(one))]
    return lines
