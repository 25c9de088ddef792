"""Design spaces from TOML files, checked key by key.

family = "shufflenet_v1"                       # a family of the zoo
description = "..."
[constants]                                    # options that stay as they are
bottleneck = 4
[objectives]                                   # what a search looks for unless told otherwise
maximize = ["stage_channels"]
minimize = ["mem_elems"]
[parameters.width]                             # an option of the family
low = 0.25
high = 2.0
step = 0.05                                    # or log = true: every ratio alike
[parameters.repeats]                           # an option with one value per stage
each = [{ low = 1, high = 6 }, { low = 2, high = 10 }, { low = 1, high = 6 }]
[parameters.groups]                            # three stages with one domain
choices = [1, 2, 3, 4, 8]
stages = 3
[parameters.kernel_size]
choices = [3, 5]
stages = 3
when = { groups = [1, 2] }                     # only where an earlier parameter has one of these values
[parameters.shuffle]
choices = [true, false]
when = { groups = [2, 3, 4, 8] }

A condition on an option with one value per stage holds stage by stage. In a stage where it does not hold, the parameter is not asked for
and the stage takes the option's default (the first value of its domain, where the family has no default for a stage): here a stage of 3
groups keeps its 3x3 kernels. A parameter with a single value (`shuffle`) is active where the condition holds in any stage; inactive, it is
left out, and so is one per stage that is active in none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from archspace.analysis.pareto import DIRECTIONS, Direction
from archspace.errors import ArchspaceError, LawError, SpaceError, UnknownNameError
from archspace.files import read_text
from archspace.space.conditions import read_conditions
from archspace.space.domains import Choice, Domain, Range, Value
from archspace.space.space import Parameter, Space
from archspace.space.toml_lines import KeyPath, key_lines
from archspace.zoo import ZOO, build
from archspace.zoo.config import StageCountError, make_config, option_names
from archspace.zoo.shift_penalty import sparsity_at

TOP_KEYS = ("family", "description", "constants", "objectives", "parameters")
DOMAIN_KEYS = ("choices", "low", "high", "step", "log")
MOST_STAGES = 1000
PENALTY = "shift_lambda"
GIVEN_ONCE = (PENALTY, "shift_sparsity")  # options of which one follows from the other


class MisreadError(ArchspaceError):
    """What is wrong with a key. `path` is the key's, for its line; `shown` is what of it stands in front of the message."""

    def __init__(self, message: str, path: KeyPath, shown: KeyPath) -> None:
        super().__init__(message)
        self.path = path
        self.shown = shown


def read_space(path: str | Path) -> Space:
    """The space in a TOML file. Raises FileError when it cannot be read, SpaceError with file, line and key when it breaks a law."""
    text = read_text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpaceError(f"{path}:{_line_of(error, text)}: not TOML: {error}") from None
    except RecursionError:
        raise SpaceError(f"{path}: not TOML that can be read: it is nested too deeply") from None
    return space_of(data, str(path), text)


def space_of(data: Mapping[str, Any], place: str, text: str | None = None) -> Space:
    """The space in a TOML file's data, named after the last part of `place`. Raises SpaceError with the place and the key.

    text: the file's, for the lines of its keys.
    """
    if not isinstance(data, Mapping):
        raise SpaceError(f"{place}: a space is a table of keys, but got {data!r}")
    try:
        return _space(data, place)
    except MisreadError as error:
        lines = {} if text is None else key_lines(text)
        path = next((error.path[:n] for n in range(len(error.path), 0, -1) if error.path[:n] in lines), ())
        line = f":{lines[path]}" if path else ""
        shown = f"{key_text(error.shown)}: " if error.shown else ""
        raise SpaceError(f"{place}{line}: {shown}{error}") from None


