"""Profiles as versioned JSON, checked key by key.

    {"archspace_profile": 2, "device": ..., "title": ..., "runtime": ..., "threads": int or null, "batch": int, "dtype": ...,
     "fusion": name of a rule set, "constant_ms": ..., "ms_per_input_mpixel": ...,
     "coefficients": {"default": {...}, op type: {...}},
     "ranges": {"kernels": [low, high], "madds": [...], "input_pixels": [...], "batch": [...], "op_types": [...]},
     "error": {"method": ..., "mape_pct": ..., "within_10_pct_share": ..., "kendall_tau": ..., "networks": int, "families": int,
               "spearman": ..., "interval_80_pct": ..., "coverage_80_share": ...},
     "provenance": ..., "source": ..., "vector_width": int, "backend": ..., "on": ..., "noise_pct": ...,
     "residuals_pct": {network: percent}, "samples": file name,
     "tile": {"outputs": int, "rows": int, "startup_depth": int, "processors": int}}

Version 1 knew neither the last three keys of `error`, nor the last two of `ranges`, nor what follows `vector_width`; all of those, and
`vector_width`, may be left out. `within_10_pct_share` and `coverage_80_share` are between 0 and 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from archspace.analysis import DTYPE_BYTES
from archspace.errors import FileError, UnknownNameError
from archspace.files import write_text
from archspace.latency.fusion import FUSIONS
from archspace.latency.op_types import DEFAULT, OP_TYPE_NAMES
from archspace.latency.profile import FitError, Profile, Range, Ranges
from archspace.latency.terms import Coefficients
from archspace.latency.tiles import Tile

VERSION = 2
READABLE = (1, 2)
LARGEST = 1e300  # no coefficient is larger: what JSON writes as infinity or as an endless integer is none


def save_profile(profile: Profile, path: str | Path, *, force: bool = False) -> None:
    """Write a profile's JSON. Raises FileError when the file exists (without `force`) or cannot be written."""
    write_text(path, json.dumps(profile_to_dict(profile), indent=1) + "\n", force=force)


def profile_to_dict(profile: Profile) -> dict[str, Any]:
    """The JSON form as plain data: what is at its default is left out of coefficients and of what may be left out."""
    data: dict[str, Any] = {"archspace_profile": VERSION}
    for f in fields(profile):
        value = getattr(profile, f.name)
        if f.name == "coefficients":
            value = {name: {key: number for key, number in asdict(row).items() if number} for name, row in value.items()}
        elif f.name in ("ranges", "error"):
            value = {key: list(one) if isinstance(one, tuple) else one for key, one in asdict(value).items() if one is not None}
        elif f.name == "tile":
            value = asdict(value) if value else None
        elif f.name == "residuals_pct":
            value = dict(value) or None
        if value is not None or (f.default is MISSING and f.default_factory is MISSING):
            data[f.name] = value
    return data


def profile_from_dict(data: Any, place: str = "profile") -> Profile:
    """The profile of its JSON form. Raises FileError that names the key at fault."""
    if not isinstance(data, dict) or "archspace_profile" not in data:
        raise FileError(f"{place}: a device profile is a JSON object with the key 'archspace_profile', but this is not one")
    version = data["archspace_profile"]
    if version not in READABLE or isinstance(version, bool):
        newer = " Install a newer archspace, or calibrate the device again." if isinstance(version, int) and version > VERSION else ""
        raise FileError(f"{place}: this archspace reads profile versions up to {VERSION}, but the file says {version!r}.{newer}")
    return Profile(**_object({key: value for key, value in data.items() if key != "archspace_profile"}, Profile, READERS, place))


Reader = Callable[[Any, str], Any]


def _object(data: Any, kind: type, readers: Mapping[str, Reader], place: str) -> dict[str, Any]:
    """The checked fields of a dataclass from a JSON object: no key missing that has no default, none unknown."""
    if not isinstance(data, dict):
        raise FileError(f"{place}: must be a JSON object, but got {data!r}")
    known = {f.name: f for f in fields(kind)}
    for key in data:
        if key not in known:
            raise FileError(f"{place}: {UnknownNameError('key', str(key), known)}")
    for key, f in known.items():
        if key not in data and f.default is MISSING and f.default_factory is MISSING:
            raise FileError(f"{place}: the key {key!r} is missing")
    return {key: readers[key](value, f"{place}: {key}") for key, value in data.items()}


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise FileError(f"{place} must be a text, but got {value!r}")
    return value


