"""Predicted latency of a graph on a device: a sum over its fused kernels, with an interval and what it extrapolates.

    t = constant + c_px * input pixels + sum over kernels of
        [k + madds * (a + ap / cin_per_group + aq / cout_per_group) + b * bytes in + b' * bytes out + w * weight bytes]

with non-negative coefficients per op type; `terms` lists all of them. Batch: elements and multiply-adds of feature maps scale with
it, weights, kernels and the constant do not. Bytes are those of the profile's dtype.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, log10
from operator import mul
from pathlib import Path

from archspace.errors import LawError
from archspace.ir.graph import Graph, require_graph
from archspace.ir.ops import Opaque
from archspace.latency.catalog import load_profile
from archspace.latency.fusion import Kernel, fused_kernels
from archspace.latency.op_types import DEFAULT, OPAQUE, priced_as
from archspace.latency.profile import Profile, Range
from archspace.latency.terms import COMPUTE, MEMORY, OVERHEAD, kernel_terms
from archspace.units import format_count


@dataclass(frozen=True, slots=True)
class KernelLatency:
    """One fused kernel's share, in ms, by cause."""

    name: str  # its leading node
    nodes: tuple[str, ...]
    block: str
    op_type: str
    compute_ms: float  # what its multiply-adds cost
    memory_ms: float  # what the bytes it reads and writes cost
    overhead_ms: float  # what it costs to be a kernel

    @property
    def ms(self) -> float:
        """All causes together."""
        return self.compute_ms + self.memory_ms + self.overhead_ms


@dataclass(frozen=True, slots=True)
class Latency:
    """A prediction for one batch, in ms.

    `low_ms` to `high_ms` is the 80 % interval: `interval_pct` on either side, from the profile's error on unseen
    networks. Where `extrapolates` has reasons it does not hold, and no one factor would mend it: held-out networks at other batches are
    off hardly more than others, those with op types that the fit has not seen up to ten intervals (studies/timm_devices).
    """

    ms: float
    low_ms: float
    high_ms: float
    interval_pct: float
    batch: int
    device: str
    constant_ms: float  # the part that belongs to no kernel: constant and input pixels
    rows: tuple[KernelLatency, ...]
    extrapolates: tuple[str, ...]
    lower_bound: bool = False  # a part of the work is unknown or has no price

    @property
    def interval_holds(self) -> bool:
        """Whether the interval is what it says: inside what the fit has seen."""
        return not self.extrapolates

    def __str__(self) -> str:
        """'2.93 ms ± 0.25 (gtx1080ti, batch 8)', or 'at least 2.93 ms (gtx1080ti, batch 2, extrapolates: no interval)'."""
        half = (self.high_ms - self.low_ms) / 2
        digits = max(0, 1 - floor(log10(half))) if half > 0 else 3
        least = "at least " if self.lower_bound else ""
        interval, note = (f" ± {half:.{digits}f}", "") if self.interval_holds else ("", ", extrapolates: no interval")
        return f"{least}{self.ms:.{digits}f} ms{interval} ({self.device}, batch {self.batch}{note})"


def predict(graph: Graph, device: str | Profile | Path, *, batch: int | None = None) -> Latency:
    """The latency of one batch on a device: a name (`archspace.devices()`), a profile, or the path of its JSON.

    `batch` is the profile's unless given; the graph may have been built for any. Raises UnknownNameError and FileError for the
    device, LawError for a batch below 1 or a graph without input.
    """
    require_graph("predict", graph)
    profile = device if isinstance(device, Profile) else load_profile(device)
    batch, scale, pixels = _workload(graph, profile, batch)
    kernels = fused_kernels(graph, profile.fusion)
    rows = tuple([_row(kernel, causes) for kernel, causes in zip(kernels, _causes(kernels, profile, scale), strict=True)])
    constant_ms = _constant_ms(profile, pixels * batch)
    ms = constant_ms + sum(row.ms for row in rows)
    half = ms * profile.interval_pct / 100
    free, reasons = unpriced(kernels, profile), extrapolations(graph, profile, kernels, batch=batch)
    least = bool(free) or any(isinstance(node.op, Opaque) for node in graph.nodes)
    return Latency(ms, max(0.0, ms - half), ms + half, profile.interval_pct, batch, profile.device, constant_ms, rows, reasons, least)


