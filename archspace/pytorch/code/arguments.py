"""Arguments: which values of a class its constructor takes, what they are called, and how the others follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from archspace.pytorch.code.classes import Row, Structure, Target, Use, Value
from archspace.pytorch.code.literals import literal
from archspace.pytorch.code.pieces import REQUIRED, Expression, Layer, Stored

# What a word counts: values are one argument only where they count the same.
CHANNELS = "channels"
KINDS: dict[str, str] = {
    "in_channels": CHANNELS,
    "out_channels": CHANNELS,
    "in_features": CHANNELS,
    "out_features": CHANNELS,
    "num_features": CHANNELS,
    "num_channels": CHANNELS,
    "channels": CHANNELS,
    "normalized_shape": CHANNELS,
    "size": CHANNELS,
    "start": CHANNELS,
    "stop": CHANNELS,
}
TAKEN = (
    "in_channels",
    "in_features",
    "num_features",
    "num_channels",
    "channels",
    "normalized_shape",
)  # words for the channels of a part's input
GIVEN = ("out_channels", "out_features", *TAKEN[2:])  # words for the channels of a part's output
FACTORS = range(2, 17)  # multiples that are written as such: `6 * in_channels`, `channels // 4`
HIDDEN = "hidden_channels"
INPUT_NAMES = ("x", "y", "z")

Key = tuple[str, tuple[Any, ...]]  # what slots count, and their values in all instances


@dataclass(frozen=True, slots=True)
class Argument:
    """A constructor's argument, and the value that each instance gives it."""

    name: str
    kind: str
    default: Any
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One slot of one part: its word, the value in every instance of the class, and the default of what it is given to."""

    unit: int
    word: str
    kind: str
    default: Any
    values: tuple[Any, ...]

    @property
    def varies(self) -> bool:
        return any(value != self.values[0] or type(value) is not type(self.values[0]) for value in self.values)


@dataclass(frozen=True, slots=True)
class Solved:
    """A class with its arguments, and the code of every slot in the order of `places`; None where the default stands."""

    structure: Structure
    arguments: tuple[Argument, ...]
    places: tuple[Place, ...]
    code: tuple[str | None, ...]


def input_name(k: int) -> str:
    """What the k-th argument of a block's forward is called."""
    return INPUT_NAMES[k] if k < len(INPUT_NAMES) else f"x{k}"


def solve(structure: Structure, solved: Sequence[Solved]) -> Solved:
    """The arguments of a class, given those of the classes before."""
    places = tuple([place for u, unit in enumerate(structure.units) for place in _places(u, unit.target, _column(structure, u), solved)])
    groups = _groups(places)
    ends = _ends(structure, groups, places)
    primary: list[Key] = list(ends)
    formulas: dict[Key, tuple[str, Key]] = {}
    for key in groups:
        if key not in ends and not _is_depthwise(key, groups):
            formula = next(((form, one) for one in primary if (form := _formula(key, one))), None)
            if formula:
                formulas[key] = formula
            else:
                primary.append(key)
    names = ends | _names(structure, {key: groups[key] for key in primary if key not in ends}, set(ends.values()))
    texts = names | {key: form.format(names[one]) for key, (form, one) in formulas.items()}
    texts |= {key: texts[CHANNELS, key[1]] for key in groups if _is_depthwise(key, groups)}
    arguments = [Argument(names[key], key[0], _default(key[1], groups[key]), key[1]) for key in primary]
    arguments.sort(key=lambda argument: argument.default is not REQUIRED)
    code = tuple([texts[place.kind, place.values] if place.varies else _constant(place) for place in places])
    return Solved(structure, tuple(arguments), places, code)


def _column(structure: Structure, u: int) -> tuple[Any, ...]:
    return tuple([row[u] for row in structure.data])


def _places(u: int, target: Target, data: tuple[Any, ...], solved: Sequence[Solved]) -> Iterator[Place]:
    if isinstance(target, Layer | Expression | Stored):
        for k, slot in enumerate(target.slots):
            yield Place(u, slot.word, KINDS.get(slot.word, slot.word), slot.default, tuple([row[k] for row in data]))
    elif isinstance(target, Use):
        for argument in solved[target.index].arguments:
            values = tuple([argument.values[instance] for instance in data])
            yield Place(u, argument.name, argument.kind, argument.default, values)
    elif isinstance(target, Row):
        for k, (_, member) in enumerate(target.members):
            yield from _places(u, member, tuple([row[k] for row in data]), solved)


def _groups(places: Sequence[Place]) -> dict[Key, list[Place]]:
    """The slots that always have the same values and count the same, in order."""
    groups: dict[Key, list[Place]] = {}
    for place in places:
        if place.varies:
            groups.setdefault((place.kind, place.values), []).append(place)
    return groups


