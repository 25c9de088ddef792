"""Metrics: what of a candidate is measured, and which way is better. Objectives and bounds are named by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from archspace.analysis.pareto import DIRECTIONS, MAXIMIZE, MINIMIZE, Direction
from archspace.analysis.receptive_field import stage_fields
from archspace.analysis.report import total_counts
from archspace.errors import LawError, SpaceError, UnknownNameError
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph
from archspace.latency import Profile, latency_ms
from archspace.objectives.user_function import PREFIX, is_user_function, user_function
from archspace.units import format_count


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph with its counts, the device that it is judged on, and the seed of whatever is random in judging it."""

    graph: Graph
    counts: Counts
    device: Profile | None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a candidate is judged by; `better` is the direction when none is said.

    `is_slow`: it takes so long that a process of its own is worth its start, as whatever runs the network or a user's function does.
    """

    better: Direction
    unit: str
    summary: str
    measure: Callable[[Candidate], float]
    is_slow: bool = False


def stage_channels(graph: Graph) -> int:
    """Output channels of the last stage (blocks named stageN...): section 4.2 of ShuffleNet v1 finds that accuracy follows them."""
    for node in reversed(graph.nodes):
        if node.stage.startswith("stage"):
            return node.shape[1]
    raise LawError(f"{graph.name}: stage_channels needs blocks named stage1, stage2, ..., but there are none")


def receptive_field(graph: Graph) -> int:
    """Pixels that one position of the last stage spans, along the shorter side.

    Raises LawError without a stage whose positions are places.
    """
    sizes = [min(field.size) for stage, field in stage_fields(graph).items() if stage.startswith("stage")]
    if not sizes:
        raise LawError(f"{graph.name}: receptive_field needs a stage (blocks named stage1, ...) with feature maps, but there is none")
    return sizes[-1]


def _wasted_elems(candidate: Candidate) -> float:
    from archspace.rules import lint

    return lint(candidate.graph).waste["total"].mem_elems


def _latency_ms(candidate: Candidate) -> float:
    if candidate.device is None:
        raise LawError("latency_ms needs a device, but none is given. Add --device gtx1080ti, say.")
    return latency_ms(candidate.graph, candidate.device)


METRICS: dict[str, Metric] = {
    "stage_channels": Metric(MAXIMIZE, "channels", "output channels of the last stage", lambda c: stage_channels(c.graph)),
    "receptive_field": Metric(MAXIMIZE, "pixels", "pixels that a position of the last stage spans", lambda c: receptive_field(c.graph)),
    "madds": Metric(MINIMIZE, "multiply-adds", "multiply-adds of convolution and linear", lambda c: c.counts.madds),
    "params": Metric(MINIMIZE, "parameters", "learnable scalars", lambda c: c.counts.params),
    "mem_elems": Metric(MINIMIZE, "elements", "memory access, each tensor of each op once", lambda c: c.counts.mem_elems),
    "acts": Metric(MINIMIZE, "elements", "output elements of convolution and linear", lambda c: c.counts.acts),
    "findings": Metric(MINIMIZE, "elements", "memory access that the linter finds wasted", _wasted_elems),
    "latency_ms": Metric(MINIMIZE, "ms", "predicted latency on the device", _latency_ms),
}


def measure(graph: Graph, names: Sequence[str], device: Profile | None, seed: int = 0) -> dict[str, float]:
    """The named metrics of a graph.

    Raises UnknownNameError for a name that is no metric, LawError and ObjectiveError where one cannot be had of this graph.
    """
    candidate = Candidate(graph, total_counts(graph), device, seed)
    return {name: metric_named(name).measure(candidate) for name in names}


def measure_of(name: str, device: Profile | None) -> Callable[[Graph], float]:
    """How one metric is measured of a graph: for what searches along a single number."""
    return lambda graph: measure(graph, [name], device)[name]


def metric_named(name: str) -> Metric:
    """The metric of that name, or the one that a user's own function computes. Raises UnknownNameError with near names, SpaceError."""
    if is_user_function(name):
        return _user_metric(name)
    if name not in METRICS:
        raise UnknownNameError("metric", name, (*METRICS, f"{PREFIX}package.module:function"))
    return METRICS[name]


@cache
def _user_metric(name: str) -> Metric:
    function = user_function(name)
    return Metric(MINIMIZE, "", f"the user's own {name.removeprefix(PREFIX)}", lambda c: function(c.graph), is_slow=True)


def metric_text(name: str, value: float) -> str:
    """A metric's value for people: '30 ms', '1536', '140M'."""
    if name == "latency_ms":
        return f"{value:.4g} ms"
    if is_user_function(name):
        return f"{value:.4g}"
    return f"{value:.0f}" if METRICS[name].unit in ("channels", "pixels") else format_count(value)


def check_objectives(objectives: Mapping[str, Direction]) -> None:
    """Raise UnknownNameError or SpaceError unless every objective is a metric with a direction."""
    if not objectives:
        raise SpaceError("a search needs at least one objective, but got none. Add --maximize stage_channels, say.")
    for name, direction in objectives.items():
        metric_named(name)
        if direction not in DIRECTIONS:
            raise UnknownNameError(f"direction of {name}", direction, DIRECTIONS)
