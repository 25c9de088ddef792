"""Design spaces from TOML files, checked key by key.

family = "shufflenet_v1"                       # a family of the zoo
description = "..."
[constants]                                    # options that stay as they are
bottleneck = 4
[objectives]                                   # what a search looks for unless told otherwise
maximize = ["stage_channels"]
minimize = ["mem_elems"]
[parameters.groups]                            # an option of the family
choices = [1, 2, 3, 4, 8]
[parameters.width]
low = 0.25
high = 2.0
step = 0.05
[parameters.repeats]                           # an option with one value per stage
each = [{ low = 1, high = 6 }, { low = 2, high = 10 }, { low = 1, high = 6 }]
[parameters.shuffle]
choices = [true, false]
when = { groups = [2, 3, 4, 8] }               # only where an earlier parameter has one of these values
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from archspace.analysis.pareto import DIRECTIONS, Direction
from archspace.errors import ArchspaceError, LawError, SpaceError, UnknownNameError
from archspace.files import read_text
from archspace.space.domains import Choice, Domain, Range, Value
from archspace.space.space import Parameter, Space
from archspace.zoo import ZOO, build
from archspace.zoo.config import StageCountError, make_config, option_names

TOP_KEYS = ("family", "description", "constants", "objectives", "parameters")
DOMAIN_KEYS = ("choices", "low", "high", "step")


def read_space(path: str | Path) -> Space:
    """The space in a TOML file. Raises FileError when it cannot be read, SpaceError with the file and the key when it breaks a law."""
    text = read_text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpaceError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise SpaceError(f"{path}: not TOML that can be read: it is nested too deeply") from None
    return space_of(data, str(path))


def space_of(data: Mapping[str, Any], place: str) -> Space:
    """The space in a TOML file's data, named after the last part of `place`. Raises SpaceError with the place and the key."""
    if not isinstance(data, Mapping):
        raise SpaceError(f"{place}: a space is a table of keys, but got {data!r}")
    try:
        return _space(data, place)
    except ArchspaceError as error:
        raise SpaceError(f"{place}: {error}") from None


def _space(data: Mapping[str, Any], place: str) -> Space:
    _known_keys("key", data, TOP_KEYS)
    family = data.get("family")
    if not isinstance(family, str):
        raise SpaceError(f"family must name a family of the zoo ({', '.join(ZOO)}), but got {family!r}")
    if family not in ZOO:
        raise UnknownNameError("family", family, ZOO)
    tables = data.get("parameters")
    if not isinstance(tables, dict) or not tables:
        raise SpaceError("parameters must hold at least one table like [parameters.width], but there is none")
    constants = _constants(family, data.get("constants", {}))
    parameters: list[Parameter] = []
    for key, table in tables.items():
        parameter = _parameter(family, key, table, parameters)
        if parameter.name in constants:
            raise SpaceError(f"parameters.{key}: an option is a constant or a parameter, but this one is both. Drop one.")
        parameters.append(parameter)
    return Space(
        name=Path(place).stem,
        family=family,
        parameters=tuple(parameters),
        constants=constants,
        objectives=_objectives(data.get("objectives", {})),
        description=str(data.get("description", "")),
        place=place,
    )


def _constants(family: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SpaceError(f"constants must be a table of options, but got {table!r}")
    make_config(family, ZOO[family].config, table)
    names = option_names(ZOO[family].config)
    return {names[key]: value for key, value in table.items()}


def _parameter(family: str, key: str, table: Any, earlier: list[Parameter]) -> Parameter:
    place = f"parameters.{key}"
    names = option_names(ZOO[family].config)
    if key not in names:
        raise UnknownNameError(f"option of {family}", key, sorted(set(names.values())))
    if not isinstance(table, dict):
        raise SpaceError(f"{place} must be a table with choices, low and high, or each, but got {table!r}")
    if any(parameter.name == names[key] for parameter in earlier):
        raise SpaceError(f"{place}: the option {names[key]} is given twice. Drop one.")
    when = _when(place, table.get("when", {}), earlier, names)
    table = {word: value for word, value in table.items() if word != "when"}
    if "each" not in table:
        _known_keys(f"key in {place}", table, (*DOMAIN_KEYS, "each", "when"))
        parameter = Parameter(names[key], (_domain(place, table),), False, when)
    else:
        parameter = Parameter(names[key], _stages(place, table), True, when)
    _check_values(place, family, parameter)
    return parameter


def _stages(place: str, table: Mapping[str, Any]) -> tuple[Domain, ...]:
    for word in table:
        if word != "each":
            raise SpaceError(f"{place}: each stands alone (or with when), but {word} is beside it. Put it into each stage's table.")
    if not isinstance(table["each"], list) or not table["each"]:
        raise SpaceError(f"{place}.each must list one domain per stage, but got {table['each']!r}")
    return tuple(_domain(f"{place}.each[{i}]", part) for i, part in enumerate(table["each"]))


def _domain(place: str, table: Any) -> Domain:
    if not isinstance(table, dict):
        raise SpaceError(f"{place} must be a table with choices, or low and high, but got {table!r}")
    _known_keys(f"key in {place}", table, DOMAIN_KEYS)
    domain = _choice(place, table) if "choices" in table else _range(place, table)
    domain.check(place)
    return domain


def _choice(place: str, table: Mapping[str, Any]) -> Choice:
    values = table["choices"]
    if not isinstance(values, list) or len(table) > 1:
        raise SpaceError(f"{place}: choices is a list and stands alone, but got {table!r}")
    for value in values:
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, list | dict) for part in parts):
            raise SpaceError(f"{place}: a choice is a number, a word, a flag or a list of them, but got {value!r}")
    return Choice(tuple(tuple(value) if isinstance(value, list) else value for value in values))


