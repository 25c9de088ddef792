"""What one space holds: its parameters, how many architectures, what share of them can be built and is within a budget, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspace.space import Parameter, Space
from archspace.space.counting import Size, architectures
from archspace.space.domains import value_text
from archspace.survey.question import asked_of, built_of, space_named
from archspace.survey.sampling import Progress, Sample, draw
from archspace.survey.statistics import QUANTILES, quantile, wilson
from archspace.zoo import ZOO
from archspace.zoo.config import config_options
from archspace.zoo.shift_penalty import penalty_text

SAMPLES = 1000
COLUMNS = ("min", "p5", "median", "p95", "max")


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the samples, and the 95 % interval of the share in the space (Wilson's)."""

    hits: int
    samples: int

    @property
    def share(self) -> float:
        """The share of the samples."""
        return self.hits / self.samples

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        low, high = wilson(self.hits, self.samples)
        return {"hits": self.hits, "samples": self.samples, "share": self.share, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of one metric over some samples: the least, the 5 % quantile, the median, the 95 % quantile, the most."""

    metric: str
    values: tuple[float, ...]  # in the order of QUANTILES

    @staticmethod
    def of(metric: str, samples: Sequence[Sample]) -> Spread:
        """The spread of a metric that all of these samples have."""
        ordered = sorted([sample.metrics[metric] for sample in samples])
        return Spread(metric, tuple([quantile(ordered, share) for share in QUANTILES]))

    def to_dict(self) -> dict[str, float]:
        """JSON values."""
        return dict(zip(COLUMNS, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class Description:
    """What a space holds. Shares and spreads are over `samples`, random candidates with each variable uniform over its domain."""

    space: Space
    size: Size
    bounds: Mapping[str, float]
    device: str | None
    seed: int
    samples: tuple[Sample, ...]
    notes: tuple[str, ...]

    @property
    def built(self) -> list[Sample]:
        """The samples that can be built."""
        return [sample for sample in self.samples if sample.metrics]

    @property
    def within(self) -> list[Sample]:
        """The samples within the budget."""
        return [sample for sample in self.samples if sample.feasible]

    @property
    def buildable(self) -> Share:
        """The share that can be built."""
        return Share(len(self.built), len(self.samples))

    @property
    def feasible(self) -> Share:
        """The share that can be built and is within every bound."""
        return Share(len(self.within), len(self.samples))

    @property
    def problem(self) -> str:
        """Why the first of the samples that cannot be built cannot; '' where all can."""
        return next((sample.problem for sample in self.samples if not sample.metrics), "")

    def spreads(self, *, within: bool = False) -> list[Spread]:
        """The spread of every metric, over all samples that can be built or over those within the budget.

        What is measured within the budget alone has no spread over all.
        """
        samples = self.within if within else self.built
        outside = [sample for sample in samples if not sample.feasible]
        names = dict.fromkeys(name for sample in outside or samples for name in sample.metrics)
        return [Spread.of(name, [sample for sample in samples if name in sample.metrics]) for name in names]

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the keys are a contract."""
        return {
            "schema": 1,
            "space": self.space.name,
            "family": self.space.family,
            "description": self.space.description,
            "digest": self.space.digest,
            "constants": dict(self.space.constants),
            "parameters": [
                {"name": p.name, "stages": len(p.domains) if p.per_stage else None, "values": values_text(p), "when": condition_text(p)}
                for p in self.space.parameters
            ],
            "architectures": {"count": self.size.count, "continuous": list(self.size.continuous), "exact": self.size.is_exact},
            "bounds": dict(self.bounds),
            "device": self.device,
            "seed": self.seed,
            "buildable": self.buildable.to_dict(),
            "feasible": self.feasible.to_dict(),
            "first_problem": self.problem,
            "metrics": {spread.metric: spread.to_dict() for spread in self.spreads()},
            "metrics_within": {spread.metric: spread.to_dict() for spread in self.spreads(within=True)} if self.bounds else None,
            "notes": list(self.notes),
        }


def describe(
    space: Space | str | Path,
    *,
    bounds: Mapping[str, float | str] | None = None,
    device: str | None = None,
    metrics: Sequence[str] = (),
    samples: int = SAMPLES,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Description:
    """Survey a space by random candidates: describe("spaces/shufflenet_v2.toml", bounds={"madds": "60M"}, device="sd810").

    metrics: further ones, measured of the candidates within the bounds. Raises ArchspaceError for what cannot be measured, SpaceError for a
    space of which nothing can be built.
    """
    space = space_named(space)
    asked = asked_of(bounds, metrics, device, seed, samples, workers)
    drawn = draw(space, asked, samples, workers=workers, progress=progress)
    built_of(space, drawn)
    return Description(space, architectures(space), asked.bounds, device, seed, drawn, tuple(penalty_notes(space)))


def values_text(parameter: Parameter) -> str:
    """What a parameter may be, in words: '3 stages: 0.25 to 0.75 by 0.05', '2 to 6 | 4 to 12 | 2 to 6'."""
    texts = [str(domain) for domain in parameter.domains]
    if not parameter.per_stage:
        return texts[0]
    return f"{len(texts)} stages: {texts[0]}" if len(set(texts)) == 1 else " | ".join(texts)


def condition_text(parameter: Parameter) -> str:
    """Where a parameter is active, in words: 'unit v1', 'groups 2, 3, 4 or 8'; '' for everywhere."""
    parts = []
    for name, allowed in parameter.when.items():
        words = [value_text(value) for value in allowed]
        parts.append(f"{name} " + (f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]))
    return " and ".join(parts)


def penalty_notes(space: Space) -> list[str]:
    """What a training penalty of the space means, and how uncertain that is."""
    if "shift_lambda" in space.constants:
        penalties = [space.constants["shift_lambda"]]
    else:
        parameter = next((parameter for parameter in space.parameters if parameter.name == "shift_lambda"), None)
        penalties = [] if parameter is None else [value for value in parameter.domains[0].corners() if isinstance(value, int | float)]
    options = config_options(ZOO[space.family].config()) | dict(space.constants)
    curve, beyond = options.get("lambda_curve", ""), options.get("lambda_beyond", False)
    return [f"shift_lambda, by SSL's table 1 ({curve}): {penalty_text(value, curve, beyond=beyond)}" for value in penalties]
