"""Settings of a project: the table [tool.archspace] of the nearest pyproject.toml.

[tool.archspace]
select = ["G1", "S"]          # rules, or how their codes begin
ignore = ["G401"]
fail-on = "warning"           # the least severity that fails a run
device = "sd810"              # a latency profile, or its JSON file beside this one
max-madds = "150M"            # bounds, as the command line reads them
max-latency = "30ms"
[tool.archspace.thresholds.G101]
ratio = 1.5

Keys are written with hyphens or underscores. What names a rule, a severity or a device is only read here: who uses it knows what exists.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspace.errors import ArchspaceError, FileError, LawError, UnknownNameError
from archspace.files import read_text, what_is_at
from archspace.units import parse_count, parse_ms

FILE = "pyproject.toml"
TABLE = "[tool.archspace]"

# key of a bound -> (the metric it bounds, how its word is read)
BOUNDS: dict[str, tuple[str, Callable[[str], float]]] = {
    "max_madds": ("madds", parse_count),
    "max_params": ("params", parse_count),
    "max_mem_elems": ("mem_elems", parse_count),
    "max_acts": ("acts", parse_count),
    "max_latency": ("latency_ms", parse_ms),
}
KEYS = ("select", "ignore", "fail_on", "device", "thresholds", *BOUNDS)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project asks of its networks. `path` is the file that says so, None where there is none."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str | None = None
    device: str | None = None
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # rule code -> threshold -> value
    bounds: Mapping[str, float] = field(default_factory=dict)  # metric -> most: {"madds": 150e6, "latency_ms": 30.0}
    path: Path | None = None

    @contextmanager
    def blamed(self, key: str) -> Iterator[None]:
        """Within it, whatever is wrong is wrong with the value of `key`: the error says in which file."""
        try:
            yield
        except ArchspaceError as error:
            raise FileError(f"{self.path or FILE}: {TABLE} {key}: {error}") from None


def load_settings(start: Path | None = None) -> Settings:
    """The settings of the nearest pyproject.toml with a table [tool.archspace], at or above `start` (the working directory).

    Without one, the settings are empty. Raises FileError with the file and the key when a file on the way cannot be read or the table is
    malformed.
    """
    folder = Path.cwd() if start is None else start.absolute()
    for place in (folder, *folder.parents):
        path = place / FILE
        if what_is_at(path) == "file":
            tool = _toml(path).get("tool")
            if isinstance(tool, dict) and "archspace" in tool:
                return _settings(tool["archspace"], path)
    return Settings()


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{path}: must be TOML, but is not: {error}") from None
    except RecursionError:
        raise FileError(f"{path}: must be TOML that can be read, but is nested too deeply") from None


def _settings(table: Any, path: Path) -> Settings:
    try:
        if not isinstance(table, dict):
            raise LawError(f'must be a table of keys, but got {table!r}. Example: select = ["G1"]')
        return _read(table, path)
    except LawError as error:
        raise FileError(f"{path}: {TABLE} {error}") from None
    except UnknownNameError as error:
        raise FileError(f"{path}: {TABLE}: {error}") from None


def _read(table: Mapping[str, Any], path: Path) -> Settings:
    values: dict[str, Any] = {}
    for spelled, value in table.items():
        key = spelled.replace("-", "_")
        if key not in KEYS:
            raise UnknownNameError("key", spelled, KEYS)
        if key in values:
            raise LawError(f"{key} is given twice, with a hyphen and with an underscore. Drop one.")
        values[key] = value
    return Settings(
        select=_codes("select", values.get("select", [])),
        ignore=_codes("ignore", values.get("ignore", [])),
        fail_on=_word("fail_on", values.get("fail_on"), "warning"),
        device=_device(_word("device", values.get("device"), "sd810"), path),
        thresholds=_thresholds(values.get("thresholds", {})),
        bounds={BOUNDS[key][0]: _bound(key, values[key]) for key in BOUNDS if key in values},
        path=path,
    )


def _codes(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(code, str) and code.strip() for code in value):
        raise LawError(f'{key} must be a list of rule codes, but got {value!r}. Example: {key} = ["G1", "S102"]')
    return tuple(value)


def _word(key: str, value: Any, example: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise LawError(f'{key} must be a word, but got {value!r}. Example: {key} = "{example}"')
    return value


def _device(device: str | None, path: Path) -> str | None:
    """A profile's file lies where the settings say, from wherever archspace is called."""
    return str(path.parent / device) if device is not None and device.endswith(".json") else device


def _thresholds(table: Any) -> dict[str, dict[str, float]]:
    if not isinstance(table, dict):
        raise LawError(f"thresholds must be a table of rules, but got {table!r}. Example: thresholds.G101.ratio = 1.5")
    thresholds: dict[str, dict[str, float]] = {}
    for code, values in table.items():
        if not isinstance(values, dict):
            raise LawError(f"thresholds.{code} must be a table of numbers, but got {values!r}. Example: thresholds.G101.ratio = 1.5")
        for name, value in values.items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise LawError(f"thresholds.{code}.{name} must be a number, but got {value!r}")
        if code.upper() in thresholds:
            raise LawError(f"thresholds.{code.upper()} is given twice, once as {code}. Drop one.")
        thresholds[code.upper()] = dict(values)
    return thresholds


def _bound(key: str, value: Any) -> float:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise LawError(f'{key} must be a number or a quantity, but got {value!r}. Example: max_madds = "150M"')
    try:
        return BOUNDS[key][1](str(value))
    except LawError as error:
        raise error.at(key) from None
