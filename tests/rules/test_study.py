"""The stored results of studies/rules follow from the linter and the published speeds."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from scipy.stats import kendalltau, spearmanr

from archspace.rules import Lint, lint
from archspace.zoo import build
from archspace.zoo.published import PUBLISHED

RESULTS = Path(__file__).parents[2] / "studies" / "rules" / "results"
SPEED = {"gtx1080ti": "gpu", "sd810": "arm"}  # the platform's name in speeds.csv


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def networks(device: str) -> list[dict[str, str]]:
    return [row for row in read(RESULTS / "networks-table8.csv") if row["device"] == device]


def linted(device: str) -> dict[str, Lint]:
    return {row["member"]: lint(build(row["member"]), device=device) for row in networks(device)}


@pytest.mark.parametrize("device", SPEED)
def test_stored_waste_is_what_the_linter_finds_and_orders_the_times_as_stored(device: str) -> None:
    rows, found = networks(device), linted(device)
    waste = {member: result.waste["total"] for member, result in found.items()}
    assert {row["member"]: (row["waste_ms"], int(row["waste_elems"])) for row in rows} == {
        member: (f"{total.ms:.3f}", total.mem_elems) for member, total in waste.items()
    }
    stored = {
        row["level"]: row
        for row in read(RESULTS / "correlations-table8-9999permutations.csv")
        if (row["device"], row["rows"], row["measure"]) == (device, "table 8", "waste_ms")
    }
    levels = [*dict.fromkeys(row["level"] for row in rows), "all rows"]
    assert len(levels) == 5
    for level in levels:
        members = [row for row in rows if level in (row["level"], "all rows")]
        times = [float(row["published_ms"]) for row in members]
        ms = [round(waste[row["member"]].ms or 0.0, 9) for row in members]
        assert stored[level]["n"] == str(len(members))
        assert stored[level]["spearman"] == f"{spearmanr(ms, times).statistic:.2f}"
        assert stored[level]["kendall"] == f"{kendalltau(ms, times).statistic:.2f}"


@pytest.mark.parametrize("device", SPEED)
def test_stored_times_are_the_papers_speeds_and_no_timing_counts_twice(device: str) -> None:
    """ShuffleNet v2's table 8 times 37 rows, of which it prints two networks twice with one speed: 35."""
    speeds = {
        row["member"]: f"{1000 / float(row['speed']):.3f}"
        for row in read(PUBLISHED / "speeds.csv")
        if (row["paper"], row["table"], row["platform"]) == ("ShuffleNet v2 (ECCV 2018)", "table 8", SPEED[device])
    }
    stored = {row["member"]: row["published_ms"] for row in networks(device)}
    assert len(stored) == len(networks(device)) == 35
    assert stored == {member: speeds[member] for member in stored}
    assert {f"{member}_reimpl" for member in speeds.keys() - stored.keys()} <= stored.keys()
    assert len(speeds) == 37
