"""What the papers printed of speed (`published/speeds.csv`, `published/unit_speeds.csv`), in the files' order."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from archspace.units import parse_size
from archspace.zoo.published import PUBLISHED

SHUFFLENET_V2 = "ShuffleNet v2 (ECCV 2018)"
UNITS_TABLE = "appendix table 1b"
# Printed as its authors' and as re-implemented, with one speed: one measurement, taken as the re-implementation's.
PRINTED_TWICE = {"mobilenet_v2_1x": "mobilenet_v2_1x_reimpl", "mobilenet_v2_1.4x": "mobilenet_v2_1.4x_reimpl"}


@dataclass(frozen=True, slots=True)
class Speed:
    """One printed speed, in `unit`: of a member of the zoo; in the table of units, of a family's unit.

    `batch` is None where none is printed. `channels` is the table of units' c, the channels of ShuffleNet v2's unit; else None.
    """

    member: str
    paper: str
    table: str
    platform: str
    input: tuple[int, int]
    batch: int | None
    speed: float
    unit: str
    channels: int | None = None


def published_speeds(paper: str, table: str, platform: str) -> tuple[Speed, ...]:
    """The printed speeds of a table on a platform ('gpu', 'arm', ...), in the order of the file; none where nothing is printed."""
    return tuple(row for row in _rows() if (row.paper, row.table, row.platform) == (paper, table, platform))


def _rows() -> Iterator[Speed]:
    for name, key in (("speeds.csv", "member"), ("unit_speeds.csv", "family")):
        with (PUBLISHED / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield Speed(
                    row[key],
                    row["paper"],
                    row["table"],
                    row["platform"],
                    parse_size(row["input"]),
                    int(row["batch"]) if row["batch"] else None,
                    float(row["speed"]),
                    row["unit"],
                    int(row["channels_of_shufflenet_v2"]) if "channels_of_shufflenet_v2" in row else None,
                )
