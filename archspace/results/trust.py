"""How far the numbers of a study can be trusted: what each metric is worth, and where its fit has seen nothing like the networks shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from archspace.accuracy import prior
from archspace.ir.graph import Graph
from archspace.latency import Profile, predict
from archspace.objectives import notes_on
from archspace.study import StudyResult
from archspace.survey.describing import penalty_notes
from archspace.units import format_count

MOST_ASKED = 40  # winners that are asked what of their numbers extrapolates
LATENCY, PRIOR = "latency_ms", "prior"
VALUE = re.compile(r"^[0-9.]+[KMGT]? ")  # what a reason begins with, another number for each network


def trust_notes(result: StudyResult, beside: Mapping[str, Graph] | None = None) -> list[str]:
    """What to know before a study's numbers are believed, one sentence each; `beside` are networks that are shown with the winners."""
    question = result.question
    device = question.profile()
    winners = {f"rank {rank}": question.space.build(record.options) for rank, record in enumerate(result.winners[:MOST_ASKED], start=1)}
    graphs = {**winners, **(beside or {})}
    notes = [*notes_on(question.metrics), *penalty_notes(question.space)]
    if PRIOR in question.metrics:
        notes += _by_reason("the prior", ((name, prior(graph).extrapolates) for name, graph in graphs.items()))
    if device and LATENCY in question.metrics:
        notes.append(_of_latency(device))
        notes += _by_reason(device.device, ((name, predict(graph, device).extrapolates) for name, graph in graphs.items()))
    return notes


def _of_latency(device: Profile) -> str:
    return (
        f"{LATENCY} is predicted, not measured: one batch of {device.batch} on {device.device}, "
        f"± {device.interval_pct:.0f} % (80 % interval). Winners that differ by less are not told apart."
    )


def _by_reason(fit: str, found: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Reasons why a fit extrapolates, each with the networks that it holds for."""
    names: dict[str, list[str]] = {}
    for name, reasons in found:
        for reason in reasons:
            names.setdefault(VALUE.sub("", reason), []).append(name)
    return [f"{fit} extrapolates for {_some(those)} ({reason}): its interval does not hold there." for reason, those in names.items()]


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {format_count(len(names) - most)} more" if len(names) > most else "")