def _number(value: Any, place: str, low: float = 0.0, high: float = LARGEST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # not a number fails both
        bounds = "" if low == -LARGEST else f" of at least {low:g}" if high == LARGEST else f" between {low:g} and {high:g}"
        raise FileError(f"{place} must be a number{bounds}, but got {value!r}")
    return float(value)


def _share(value: Any, place: str) -> float:
    return _number(value, place, 0, 1)


def _correlation(value: Any, place: str) -> float:
    return _number(value, place, -1, 1)


def _positive_int(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise FileError(f"{place} must be a whole number of at least 1, but got {value!r}")
    return value


def _optional_int(value: Any, place: str) -> int | None:
    return None if value is None else _positive_int(value, place)


def _name_of(what: str, known: Mapping[str, Any]) -> Reader:
    def read(value: Any, place: str) -> str:
        name = _text(value, place)
        if name not in known:
            raise FileError(f"{place}: {UnknownNameError(what, name, known)}")
        return name

    return read


def _range(value: Any, place: str) -> Range | None:
    if not isinstance(value, list) or len(value) != 2:
        raise FileError(f"{place} must be [low, high], but got {value!r}")
    low, high = _number(value[0], place), _number(value[1], place)
    if low > high:
        raise FileError(f"{place} must be [low, high] with low at most high, but got {value!r}")
    return low, high


def _coefficients(value: Any, place: str) -> Mapping[str, Coefficients]:
    if not isinstance(value, dict):
        raise FileError(f"{place} must be a JSON object, but got {value!r}")
    for key in value:
        if key not in (DEFAULT, *OP_TYPE_NAMES):
            raise FileError(f"{place}: {UnknownNameError('op type', str(key), (DEFAULT, *OP_TYPE_NAMES))}")
    if DEFAULT not in value:
        raise FileError(
            f"{place}: the key {DEFAULT!r} is missing. It holds what op types without a row of their own cost; {{}} is nothing."
        )
    readers = {f.name: _number for f in fields(Coefficients)}
    rows = {key: Coefficients(**_object(row, Coefficients, readers, f"{place}: {key}")) for key, row in value.items()}
    return MappingProxyType(rows)


def _ranges(value: Any, place: str) -> Ranges:
    readers = {f.name: _op_types if f.name == "op_types" else _range for f in fields(Ranges)}
    return Ranges(**_object(value, Ranges, readers, place))


def _op_types(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise FileError(f"{place} must be a list of op types, but got {value!r}")
    read = _name_of("op type", dict.fromkeys(OP_TYPE_NAMES))
    return tuple([read(name, place) for name in value])


def _residuals(value: Any, place: str) -> Mapping[str, float]:
    if not isinstance(value, dict):
        raise FileError(f"{place} must be a JSON object, but got {value!r}")
    return MappingProxyType({name: _number(pct, f"{place}: {name}", -LARGEST) for name, pct in value.items()})


def _tile(value: Any, place: str) -> Tile:
    return Tile(**_object(value, Tile, {f.name: _positive_int for f in fields(Tile)}, place))


def _error(value: Any, place: str) -> FitError:
    return FitError(**_object(value, FitError, ERROR_READERS, place))


ERROR_READERS: Mapping[str, Reader] = {
    "method": _text,
    "mape_pct": _number,
    "within_10_pct_share": _share,
    "kendall_tau": _correlation,
    "networks": _positive_int,
    "families": _positive_int,
    "spearman": _correlation,
    "interval_80_pct": _number,
    "coverage_80_share": _share,
}
READERS: Mapping[str, Reader] = {
    "device": _text,
    "title": _text,
    "runtime": _text,
    "threads": _optional_int,
    "batch": _positive_int,
    "dtype": _name_of("dtype", DTYPE_BYTES),
    "fusion": _name_of("fusion rule set", FUSIONS),
    "constant_ms": _number,
    "ms_per_input_mpixel": _number,
    "coefficients": _coefficients,
    "ranges": _ranges,
    "error": _error,
    "provenance": _text,
    "source": _text,
    "vector_width": _optional_int,
    "backend": _text,
    "on": _text,
    "noise_pct": _number,
    "residuals_pct": _residuals,
    "samples": _text,
    "tile": _tile,
}
