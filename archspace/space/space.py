"""Design spaces as TOML: a family, its parameters, their domains.

family = "shufflenet_v1"                       # a family of the zoo
description = "..."
[constants]                                    # options that stay as they are
shuffle = true
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

import random
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from archspace.analysis.pareto import DIRECTIONS, Direction
from archspace.errors import ArchspaceError, SpaceError, UnknownNameError
from archspace.files import read_text
from archspace.ir.graph import Graph
from archspace.space.domains import Choice, Domain, Range, Value
from archspace.zoo import ZOO, build
from archspace.zoo.config import make_config, option_names

TOP_KEYS = ("family", "description", "constants", "objectives", "parameters")
PARAMETER_KEYS = ("choices", "low", "high", "step", "each", "when")


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option that varies: one domain, or one per stage. `when` limits it to some values of earlier parameters."""

    name: str
    domains: tuple[Domain, ...]
    per_stage: bool = False
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    @property
    def variables(self) -> tuple[tuple[str, Domain], ...]:
        """The scalars to choose: ('width', domain), or ('repeats.0', domain), ('repeats.1', domain), ..."""
        if not self.per_stage:
            return ((self.name, self.domains[0]),)
        return tuple((f"{self.name}.{i}", domain) for i, domain in enumerate(self.domains))

    def is_active(self, chosen: Mapping[str, Value]) -> bool:
        """Whether its conditions hold for the options chosen so far."""
        return all(chosen.get(name) in allowed for name, allowed in self.when.items())


