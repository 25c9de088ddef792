"""Family configs: knobs with help texts and bounds, read from Python values or from command-line words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from functools import partial
from math import isfinite
from typing import Any, TypeVar, cast

from archspace.errors import LawError, UnknownNameError
from archspace.units import parse_size
from archspace.zoo.variants import ACTIVATIONS

T = TypeVar("T")


def knob(
    default: T,
    text: str,
    *,
    alias: str = "",
    above: float | None = None,
    at_least: int | None = None,
    at_most: float = 1e6,
    choices: tuple[str, ...] = (),
    odd: bool = False,
) -> T:
    """A config field: its default, its help text, and the bounds that each of its numbers must keep."""
    rules = {"help": text, "alias": alias, "above": above, "at_least": at_least, "at_most": at_most, "choices": choices, "odd": odd}
    value: T = field(default=default, metadata=rules)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyConfig:
    """What every family can be asked for. Families add their own knobs."""

    input: tuple[int, int] = knob((224, 224), "input height and width in pixels", at_least=1)
    batch: int = knob(1, "images per batch", at_least=1)
    activation: str | None = knob(
        None, f"nonlinearity instead of every ReLU and ReLU6: {', '.join(ACTIVATIONS)}", choices=tuple(ACTIVATIONS)
    )
    features: bool = knob(False, "a backbone: no classifier, the output of every stage instead")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig(FamilyConfig):
    """What every classifier can be asked for."""

    num_classes: int = knob(1000, "outputs of the classifier", at_least=1)


C = TypeVar("C", bound=FamilyConfig)


def make_config(family: str, kind: type[C], options: Mapping[str, Any]) -> C:
    """A checked config of `kind` from option values (lists may stand for tuples, an alias for its field).

    Raises UnknownNameError for an option the family does not have, LawError for a value out of bounds.
    """
    known = {f.name: f for f in fields(kind)}
    names = option_names(kind)
    values: dict[str, Any] = {}
    for key, value in options.items():
        if key not in names:
            raise UnknownNameError(f"option of {family}", key, sorted(names))
        name = names[key]
        if name in values:
            raise LawError(f"{family}: {name} is given twice. Drop one.")
        values[name] = _check(f"{family}: {name}", known[name], value)
    return kind(**values)


def option_names(kind: type[FamilyConfig]) -> dict[str, str]:
    """Every accepted option name, aliases included, with the field that it sets."""
    names = {f.name: f.name for f in fields(kind)}
    names.update({f.metadata["alias"]: f.name for f in fields(kind) if f.metadata["alias"]})
    return names


def config_options(config: FamilyConfig) -> dict[str, Any]:
    """The fields as JSON values (lists for tuples), in order."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config).items()}


def parse_option(family: str, kind: type[FamilyConfig], name: str, text: str) -> Any:
    """The value of an option written as a word: '8', '0.5', '4,8,4', 'yes', '480x640'. Raises UnknownNameError, LawError."""
    names = option_names(kind)
    key = name.replace("-", "_")
    if key not in names:
        raise UnknownNameError(f"option of {family}", name, sorted(names))
    target = next(f for f in fields(kind) if f.name == names[key])
    try:
        return PARSERS[str(target.type)](text)
    except ValueError:
        raise LawError(f"{family}: {target.name} must be {KIND_WORDS[str(target.type)]}, but got {text!r}") from None


def is_flag(kind: type[FamilyConfig], name: str) -> bool:
    """Whether the option is a yes/no one."""
    target = option_names(kind).get(name.replace("-", "_"))
    return any(f.name == target and f.type == "bool" for f in fields(kind))


def _numbers(text: str, number: Callable[[str], Any]) -> tuple[Any, ...]:
    return tuple(number(part) for part in text.replace("x", ",").split(","))


def _one_or_many(text: str, number: Callable[[str], Any]) -> Any:
    values = _numbers(text, number)
    return values if "," in text else values[0]


def _word_or_words(text: str) -> Any:
    return tuple(text.split(",")) if "," in text else text


FLAG_WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


def _flag(text: str) -> bool:
    if text.lower() not in FLAG_WORDS:
        raise ValueError(text)
    return FLAG_WORDS[text.lower()]


