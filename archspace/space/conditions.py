"""Conditions of parameters: `when = { unit = ["v1"] }`, read and held against the parameters above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspace.errors import SpaceError, UnknownNameError
from archspace.space.domains import Value
from archspace.space.space import Parameter


def read_conditions(
    table: Mapping[str, Any],
    owner: str,
    stages: int | None,
    earlier: Sequence[Parameter],
    names: Mapping[str, str],
    tables: Mapping[str, Any],
) -> dict[str, tuple[Value, ...]]:
    """Earlier option -> the values that it may have, of the parameter `owner`.

    stages: how many the owner has, None for a single value; names: every option's, aliases included; tables: all parameters of the file.
    Raises SpaceError where a condition names no earlier parameter, asks for what cannot be, or counts other stages.
    """
    above = {parameter.name: parameter for parameter in earlier}
    conditions: dict[str, tuple[Value, ...]] = {}
    for key, value in table.items():
        name = names.get(key, key)
        if name not in above:
            raise SpaceError(f"a condition names a parameter above it, but {key!r} {_why_not(key, name, owner, above, names, tables)}")
        listed = value if isinstance(value, list | tuple) else [value]
        allowed = tuple([tuple(one) if isinstance(one, list) else one for one in listed])
        if not allowed:
            raise SpaceError(f"{key} must list at least one value, but is empty")
        _check_allowed(key, above[name], allowed, stages)
        conditions[name] = allowed
    return conditions


def _why_not(key: str, name: str, owner: str, above: Mapping[str, Parameter], names: Mapping[str, str], tables: Mapping[str, Any]) -> str:
    below = {names.get(other, other): other for other in tables}
    if name == owner:
        return "is this one. Drop it."
    if name not in below:
        return f"is none: {UnknownNameError('parameter', key, list(above) or ['none'])}"
    table = tables[below[name]]
    waits = table.get("when", {}) if isinstance(table, Mapping) else {}
    if isinstance(waits, Mapping) and owner in {names.get(other, other) for other in waits}:
        return "waits for this one in turn. Drop one of the two conditions."
    return f"stands below it. Move [parameters.{below[name]}] up."


def _check_allowed(key: str, parameter: Parameter, allowed: tuple[Value, ...], stages: int | None) -> None:
    of_stages = parameter.per_stage and not isinstance(allowed[0], tuple)
    for one in allowed:
        if parameter.per_stage and isinstance(one, tuple) == of_stages:
            raise SpaceError(f"{key} must list values of a stage or whole lists, but got both: {list(allowed)}")
        can_be = any(domain.contains(one) for domain in parameter.domains) if of_stages else parameter.can_be(one)
        if not can_be:
            raise SpaceError(f"{key} must be able to be {one!r}, but its domain does not hold it")
    if of_stages and stages is not None and stages != len(parameter.domains):
        raise SpaceError(
            f"a condition that holds stage by stage needs as many stages, but {key} has {len(parameter.domains)} and this one {stages}"
        )
