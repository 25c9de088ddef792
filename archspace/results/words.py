"""A study in words: its question, its facts, and what limits the trust in its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from archspace.latency import Profile
from archspace.objectives import excess, metric_named, metric_text
from archspace.results.references import References
from archspace.results.trust import trust_notes
from archspace.study import Question, Record, StudyResult
from archspace.study.records import key_of
from archspace.units import format_share
from archspace.version import VERSION


def question_words(question: Question) -> str:
    """'Which networks of shufflenet_v2 maximize stage_channels (output channels of the last stage) ... with madds at most 60M?'"""
    aims = [f"{direction} {name} ({metric_named(name).summary})" for name, direction in question.objectives.items()]
    limits = [f"{name} at most {metric_text(name, most)}" for name, most in question.bounds.items()]
    limits += [f"{name} held at {metric_text(name, target)}" for name, target in question.hold.items()]
    on = f" on {question.device}" if question.device else ""
    return f"Which networks of {question.space.name} {_listed(aims)}{on}{', with ' + _listed(limits) if limits else ''}?"


def facts(result: StudyResult, device: Profile | None) -> dict[str, str]:
    """What was run, term by term."""
    question, records = result.question, result.records
    distinct = len({key_of(record.options) for record in records})
    broken = sum(not record.metrics for record in records)
    found = {
        "Space": f"{question.space.name}, family {question.space.family} ({question.space.digest[:12]})",
        "Trials": f"{len(records)}, {distinct} different candidates" + (f", {broken} not measured" if broken else ""),
        "Within the budget": f"{result.feasible} ({format_share(result.feasible / len(records))})",
        "Pareto front": f"{len(result.winners)} networks",
        "Sampler": f"{question.sampler}, seed {question.seed}",
        "archspace": VERSION,
    }
    if device:
        threads = f", {device.threads} thread{'s' if device.threads > 1 else ''}" if device.threads else ""
        found["Device"] = f"{device.device}: {device.title} ({question.device_id()})"
        found["Measured as"] = f"{device.runtime}, batch {device.batch}, {device.dtype}{threads}"
    if question.space.constants:
        found["Constants"] = ", ".join(f"{name}={value}" for name, value in question.space.constants.items())
    return found


def nearest(question: Question, records: Sequence[Record]) -> Record:
    """The measured record that exceeds its worst bound by the least. Raises ValueError where none is measured."""
    measured = [record for record in records if record.metrics]
    bounds = question.bounds.items()
    return min(measured, key=lambda record: max((excess(record.metrics[name], most) for name, most in bounds), default=0.0))


def notes_of(result: StudyResult, beside: References, notes: Sequence[str]) -> list[str]:
    """What to know before the numbers are believed, the caller's notes last."""
    question = result.question
    found = []
    if result.interrupted:
        found.append("The study was interrupted: trials are left, and the same command goes on.")
    if not result.feasible:
        close = nearest(question, result.records)
        beyond = [
            f"{name} {metric_text(name, close.metrics[name])} (at most {metric_text(name, most)})"
            for name, most in question.bounds.items()
            if close.metrics[name] > most
        ]
        found.append(f"No candidate meets the budget. Trial {close.number} comes nearest: {_listed(beyond)}.")
    found += trust_notes(result, {one.name: one.graph for one in beside.found})
    return [*found, *notes]


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
