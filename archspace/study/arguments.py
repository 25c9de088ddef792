"""What a search may be given, checked where a person types it: in a notebook no command line stands before it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from archspace.errors import LawError
from archspace.settings import BOUNDS
from archspace.space import Space
from archspace.units import parse_count, parse_ms

ABOVE_ZERO = {metric for metric, _ in BOUNDS.values()}
EXAMPLES = {
    "objectives": {"stage_channels": "maximize"},
    "bounds": {"madds": "140M"},
    "hold": {"madds": "140M"},
}


def space(value: object) -> Space:
    """A space, or the one at a path. Raises LawError, FileError, SpaceError."""
    if isinstance(value, Space):
        return value
    if isinstance(value, str | Path):
        return Space.load(value)
    raise LawError(f"search takes a Space or the path of its TOML, but got {type(value).__name__}. See Space.load and Space.from_dict.")


def folder(value: object) -> Path:
    """The study's directory. Raises LawError."""
    if not isinstance(value, str | Path):
        raise LawError(f"directory must be a path, but got {value!r}. Example: directory='runs/x'")
    return Path(value)


def whole(name: str, value: object, least: int | None = None) -> int:
    """A whole number. Raises LawError."""
    if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
        raise LawError(f"{name} must be a whole number{'' if least is None else f' of at least {least}'}, but got {value!r}")
    return value


def seconds(name: str, value: object) -> float | None:
    """A duration above 0, or None. Raises LawError."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or value <= 0:
        raise LawError(f"{name} must be a number of seconds above 0, but got {value!r}")
    return float(value)


def word(name: str, value: object) -> None:
    """Raise LawError for what is neither a word nor None."""
    if value is not None and not isinstance(value, str):
        raise LawError(f"{name} must be a word, but got {value!r}")


def table(name: str, value: object) -> dict[str, Any]:
    """A table by metric. Raises LawError."""
    if not isinstance(value, Mapping):
        raise LawError(f"{name} must be a table by metric, but got {value!r}. Example: {name}={EXAMPLES[name]}")
    return dict(value)


def quantities(name: str, value: object) -> dict[str, float]:
    """Metric -> quantity, read from numbers or from words as the command line takes them ('140M', '30ms'). Raises LawError."""
    found = {}
    for metric, quantity in table(name, {} if value is None else value).items():
        if isinstance(quantity, str):
            quantity = parse_ms(quantity) if metric == "latency_ms" else parse_count(quantity)
        is_number = isinstance(quantity, int | float) and not isinstance(quantity, bool) and isfinite(quantity)
        if not is_number or (metric in ABOVE_ZERO and quantity <= 0):
            law = "a number above 0" if metric in ABOVE_ZERO else "a number"
            raise LawError(f"{name}: {metric} must be {law}, but got {quantity!r}. Example: {name}={EXAMPLES[name]}")
        found[metric] = float(quantity)
    return found
