"""Spaces as they travel with a study: what `Space.to_dict` wrote, read again without the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspace.errors import SpaceError
from archspace.space.reading import space_of
from archspace.space.space import Space

KEYS = ("name", "family", "constants", "objectives", "parameters")


def stored_space(data: Mapping[str, Any]) -> Space:
    """The space that `to_dict` wrote. Raises SpaceError where it is something else, or breaks a law of today's families."""
    try:
        name, written, tables = Path(data["name"]).name, data["parameters"], {}
        for parameter in written:
            domains = [_domain(domain) for domain in parameter["domains"]]
            table = {"each": domains} if parameter["per_stage"] else domains[0]
            tables[parameter["name"]] = {**table, "when": parameter["when"]}
        objectives: dict[str, list[str]] = {}
        for metric, direction in data["objectives"].items():
            objectives.setdefault(direction, []).append(metric)
        file = {"family": data["family"], "constants": data["constants"], "objectives": objectives, "parameters": tables}
        neutral = [tuple(parameter["neutral"]) for parameter in written]
        stored_objectives = dict(data["objectives"])
    except (KeyError, TypeError, IndexError, AttributeError):
        raise SpaceError(f"a stored space has the keys {', '.join(KEYS)} as to_dict writes them, but these are others") from None
    space = space_of(file, name)
    # What is stored was searched: its values for inactive stages stand, whatever a family's defaults have become, and so does its order.
    parameters = tuple(replace(parameter, neutral=values) for parameter, values in zip(space.parameters, neutral, strict=True))
    return replace(space, name=data["name"], parameters=parameters, objectives=stored_objectives)


def _domain(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A domain's table; a range without step or scale does not name them."""
    if "values" in stored:
        return {"choices": list(stored["values"])}
    return {key: stored[key] for key in ("low", "high")} | {key: stored[key] for key in ("step", "log") if stored.get(key)}
