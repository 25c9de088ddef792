"""Device profiles: what a device's fit says, read from versioned JSON and checked key by key.

    {"archspace_profile": 1, "device": ..., "title": ..., "runtime": ..., "threads": int or null, "batch": int, "dtype": ...,
     "fusion": name of a rule set, "constant_ms": ..., "ms_per_input_mpixel": ...,
     "coefficients": {"default": {...}, op type: {...}}, "ranges": {"kernels": [low, high], "madds": [...], "input_pixels": [...]},
     "error": {"method": ..., "mape_pct": ..., "within_10_pct_share": ..., "kendall_tau": ..., "networks": int, "families": int},
     "provenance": ..., "source": ..., "vector_width": int or null (may be left out)}

`ranges` is what the fit has seen, per image; a range left out is not checked. `error` is the error on networks that a fit has not
seen, and the source of every interval: for normal residuals of mean absolute value m, 80 % lie within 1.2816 * sqrt(pi / 2) * m =
1.606 m. `mape_pct` is in percent of the measured time, `within_10_pct_share` is between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from math import pi, sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Any

from archspace.analysis import DTYPE_BYTES
from archspace.errors import FileError, UnknownNameError
from archspace.latency.fusion import FUSIONS, OP_TYPE_NAMES

VERSION = 1
DEVICES = Path(__file__).parent / "devices"
DEFAULT = "default"
NORMAL_80 = 1.2816 * sqrt(pi / 2)  # half-width of the central 80 % of a normal, in mean absolute deviations
LARGEST = 1e300  # no coefficient is larger: what JSON writes as infinity or as an endless integer is none
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What a kernel of one op type costs. All are at least 0; G is 1e9, bytes are of the profile's dtype."""

    us_per_kernel: float = 0.0
    ms_per_gmadd: float = 0.0  # a of the design's formula
    ms_per_gmadd_per_cin: float = 0.0  # a * p: times madds / (input channels per group)
    ms_per_gmadd_per_cout: float = 0.0  # a * q: times madds / (output channels per group)
    ms_per_gb_in: float = 0.0
    ms_per_gb_out: float = 0.0
    ms_per_gb_weights: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranges:
    """What the fit has seen, per image: low and high, both included; None is not checked."""

    kernels: Range | None = None
    madds: Range | None = None
    input_pixels: Range | None = None


@dataclass(frozen=True, slots=True)
class FitError:
    """How far off the fit is on networks it has not seen."""

    method: str
    mape_pct: float  # mean absolute error in percent of the measured time
    within_10_pct_share: float  # share of networks
    kendall_tau: float
    networks: int
    families: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A device with its runtime, as a fit of t = constant + pixels + sum over fused kernels."""

    device: str
    title: str
    runtime: str
    threads: int | None
    batch: int
    dtype: str
    fusion: str
    constant_ms: float
    ms_per_input_mpixel: float
    coefficients: Mapping[str, Coefficients]  # by op type; a type without a row takes "default", and rows are not merged
    ranges: Ranges
    error: FitError
    provenance: str
    source: str
    vector_width: int | None = None  # channels of the dtype that the device computes at once; None: not known

    @property
    def element_bytes(self) -> int:
        """Bytes of one element of the profile's dtype."""
        return DTYPE_BYTES[self.dtype]

    @property
    def interval_pct(self) -> float:
        """Half-width of the 80 % interval in percent: 1.606 times the error's MAPE, which supposes normal residuals."""
        return NORMAL_80 * self.error.mape_pct


def profile_from_dict(data: Any, place: str = "profile") -> Profile:
    """The profile of its JSON form. Raises FileError that names the key at fault."""
    if not isinstance(data, dict) or "archspace_profile" not in data:
        raise FileError(f"{place}: a device profile is a JSON object with the key 'archspace_profile', but this is not one")
    if data["archspace_profile"] != VERSION or isinstance(data["archspace_profile"], bool):
        raise FileError(f"{place}: this archspace reads profile version {VERSION}, but the file says {data['archspace_profile']!r}")
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
        if key not in data and f.default is MISSING:
            raise FileError(f"{place}: the key {key!r} is missing")
    return {key: readers[key](value, f"{place}: {key}") for key, value in data.items()}


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise FileError(f"{place} must be a text, but got {value!r}")
    return value


def _number(value: Any, place: str, low: float = 0.0, high: float = LARGEST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # not a number fails both
        bounds = f"of at least {low:g}" if high == LARGEST else f"between {low:g} and {high:g}"
        raise FileError(f"{place} must be a number {bounds}, but got {value!r}")
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
    return Ranges(**_object(value, Ranges, {f.name: _range for f in fields(Ranges)}, place))


def _error(value: Any, place: str) -> FitError:
    return FitError(**_object(value, FitError, ERROR_READERS, place))


ERROR_READERS: Mapping[str, Reader] = {
    "method": _text,
    "mape_pct": _number,
    "within_10_pct_share": _share,
    "kendall_tau": _correlation,
    "networks": _positive_int,
    "families": _positive_int,
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
}
