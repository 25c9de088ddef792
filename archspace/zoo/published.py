"""What the papers printed about members of the zoo, from `published/complexity.csv`, and what the graphs count."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

PUBLISHED_CSV = Path(__file__).parent / "published" / "complexity.csv"


@dataclass(frozen=True, slots=True)
class Published:
    """One printed complexity: millions of multiply-adds (counted by `convention`) and, where printed, of parameters.

    `tolerance_pct` is 1 where the source specifies the network fully, 5 where it does not; `note` says then what was chosen and why. A
    printed number is also met when the counted one rounds to it: 137 stands for 136.5 to 137.5.
    """

    member: str
    madds_m: float
    params_m: float | None
    convention: str
    tolerance_pct: float
    source: str
    note: str

    def madds_met(self, counted_m: float) -> bool:
        """Whether the counted millions of multiply-adds meet the printed ones."""
        return meets(counted_m, self.madds_m, self.tolerance_pct)

    def params_met(self, counted_m: float) -> bool:
        """Whether the counted millions of parameters meet the printed ones; true where none are printed."""
        return self.params_m is None or meets(counted_m, self.params_m, self.tolerance_pct)


def meets(counted: float, printed: float, tolerance_pct: float) -> bool:
    """Whether a count is within the tolerance of a printed number, or rounds to it at the digits that are printed.

    >>> meets(136.5, 137, 0.1), meets(136.4, 137, 0.1), meets(5.94, 5.9, 0.1)
    (True, False, True)
    """
    digits = len(f"{printed:g}".partition(".")[2])
    return abs(counted / printed - 1) <= tolerance_pct / 100 or abs(counted - printed) <= 0.5 * 10**-digits + 1e-9


def published_rows() -> tuple[Published, ...]:
    """All printed complexities, in the file's order."""
    with PUBLISHED_CSV.open(encoding="utf-8", newline="") as file:
        return tuple(
            Published(
                row["member"],
                float(row["madds_m"]),
                float(row["params_m"]) if row["params_m"] else None,
                row["convention"],
                float(row["tolerance_pct"]),
                row["source"],
                row["note"],
            )
            for row in csv.DictReader(file)
        )
