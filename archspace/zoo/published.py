"""What the papers printed about members of the zoo, from `published/complexity.csv`, and what the graphs count."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

PUBLISHED_CSV = Path(__file__).parent / "published" / "complexity.csv"


@dataclass(frozen=True, slots=True)
class Published:
    """One printed complexity: millions of multiply-adds (counted by `convention`) and, where printed, of parameters."""

    member: str
    madds_m: float
    params_m: float | None
    convention: str
    source: str


def published_rows() -> tuple[Published, ...]:
    """All printed complexities, in the file's order."""
    with PUBLISHED_CSV.open(encoding="utf-8", newline="") as file:
        return tuple(
            Published(
                row["member"],
                float(row["madds_m"]),
                float(row["params_m"]) if row["params_m"] else None,
                row["convention"],
                row["source"],
            )
            for row in csv.DictReader(file)
        )
