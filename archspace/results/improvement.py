"""`improve`: a search around an existing network, and what it changed and gained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from archspace.analysis.pareto import MAXIMIZE, MINIMIZE, Direction
from archspace.errors import LawError
from archspace.ir.digest import graph_digest
from archspace.ir.graph import Graph, require_graph
from archspace.latency import Profile, load_profile
from archspace.objectives import METRICS, excess, measure, metric_named
from archspace.results.files import write_results
from archspace.results.verify_rows import best_first
from archspace.rules import Lint, lint
from archspace.space import Space
from archspace.space.neighbourhood import neighbourhood
from archspace.study import Question, Record, StudyResult, search
from archspace.study.arguments import quantities, table
from archspace.study.progress import Report
from archspace.study.records import meets
from archspace.zoo.recognition import Recognised, recognised

TRIALS = 300
ALTERNATIVES = 5
LATENCY, MEMORY, PRIOR, WIDTH = "latency_ms", "mem_elems", "prior", "stage_channels"
BOUNDED = ("madds", "params", LATENCY)  # what may not grow, where no bound is given
COMPARED = ("madds", "params", MEMORY, LATENCY)  # what is told of every network beside its objectives

# better: no objective is worse than the network's own, and one is better. fits: the network itself exceeds a bound, which this one keeps,
# at a loss. none: nothing found is either.
Outcome = Literal["better", "fits", "none"]


@dataclass(frozen=True, slots=True)
class Variant:
    """A network near the first: its options and metrics, its graph, what the linter finds."""

    options: Mapping[str, Any]
    metrics: Mapping[str, float]
    graph: Graph
    lint: Lint

    def changes(self, start: Variant) -> dict[str, tuple[Any, Any]]:
        """The options that differ from the first network's: option -> (from, to)."""
        names = dict.fromkeys((*start.options, *self.options))
        both = {name: (_plain(start.options.get(name)), _plain(self.options.get(name))) for name in names}
        return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True)
class Improvement:
    """What came of improving a network.

    `start` is the network itself, spelled as the space spells it and measured outside of the study. `best` is None where nothing is better;
    then `nearest` is what comes closest. `alternatives` are the next best. `exceeds`: the bounds that the network itself does not keep.
    """

    network: Recognised
    outcome: Outcome
    start: Variant
    best: Variant | None
    alternatives: tuple[Variant, ...]
    nearest: Variant | None
    exceeds: tuple[str, ...]
    result: StudyResult

    @property
    def compared(self) -> tuple[str, ...]:
        """The metrics that are told of every network: objectives first."""
        return tuple(self.start.metrics)


def improve(
    graph: Graph,
    *,
    directory: str | Path | None = None,
    bounds: Mapping[str, float | str] | None = None,
    objectives: Mapping[str, Direction] | None = None,
    device: str | None = None,
    trials: int = TRIALS,
    sampler: str = "auto",
    seed: int = 0,
    workers: int = 1,
    force: bool = False,
    progress: Report | None = None,
) -> Improvement:
    """Search the space around a network of a known family, and say what is better than the network itself.

    The space varies the network's own options (`archspace.space.neighbourhood`). By default latency is minimised (memory access without a
    `device`), the capacity is kept (the prior error where there is one, else the channels of the last stage), and multiply-adds,
    parameters and latency may not grow. The directory, `runs/improve-FAMILY-DIGEST` by default, gets what a search leaves there; the same
    call goes on from it. Raises LawError for a graph of no known family, and what `search` raises.
    """
    require_graph("improve", graph)
    network = recognised(graph)
    digest = graph_digest(graph)
    name = f"improve-{network.family}-{digest[:6]}"
    space, own = neighbourhood(network.family, network.options, name)
    profile = None if device is None else load_profile(device)
    chosen = default_objectives(profile) if objectives is None else table("objectives", objectives)
    most = quantities("bounds", bounds)
    compared = compared_metrics(chosen, most, profile)
    start = _variant(space, own, compared, profile, seed)
    if not most:
        most = {metric: start.metrics[metric] for metric in BOUNDED if metric in start.metrics}
    result = search(
        space,
        directory=Path("runs") / name if directory is None else directory,
        bounds=most,
        objectives=chosen,
        device=device,
        trials=trials,
        sampler=sampler,
        seed=seed,
        workers=workers,
        force=force,
        progress=progress,
    )
    write_results(result)
    exceeds = tuple([metric for metric, bound in most.items() if start.metrics[metric] > bound])
    outcome, records = ranked(result, start.metrics, graph_digest(start.graph), is_inside=not exceeds)
    variants = [_variant(space, record.options, compared, profile, seed) for record in records]
    found = outcome != "none"
    return Improvement(
        network=network,
        outcome=outcome,
        start=start,
        best=variants[0] if found else None,
        alternatives=tuple(variants[1:]) if found else (),
        nearest=variants[0] if variants and not found else None,
        exceeds=exceeds,
        result=result,
    )


