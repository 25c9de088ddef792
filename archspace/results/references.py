"""Published networks beside a study's candidates: the space's family and well-known ones, at the budget's scale, measured alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspace.analysis import total_counts
from archspace.errors import ArchspaceError
from archspace.ir.graph import Graph
from archspace.latency import Profile
from archspace.objectives.metrics import measure, metric_named
from archspace.study import Question, Record
from archspace.zoo import MEMBERS, build
from archspace.zoo.published import Published, published_by_member

SCALE = (0.3, 2.0)  # a published network is beside the candidates when its bounded metrics are within so much of the bound
MOST_OF_FAMILY, MOST_OTHERS = 8, 8
MOST_SLOWLY = 3  # of either, where a metric takes long: one that runs the network, or a function of the user's own
SHARED = ("input", "batch", "num_classes")  # options that must be a candidate's own for the metrics to compare
# What papers on efficient networks compare with, by family (ShuffleNet v2, table 8, and its successors).
WELL_KNOWN = (
    "shufflenet_v1_0.25x_g8", "shufflenet_v1_0.5x_g3", "shufflenet_v1_1x_g3", "shufflenet_v1_1x_g8", "shufflenet_v1_2x_g3",
    "shufflenet_v2_0.5x", "shufflenet_v2_1x", "shufflenet_v2_1.5x", "shufflenet_v2_2x",
    "mobilenet_v1_0.25x", "mobilenet_v1_0.5x", "mobilenet_v1_0.75x", "mobilenet_v1_1x",
    "mobilenet_v2_0.15x", "mobilenet_v2_0.35x", "mobilenet_v2_0.5x", "mobilenet_v2_0.75x", "mobilenet_v2_1x", "mobilenet_v2_1.4x",
    "xception_light_0.5x", "xception_light_1x", "densenet_light_0.5x", "densenet_light_1x",
    "igcv3_d_0.7x", "igcv3_d_1x", "fenet_1x", "fenet_1.375x", "shiftnet_a", "shiftnet_b", "squeezenet_1.1",
    "condensenet_g8", "nasnet_a_mobile", "darts_v2", "resnet18", "resnet50",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reference:
    """A published network: built as the candidates are (input, classes), with the question's metrics; `source` is where it was printed."""

    name: str
    family: str
    graph: Graph
    metrics: Mapping[str, float]
    top1_err_pct: float | None
    source: str


@dataclass(frozen=True, slots=True)
class References:
    """The published networks beside a study, the space's family first, and those whose metrics cannot be had (name -> why)."""

    found: tuple[Reference, ...]
    left_out: Mapping[str, str]


def references(question: Question, records: Sequence[Record], device: Profile | None) -> References:
    """Published networks at the scale of the budget (of the candidates where nothing is bounded), measured as they are."""
    space = question.space
    printed = published_by_member()
    shared = {name: value for name, value in space.constants.items() if name in SHARED}
    of_family = [name for name, (family, _) in MEMBERS.items() if family == space.family and _top1(printed.get(name, ())) is not None]
    others = [name for name in WELL_KNOWN if MEMBERS[name][0] != space.family]
    limits = _limits(question, records)
    graphs = _built([*sorted(of_family, key=lambda name: name not in WELL_KNOWN), *others], shared)
    nearby = {name: graph for name, graph in graphs.items() if _is_near(graph, limits, device)}
    middle = _middle(question, records)
    if not any(name in nearby for name in of_family) and (nearest := _by_nearness(graphs, of_family, middle)):
        nearby = {nearest[0]: graphs[nearest[0]], **nearby}  # there is always one of the family to compare with
    family_first = sorted((name for name in of_family if name in nearby), key=lambda name: (name not in WELL_KNOWN, of_family.index(name)))
    most, most_others = (MOST_SLOWLY, MOST_SLOWLY) if any(map(_is_slow, question.metrics)) else (MOST_OF_FAMILY, MOST_OTHERS)
    chosen = [*family_first[:most], *_spread(_by_nearness(nearby, others, middle))[:most_others]]
    found, left_out = [], {}
    for name in chosen:
        try:
            metrics = measure(nearby[name], question.metrics, device, question.seed)
        except ArchspaceError as error:
            left_out[name] = str(error)
            continue
        rows = printed.get(name, ())
        found.append(Reference(name, MEMBERS[name][0], nearby[name], metrics, _top1(rows), rows[0].source if rows else ""))
    return References(tuple(found), left_out)


def nearest_reference(found: Sequence[Reference], family: str, madds: float) -> int | None:
    """Which one is nearest in multiply-adds, of the family where it has any; None without references."""
    of_family = [i for i, one in enumerate(found) if one.family == family] or list(range(len(found)))
    return min(of_family, key=lambda i: abs(_madds(found[i].graph) - madds), default=None)


def _built(names: Sequence[str], shared: Mapping[str, Any]) -> dict[str, Graph]:
    """Graphs on the candidates' input; a network that cannot take it is left out, and so is one that another paper printed before."""
    graphs: dict[str, Graph] = {}
    for name in names:
        try:
            graph = build(name, **shared)
        except ArchspaceError:
            continue
        if all(graph.nodes != other.nodes for other in graphs.values()):
            graphs[name] = graph
    return graphs


def _limits(question: Question, records: Sequence[Record]) -> dict[str, tuple[float, float]]:
    """Metric -> (least, most) of a network nearby: around the bounds and held values that are soon had, else around what was found."""
    low, high = SCALE
    asked = {**question.bounds, **question.hold}
    limits = {name: (low * value, high * value) for name, value in asked.items() if not _is_slow(name)}
    if not limits:
        found = [record.metrics["madds"] for record in records if record.feasible]
        limits = {"madds": (low * min(found), high * max(found))} if found else {}
    return limits


def _is_near(graph: Graph, limits: Mapping[str, tuple[float, float]], device: Profile | None) -> bool:
    try:
        metrics = measure(graph, list(limits), device)
    except ArchspaceError:
        return True  # it is named among those whose metrics cannot be had
    return all(low <= metrics[name] <= high for name, (low, high) in limits.items())


def _middle(question: Question, records: Sequence[Record]) -> float:
    """The multiply-adds that the study is about: the budget's, else the median of what it found."""
    for asked in (question.hold, question.bounds):
        if "madds" in asked:
            return asked["madds"]
    found = [record.metrics["madds"] for record in records if record.feasible] or [one.metrics["madds"] for one in records if one.metrics]
    return sorted(found)[len(found) // 2] if found else 0.0


def _by_nearness(graphs: Mapping[str, Graph], names: Sequence[str], madds: float) -> list[str]:
    """Those of the names that are graphs, the nearest in multiply-adds first."""
    return sorted((name for name in names if name in graphs), key=lambda name: abs(_madds(graphs[name]) - madds))


def _spread(names: Sequence[str]) -> list[str]:
    """The first of each family before the second of any."""
    families = [MEMBERS[name][0] for name in names]
    return [name for _, name in sorted(enumerate(names), key=lambda pair: families[: pair[0]].count(families[pair[0]]))]


def _is_slow(name: str) -> bool:
    return metric_named(name).is_slow


def _madds(graph: Graph) -> int:
    return total_counts(graph).madds


def _top1(rows: Sequence[Published]) -> float | None:
    return next((row.top1_err_pct for row in rows if row.top1_err_pct is not None), None)
