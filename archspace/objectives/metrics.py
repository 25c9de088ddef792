"""Metrics: what of a candidate is measured, and which way is better. Objectives and bounds are named by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from archspace.accuracy import prior_error_pct, quality_text
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
    grows: bool = False  # with every dimension of a network, so that the corners of a space tell what it can reach
    note: Callable[[], str] | None = None  # how far its values can be trusted, printed wherever they are shown


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


def _proxy(name: str) -> Metric:
    """A zero-cost proxy, measured on the built network with fresh weights of the search's seed."""

    def measured(candidate: Candidate) -> float:
        from archspace.pytorch.proxies import proxy

        return proxy(candidate.graph, name, candidate.seed)

    def note() -> str:
        from archspace.pytorch.proxies import quality_text

        return quality_text(name)

    return Metric(MAXIMIZE, "score", f"zero-cost proxy {name}, on fresh weights", measured, is_slow=True, note=note)


def _wasted_elems(candidate: Candidate) -> float:
    from archspace.rules import lint

    return lint(candidate.graph).waste["total"].mem_elems


def _latency_ms(candidate: Candidate) -> float:
    if candidate.device is None:
        raise LawError("latency_ms needs a device, but none is given. Add --device gtx1080ti, say.")
    return latency_ms(candidate.graph, candidate.device)


METRICS: dict[str, Metric] = {
    "stage_channels": Metric(MAXIMIZE, "channels", "output channels of the last stage", lambda c: stage_channels(c.graph), grows=True),
    "receptive_field": Metric(MAXIMIZE, "pixels", "pixels that a position of the last stage spans", lambda c: receptive_field(c.graph)),
    "madds": Metric(MINIMIZE, "multiply-adds", "multiply-adds of convolution and linear", lambda c: c.counts.madds, grows=True),
    "params": Metric(MINIMIZE, "parameters", "learnable scalars", lambda c: c.counts.params, grows=True),
    "mem_elems": Metric(MINIMIZE, "elements", "memory access, each tensor of each op once", lambda c: c.counts.mem_elems, grows=True),
    "acts": Metric(MINIMIZE, "elements", "output elements of convolution and linear", lambda c: c.counts.acts, grows=True),
    "findings": Metric(MINIMIZE, "elements", "memory access that the linter finds wasted", _wasted_elems),
    "latency_ms": Metric(MINIMIZE, "ms", "predicted latency on the device", _latency_ms),
    "prior": Metric(
        MINIMIZE,
        "% error",
        "ImageNet top-1 error expected from published results: a prior",
        lambda c: prior_error_pct(c.graph, c.counts),
        note=quality_text,
    ),
    "naswot": _proxy("naswot"),
    "synflow": _proxy("synflow"),
    "zen": _proxy("zen"),
    "zico": _proxy("zico"),
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
    unit = "" if is_user_function(name) else METRICS[name].unit
    if unit == "% error":
        return f"{value:.1f} %"
    if unit in ("", "score"):
        return f"{value:.4g}"
    return f"{value:.0f}" if unit in ("channels", "pixels") else format_count(value)


def excess(value: float, most: float) -> float:
    """By which share a value exceeds its bound (by how much, where the bound is 0); at or below 0 it is kept."""
    return (value - most) / (abs(most) or 1.0)


def notes_on(names: Iterable[str]) -> list[str]:
    """How far the values of metrics can be trusted, one line for each that has something to say."""
    return [note() for name in names if (note := metric_named(name).note) is not None]


def check_objectives(objectives: Mapping[str, Direction]) -> None:
    """Raise UnknownNameError or SpaceError unless every objective is a metric with a direction."""
    if not objectives:
        raise SpaceError("a search needs at least one objective, but got none. Add --maximize stage_channels, say.")
    for name, direction in objectives.items():
        metric_named(name)
        if direction not in DIRECTIONS:
            raise UnknownNameError(f"direction of {name}", direction, DIRECTIONS)
