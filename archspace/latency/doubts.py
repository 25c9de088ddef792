"""Why a prediction may not hold: what lies outside the profile's fit, what has no price, what nobody knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from archspace.ir.graph import Graph
from archspace.ir.ops import Opaque, Shape
from archspace.latency.kernel import Work
from archspace.latency.op_types import DEFAULT, OPAQUE, priced_as
from archspace.latency.profile import Profile, Range
from archspace.units import format_count


@dataclass(frozen=True, slots=True)
class Doubts:
    """What speaks against a prediction."""

    reasons: tuple[str, ...]
    lower_bound: bool  # a part of the work has no price, or is unknown: it takes at least so long


def doubts_of(graph: Graph, profile: Profile, works: Sequence[Work], *, batch: int, shape: Shape) -> Doubts:
    """Why the fit may not hold for a graph of these kernels, with an input of that shape: no reason where it should."""
    reasons = []
    low, high = profile.ranges.batch or (profile.batch, profile.batch)
    if not low <= batch <= high:
        reasons.append(f"batch {batch}, fitted at {low:g}" + (f" to {high:g}" if high > low else ""))
    seen: tuple[tuple[str, float, Range | None], ...] = (
        ("kernels", len(works), profile.ranges.kernels),
        ("madds per image", sum([work.madds for work in works]) / shape[0], profile.ranges.madds),
        ("input pixels", pixels_of(shape), profile.ranges.input_pixels),
    )
    for what, value, bounds in seen:
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            reasons.append(f"{format_count(value)} {what}, fitted on {format_count(bounds[0])} to {format_count(bounds[1])}")
    types = {work.op_type for work in set(works)} - {OPAQUE}
    if profile.ranges.op_types is not None and (unseen := types.difference(profile.ranges.op_types)):
        reasons.append(f"op types that the fit has not seen: {', '.join(sorted(unseen))}")
    if free := [name for name in sorted(types) if _is_unpriced(name, profile)]:
        count = Counter([work.op_type for work in works])
        reasons.append(f"no price for: {', '.join([f'{name} ({count[name]} {_ops(count[name])})' for name in free])}")
    if unknown := {node.op.kind for node in graph.nodes if isinstance(node.op, Opaque)}:
        reasons.append(f"ops of unknown kind: {', '.join(sorted(unknown))}")
    return Doubts(tuple(reasons), bool(free or unknown))


def pixels_of(shape: Shape) -> int:
    """Pixels of one image of an input of that shape; 0 when it is no image."""
    return shape[2] * shape[3] if len(shape) == 4 else 0


def _is_unpriced(name: str, profile: Profile) -> bool:
    """Whether an op type costs nothing because the profile does not know it; one that was fitted to cost nothing has a row that says so."""
    return priced_as(name, profile.coefficients) == DEFAULT and not any(profile.coefficients[DEFAULT].values)


def _ops(n: int) -> str:
    return "op" if n == 1 else "ops"
