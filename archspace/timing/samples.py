"""Raw samples of a calibration: a CSV that grows row by row, so that one that was interrupted goes on where it stopped."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from archspace.errors import FileError
from archspace.files import read_text, what_is_at


@dataclass(frozen=True, slots=True)
class Conditions:
    """What samples of one profile have in common."""

    device: str
    backend: str
    runtime: str
    on: str
    threads: int
    clock: str
    sweep: str  # default, thorough


Key = tuple[str, str, int]  # kind, name, batch


@dataclass(frozen=True, slots=True)
class TimedGraph:
    """One timed graph: an op benchmark or a network, at a batch; or one round of a network, whose name ends in ' round 3'."""

    kind: str  # op, network, round
    name: str
    family: str  # of a network; empty for an op
    batch: int
    measured_ms: float
    spread_pct: float
    noise_pct: float

    @property
    def key(self) -> Key:
        """What tells it from the others of its file."""
        return self.kind, self.name, self.batch


ROUND = "round"
NUMBERS: Mapping[str, type] = {"threads": int, "batch": int, "measured_ms": float, "spread_pct": float, "noise_pct": float}
COLUMNS = tuple([f.name for kind in (TimedGraph, Conditions) for f in fields(kind)])


def round_sample(name: str, family: str, batch: int, number: int, ms: float) -> TimedGraph:
    """One finished round of a network, counted from 1: `number` in its name."""
    return TimedGraph(ROUND, f"{name} {ROUND} {number}", family, batch, ms, 0.0, 0.0)


def read_samples(path: Path, conditions: Conditions) -> tuple[TimedGraph, ...]:
    """The op benchmarks and networks that a file holds so far: `read_rows` without the rounds of the networks."""
    return tuple([row for row in read_rows(path, conditions) if row.kind != ROUND])


def rounds_in(rows: Iterable[TimedGraph], batch: int) -> dict[tuple[str, int], float]:
    """The least times of the networks' finished rounds among rows, by network and round."""
    found = {}
    for row in rows:
        if row.kind == ROUND and row.batch == batch:
            name, _, number = row.name.rpartition(f" {ROUND} ")
            found[name, int(number)] = row.measured_ms
    return found


def whole_rounds(rounds: Mapping[tuple[str, int], float]) -> int:
    """How many of `rounds_in` have all its networks: the last may have been interrupted."""
    names, numbers = {name for name, _ in rounds}, {number for _, number in rounds}
    return sum(all((name, number) in rounds for name in names) for number in numbers)


def read_rows(path: Path, conditions: Conditions | None = None) -> tuple[TimedGraph, ...]:
    """All rows of a file, rounds too; none where there is no file. The last line may be half written, and is left aside.

    Raises FileError for a file of other columns, and for samples that were taken under other conditions, where some are given.
    """
    if what_is_at(path) == "nothing":
        return ()
    whole, _, _ = read_text(path).rpartition("\n")
    rows = list(csv.DictReader(io.StringIO(whole)))
    found = []
    for row in rows:
        if tuple(row) != COLUMNS or None in row.values():
            raise FileError(f"{path}: samples have the columns {', '.join(COLUMNS)}, but this file has others. Name another profile.")
        sample, theirs = _read(TimedGraph, row, path), _read(Conditions, row, path)
        if conditions is not None and theirs != conditions:
            differing = [f.name for f in fields(Conditions) if getattr(theirs, f.name) != getattr(conditions, f.name)]
            told = ", ".join(f"{name} {getattr(theirs, name)}, not {getattr(conditions, name)}" for name in differing)
            raise FileError(f"{path}: holds samples of another calibration ({told}). Name another profile, or begin anew with --force.")
        found.append(sample)
    return tuple({sample.key: sample for sample in found}.values())  # what was timed twice counts as timed last


def append_sample(path: Path, sample: TimedGraph, conditions: Conditions) -> None:
    """Append a row, after the header in a new file; a half-written last line is cut off first.

    Raises FileError when it cannot be written.
    """
    row = {**asdict(sample), **asdict(conditions)}
    try:
        with path.open("a+", encoding="utf-8", newline="") as file:
            file.seek(0)
            text = file.read()
            if text and not text.endswith("\n"):
                file.truncate(len(text[: text.rfind("\n") + 1].encode()))
                text = text[: text.rfind("\n") + 1]
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if not text:
                writer.writeheader()
            writer.writerow({key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in row.items()})
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None


def _read(kind: type[Any], row: Mapping[str, str], path: Path) -> Any:
    try:
        return kind(**{f.name: NUMBERS.get(f.name, str)(row[f.name]) for f in fields(kind)})
    except ValueError as error:
        raise FileError(f"{path}: a sample's numbers must be numbers, but {error}. Begin anew with --force.") from None
