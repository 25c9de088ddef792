"""What a survey may be asked, checked where a person types it: spaces, bounds by metric, samples, metrics that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from archspace.errors import BudgetError, LawError, SpaceError
from archspace.latency import Profile, load_profile
from archspace.objectives import excess, metric_named, metric_text
from archspace.space import Space
from archspace.survey.sampling import Asked, Sample
from archspace.units import parse_count, parse_ms

ALWAYS = ("madds", "params", "mem_elems")
LATENCY = "latency_ms"


def asked_of(
    bounds: Mapping[str, float | str] | None, metrics: Sequence[str], device: str | None, seed: int, samples: int, workers: int
) -> Asked:
    """The measuring that these bounds and further metrics need: what every candidate has first, slow ones within the bounds alone.

    Raises UnknownNameError, LawError, FileError.
    """
    for name, value in (("samples", samples), ("workers", workers)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise LawError(f"{name} must be a whole number of at least 1, but got {value!r}")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise LawError(f"seed must be a whole number, but got {seed!r}")
    most = {name: _quantity(name, value) for name, value in (bounds or {}).items()}
    profile: Profile | None = None if device is None else load_profile(device)
    for name in (*most, *metrics):
        metric_named(name)
    if LATENCY in (*most, *metrics) and profile is None:
        raise LawError("latency needs a device, but none is given. Add --device gtx1080ti or --device sd810.")
    first = dict.fromkeys([*ALWAYS, *([LATENCY] if profile else []), *most])
    return Asked(tuple(first), tuple(dict.fromkeys(name for name in metrics if name not in first)), most, profile, seed)


def space_named(value: Space | str | Path) -> Space:
    """A space, or the one at a path. Raises LawError, FileError, SpaceError."""
    if isinstance(value, Space):
        return value
    if isinstance(value, str | Path):
        return Space.load(value)
    raise LawError(f"a survey takes a Space or the path of its TOML, but got {type(value).__name__}. See Space.load and Space.from_dict.")


def built_of(space: Space, samples: Sequence[Sample]) -> list[Sample]:
    """The samples that could be built. Raises SpaceError with the first reason where none could."""
    built = [sample for sample in samples if sample.metrics]
    if not built:
        raise SpaceError(f"{space.place or space.name}: none of {len(samples)} random candidates can be built: {samples[0].problem}")
    return built


def within_of(space: Space, samples: Sequence[Sample], bounds: Mapping[str, float]) -> list[Sample]:
    """The samples within the bounds. Raises BudgetError with the nearest one where there is none."""
    built = built_of(space, samples)
    within = [sample for sample in built if sample.feasible]
    if not within:
        nearest = min(built, key=lambda sample: max(excess(sample.metrics[name], most) for name, most in bounds.items()))
        found = ", ".join(
            f"{name} {metric_text(name, nearest.metrics[name])} (at most {metric_text(name, most)})" for name, most in bounds.items()
        )
        raise BudgetError(f"space {space.name}: none of {len(samples)} random candidates meets the budget. The nearest has {found}.")
    return within


def _quantity(name: str, value: float | str) -> float:
    """A bound as a number, read from a number or from a word as the command line takes it."""
    if isinstance(value, str):
        value = parse_ms(value) if name == LATENCY else parse_count(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or value <= 0:
        raise LawError(f"the bound of {name} must be a number above 0, but got {value!r}. Example: bounds={{'madds': '140M'}}")
    return float(value)
