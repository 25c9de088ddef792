"""Design spaces: a family of the zoo, its parameters and their domains. `archspace.space.reading` reads them from TOML."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from archspace.analysis.pareto import Direction
from archspace.ir.graph import Graph
from archspace.space.domains import Domain, Value
from archspace.zoo import build


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

    def can_be(self, value: object) -> bool:
        """Whether the option can take the value: within the domain, or stage by stage within each."""
        if not self.per_stage:
            return self.domains[0].contains(value)
        same_length = isinstance(value, tuple) and len(value) == len(self.domains)
        return same_length and all(domain.contains(one) for domain, one in zip(self.domains, cast(tuple[Value, ...], value), strict=True))

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
    place: str = field(default="", compare=False)  # the file that it was read from, for messages

    @staticmethod
    def load(path: str | Path) -> Space:
        """Read a TOML file. Raises FileError, or SpaceError with the file and the key."""
        from archspace.space.reading import read_space

        return read_space(path)

    @staticmethod
    def from_dict(data: Mapping[str, Any], place: str) -> Space:
        """A space from what its TOML would hold; `place` names it in errors, and its last part names the space. Raises SpaceError."""
        from archspace.space.reading import space_of

        return space_of(data, place)

    @staticmethod
    def from_stored(data: Mapping[str, Any]) -> Space:
        """The space that `to_dict` wrote."""
        from archspace.space.domains import Choice, Range

        def tupled(value: Any) -> Any:
            return tuple(map(tupled, value)) if isinstance(value, list) else value

        return Space(
            name=data["name"],
            family=data["family"],
            constants=data["constants"],
            parameters=tuple(
                Parameter(
                    part["name"],
                    tuple(Choice(tupled(d["values"])) if "values" in d else Range(**d) for d in part["domains"]),
                    part["per_stage"],
                    {key: tupled(value) for key, value in part["when"].items()},
                )
                for part in data["parameters"]
            ),
        )

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
        data = {
            "name": self.name,
            "family": self.family,
            "constants": dict(self.constants),
            "parameters": [
                {
                    "name": p.name,
                    "per_stage": p.per_stage,
                    "domains": [asdict(domain) for domain in p.domains],
                    "when": dict(p.when),
                }
                for p in self.parameters
            ],
        }
        plain: dict[str, Any] = json.loads(json.dumps(data))  # lists for tuples, however deep
        return plain
