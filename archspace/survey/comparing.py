"""Spaces side by side, by the distribution of one metric over random members within one budget.

As in Radosavovic et al., "Designing Network Design Spaces" (CVPR 2020), section 3.1: the space whose empirical distribution function of the
error lies above is the better one, at the same complexity and with as many samples of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

from archspace.analysis.pareto import MAXIMIZE, Direction
from archspace.errors import LawError, SpaceError
from archspace.objectives import metric_named
from archspace.space import Space
from archspace.survey.describing import COLUMNS, SAMPLES, Share
from archspace.survey.question import LATENCY, asked_of, space_named, within_of
from archspace.survey.sampling import Asked, Sample, draw
from archspace.survey.statistics import QUANTILES, SIGNIFICANT, Apart, apart, quantile, share_better

ATTEMPTS = 20  # candidates drawn per sample that is asked for within the budget
LEVELS = (0.05, 0.25, 0.5)  # of all samples, best first: where shares are compared unless values are given


@dataclass(frozen=True, slots=True)
class Member:
    """One space of a comparison: its label and its samples, of which those within the budget count."""

    label: str
    space: Space
    samples: tuple[Sample, ...]

    @property
    def within(self) -> Share:
        """The share within the budget."""
        return Share(sum(sample.feasible for sample in self.samples), len(self.samples))

    def values(self, metric: str) -> list[float]:
        """The metric's values within the budget, in order."""
        return sorted([sample.metrics[metric] for sample in self.samples if sample.feasible and metric in sample.metrics])


@dataclass(frozen=True, slots=True)
class Pair:
    """Two spaces in one metric. `better` is the label of the one that dominates, '' where neither does."""

    first: str
    second: str
    apart: Apart  # `ahead`: how far the first has more of the good values
    better: str
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "first": self.first,
            "second": self.second,
            "ks_distance": self.apart.distance,
            "p_value": self.apart.p_value,
            "better": self.better,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Spaces by the distributions of their metrics within one budget."""

    members: tuple[Member, ...]
    metrics: Mapping[str, Direction]
    bounds: Mapping[str, float]
    device: str | None
    seed: int
    levels: Mapping[str, tuple[float, ...]]  # metric -> values that shares are compared at

    def rows(self, metric: str) -> list[dict[str, Any]]:
        """Per space: quantiles, mean, and the share that is better than each of the metric's levels."""
        rows = []
        for member in self.members:
            ordered = member.values(metric)
            shares = {level: share_better(ordered, level, maximize=self.metrics[metric] == MAXIMIZE) for level in self.levels[metric]}
            spread = dict(zip(COLUMNS, [quantile(ordered, share) for share in QUANTILES], strict=True))
            rows.append({"space": member.label, "n": len(ordered), "mean": fmean(ordered), **spread, "better_than": shares})
        return rows

    def pairs(self, metric: str) -> list[Pair]:
        """Every two spaces: how far apart they are, and which one dominates."""
        return [self._pair(metric, first, second) for first, second in combinations(self.members, 2)]

    def _pair(self, metric: str, first: Member, second: Member) -> Pair:
        # Where more is better, minus the value has the function that lies above.
        sign = -1.0 if self.metrics[metric] == MAXIMIZE else 1.0
        found = apart(*(sorted([sign * value for value in member.values(metric)]) for member in (first, second)))
        found = Apart(found.ahead, sign * found.ahead_at, found.behind, sign * found.behind_at, found.pairs)
        ahead, behind = (found.one_sided(distance) < SIGNIFICANT for distance in (found.ahead, found.behind))
        if ahead and behind:
            where = f"{first.label} is ahead most at {found.ahead_at:.4g}, {second.label} at {found.behind_at:.4g}"
            return Pair(first.label, second.label, found, "", f"the curves cross: {where}")
        if not ahead and not behind:
            return Pair(first.label, second.label, found, "", "cannot be told apart with these samples")
        better = first.label if ahead else second.label
        return Pair(first.label, second.label, found, better, f"{better} dominates: nowhere behind by more than chance")

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the keys are a contract."""
        return {
            "schema": 1,
            "bounds": dict(self.bounds),
            "device": self.device,
            "seed": self.seed,
            "spaces": [
                {
                    "space": member.label,
                    "family": member.space.family,
                    "digest": member.space.digest,
                    "within": member.within.to_dict(),
                }
                for member in self.members
            ],
            "metrics": {
                metric: {
                    "direction": direction,
                    "rows": [
                        {**row, "better_than": [{"value": level, "share": share} for level, share in row["better_than"].items()]}
                        for row in self.rows(metric)
                    ],
                    "pairs": [pair.to_dict() for pair in self.pairs(metric)],
                }
                for metric, direction in self.metrics.items()
            },
        }


def compare_spaces(
    spaces: Sequence[Space | str | Path],
    *,
    objectives: Sequence[str] = (),
    bounds: Mapping[str, float | str] | None = None,
    device: str | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    than: Sequence[float] = (),
    workers: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Compare spaces by `samples` random members of each within the bounds (fewer, where 20 times as many candidates do not give them).

    objectives: metrics to compare in; madds, params and, with a device, latency_ms where there is none. than: values of the first objective
    that the shares of better members are given for. progress: label, done, of how many. Raises ArchspaceError for what cannot be measured,
    BudgetError for a space none of whose samples meets the budget.
    """
    named = [space_named(space) for space in spaces]
    if len(named) < 2:
        raise LawError(f"a comparison takes two spaces or more, but got {len(named)}")
    chosen = tuple(objectives) or ("madds", "params", *([LATENCY] if device else []))
    asked = asked_of(bounds, chosen, device, seed, samples, workers)
    directions = {name: metric_named(name).better for name in dict.fromkeys(chosen)}
    members = []
    for label, space in zip(labels_of(named), named, strict=True):
        members.append(_member(label, space, asked, samples, directions, workers, progress))
    levels = {name: tuple(than) if than and name == chosen[0] else _levels(name, directions[name], members) for name in directions}
    return Comparison(tuple(members), directions, asked.bounds, device, seed, levels)


def labels_of(spaces: Sequence[Space]) -> list[str]:
    """What the spaces are called: by their names, or by their files where names are shared. Raises LawError for one that is there twice."""
    names = [space.name for space in spaces]
    labels = [space.place or space.name if names.count(space.name) > 1 else space.name for space in spaces]
    for label in labels:
        if labels.count(label) > 1:
            raise LawError(f"the spaces of a comparison must differ, but {label} is there {labels.count(label)} times. Drop one.")
    return labels


def _member(
    label: str,
    space: Space,
    asked: Asked,
    samples: int,
    directions: Mapping[str, Direction],
    workers: int,
    progress: Callable[[str, int, int], None] | None,
) -> Member:
    report = None if progress is None else lambda done, total: progress(label, done, total)
    most = ATTEMPTS * samples if asked.bounds else None
    member = Member(label, space, draw(space, asked, samples, most=most, workers=workers, progress=report))
    within = within_of(space, member.samples, asked.bounds)
    for name in directions:
        if not member.values(name):
            raise SpaceError(f"{space.place or space.name}: {name} cannot be measured of any sample: {within[0].problem}")
    return member


def _levels(metric: str, direction: Direction, members: Sequence[Member]) -> tuple[float, ...]:
    ordered = sorted([value for member in members for value in member.values(metric)])
    return tuple([quantile(ordered, 1 - share if direction == MAXIMIZE else share) for share in LEVELS])
