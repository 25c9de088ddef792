"""The question of a study: everything that decides which trials it runs. It travels with the results and is compared on resuming."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import ceil, floor
from typing import Any

from archspace.analysis.pareto import Direction
from archspace.errors import BudgetError, MissingPackageError, StudyError, UnknownNameError
from archspace.latency import Profile, load_profile
from archspace.latency.profile_json import profile_from_dict, profile_to_dict
from archspace.objectives.metrics import check_objectives, measure_of, metric_named, metric_text
from archspace.space import Space
from archspace.space.budget import HELD, Extreme, extreme, width_range
from archspace.version import VERSION

FORMAT = 2
AUTO, TPE, NSGA2, RANDOM, GP, GRID = "auto", "tpe", "nsga2", "random", "gp", "grid"
GP_PACKAGES = ("torch", "scipy")
SAMPLERS = (TPE, NSGA2, RANDOM, GP, GRID)
LATENCY_SLACK = 1.25  # latency nearly grows with every dimension: a corner may be slower than its neighbours by tiles that are not full
IN_FLIGHT = 8  # candidates that are out at once where judging one is slow: enough for as many workers, few enough to learn from


@dataclass(frozen=True, slots=True)
class Question:
    """Which candidates of `space` are best in `objectives` (metric -> direction) without exceeding `bounds` (metric -> most)?

    `hold` fixes metrics at a value by solving the width of each candidate. `device` names a latency profile; `profile_json` is the profile
    itself where the question came from a storage. Trial n is asked for when the answers of all trials up to n - `in_flight` are told:
    that, and not the number of workers, decides what the sampler knows.
    """

    space: Space
    objectives: Mapping[str, Direction]
    bounds: Mapping[str, float] = field(default_factory=dict)
    hold: Mapping[str, float] = field(default_factory=dict)
    device: str | None = None
    sampler: str = TPE
    seed: int = 0
    in_flight: int = 1
    profile_json: Mapping[str, Any] | None = None

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

    @property
    def is_slow(self) -> bool:
        """Whether judging a candidate takes so long that processes of their own are worth their start."""
        return any(metric_named(name).is_slow for name in self.metrics)

    def profile(self) -> Profile | None:
        """The device's latency profile. Raises UnknownNameError or FileError."""
        if self.profile_json is not None:
            return profile_from_dict(self.profile_json, f"profile of {self.device}")
        return None if self.device is None else load_profile(self.device)

    def device_id(self) -> str | None:
        """A digest of the latency profile: another fit under the same name is another device."""
        profile = self.profile()
        return None if profile is None else digest_of(profile_to_dict(profile))

    def check(self) -> None:
        """Raise an ArchspaceError when the question contradicts itself, or when no candidate found can meet a bound."""
        check_objectives(self.objectives)
        if self.sampler not in SAMPLERS:
            raise UnknownNameError("sampler", self.sampler, (AUTO, *SAMPLERS))
        for package in GP_PACKAGES if self.sampler == GP else ():
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
            if metric_named(name).grows:  # what the corners of a space reach says nothing of other metrics
                self._check_reachable(name, most, device)
            elif name == "latency_ms":
                self._check_reachable(name, most * LATENCY_SLACK, device, asked=most)
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

    def _check_reachable(self, name: str, most: float, device: Profile | None, asked: float | None = None) -> None:
        least = extreme(self.space, measure_of(name, device))
        if least.value > most:
            raise BudgetError(_unreachable(self.space, name, "be at most", most if asked is None else asked, "smallest", least))

    def to_dict(self) -> dict[str, Any]:
        """The question as JSON values; two questions are the same when these are."""
        return {
            "archspace_study": FORMAT,
            "version": VERSION,
            "space": self.space.to_dict(),
            "space_id": self.space.digest[:12],
            "objectives": dict(self.objectives),
            "bounds": dict(self.bounds),
            "hold": dict(self.hold),
            "device": self.device,
            "device_id": self.device_id(),
            "sampler": self.sampler,
            "seed": self.seed,
            "in_flight": self.in_flight,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any], profile_json: Mapping[str, Any] | None, place: str) -> Question:
        """The question that `to_dict` wrote, with the profile that went with it. Raises StudyError for what is none."""
        if not isinstance(data, Mapping) or data.get("archspace_study") != FORMAT:
            raise StudyError(f"{place}: not a study that this archspace can read.")
        return Question(
            space=Space.from_stored(data["space"]),
            objectives=data["objectives"],
            bounds=data["bounds"],
            hold=data["hold"],
            device=data["device"],
            sampler=data["sampler"],
            seed=data["seed"],
            in_flight=data["in_flight"],
            profile_json=profile_json,
        )


def digest_of(data: Any) -> str:
    """A short digest of JSON values: equal for equal values."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def check_same(stored: Any, asked: Mapping[str, Any], place: str) -> None:
    """Raise StudyError when a stored study belongs to another question or version, saying which part differs."""
    if not isinstance(stored, dict) or stored.get("archspace_study") != FORMAT:
        raise StudyError(f"{place}: not a study that this archspace wrote. Give another directory with -o.")
    for key, value in asked.items():
        same_order = key != "objectives" or list(stored.get(key, ())) == list(value)  # the first objective ranks the winners
        if stored.get(key) != value or not same_order:
            was, now = (_shown(key, part) for part in (stored.get(key), value))
            raise StudyError(
                f"{place}: a study goes on with the {LAWS.get(key, 'question')} that it began with, but {WORDS.get(key, key)} was {was} "
                f"and now is {now}. Give another directory with -o, or start it anew with --force."
            )


LAWS = {"version": "archspace", "device_id": "device profile"}
WORDS = {"device_id": "the fit behind --device", "space_id": "the space", "in_flight": "--in-flight"}


def _shown(key: str, value: Any) -> str:
    return f"{value.get('name')!r} ({value.get('family')})" if key == "space" and isinstance(value, dict) else repr(value)


def _unreachable(space: Space, name: str, law: str, asked: float, which: str, found: Extreme) -> str:
    shown = ", ".join(f"{key}={value}" for key, value in found.options.items())
    way_out = "that or more" if which == "smallest" else "that or less"
    return (
        f"space {space.name}: {name} must {law} {metric_text(name, asked)}, but the {which} value found in the space is "
        f"{_reachable_text(name, found.value, which)} ({shown}). Ask for {way_out}, or widen the space."
    )


def _reachable_text(name: str, value: float, which: str) -> str:
    """A value that can be asked for as it is printed: exact, or rounded to the side that is reachable."""
    if float(value).is_integer():
        return f"{value:.0f}"
    rounded = (ceil(value * 1e4) if which == "smallest" else floor(value * 1e4)) / 1e4
    return f"{rounded:.4f} ms" if name == "latency_ms" else f"{rounded:.4f}"