def _is_depthwise(key: Key, groups: Mapping[Key, Sequence[Place]]) -> bool:
    """Whether these are groups that equal some channels everywhere: they are written as those."""
    return key[0] == "groups" and (CHANNELS, key[1]) in groups


def _formula(key: Key, argument: Key) -> str:
    """How values follow from an argument's, '{}' for its name; '' where they do not."""
    (kind, values), (of_kind, given) = key, argument
    if not all(type(value) is int for value in (*values, *given)):
        return ""
    if (kind, of_kind) == ("padding", "kernel_size") and values == tuple([value // 2 for value in given]):
        return "{} // 2"
    for k in FACTORS if kind == of_kind == CHANNELS else ():
        if values == tuple([k * value for value in given]):
            return f"{k} * {{}}"
        if given == tuple([k * value for value in values]):
            return f"{{}} // {k}"
    return ""


def _default(values: tuple[Any, ...], members: Sequence[Place]) -> Any:
    """The default that all slots of a group have and some instance takes; REQUIRED where there is none."""
    default = members[0].default
    shared = all(place.default == default for place in members)
    return default if default is not REQUIRED and shared and default in values else REQUIRED


def _constant(place: Place) -> str | None:
    value = place.values[0]
    return None if place.default is not REQUIRED and value == place.default else literal(value)


def _ends(structure: Structure, groups: Mapping[Key, Sequence[Place]], places: Sequence[Place]) -> dict[Key, str]:
    """The channels that come in and those that go out, where they vary: always arguments, and the first."""
    units = structure.units
    first = next((one for u, unit in enumerate(units) if (-1, 0) in unit.inputs and (one := _taken(u, places))), None)
    last = _outcome(structure, structure.outputs[0], places) if structure.outputs else None
    passes = last is None and bool(structure.outputs) and _is_passed_on(structure, structure.outputs[0])
    enters = next((key for key, members in groups.items() if first in members), None)
    leaves = next((key for key, members in groups.items() if last in members), None)
    leaves = enters if passes else leaves
    if enters == leaves:
        return {} if enters is None else {enters: "channels"}
    return {key: name for key, name in ((enters, "in_channels"), (leaves, "out_channels")) if key is not None}


def _names(structure: Structure, groups: Mapping[Key, Sequence[Place]], taken: set[str]) -> dict[Key, str]:
    """Names for the other arguments: a slot's word, after its part where several have it; the only channels left are the hidden ones."""
    taken = taken | {part for unit in structure.units for part in unit.path}
    ends = frozenset({"channels", "in_channels", "out_channels"}) & taken
    names: dict[Key, str] = {}
    for key, members in groups.items():
        place = next((one for one in members if one.word in GIVEN), members[0])
        words = {one.word for one in members}
        alone = sum(kind == key[0] for kind, _ in groups) == 1
        part = structure.units[place.unit].path[-1]
        part = part if part.isidentifier() else f"part{part}"
        if key[0] != CHANNELS:
            wanted = [place.word] if alone else []
        elif words & {"start", "stop"}:
            wanted = ["split_channels"]
        elif alone and not ends:
            wanted = ["channels"]
        else:
            wanted = [HIDDEN] if alone or HIDDEN in words else []
        wanted += [f"{part}_{CHANNELS if key[0] == CHANNELS else place.word}", f"{part}_{place.word}"]
        names[key] = next(one for one in chain(wanted, map(f"{wanted[-1]}{{}}".format, count(2))) if one not in taken)
        taken.add(names[key])
    return names


def _taken(u: int, places: Sequence[Place]) -> Place | None:
    return next((place for place in places if place.unit == u and place.word in TAKEN), None)


def _outcome(structure: Structure, value: tuple[int, int], places: Sequence[Place]) -> Place | None:
    """The slot that says how many channels a value has: that of the part that makes it, or of what that part passes on."""
    u, _ = value
    while u >= 0:
        unit = structure.units[u]
        own = [place for place in places if place.unit == u and place.word in GIVEN]
        named = [place for place in own if place.word.startswith("out_")]
        if own:
            return (named or own)[-1]
        if not unit.inputs or (isinstance(unit.target, Expression) and unit.target.form not in ("+", "*")):
            return None
        u = unit.inputs[0][0]
    return None


def _is_passed_on(structure: Structure, value: Value) -> bool:
    """Whether a value is the first input with something added or done to it that keeps its channels."""
    while value[0] >= 0:
        unit = structure.units[value[0]]
        if not unit.inputs or (isinstance(unit.target, Expression) and unit.target.form not in ("+", "*")):
            return False
        value = unit.inputs[0]
    return value == (-1, 0)