# One row per type that a knob may have: how its word is read.
PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": _flag,
    "int": int,
    "float": float,
    "str": str,
    "str | None": str,
    "tuple[int, int]": parse_size,
    "int | None": int,
    "tuple[int, ...]": partial(_numbers, number=int),
    "float | None": float,
    "tuple[int, ...] | None": partial(_numbers, number=int),
    "int | tuple[int, ...]": partial(_one_or_many, number=int),
    "int | tuple[int, ...] | None": partial(_one_or_many, number=int),
    "float | tuple[float, ...]": partial(_one_or_many, number=float),
    "str | tuple[str, ...]": _word_or_words,
}

KIND_WORDS: dict[str, str] = {
    "bool": "yes or no",
    "int": "a whole number",
    "float": "a number",
    "str": "a word",
    "str | None": "a word",
    "tuple[int, int]": "SIDE or HEIGHTxWIDTH",
    "int | None": "a whole number",
    "float | None": "a number",
    "tuple[int, ...]": "whole numbers with commas (4,8,4)",
    "tuple[int, ...] | None": "whole numbers with commas (116,232,464)",
    "int | tuple[int, ...]": "a whole number, or several with commas (3,3,8)",
    "int | tuple[int, ...] | None": "a whole number, or several with commas (0,4,4)",
    "float | tuple[float, ...]": "a number, or several with commas (0.5,0.5,0.25)",
    "str | tuple[str, ...]": "a word, or several with commas",
}

_NUMBER_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float)}


def _check(place: str, knob_field: Field[Any], value: Any) -> Any:
    kind = str(knob_field.type)
    value = tuple(value) if isinstance(value, list) else value
    if value is None and knob_field.default is None:
        return value
    if not _fits(kind, value):
        raise LawError(f"{place} must be {KIND_WORDS[kind]}, but got {value!r}")
    rules = knob_field.metadata
    for number in value if isinstance(value, tuple) else (value,):
        if rules["choices"]:
            if number not in rules["choices"]:
                raise UnknownNameError(f"value of {place}", str(number), rules["choices"])
            continue
        if rules["above"] is not None and not number > rules["above"]:
            raise LawError(f"{place} must be above {rules['above']:g}, but got {number:g}")
        if rules["at_least"] is not None and number < rules["at_least"]:
            raise LawError(f"{place} must be at least {rules['at_least']}, but got {number}")
        if not isinstance(number, str) and number > rules["at_most"]:
            raise LawError(f"{place} must be at most {rules['at_most']:g}, but got {'more' if number > 1e18 else f'{number:g}'}")
        if rules["odd"] and number % 2 == 0:
            raise LawError(f"{place} must be odd, but got {number}. Near: {number - 1}, {number + 1}.")
    return value


def _fits(kind: str, value: Any) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind.startswith("str"):
        words = value if isinstance(value, tuple) and "tuple" in kind else (value,)
        return len(words) > 0 and all(isinstance(word, str) for word in words)
    number = _NUMBER_TYPES["float" if "float" in kind else "int"]
    many = "tuple" in kind
    one = not kind.startswith("tuple")
    if isinstance(value, tuple):
        right_length = len(value) == 2 if kind == "tuple[int, int]" else len(value) > 0
        return many and right_length and all(_is_finite(v, number) for v in value)
    return one and _is_finite(value, number)


def _is_finite(value: object, number: tuple[type, ...]) -> bool:
    return isinstance(value, number) and not isinstance(value, bool) and (isinstance(value, int) or isfinite(cast(float, value)))


class StageCountError(LawError):
    """A per-stage option with the wrong number of values."""


P = TypeVar("P", int, float, str)


def per_stage(place: str, name: str, value: P | tuple[P, ...], stages: int) -> tuple[P, ...]:
    """One value per stage: a single value holds for all. Raises StageCountError when the number of values is wrong."""
    values = value if isinstance(value, tuple) else (value,)
    values = values * stages if len(values) == 1 else values
    if len(values) != stages:
        raise StageCountError(f"{place}: {name} must have one value or {stages}, but got {len(values)}: {values}")
    return values
