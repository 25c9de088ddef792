"""Predicted latency of a graph on a device: a sum over its fused kernels, with an interval and what it extrapolates.

    t = constant + c_px * input pixels + sum over kernels of
        [k + madds * (a + ap / cin_per_group + aq / cout_per_group) + b * bytes in + b' * bytes out + w * weight bytes]

with non-negative coefficients per op type; `terms` lists all of them. Batch: elements and multiply-adds of feature maps scale with
it, weights, kernels and the constant do not. Bytes are those of the profile's dtype.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import floor, log10
from operator import mul
from pathlib import Path
from typing import NamedTuple

from archspace.errors import LawError
from archspace.ir.graph import Graph, require_graph
from archspace.ir.ops import Shape
from archspace.latency.catalog import load_profile
from archspace.latency.doubts import doubts_of, pixels_of
from archspace.latency.fusion import fused
from archspace.latency.kernel import Work
from archspace.latency.op_types import priced_as
from archspace.latency.profile import Profile
from archspace.latency.terms import COMPUTE, MEMORY, OVERHEAD, kernel_terms
from archspace.latency.tiles import Tile


class KernelLatency(NamedTuple):
    """One fused kernel's share, in ms, by cause; a tuple, because a prediction makes hundreds."""

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
    shape = graph.input_shape
    batch = _batch(profile, batch)
    runs = fused(graph, profile.fusion)
    works = [work for _, _, work in runs]
    causes = _causes(works, profile, batch / shape[0])
    rows = tuple([KernelLatency(names[0], names, block, work.op_type, *causes[work]) for names, block, work in runs])
    constant_ms = _constant_ms(profile, shape, batch)
    ms = constant_ms + _sum(works, causes)
    half = ms * profile.interval_pct / 100
    doubts = doubts_of(graph, profile, works, batch=batch, shape=shape)
    return Latency(
        ms,
        max(0.0, ms - half),
        ms + half,
        profile.interval_pct,
        batch,
        profile.device,
        constant_ms,
        rows,
        doubts.reasons,
        doubts.lower_bound,
    )


def latency_ms(graph: Graph, profile: Profile, batch: int | None = None) -> float:
    """`predict(...).ms` without rows and reasons, for searches. Raises LawError as `predict` does."""
    shape = graph.input_shape
    batch = _batch(profile, batch)
    works = [work for _, _, work in fused(graph, profile.fusion)]
    return _constant_ms(profile, shape, batch) + _sum(works, _causes(works, profile, batch / shape[0]))


def _batch(profile: Profile, batch: int | None) -> int:
    if batch is None:
        return profile.batch
    if batch < 1:
        raise LawError(f"a batch must have at least 1 image, but got {batch}")
    return batch


def _constant_ms(profile: Profile, shape: Shape, batch: int) -> float:
    return profile.constant_ms + profile.ms_per_input_mpixel * (pixels_of(shape) * batch) * 1e-6


Causes = Mapping[Work, tuple[float, float, float]]


def _causes(works: Iterable[Work], profile: Profile, scale: float) -> Causes:
    """(compute, memory, overhead) in ms of each work: what kernels of repeated blocks share is priced once."""
    how = scale, profile.element_bytes, profile.vector_width, profile.tile
    distinct, rows = set(works), profile.coefficients
    prices = {name: rows[priced_as(name, rows)].values for name in {work.op_type for work in distinct}}
    return {work: _cause(work, prices[work.op_type], *how) for work in distinct}


@lru_cache(maxsize=16384)
def _cause(
    work: Work, prices: tuple[float, ...], scale: float, element_bytes: int, width: int | None, tile: Tile | None
) -> tuple[float, float, float]:
    terms = kernel_terms(work, scale=scale, element_bytes=element_bytes, vector_width=width, tile=tile)
    parts = list(map(mul, prices, terms))
    return sum(parts[COMPUTE]), sum(parts[MEMORY]), sum(parts[OVERHEAD])


def _sum(works: Iterable[Work], causes: Causes) -> float:
    """Of all kernels, in their order."""
    whole = {work: compute + memory + overhead for work, (compute, memory, overhead) in causes.items()}
    return sum([whole[work] for work in works])