def _range(place: str, table: Mapping[str, Any]) -> Range:
    for key in ("low", "high"):
        if not _is_number(table.get(key)):
            raise SpaceError(f"{place}: a domain needs choices, or the numbers low and high, but {key} is {table.get(key)!r}")
    if "step" in table and not _is_number(table["step"]):
        raise SpaceError(f"{place}: step must be a number, but got {table['step']!r}")
    return Range(table["low"], table["high"], table.get("step"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_values(place: str, family: str, parameter: Parameter) -> None:
    """Raise an ArchspaceError when the family cannot take a corner of some domain, or another number of stages."""
    first = [domain.corners()[0] for domain in parameter.domains]
    kind = ZOO[family].config
    types = {field.name: str(field.type) for field in fields(kind)}
    if types[parameter.name].startswith("tuple") and isinstance(parameter.domains[0], Range) and not parameter.per_stage:
        raise SpaceError(f"{place}: {parameter.name} has one value per stage: whole numbers with commas. Use each = [{{ low, high }}, ...]")
    for stage, domain in enumerate(parameter.domains):
        for value in (*domain.corners(), *_second(domain)):
            values = (*first[:stage], value, *first[stage + 1 :])
            make_config(family, kind, {parameter.name: values if parameter.per_stage else value})
    if parameter.per_stage:
        try:
            build(family, **{parameter.name: tuple(first)})
        except StageCountError as error:
            raise SpaceError(f"{place}.each: {error}") from None
        except LawError:
            pass  # other options decide whether these values fit together


def _second(domain: Domain) -> tuple[Value, ...]:
    """The value after the first of a stepped range: it shows whether a whole-number option gets fractions."""
    return (domain.low + domain.step,) if isinstance(domain, Range) and domain.step is not None and len(domain) > 1 else ()


def _when(place: str, table: Any, earlier: list[Parameter], names: Mapping[str, str]) -> dict[str, tuple[Value, ...]]:
    if not isinstance(table, dict):
        raise SpaceError(f"{place}.when must be a table like {{ groups = [2, 3] }}, but got {table!r}")
    above = {parameter.name: parameter for parameter in earlier}
    conditions = {}
    for key, value in table.items():
        name = names.get(key, key)
        if name not in above:
            raise SpaceError(f"{place}.when: a condition names a parameter above it, but {key!r} is none of: {', '.join(above) or 'none'}")
        listed = value if isinstance(value, list) else [value]
        allowed = tuple(tuple(one) if isinstance(one, list) else one for one in listed)
        if not allowed:
            raise SpaceError(f"{place}.when: {key} must list at least one value, but is empty")
        for one in allowed:
            if not above[name].can_be(one):
                raise SpaceError(f"{place}.when: {key} must be able to be {one!r}, but its domain does not hold it")
        conditions[name] = allowed
    return conditions


def _objectives(table: Any) -> dict[str, Direction]:
    if not isinstance(table, dict):
        raise SpaceError(f"objectives must be a table with maximize and minimize, but got {table!r}")
    _known_keys("key in objectives", table, DIRECTIONS)
    objectives: dict[str, Direction] = {}
    for direction in DIRECTIONS:
        metrics = table.get(direction, [])
        if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
            raise SpaceError(f'objectives.{direction} must list metrics, but got {metrics!r}. Example: ["params"]')
        for name in metrics:
            if name in objectives:
                raise SpaceError(f"objectives: {name} has one direction and one place, but is named twice. Drop one.")
            objectives[name] = direction
    return objectives


def _known_keys(what: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            raise UnknownNameError(what, key, known)
