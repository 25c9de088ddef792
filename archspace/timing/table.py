"""Measurements as rows, and the CSV files that they are appended to, whose names carry the conditions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from archspace.errors import FileError
from archspace.files import make_folder, read_text, what_is_at
from archspace.ir.ops import Shape
from archspace.timing.machine import slug

NOT_WRITTEN = ("least_ms",)  # one number per round; a row has what follows from them


@dataclass(frozen=True, slots=True)
class Measured:
    """One network timed with one backend: the median over rounds of the least time of a call, and what it was measured under.

    `ratio` is to the first row, the median of the ratios inside rounds. `noise_pct` is the noise floor of all rows that were timed
    together, between odd and even rounds: what differs by less does not differ, and other runs lie further apart. `spread_pct` is the
    width of the middle half of the rounds. `busy_pct` is how much of the machine other processes used meanwhile; None where the system
    does not tell.
    """

    time: str  # UTC, when the rounds were done
    model: str
    backend: str
    measured_ms: float
    spread_pct: float
    noise_pct: float
    ratio: float
    rounds: int
    calls: int  # in each round
    clock: str  # thread, wall, events, or graph replay (events around a CUDA graph)
    busy_pct: float | None
    input_shape: Shape
    device: str
    runtime: str  # 'torch 2.13.0', 'onnxruntime 1.22.0'
    on: str  # cpu, cuda
    threads: int
    dtype: str
    graph: str  # Subject.graph_hash
    least_ms: tuple[float, ...]  # per round

    @property
    def batch(self) -> int:
        """The first axis of the input."""
        return self.input_shape[0]

    @property
    def input_text(self) -> str:
        """The first input's shape as 1x3x224x224."""
        return "x".join(map(str, self.input_shape))

    def to_dict(self) -> dict[str, Any]:
        """The row of the CSV file, and JSON's: numbers to six digits, shapes as 1x3x224x224."""
        row = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in NOT_WRITTEN}
        return {key: _written(value) for key, value in row.items()}


COLUMNS = tuple([one.name for one in fields(Measured) if one.name not in NOT_WRITTEN])


def file_name(row: Measured) -> str:
    """The name of the file that a row belongs into: device, backend and its version, threads, batch and number format.

    For example measured-amd-epyc-2-cores-eager-torch-2.13.0-cpu-1thread-batch1-float32.csv.
    """
    threads = f"cpu-{row.threads}thread{'s' if row.threads > 1 else ''}" if row.on == "cpu" else row.on
    runtime = slug(row.runtime)
    backend = runtime if runtime.startswith(row.backend) else f"{row.backend}-{runtime}"
    parts = (slug(row.device), backend, threads, f"batch{row.batch}", row.dtype)
    return f"measured-{'-'.join(parts)}.csv"


def check_table(path: Path) -> None:
    """Raise FileError unless rows can be appended to this file: it is new, or has their columns."""
    if what_is_at(path) == "nothing":
        return
    header = next(csv.reader(io.StringIO(read_text(path))), [])
    if tuple(header) != COLUMNS:
        other = sorted({*header} ^ {*COLUMNS})
        differ = f"they differ in {', '.join(other)}" if other else "their order differs"
        raise FileError(f"{path}: rows are appended where the columns are the same, but {differ}. Move the file, or name another folder.")


def files_of(rows: Iterable[Measured], folder: str | Path) -> dict[Path, list[Measured]]:
    """The files in the folder that the rows belong into, each with its rows."""
    files: dict[Path, list[Measured]] = {}
    for row in rows:
        files.setdefault(Path(folder) / file_name(row), []).append(row)
    return files


def append_rows(rows: Iterable[Measured], folder: str | Path) -> tuple[Path, ...]:
    """Append each row to the file of its conditions in the folder, which is made where needed; the files that were written.

    Raises FileError for a file with other columns, before any row is written, and for what cannot be written.
    """
    files = files_of(rows, make_folder(folder))
    for path in files:
        check_table(path)
    for path, those in files.items():
        _append(path, those)
    return tuple(files)


def _append(path: Path, rows: Sequence[Measured]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    if what_is_at(path) == "nothing":
        writer.writeheader()
    writer.writerows(row.to_dict() for row in rows)
    try:
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(buffer.getvalue())
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return float(f"{value:.6g}") if isinstance(value, float) else value
