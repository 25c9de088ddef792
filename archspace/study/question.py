"""The question of a study: everything that decides which trials it runs. It travels with the results and is compared on resuming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import ceil, floor
from typing import Any

from archspace.analysis.pareto import Direction
from archspace.errors import BudgetError, MissingPackageError, StudyError, UnknownNameError
from archspace.latency import Profile, load_profile
from archspace.objectives.metrics import check_objectives, measure_of, metric_named, metric_text
from archspace.space import Space
from archspace.space.budget import HELD, Extreme, extreme, width_range

VERSION = 1
AUTO, TPE, NSGA2, RANDOM, GP = "auto", "tpe", "nsga2", "random", "gp"
SAMPLERS = (TPE, NSGA2, RANDOM, GP)


@dataclass(frozen=True, slots=True)
class Question:
    """Which candidates of `space` are best in `objectives` (metric -> direction) without exceeding `bounds` (metric -> most)?

    `hold` fixes metrics at a value by solving the width of each candidate. `device` names a latency profile.
    """

    space: Space
    objectives: Mapping[str, Direction]
    bounds: Mapping[str, float] = field(default_factory=dict)
    hold: Mapping[str, float] = field(default_factory=dict)
    device: str | None = None
    sampler: str = TPE
    seed: int = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that is measured of a candidate; madds and params always, for the tables."""
        return tuple(dict.fromkeys([*self.objectives, *self.bounds, *self.hold, "madds", "params"]))

    @property
    def solved(self) -> tuple[str, ...]:
        """The parameters that are solved for instead of asked for."""
        return (HELD,) if self.hold else ()

    def __str__(self) -> str:
        """'shufflenet_v1: maximize stage_channels, minimize mem_elems; madds at most 140M'."""
        aims = ", ".join(f"{direction} {name}" for name, direction in self.objectives.items())
        limits = [f"{name} at most {metric_text(name, most)}" for name, most in self.bounds.items()]
        limits += [f"{name} held at {metric_text(name, target)}" for name, target in self.hold.items()]
        return f"{self.space.name}: {aims}" + (f"; {', '.join(limits)}" if limits else "")

    def profile(self) -> Profile | None:
        """The device's latency profile. Raises UnknownNameError or FileError."""
        return None if self.device is None else load_profile(self.device)

    def check(self) -> None:
        """Raise an ArchspaceError when the question contradicts itself, or when no candidate found can meet a bound."""
        check_objectives(self.objectives)
        if self.sampler not in SAMPLERS:
            raise UnknownNameError("sampler", self.sampler, (AUTO, *SAMPLERS))
        for package in ("torch", "scipy") if self.sampler == GP else ():
            if find_spec(package) is None:
                raise MissingPackageError(package, "all")
        if len(self.hold) > 1:
            raise BudgetError(f"one width can hold one metric, but got {len(self.hold)}: {', '.join(self.hold)}. Bound the others.")
        device = self.profile()
        for name in self.metrics:
            metric_named(name)
        if "latency_ms" in self.metrics and device is None:
            raise BudgetError("latency needs a device, but none is given. Add --device gtx1080ti or --device sd810.")
        for name, most in self.bounds.items():
            self._check_reachable(name, most, device)
        for name, target in self.hold.items():
            width_range(self.space)
            for parameter in self.space.parameters:
                if set(parameter.when) & set(self.solved):
                    raise BudgetError(f"{parameter.name} depends on {HELD}, which a hold solves for last. Drop the condition or the hold.")
            if self.bounds.get(name, target) < target:
                held, allowed = metric_text(name, target), metric_text(name, self.bounds[name])
                raise BudgetError(f"{name} cannot be held at {held} and be at most {allowed}. Hold it at {allowed}, or drop one.")
            self._check_reachable(name, target, device)
            greatest = extreme(self.space, measure_of(name, device), largest=True)
            if greatest.value < target:
                raise BudgetError(_unreachable(self.space, name, "be held at", target, "largest", greatest))

    def _check_reachable(self, name: str, most: float, device: Profile | None) -> None:
        least = extreme(self.space, measure_of(name, device))
        if least.value > most:
            raise BudgetError(_unreachable(self.space, name, "be at most", most, "smallest", least))

    def to_dict(self) -> dict[str, Any]:
        """The question as JSON values; two questions are the same when these are."""
        return {
            "archspace_study": VERSION,
            "space": self.space.to_dict(),
            "objectives": dict(self.objectives),
            "bounds": dict(self.bounds),
            "hold": dict(self.hold),
            "device": self.device,
            "sampler": self.sampler,
            "seed": self.seed,
        }


def check_same(stored: Any, asked: Mapping[str, Any], place: str) -> None:
    """Raise StudyError when a stored study belongs to another question, saying which part differs."""
    if not isinstance(stored, dict) or stored.get("archspace_study") != VERSION:
        raise StudyError(f"{place}: not a study that this archspace wrote. Give another directory with -o.")
    for key, value in asked.items():
        same_order = key != "objectives" or list(stored.get(key, ())) == list(value)  # the first objective ranks the winners
        if stored.get(key) != value or not same_order:
            was, now = (_shown(key, part) for part in (stored.get(key), value))
            raise StudyError(
                f"{place}: a study goes on with the question that it began with, but {key} was {was} and now is {now}. "
                "Give another directory with -o, or start it anew with --force."
            )


def _shown(key: str, value: Any) -> str:
    return f"{value.get('name')!r} with other contents" if key == "space" and isinstance(value, dict) else repr(value)


def _unreachable(space: Space, name: str, law: str, asked: float, which: str, found: Extreme) -> str:
    shown = ", ".join(f"{key}={value}" for key, value in found.options.items())
    way_out = "that or more" if which == "smallest" else "that or less"
    return (
        f"space {space.name}: {name} must {law} {metric_text(name, asked)}, but the {which} value found in the space is "
        f"{_reachable_text(name, found.value, which)} ({shown}). Ask for {way_out}, or widen the space."
    )


def _reachable_text(name: str, value: float, which: str) -> str:
    """A value that can be asked for as it is printed: exact, or rounded to the side that is reachable."""
    if name == "latency_ms":
        rounded = ceil(value * 1e4) if which == "smallest" else floor(value * 1e4)
        return f"{rounded / 1e4:.4f} ms"
    return f"{value:.0f}"