def latency_ms(graph: Graph, profile: Profile, batch: int | None = None) -> float:
    """`predict(...).ms` without rows and reasons, for searches. Raises LawError as `predict` does."""
    batch, scale, pixels = _workload(graph, profile, batch)
    kernels = fused_kernels(graph, profile.fusion)
    return _constant_ms(profile, pixels * batch) + sum(sum(causes) for causes in _causes(kernels, profile, scale))


def extrapolations(graph: Graph, profile: Profile, kernels: tuple[Kernel, ...], *, batch: int) -> tuple[str, ...]:
    """Why the profile's fit may not hold: batch, counts outside what it has seen, work without a price or of unknown kind.

    Empty when it should hold.
    """
    reasons = []
    low, high = profile.ranges.batch or (profile.batch, profile.batch)
    if not low <= batch <= high:
        reasons.append(f"batch {batch}, fitted at {low:g}" + (f" to {high:g}" if high > low else ""))
    images, pixels = graph.input_shape[0], _pixels(graph)
    seen: tuple[tuple[str, float, Range | None], ...] = (
        ("kernels", len(kernels), profile.ranges.kernels),
        ("madds per image", sum(kernel.madds for kernel in kernels) / images, profile.ranges.madds),
        ("input pixels", pixels, profile.ranges.input_pixels),
    )
    for what, value, bounds in seen:
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            reasons.append(f"{format_count(value)} {what}, fitted on {format_count(bounds[0])} to {format_count(bounds[1])}")
    if profile.ranges.op_types is not None:
        unseen = sorted({kernel.op_type for kernel in kernels} - {*profile.ranges.op_types, OPAQUE})
        if unseen:
            reasons.append(f"op types that the fit has not seen: {', '.join(unseen)}")
    if free := unpriced(kernels, profile):
        reasons.append("no price for: " + ", ".join(f"{name} ({n} {'op' if n == 1 else 'ops'})" for name, n in free.items()))
    unknown = sorted({node.op.kind for node in graph.nodes if isinstance(node.op, Opaque)})
    if unknown:
        reasons.append(f"ops of unknown kind: {', '.join(unknown)}")
    return tuple(reasons)


def unpriced(kernels: Iterable[Kernel], profile: Profile) -> dict[str, int]:
    """The op types that cost nothing because the profile does not know them, and how many kernels are of each.

    A type that was fitted to cost nothing has a row that says so; work of unknown kind is told by its own reason.
    """
    if any(profile.coefficients[DEFAULT].values):
        return {}
    found = Counter([kernel.op_type for kernel in kernels])
    return {name: n for name, n in sorted(found.items()) if name != OPAQUE and priced_as(name, profile.coefficients) == DEFAULT}


def _workload(graph: Graph, profile: Profile, batch: int | None) -> tuple[int, float, int]:
    """The batch, by how much the graph's counts scale to it, and the pixels of one image."""
    if batch is None:
        batch = profile.batch
    if batch < 1:
        raise LawError(f"a batch must have at least 1 image, but got {batch}")
    return batch, batch / graph.input_shape[0], _pixels(graph)


def _pixels(graph: Graph) -> int:
    """Pixels of one input image; 0 when the input is no image."""
    shape = graph.input_shape
    return shape[2] * shape[3] if len(shape) == 4 else 0


def _constant_ms(profile: Profile, pixels: int) -> float:
    return profile.constant_ms + profile.ms_per_input_mpixel * pixels * 1e-6


def _causes(kernels: Iterable[Kernel], profile: Profile, scale: float) -> list[tuple[float, float, float]]:
    """(compute, memory, overhead) of each kernel, in ms."""
    prices: dict[str, tuple[float, ...]] = {}
    element_bytes, width, tile = profile.element_bytes, profile.vector_width, profile.tile
    causes = []
    for kernel in kernels:
        terms = kernel_terms(kernel, scale=scale, element_bytes=element_bytes, vector_width=width, tile=tile)
        if kernel.op_type not in prices:
            prices[kernel.op_type] = profile.coefficients[priced_as(kernel.op_type, profile.coefficients)].values
        parts = list(map(mul, prices[kernel.op_type], terms))
        causes.append((sum(parts[COMPUTE]), sum(parts[MEMORY]), sum(parts[OVERHEAD])))
    return causes


def _row(kernel: Kernel, causes: tuple[float, float, float]) -> KernelLatency:
    return KernelLatency(kernel.names[0], kernel.names, kernel.block, kernel.op_type, *causes)
