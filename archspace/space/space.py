"""Design spaces: a family of the zoo, its parameters and their domains. `archspace.space.reading` reads them from TOML."""

from __future__ import annotations

import hashlib
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
    """An option that varies: one domain, or one per stage. `when` limits it to some values of earlier parameters.

    A condition on an option with one value per stage holds stage by stage: of an option that has one too, the stages where it does not hold
    take their `neutral` value and are not asked for; a single option is active where it holds in any stage. A condition that lists whole
    lists is about the whole option.
    """

    name: str
    domains: tuple[Domain, ...]
    per_stage: bool = False
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    neutral: tuple[Value, ...] = ()  # one per stage, where there are stages and conditions

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

    def active(self, chosen: Mapping[str, Value], earlier: Mapping[str, tuple[bool, ...]]) -> tuple[bool, ...]:
        """Which of its variables its conditions leave. `earlier`: the same of the parameters chosen so far; absent ones are inactive."""
        n = len(self.domains)
        if not self.when:
            return (True,) * n
        stages: list[bool] | None = None  # where all conditions on stages hold
        for name, allowed in self.when.items():
            if name not in earlier:
                return (False,) * n
            value = chosen[name]
            if isinstance(value, tuple) and not isinstance(allowed[0], tuple):
                holds = [is_active and one in allowed for is_active, one in zip(earlier[name], value, strict=True)]
                stages = holds if stages is None else [a and b for a, b in zip(stages, holds, strict=True)]
            elif value not in allowed:
                return (False,) * n
        if stages is None:
            return (True,) * n
        return tuple(stages) if self.per_stage else (any(stages),)


@dataclass(frozen=True, slots=True)
class Space:
    """A declarative design space: a family of the zoo, what varies in it and what stays."""

    name: str
    family: str
    parameters: tuple[Parameter, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)
    objectives: Mapping[str, Direction] = field(default_factory=dict)
    description: str = field(default="", compare=False)
    place: str = field(default="", compare=False)  # the file that it was read from, for messages

    @staticmethod
    def load(path: str | Path) -> Space:
        """Read a TOML file. Raises FileError, or SpaceError with the file, the line and the key."""
        from archspace.space.reading import read_space

        return read_space(path)

    @staticmethod
    def from_dict(data: Mapping[str, Any], place: str) -> Space:
        """A space from what its TOML would hold; `place` names it in errors, and its last part names the space. Raises SpaceError."""
        from archspace.space.reading import space_of

        return space_of(data, place)

    @staticmethod
    def from_stored(data: Mapping[str, Any]) -> Space:
        """The space that `to_dict` wrote, equal to it, without its file. Raises SpaceError for what this archspace cannot read."""
        from archspace.space.stored import stored_space

        return stored_space(data)

    def choose(self, pick: Callable[[str, Domain], Value], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """The family's options when `pick` gives the value of each active variable, constants included; `without` some parameters.

        A parameter that is inactive altogether has no option; where some of its stages are, these have their neutral value.
        """
        chosen: dict[str, Any] = dict(self.constants)
        masks: dict[str, tuple[bool, ...]] = {}
        for parameter in self.parameters:
            if parameter.name in without:
                continue
            mask = parameter.active(chosen, masks)
            if not any(mask):
                continue
            masks[parameter.name] = mask
            variables = parameter.variables
            if not parameter.per_stage:
                chosen[parameter.name] = pick(*variables[0])
            else:
                chosen[parameter.name] = tuple(
                    [pick(*variable) if mask[i] else parameter.neutral[i] for i, variable in enumerate(variables)]
                )
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

    @property
    def digest(self) -> str:
        """The SHA-256 of `to_dict`: equal for equal spaces, whatever the file looked like."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The space as JSON values, which `from_stored` reads: equal for equal spaces, whatever the file looked like."""
        data = {
            "name": self.name,
            "family": self.family,
            "constants": dict(self.constants),
            "objectives": dict(self.objectives),
            "parameters": [
                {
                    "name": p.name,
                    "per_stage": p.per_stage,
                    "domains": [asdict(domain) for domain in p.domains],
                    "when": dict(p.when),
                    "neutral": p.neutral,
                }
                for p in self.parameters
            ],
        }
        plain: dict[str, Any] = json.loads(json.dumps(data))  # lists for tuples, however deep
        return plain
