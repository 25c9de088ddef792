"""What an experiment found: the timed columns beside the paper's, and a verdict on the paper's claim for each backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import geometric_mean, median
from typing import Any

from archspace.timing.agreement import Sign, Tally, rank_agreement, sign, tally
from archspace.timing.experiments import PLATFORMS, Column, Entry, Experiment
from archspace.timing.table import Measured
from archspace.units import format_size


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of one column, timed with one backend. Ratios are of times, to the column's first row; None where that was not timed.

    `ratio` is the median of the ratios inside rounds. `printed` and `printed_ratio` are the paper's, by platform ('arm', 'gpu').
    """

    row: str
    network: str
    madds: int
    mem_elems: int
    measured: Measured
    ratio: float | None
    printed: Mapping[str, float]
    printed_ratio: Mapping[str, float]

    @property
    def speed(self) -> float:
        """In the paper's unit: images a second on a CPU, batches a second on a GPU."""
        images = self.measured.batch if self.measured.on == "cpu" else 1
        return 1000 * images / self.measured.measured_ms


@dataclass(frozen=True, slots=True)
class Timed:
    """A column with what was timed of it, row by row, in each row backend by backend."""

    column: Column
    noise_pct: float
    cells: tuple[Cell, ...]

    def of(self, backend: str) -> tuple[Cell, ...]:
        """The rows that were timed with a backend."""
        return tuple(cell for cell in self.cells if cell.measured.backend == backend)

    def compare(self, a: Cell, b: Cell) -> Sign:
        """Which of two rows takes longer here, by the median of their ratios inside rounds; 0 within the noise floor."""
        return sign(_ratio(a.measured, b.measured), self.noise_pct)

    def compare_per_madd(self, a: Cell, b: Cell) -> Sign:
        """The same of the times of one multiply-add, for rows that have not quite as many."""
        return sign(_ratio(a.measured, b.measured) * b.madds / a.madds, self.noise_pct)

    @property
    def madds_differ_pct(self) -> float:
        """How far multiply-adds lie from the first row's, at most."""
        first = self.cells[0].madds
        return max(100 * abs(cell.madds / first - 1) for cell in self.cells)


Placed = tuple[Timed, Cell]  # a cell in its column


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a backend's times say of the claim, what the paper's own columns say of it, and how well both order the rows alike (tau-b).

    `per_madd`: the claim held against times of one multiply-add, as the rows of a column have not quite equally many. `ratios` are each
    row's times over the first row's, the geometric mean over columns: here, and printed on each platform.
    """

    backend: str
    here: Tally
    per_madd: Tally
    paper: Mapping[str, Tally]
    agreement: Mapping[str, float | None]
    ratios: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An experiment that was run: what was timed, what was left out, and a verdict for each backend."""

    experiment: Experiment
    paper: str
    columns: tuple[Timed, ...]
    left_out: tuple[Column, ...]
    verdicts: tuple[Verdict, ...]
    missing: int  # networks that a backend could not run

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; the keys are a contract, and more may be added."""
        one = self.experiment
        return {
            "schema": 1,
            "experiment": one.name,
            "table": one.table,
            "title": one.title,
            "claim": one.claim,
            "paper": self.paper,
            "rows": self.records(),
            "left_out": [{"scale": column.scale, "input": format_size(*column.size)} for column in self.left_out],
            "verdicts": [{**asdict(verdict), "verdict": verdict.here.word} for verdict in self.verdicts],
        }

    def records(self) -> list[dict[str, Any]]:
        """One flat row per network and backend."""
        return [_record(timed, cell) for timed in self.columns for cell in timed.cells]


def timed_column(column: Column, measured: Sequence[Measured], sizes: Mapping[str, tuple[int, int]]) -> Timed:
    """A column of measurements, whose `model` is the row; `sizes` are multiply-adds and memory access of each row."""
    entries = {entry.row: entry for entry in column.entries}
    first = column.entries[0]
    base = {row.backend: row for row in measured if row.model == first.row}
    cells = [_cell(entries[row.model], first, row, base.get(row.backend), sizes[row.model]) for row in measured]
    return Timed(column, measured[0].noise_pct, tuple(cells))


def _cell(entry: Entry, first: Entry, row: Measured, base: Measured | None, sizes: tuple[int, int]) -> Cell:
    return Cell(
        row=entry.row,
        network=entry.network,
        madds=sizes[0],
        mem_elems=sizes[1],
        measured=row,
        ratio=_ratio(row, base) if base is not None else None,
        printed={platform: speed.speed for platform, speed in entry.printed.items()},
        printed_ratio={platform: first.printed[platform].speed / speed.speed for platform, speed in entry.printed.items()},
    )


def outcome(one: Experiment, paper: str, timed: Sequence[Timed], left_out: Sequence[Column], backends: Sequence[str]) -> Outcome:
    """What follows from the timed columns: a verdict for each backend that ran something."""
    ran = [backend for backend in backends if any(column.of(backend) for column in timed)]
    expected = sum(len(column.column.entries) for column in timed) * len(backends)
    missing = expected - sum(len(column.cells) for column in timed)
    return Outcome(one, paper, tuple(timed), tuple(left_out), tuple(verdict(one, timed, backend) for backend in ran), missing)


def verdict(one: Experiment, timed: Sequence[Timed], backend: str) -> Verdict:
    """Hold the claim against what a backend took, and against the paper's own columns of the same rows."""
    placed = [[(column, cell) for cell in column.of(backend)] for column in timed]
    pairs = [(a, b) for cells in placed for slow, fast in one.slower for a in cells for b in cells if (a[1].row, b[1].row) == (slow, fast)]
    return Verdict(
        backend,
        here=tally(_here(a, b) for a, b in pairs),
        per_madd=tally(a[0].compare_per_madd(a[1], b[1]) for a, b in pairs),
        paper={platform: tally(_printed(platform, a, b) for a, b in pairs) for platform in PLATFORMS},
        agreement={platform: rank_agreement(placed, _here, partial(_printed, platform)) for platform in PLATFORMS},
        ratios=_mean_ratios(one, [cell for cells in placed for _, cell in cells]),
    )


