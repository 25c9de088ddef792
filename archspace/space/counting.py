"""How many architectures a space holds: exact, conditions counted, those that differ in inactive values alone taken as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from archspace.space.domains import Domain, Range, Value
from archspace.space.space import Parameter, Space

MOST_CASES = 200_000  # combinations of values that conditions look at

Variable = tuple[str, int]  # a parameter's name and a stage of it


@dataclass(frozen=True, slots=True)
class Size:
    """The number of architectures, `continuous` variables left out; an upper bound where `is_exact` is no."""

    count: int
    continuous: tuple[str, ...] = ()
    is_exact: bool = True

    def __str__(self) -> str:
        """For people: '1,234', '4.56 x 10^21', '1,620 x continuous shift_lambda'."""
        digits = str(self.count)
        shown = f"{self.count:,}" if len(digits) <= 12 else f"{digits[0]}.{digits[1:3]} x 10^{len(digits) - 1}"
        return ("" if self.is_exact else "at most ") + " x ".join([shown, *(f"continuous {name}" for name in self.continuous)])


@dataclass(frozen=True, slots=True)
class _Class:
    """Values of a variable that all conditions treat alike: one of them, and how many there are."""

    value: Value | object
    count: int


def architectures(space: Space) -> Size:
    """How many different options the space's candidates can have. Values on a continuous scale are not counted but named."""
    continuous = tuple([name for parameter in space.parameters for name, domain in parameter.variables if _is_continuous(domain)])
    by_name = {parameter.name: parameter for parameter in space.parameters}
    looked_at = {name for parameter in space.parameters for name in parameter.when}
    classes = {(name, stage): _classes(space, by_name[name], stage) for name in looked_at for stage in range(len(by_name[name].domains))}
    count = 1
    for component in _components(space, by_name):
        if prod([len(classes.get(variable, (None,))) for variable in component]) > MOST_CASES:
            sizes = [_length(domain) for parameter in space.parameters for domain in parameter.domains]
            return Size(prod(sizes), continuous, is_exact=False)
        count *= _counted(component, 0, by_name, classes, {})
    return Size(count, continuous)


def _counted(
    component: list[Variable],
    at: int,
    by_name: Mapping[str, Parameter],
    classes: Mapping[Variable, list[_Class]],
    chosen: dict[Variable, Value | object],
) -> int:
    """How many combinations the variables from `at` on have, when the active ones before have these values."""
    if at == len(component):
        return 1
    name, stage = variable = component[at]
    parameter = by_name[name]
    if not _is_active(parameter, stage, by_name, chosen):
        return _counted(component, at + 1, by_name, classes, chosen)
    if variable not in classes:
        return _length(parameter.domains[stage]) * _counted(component, at + 1, by_name, classes, chosen)
    total = 0
    for one in classes[variable]:
        total += one.count * _counted(component, at + 1, by_name, classes, {**chosen, variable: one.value})
    return total


def _is_active(parameter: Parameter, stage: int, by_name: Mapping[str, Parameter], chosen: Mapping[Variable, Value | object]) -> bool:
    """Whether a variable's conditions hold; `chosen` has the active variables that conditions look at."""
    of_stages: list[tuple[str, tuple[Value, ...]]] = []
    for name, allowed in parameter.when.items():
        earlier = by_name[name]
        if earlier.per_stage and not isinstance(allowed[0], tuple):
            of_stages.append((name, allowed))
            continue
        active = [(name, i) in chosen for i in range(len(earlier.domains))]
        if not any(active):
            return False
        values = [chosen[name, i] if is_active else earlier.neutral[i] for i, is_active in enumerate(active)]
        if (tuple(values) if earlier.per_stage else values[0]) not in allowed:
            return False
    if not of_stages:
        return True
    stages = (stage,) if parameter.per_stage else range(len(by_name[of_stages[0][0]].domains))
    return any(all((name, i) in chosen and chosen[name, i] in allowed for name, allowed in of_stages) for i in stages)


def _components(space: Space, by_name: Mapping[str, Parameter]) -> list[list[Variable]]:
    """The variables in groups that no condition joins, each in the order of the space."""
    group: dict[Variable, int] = {}
    members: dict[int, list[Variable]] = {}
    for parameter in space.parameters:
        for stage in range(len(parameter.domains)):
            joined = {(parameter.name, stage)}
            for name, allowed in parameter.when.items():
                earlier = by_name[name]
                by_stage = earlier.per_stage and parameter.per_stage and not isinstance(allowed[0], tuple)
                joined |= {(name, i) for i in ([stage] if by_stage else range(len(earlier.domains)))}
            numbers = sorted({group[variable] for variable in joined if variable in group})
            number = numbers[0] if numbers else len(group)
            gathered = [*(variable for one in numbers for variable in members.pop(one)), (parameter.name, stage)]
            members[number] = gathered
            group.update(dict.fromkeys(gathered, number))
    order = {variable: i for i, variable in enumerate(group)}
    return [sorted(variables, key=order.__getitem__) for variables in members.values()]


def _classes(space: Space, parameter: Parameter, stage: int) -> list[_Class]:
    """A variable's values, grouped by what the conditions on it say of them."""
    domain = parameter.domains[stage]
    sets: list[tuple[Value, ...]] = []
    for other in space.parameters:
        allowed = other.when.get(parameter.name, ())
        if parameter.per_stage and allowed and isinstance(allowed[0], tuple):
            sets += [(one[stage],) for one in allowed if isinstance(one, tuple)]  # each of them on its own
        elif allowed:
            sets.append(allowed)
    named: list[Value] = []
    for value in (value for allowed in sets for value in allowed):
        if domain.contains(value) and value not in named:
            named.append(value)
    groups: dict[tuple[bool, ...], list[Value]] = {}
    for value in named:
        groups.setdefault(tuple([value in allowed for allowed in sets]), []).append(value)
    rest = _length(domain) - (0 if _is_continuous(domain) else len(named))
    found = [_Class(values[0], len(values)) for values in groups.values()]
    return [*found, _Class(object(), rest)] if rest else found


def _is_continuous(domain: Domain) -> bool:
    return isinstance(domain, Range) and domain.step is None and not domain.is_int and domain.low < domain.high


def _length(domain: Domain) -> int:
    """The number of values; 1 on a continuous scale."""
    is_one_float = isinstance(domain, Range) and domain.step is None and not domain.is_int
    return 1 if is_one_float else len(domain)
