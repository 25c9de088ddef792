"""What the papers printed about members of the zoo (`published/*.csv`), and how a count is held against it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PUBLISHED = Path(__file__).parent / "published"
NETWORKS_CSV = PUBLISHED / "networks.csv"


@dataclass(frozen=True, slots=True)
class Published:
    """One printed row: millions of multiply-adds (counted by `convention`) and of parameters, ImageNet top-1 error; None: not printed.

    `tolerance_pct` is 1 where the source specifies the network fully, 5 where it does not; `note` says then what was chosen and why.
    """

    member: str
    paper: str
    table: str
    madds_m: float | None
    params_m: float | None
    top1_err_pct: float | None
    convention: str
    tolerance_pct: float
    note: str

    @property
    def source(self) -> str:
        """Paper and table: 'ShuffleNet v2 (ECCV 2018), table 8'."""
        return f"{self.paper}, {self.table}"

    @property
    def is_complexity(self) -> bool:
        """Whether multiply-adds or parameters are printed, and not an error alone."""
        return self.madds_m is not None or self.params_m is not None


def published_rows() -> tuple[Published, ...]:
    """All printed rows, in the file's order: one per network and source, also where sources differ."""
    with NETWORKS_CSV.open(encoding="utf-8", newline="") as file:
        return tuple(
            Published(
                row["member"],
                row["paper"],
                row["table"],
                _number(row["madds_m"]),
                _number(row["params_m"]),
                _number(row["top1_err_pct"]),
                row["convention"],
                float(row["tolerance_pct"]),
                row["note"],
            )
            for row in csv.DictReader(file)
        )


def published_by_member() -> dict[str, tuple[Published, ...]]:
    """The printed rows of each member that has some."""
    rows: dict[str, list[Published]] = {}
    for row in published_rows():
        rows.setdefault(row.member, []).append(row)
    return {member: tuple(of_member) for member, of_member in rows.items()}


def verdict(row: Published, madds_m: float, params_m: float, others: Iterable[Published] = ()) -> str:
    """What comes of holding counted millions against a printed row: 'met', 'missed: madds', or 'sources contradict: params 6.06 (...)'.

    A count beyond the tolerance is a miss, unless it meets what another paper among `others`, rows of the same network, prints instead.
    """
    elsewhere = [other for other in others if other.paper != row.paper]
    contradicted, missed = [], []
    for what, counted, printed in (("madds", madds_m, row.madds_m), ("params", params_m, row.params_m)):
        if printed is None or meets(counted, printed, row.tolerance_pct):
            continue
        numbers = [(other.madds_m if what == "madds" else other.params_m, other) for other in elsewhere]
        if any(number is not None and meets(counted, number, other.tolerance_pct) for number, other in numbers):
            differing = [f"{number:g} ({other.source})" for number, other in numbers if number is not None and _differ(number, printed)]
            contradicted.append(f"{what} {', '.join(differing)}")
        else:
            missed.append(what)
    if missed:
        return f"missed: {' and '.join(missed)}"
    return f"sources contradict: {'; '.join(contradicted)}" if contradicted else "met"


def meets(counted: float, printed: float, tolerance_pct: float) -> bool:
    """Whether a count is within the tolerance of a printed number, or rounds to it at the digits that are printed.

    >>> meets(136.5, 137, 0.1), meets(136.4, 137, 0.1), meets(5.94, 5.9, 0.1)
    (True, False, True)
    """
    return abs(counted / printed - 1) <= tolerance_pct / 100 or abs(counted - printed) <= _half_digit(printed) + 1e-9


def _differ(number: float, printed: float) -> bool:
    """Whether two printed numbers are not one number with more or fewer digits."""
    return abs(number - printed) > max(_half_digit(number), _half_digit(printed)) + 1e-9


def _half_digit(printed: float) -> float:
    digits = len(f"{printed:.10g}".partition(".")[2])
    return float(0.5 * 10**-digits)


def _number(text: str) -> float | None:
    return float(text) if text else None
