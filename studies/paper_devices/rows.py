"""What the ShuffleNet v2 paper prints of its two devices, each timed row with the graph that the zoo builds for it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from archspace.ir import Builder, Graph
from archspace.units import parse_size
from archspace.zoo import build
from archspace.zoo.published import PUBLISHED
from archspace.zoo.shufflenet_v2 import ShuffleNetV2Config, basic_unit

PAPER = "ShuffleNet v2 (ECCV 2018)"
PLATFORMS = {"gtx1080ti": "gpu", "sd810": "arm"}
STACKS = ("table 1", "table 2", "table 3", "table 4")
CELLS = ("nasnet_a", "pnasnet_5")
# Printed twice, as its authors' and as re-implemented, with one speed: one measurement, taken as the re-implementation that was timed.
PRINTED_TWICE = {"mobilenet_v2_1x": "mobilenet_v2_1x_reimpl", "mobilenet_v2_1.4x": "mobilenet_v2_1.4x_reimpl"}


@dataclass(frozen=True)
class Row:
    """A published time."""

    name: str
    family: str
    input: str
    batch: int
    ms: float  # one batch
    graph: Graph  # batch 1


def networks(device: str, *, cells: bool, twice: bool = False) -> list[Row]:
    """Table 8's timed networks, each once, or as printed (`twice`); with or without the cell-based ones."""
    rows = [row for row in _timed(device, "table 8") if twice or row.name not in PRINTED_TWICE]
    return [row for row in rows if cells or row.family not in CELLS]


def stacks(device: str) -> list[Row]:
    """The stacks of tables 1 to 4; a batch is one image."""
    return [row for table in STACKS for row in _timed(device, table)]


def appendix(device: str) -> list[Row]:
    """Appendix table 1(a): other resolutions; MobileNet v2 at 1.0 and 1.4 is the re-implementation here too."""
    return _timed(device, "appendix table 1a")


@cache
def _graph(member: str, size: str) -> Graph:
    return build(PRINTED_TWICE.get(member, member), input=parse_size(size))


def _timed(device: str, table: str) -> list[Row]:
    rows = []
    with (PUBLISHED / "speeds.csv").open(encoding="utf-8", newline="") as file:
        for r in csv.DictReader(file):
            if (r["paper"], r["table"], r["platform"]) == (PAPER, table, PLATFORMS[device]):
                graph = _graph(r["member"], r["input"])
                rows.append(Row(r["member"], graph.name, r["input"], int(r["batch"] or 1), 1e3 / float(r["speed"]), graph))
    return rows


def units(device: str, repeats: int, batch: int) -> list[Row]:
    """Appendix table 1(b)'s stacks of ShuffleNet v2 units. How many units and images is not printed, nor the other units' channels."""
    rows = []
    with (PUBLISHED / "unit_speeds.csv").open(encoding="utf-8", newline="") as file:
        for r in csv.DictReader(file):
            if r["platform"] == PLATFORMS[device] and r["family"] == "shufflenet_v2":
                channels = int(r["channels_of_shufflenet_v2"])
                graph = unit_stack(channels, repeats, parse_size(r["input"]))
                rows.append(Row(f"{channels}", r["family"], r["input"], batch, 1e3 / float(r["speed"]), graph))
    return rows


def unit_stack(channels: int, repeats: int, size: tuple[int, int]) -> Graph:
    """`repeats` basic units of ShuffleNet v2 and nothing else."""
    b = Builder("units")
    x = b.input((1, channels, *size))
    for i in range(repeats):
        with b.block(f"unit{i}"):
            x = basic_unit(b, x, ShuffleNetV2Config(), 3, 0.5)
    return b.build(x)