@dataclass(frozen=True, slots=True)
class Space:
    """A declarative design space: a family of the zoo, what varies in it and what stays."""

    name: str
    family: str
    parameters: tuple[Parameter, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)
    objectives: Mapping[str, Direction] = field(default_factory=dict)
    description: str = ""

    @staticmethod
    def load(path: str | Path) -> Space:
        """Read a TOML file. Raises FileError, SpaceError or UnknownNameError with the file and the key."""
        try:
            data = tomllib.loads(read_text(path))
        except tomllib.TOMLDecodeError as error:
            raise SpaceError(f"{path}: not TOML: {error}") from None
        return Space.from_dict(data, str(path))

    @staticmethod
    def from_dict(data: Mapping[str, Any], place: str) -> Space:
        """A space from its TOML data, checked. Raises SpaceError or UnknownNameError with the place."""
        try:
            return _read(data, Path(place).stem)
        except SpaceError as error:
            raise SpaceError(f"{place}: {error}") from None
        except ArchspaceError as error:
            raise SpaceError(f"{place}: {error}") from None

    def choose(self, pick: Callable[[str, Domain], Value], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """The family's options when `pick` gives the value of each active variable, constants included; `without` some parameters."""
        chosen: dict[str, Any] = dict(self.constants)
        for parameter in self.parameters:
            if parameter.name not in without and parameter.is_active(chosen):
                values = tuple(pick(name, domain) for name, domain in parameter.variables)
                chosen[parameter.name] = values if parameter.per_stage else values[0]
        return chosen

    def options(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """The family's options for the values of all variables; inactive ones are ignored."""
        return self.choose(lambda name, _: values[name])

    def sample(self, rng: random.Random) -> dict[str, Value]:
        """Values of all variables, at random and independently; inactive ones are ignored by `options`."""
        return {name: domain.sample(rng) for parameter in self.parameters for name, domain in parameter.variables}

    def build(self, options: Mapping[str, Any]) -> Graph:
        """The graph of one candidate's options. Raises LawError for combinations that cannot exist."""
        return build(self.family, **options)

    def to_dict(self) -> dict[str, Any]:
        """The space as JSON values: equal for equal spaces, whatever the file looked like."""
        return {
            "name": self.name,
            "family": self.family,
            "constants": dict(self.constants),
            "parameters": [
                {
                    "name": p.name,
                    "per_stage": p.per_stage,
                    "domains": [{k: list(v) if isinstance(v, tuple) else v for k, v in asdict(d).items()} for d in p.domains],
                    "when": {name: list(values) for name, values in p.when.items()},
                }
                for p in self.parameters
            ],
        }


def _read(data: Mapping[str, Any], name: str) -> Space:
    _known_keys("key", data, TOP_KEYS)
    if not isinstance(data.get("family"), str):
        raise SpaceError(f"family must name a family of the zoo ({', '.join(ZOO)}), but got {data.get('family')!r}")
    family = data["family"]
    if family not in ZOO:
        raise UnknownNameError("family", family, ZOO)
    tables = data.get("parameters", {})
    if not isinstance(tables, dict) or not tables:
        raise SpaceError("parameters must hold at least one table like [parameters.width], but there is none")
    constants = dict(data.get("constants", {}))
    make_config(family, ZOO[family].config, constants)
    parameters: list[Parameter] = []
    for key, table in tables.items():
        parameter = _parameter(family, key, table, parameters)
        if parameter.name in constants:
            raise SpaceError(f"{key}: an option is a constant or a parameter, but this one is both. Drop one.")
        parameters.append(parameter)
    return Space(name, family, tuple(parameters), constants, _objectives(data.get("objectives", {})), str(data.get("description", "")))


def _parameter(family: str, key: str, table: Any, earlier: list[Parameter]) -> Parameter:
    place = f"parameters.{key}"
    kind = ZOO[family].config
    if key not in option_names(kind):
        raise UnknownNameError(f"option of {family}", key, [f.name for f in fields(kind)])
    if not isinstance(table, dict):
        raise SpaceError(f"{place} must be a table with choices, low and high, or each, but got {table!r}")
    _known_keys(f"key in {place}", table, PARAMETER_KEYS)
    name = option_names(kind)[key]
    if any(parameter.name == name for parameter in earlier):
        raise SpaceError(f"{place}: the option {name} is given twice. Drop one.")
    if "each" in table:
        if not isinstance(table["each"], list) or not table["each"]:
            raise SpaceError(f"{place}.each must list one domain per stage, but got {table['each']!r}")
        domains = tuple(_domain(f"{place}.each[{i}]", part) for i, part in enumerate(table["each"]))
    else:
        domains = (_domain(place, table),)
    per_stage = "each" in table
    for corner in zip(*(domain.corners()[:1] for domain in domains), strict=True):
        make_config(family, kind, {name: corner if per_stage else corner[0]})
    for domain in domains if not per_stage else ():
        for value in domain.corners():
            make_config(family, kind, {name: value})
    return Parameter(name, domains, per_stage, _when(place, table.get("when", {}), earlier))


def _domain(place: str, table: Any) -> Domain:
    if not isinstance(table, dict):
        raise SpaceError(f"{place} must be a table with choices, or low and high, but got {table!r}")
    domain: Domain
    if "choices" in table:
        if not isinstance(table["choices"], list) or {"low", "high", "step", "each"} & set(table):
            raise SpaceError(f"{place}: choices is a list and stands alone, but got {table!r}")
        domain = Choice(tuple(tuple(value) if isinstance(value, list) else value for value in table["choices"]))
    else:
        for key in ("low", "high"):
            if not _is_number(table.get(key)):
                raise SpaceError(f"{place}: a domain needs choices, or the numbers low and high, but {key} is {table.get(key)!r}")
        if table.get("step") is not None and not _is_number(table["step"]):
            raise SpaceError(f"{place}: step must be a number, but got {table['step']!r}")
        domain = Range(table["low"], table["high"], table.get("step"))
    domain.check(place)
    return domain


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _when(place: str, table: Any, earlier: list[Parameter]) -> dict[str, tuple[Value, ...]]:
    if not isinstance(table, dict):
        raise SpaceError(f"{place}.when must be a table like {{ groups = [2, 3] }}, but got {table!r}")
    known = {parameter.name: parameter for parameter in earlier}
    conditions = {}
    for name, value in table.items():
        if name not in known:
            raise SpaceError(f"{place}.when: a condition names a parameter above it, but {name!r} is none of: {', '.join(known) or 'none'}")
        allowed = tuple(value) if isinstance(value, list) else (value,)
        for one in allowed:
            if not known[name].per_stage and not known[name].domains[0].contains(one):
                raise SpaceError(f"{place}.when: {name} must be able to be {one!r}, but its domain does not hold it")
        conditions[name] = allowed
    return conditions


def _objectives(table: Any) -> dict[str, Direction]:
    if not isinstance(table, dict):
        raise SpaceError(f"objectives must be a table with maximize and minimize, but got {table!r}")
    _known_keys("key in objectives", table, DIRECTIONS)
    return {name: direction for direction in DIRECTIONS for name in table.get(direction, [])}


def _known_keys(what: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            raise UnknownNameError(what, key, known)