def key_text(path: KeyPath) -> str:
    """A key's path as TOML has it: ('parameters', 'repeats', 'each', 1) -> 'parameters.repeats.each[1]'."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


@contextmanager
def _within(*path: str | int, key: str | int | None = None) -> Iterator[None]:
    """What goes wrong inside is wrong with the key at `path`; its line is that of `key` in it, where there is one."""
    try:
        yield
    except MisreadError:
        raise
    except ArchspaceError as error:
        raise MisreadError(str(error), path if key is None else (*path, key), path) from None


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> int:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else len(text.splitlines()) or 1


def _space(data: Mapping[str, Any], place: str) -> Space:
    _known_keys(data, TOP_KEYS)
    family = data.get("family")
    with _within(key="family"):
        if not isinstance(family, str):
            raise SpaceError(f"family must name a family of the zoo ({', '.join(ZOO)}), but got {family!r}")
        if family not in ZOO:
            raise UnknownNameError("family", family, ZOO)
    tables = data.get("parameters")
    with _within(key="parameters"):
        if not isinstance(tables, dict) or not tables:
            raise SpaceError("parameters must hold at least one table like [parameters.width], but there is none")
    with _within("constants"):
        constants = _constants(family, data.get("constants", {}))
    parameters: list[Parameter] = []
    for key, table in tables.items():
        with _within("parameters", key):
            parameter = _parameter(family, key, table, parameters, tables)
            if parameter.name in constants:
                raise SpaceError("an option is a constant or a parameter, but this one is both. Drop one.")
            others = {*constants, *(one.name for one in parameters)} & set(GIVEN_ONCE)
            if parameter.name in GIVEN_ONCE and others:
                raise SpaceError(f"the sparsity is given or follows from a penalty, but {', '.join(others)} is there too. Drop one.")
        parameters.append(parameter)
    space = Space(
        name=Path(place).stem,
        family=family,
        parameters=tuple(parameters),
        constants=constants,
        objectives=_objectives(data.get("objectives", {})),
        description=str(data.get("description", "")),
        place=place,
    )
    _check_stages(space, tables)
    _check_penalty(space)
    return space


def _constants(family: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise MisreadError(f"constants must be a table of options, but got {table!r}", ("constants",), ())
    names = option_names(ZOO[family].config)
    for key in table:
        with _within("constants", key=key):
            make_config(family, ZOO[family].config, {key: table[key]})
    make_config(family, ZOO[family].config, table)
    return {names[key]: list(value) if isinstance(value, tuple) else value for key, value in table.items()}


def _parameter(family: str, key: str, table: Any, earlier: Sequence[Parameter], tables: Mapping[str, Any]) -> Parameter:
    names = option_names(ZOO[family].config)
    if key not in names:
        raise MisreadError(
            str(UnknownNameError(f"option of {family}", key, sorted(set(names.values())))), ("parameters", key), ("parameters",)
        )
    place = ("parameters", key)
    if not isinstance(table, dict):
        raise MisreadError(f"{key_text(place)} must be a table with choices, low and high, or each, but got {table!r}", place, ())
    if any(parameter.name == names[key] for parameter in earlier):
        raise SpaceError(f"the option {names[key]} is given twice. Drop one.")
    domains, per_stage = _domains(place, table)
    if not isinstance(table.get("when", {}), dict):
        law = f"{key_text(place)}.when must be a table like {{ groups = [2, 3] }}, but got {table['when']!r}"
        raise MisreadError(law, (*place, "when"), ())
    with _within(*place, "when"):
        when = read_conditions(table.get("when", {}), names[key], len(domains) if per_stage else None, earlier, names, tables)
    parameter = Parameter(names[key], domains, per_stage, when)
    _check_values(place, family, parameter)
    return replace(parameter, neutral=_neutral(family, parameter)) if per_stage and when else parameter


def _domains(place: tuple[str, str], table: Mapping[str, Any]) -> tuple[tuple[Domain, ...], bool]:
    """The domains of a parameter, and whether there is one per stage."""
    own = {word: value for word, value in table.items() if word != "when"}
    if "each" in own:
        for word in own:
            if word != "each":
                law = f"each stands alone (or with when), but {word} is beside it. Put it into each stage's table."
                raise MisreadError(law, (*place, word), place)
        listed = own["each"]
        if not isinstance(listed, list) or not listed:
            raise MisreadError(f"each must list one domain per stage, but got {listed!r}", (*place, "each"), (*place, "each"))
        return tuple([_domain((*place, "each", i), part) for i, part in enumerate(listed)]), True
    _known_keys(own, (*DOMAIN_KEYS, "stages", "each", "when"), *place)
    stages = own.pop("stages", None)
    domain = _domain(place, own)
    if stages is None:
        return (domain,), False
    if not isinstance(stages, int) or isinstance(stages, bool) or not 1 <= stages <= MOST_STAGES:
        raise MisreadError(f"stages must be a whole number from 1 to {MOST_STAGES}, but got {stages!r}", (*place, "stages"), place)
    return (domain,) * stages, True


def _domain(place: KeyPath, table: Any) -> Domain:
    with _within(*place):
        if not isinstance(table, dict):
            raise MisreadError(f"{key_text(place)} must be a table with choices, or low and high, but got {table!r}", place, ())
        _known_keys(table, DOMAIN_KEYS, *place)
        domain = _choice(place, table) if "choices" in table else _range(place, table)
    try:
        domain.check("")
    except SpaceError as error:
        law = str(error).removeprefix(": ")
        key = law.partition(" ")[0]  # a law begins with the key that it is about, where it is about one
        raise MisreadError(law, (*place, key), place) from None
    return domain


def _choice(place: KeyPath, table: Mapping[str, Any]) -> Choice:
    with _within(*place, key="choices"):
        values = table["choices"]
        if not isinstance(values, list) or len(table) > 1:
            raise SpaceError(f"choices is a list and stands alone, but got {table!r}")
        for value in values:
            parts = value if isinstance(value, list) else [value]
            if any(isinstance(part, list | dict) for part in parts):
                raise SpaceError(f"a choice is a number, a word, a flag or a list of them, but got {value!r}")
    return Choice(tuple([tuple(value) if isinstance(value, list) else value for value in values]))


def _range(place: KeyPath, table: Mapping[str, Any]) -> Range:
    for key in ("low", "high", "step"):
        with _within(*place, key=key):
            if key == "step" and key in table and not _is_number(table[key]):
                raise SpaceError(f"step must be a number, but got {table[key]!r}")
            if key != "step" and not _is_number(table.get(key)):
                raise SpaceError(f"a domain needs choices, or the numbers low and high, but {key} is {table.get(key)!r}")
    log = table.get("log", False)
    if not isinstance(log, bool):
        raise MisreadError(f"log must be true or false, but got {log!r}", (*place, "log"), place)
    return Range(table["low"], table["high"], table.get("step"), log)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_values(place: KeyPath, family: str, parameter: Parameter) -> None:
    """Raise MisreadError when the family cannot take a corner of some domain."""
    first = [domain.corners()[0] for domain in parameter.domains]
    kind = ZOO[family].config
    types = {field.name: str(field.type) for field in fields(kind)}
    if types[parameter.name].startswith("tuple") and isinstance(parameter.domains[0], Range) and not parameter.per_stage:
        raise SpaceError(
            f"{parameter.name} has one value per stage: whole numbers with commas. Use each = [{{ low, high }}, ...], or stages = 3"
        )
    for stage, domain in enumerate(parameter.domains):
        where = (*place, "each", stage) if parameter.per_stage else place
        with _within(*place):
            for value in (*domain.corners(), *_second(domain)):
                values = (*first[:stage], value, *first[stage + 1 :])
                try:
                    make_config(family, kind, {parameter.name: values if parameter.per_stage else value})
                except ArchspaceError as error:
                    key = "choices" if isinstance(domain, Choice) else "high" if value == domain.high else "low"
                    raise MisreadError(str(error), (*where, key), place) from None


def _second(domain: Domain) -> tuple[Value, ...]:
    """The value after the first of a stepped range: it shows whether a whole-number option gets fractions."""
    return (domain.low + domain.step,) if isinstance(domain, Range) and domain.step is not None and len(domain) > 1 else ()


def _check_stages(space: Space, tables: Mapping[str, Any]) -> None:
    """Raise MisreadError when some option has another number of stages than the others and the family."""
    try:
        build(space.family, **space.choose(lambda _, domain: domain.corners()[0]))
    except StageCountError as error:
        law = str(error).removeprefix(f"{space.family}: ")
        option = law.partition(" ")[0]
        names = option_names(ZOO[space.family].config)
        key = next((key for key in tables if names[key] == option), None)
        path = ("constants", option) if key is None else ("parameters", key)
        raise MisreadError(str(error), (*path, "each"), path) from None
    except LawError:
        pass  # other options decide whether these values fit together


def _check_penalty(space: Space) -> None:
    """Raise MisreadError where a training penalty leaves the range in which its sparsity is known."""
    beyond = bool(space.constants.get("lambda_beyond", False)) or any(parameter.name == "lambda_beyond" for parameter in space.parameters)
    for parameter in space.parameters:
        if parameter.name == PENALTY:
            for value in parameter.domains[0].corners():
                with _within("parameters", PENALTY, key="high" if isinstance(parameter.domains[0], Range) else "choices"):
                    sparsity_at(float(cast(float, value)), beyond=beyond)


def _neutral(family: str, parameter: Parameter) -> tuple[Value, ...]:
    """What a stage has where the parameter is inactive: the option's default, else the first value of the stage's domain."""
    default: Any = next(field.default for field in fields(ZOO[family].config) if field.name == parameter.name)
    if isinstance(default, tuple) and len(default) == len(parameter.domains):
        return default
    if default is None or isinstance(default, tuple):
        return tuple([domain.corners()[0] for domain in parameter.domains])
    return (default,) * len(parameter.domains)


def _objectives(table: Any) -> dict[str, Direction]:
    with _within("objectives"):
        if not isinstance(table, dict):
            raise MisreadError(f"objectives must be a table with maximize and minimize, but got {table!r}", ("objectives",), ())
        _known_keys(table, DIRECTIONS, "objectives")
        objectives: dict[str, Direction] = {}
        for direction in DIRECTIONS:
            metrics = table.get(direction, [])
            with _within("objectives", key=direction):
                if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
                    raise SpaceError(f'{direction} must list metrics, but got {metrics!r}. Example: ["params"]')
                for name in metrics:
                    if name in objectives:
                        raise SpaceError(f"{name} has one direction and one place, but is named twice. Drop one.")
                    objectives[name] = direction
        return objectives


def _known_keys(table: Mapping[str, Any], known: Sequence[str], *place: str | int) -> None:
    for key in table:
        if key not in known:
            raise MisreadError(str(UnknownNameError("key", key, known)), (*place, key), place)