def _here(a: Placed, b: Placed) -> Sign:
    return a[0].compare(a[1], b[1])


def _printed(platform: str, a: Placed, b: Placed) -> Sign:
    """Which of two rows takes longer by the paper's own numbers; 0 where they are printed alike."""
    return sign(b[1].printed[platform] / a[1].printed[platform])


def _mean_ratios(one: Experiment, cells: Sequence[Cell]) -> dict[str, dict[str, float]]:
    """The geometric mean over columns of each row's ratios: here and on the paper's platforms, of the rows that have one here."""
    found: dict[str, dict[str, float]] = {place: {} for place in ("here", *PLATFORMS)}
    for row in one.rows:
        known = [(cell.ratio, cell.printed_ratio) for cell in cells if cell.row == row and cell.ratio is not None]
        if known:
            found["here"][row] = geometric_mean(ratio for ratio, _ in known)
            for platform in PLATFORMS:
                found[platform][row] = geometric_mean(printed[platform] for _, printed in known)
    return found


def _ratio(a: Measured, b: Measured) -> float:
    """The median over rounds of the ratio of two times inside a round."""
    return median(x / y for x, y in zip(a.least_ms, b.least_ms, strict=True))


def _record(timed: Timed, cell: Cell) -> dict[str, Any]:
    row = cell.measured
    record: dict[str, Any] = {
        "scale": timed.column.scale,
        "input": format_size(*timed.column.size),
        "row": cell.row,
        "network": cell.network,
        "backend": row.backend,
        "batch": row.batch,
        "madds": cell.madds,
        "mem_elems": cell.mem_elems,
        "measured_ms": float(f"{row.measured_ms:.6g}"),
        "speed": float(f"{cell.speed:.6g}"),
        "unit": unit(row.on),
        "ratio": None if cell.ratio is None else float(f"{cell.ratio:.6g}"),
    }
    for platform in PLATFORMS:
        record[f"{platform}_speed"] = cell.printed[platform]
        record[f"{platform}_ratio"] = float(f"{cell.printed_ratio[platform]:.6g}")
    kept = ("noise_pct", "spread_pct", "rounds", "clock", "busy_pct", "device", "runtime", "on", "threads", "dtype", "time")
    return record | {key: value for key, value in row.to_dict().items() if key in kept}


def unit(on: str) -> str:
    """The paper's unit of speed: images a second on a CPU, batches a second on a GPU."""
    return "images/s" if on == "cpu" else "batches/s"