def default_objectives(profile: Profile | None) -> dict[str, Direction]:
    """What is looked for unless told otherwise: fast, or little memory access; as good by the prior, or as wide at the end."""
    capacity = PRIOR if PRIOR in METRICS else WIDTH
    return {MEMORY if profile is None else LATENCY: MINIMIZE, capacity: METRICS[capacity].better}


def compared_metrics(objectives: Mapping[str, Direction], bounds: Mapping[str, float], profile: Profile | None) -> tuple[str, ...]:
    """Everything that is told of a network. Raises UnknownNameError for what is no metric, LawError for latency without a device."""
    names = dict.fromkeys((*objectives, *bounds, *COMPARED))
    for name in names:
        metric_named(name)
    if profile is None and any(LATENCY in part for part in (objectives, bounds)):
        raise LawError("latency needs a device, but none is given. Add --device gtx1080ti or --device sd810.")
    return tuple([name for name in names if name != LATENCY or profile is not None])


def ranked(result: StudyResult, start: Mapping[str, float], digest: str, *, is_inside: bool) -> tuple[Outcome, list[Record]]:
    """What became of it, and the best records, the best first: those that beat the start; those that fit; or the nearest one."""
    question = result.question
    others = [record for record in result.records if record.metrics and record.digest != digest]
    feasible = [record for record in others if meets(record.metrics, question.bounds)]
    better = [record for record in feasible if _beats(record.metrics, start, question.objectives)]
    if better:
        return "better", [record for record, _ in best_first(better, question, 1 + ALTERNATIVES)]
    if feasible and not is_inside:
        return "fits", sorted(feasible, key=lambda record: _worst_loss(record.metrics, start, question))[: 1 + ALTERNATIVES]
    return "none", sorted(others, key=lambda record: _distance(record, start, question))[:1]


def _beats(one: Mapping[str, float], other: Mapping[str, float], objectives: Mapping[str, Direction]) -> bool:
    signs = {name: -1.0 if direction == MAXIMIZE else 1.0 for name, direction in objectives.items()}
    differences = [sign * (one[name] - other[name]) for name, sign in signs.items()]
    return max(differences) <= 0 and min(differences) < 0


def _worst_loss(one: Mapping[str, float], start: Mapping[str, float], question: Question) -> float:
    """By which share of the start's own value an objective is worse, of all objectives the largest."""
    signs = {name: -1.0 if direction == MAXIMIZE else 1.0 for name, direction in question.objectives.items()}
    return max(sign * (one[name] - start[name]) / (abs(start[name]) or 1.0) for name, sign in signs.items())


def _distance(record: Record, start: Mapping[str, float], question: Question) -> float:
    """How far a record is from being better: by which share it exceeds a bound or loses an objective, the largest of all."""
    over = [excess(record.metrics[name], most) for name, most in question.bounds.items()]
    return max(_worst_loss(record.metrics, start, question), *over, 0.0) if over else _worst_loss(record.metrics, start, question)


def _variant(space: Space, options: Mapping[str, Any], names: Sequence[str], profile: Profile | None, seed: int) -> Variant:
    graph = space.build(options)
    return Variant(options, measure(graph, names, profile, seed), graph, lint(graph, device=profile))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
