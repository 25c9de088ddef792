"""One candidate checked: its graph built again, every bound counted again, the PyTorch module held against two other tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archspace.errors import ArchspaceError, MissingPackageError
from archspace.ir.digest import graph_digest
from archspace.ir.graph import Graph
from archspace.latency import Profile
from archspace.objectives import measure, metric_named, metric_text
from archspace.results.verify_rows import Check
from archspace.space.budget import HELD_WITHIN
from archspace.study import Question, Record


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks of one candidate found. Without a graph it could not even be built from its options."""

    graph: Graph | None
    exceeded: Mapping[str, float]
    checks: tuple[Check, ...]
    problem: str = ""


def checked(question: Question, record: Record, device: Profile | None) -> Checked:
    """Check one candidate. What cannot be built or run is its `problem`. Raises MissingPackageError without torch or fvcore."""
    from archspace.pytorch import check, to_module
    from archspace.pytorch.importer.capture import FOREIGN_ERRORS

    graph: Graph | None = None
    rows: list[Check] = []
    exceeded: dict[str, float] = {}
    try:
        graph = question.space.build(record.options)
        again = measure(graph, _measured_again(question), device, question.seed)
        exceeded = {name: again[name] for name, most in question.bounds.items() if again[name] > most}
        rows += _counted(question, record, graph, again)
        rows += [Check(row.what, _listed(row.expected), _listed(row.found), row.ok) for row in check(graph, to_module(graph, seed=0))]
    except MissingPackageError:
        raise
    except ArchspaceError as error:
        return Checked(graph, exceeded, tuple(rows), str(error))
    except FOREIGN_ERRORS as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        return Checked(graph, exceeded, tuple(rows), f"{type(error).__name__}: {first}")
    return Checked(graph, exceeded, tuple(rows))


def _measured_again(question: Question) -> list[str]:
    """All metrics, but for what is slow to measure and bounds nothing."""
    needed = {*question.bounds, *question.hold}
    return [name for name in question.metrics if name in needed or not metric_named(name).is_slow]


def _counted(question: Question, record: Record, graph: Graph, again: Mapping[str, float]) -> Iterator[Check]:
    """The network is the one that the search judged, with the same metrics, inside every bound."""
    if record.digest:
        found = graph_digest(graph)
        yield Check("the network that was judged", record.digest, found, found == record.digest)
    recorded = {name: record.metrics[name] for name in again}
    yield Check("metrics as recorded", recorded, dict(again), recorded == again)
    for name, most in question.bounds.items():
        yield Check(f"{name} at most {metric_text(name, most)}", most, again[name], again[name] <= most)
    for name, target in question.hold.items():
        is_held = target * (1 - HELD_WITHIN) <= again[name] <= target
        yield Check(f"{name} held at {metric_text(name, target)}", target, again[name], is_held)


def _listed(value: Any) -> Any:
    """Shapes as they come back from JSON."""
    return list(map(_listed, value)) if isinstance(value, tuple) else value
