"""Does the 80 % interval hold for networks outside of what a fit has seen, and would one factor widen it as much as they need?

    python studies/timm_devices/flagged.py DIRECTORY_OF_TABLES

Every family is left out in turn: its networks are flagged where they lie outside the ranges of the other families, and their times are
those predicted by a fit without it (results/DEVICE.csv, from study.py). Writes results/flagged.csv; takes three minutes.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from devices import DEVICES
from samples import Network
from study import RESULTS, read_networks, write

from archspace.latency import load_profile
from archspace.latency.judge import interval_80_pct

REASONS = ("kernels", "madds", "input pixels", "batch", "op types")


def counted(one: Network) -> Mapping[str, float]:
    """What a profile has ranges of."""
    return {"kernels": one.kernels, "madds": one.madds, "input pixels": one.row.img_size**2, "batch": one.row.batch}


def types_of(one: Network) -> set[str]:
    return {op_type for op_type, _ in one.sample.features if op_type}


def reasons(one: Network, others: Sequence[Network]) -> tuple[str, ...]:
    """Why a fit on the others would flag a network; the ranges are those of `study.make_profile`."""
    found = []
    for what, value in counted(one).items():
        seen = sorted(counted(other)[what] for other in others)
        if not seen[len(seen) // 20 if what == "batch" else 0] <= value <= seen[-1]:
            found.append(what)
    unseen = types_of(one) - {op_type for other in others for op_type in types_of(other)}
    return (*found, *(["op types"] if unseen else []))


def rows_of(name: str, tables: Path) -> list[dict[str, str]]:
    """A device's networks: all that are flagged or not, and those flagged for each reason."""
    networks, _ = read_networks(DEVICES[name], tables)
    with (RESULTS / f"{name}.csv").open(encoding="utf-8") as file:
        unseen = {(r["model"], r["img_size"], r["batch"]): float(r["predicted_unseen_ms"]) for r in csv.DictReader(file)}
    stated = load_profile(name).interval_pct
    judged: dict[str, list[tuple[float, float]]] = {what: [] for what in ("not flagged", "flagged", *REASONS)}
    for family in {one.sample.family for one in networks}:
        others = [one for one in networks if one.sample.family != family]
        for one in networks:
            if one.sample.family == family:
                why = reasons(one, others)
                pair = (unseen[one.row.model, str(one.row.img_size), str(one.row.batch)], one.row.ms)
                for what in ("flagged", *why) if why else ("not flagged",):
                    judged[what].append(pair)
    out = []
    for what, pairs in judged.items():
        if pairs:
            off = [100 * abs(ms / predicted - 1) for predicted, ms in pairs]
            held = interval_80_pct([p for p, _ in pairs], [ms for _, ms in pairs])
            out.append(
                {
                    "device": name,
                    "networks": what,
                    "count": str(len(pairs)),
                    "stated_interval_pct": f"{stated:.1f}",
                    "inside_share": f"{sum(one <= stated for one in off) / len(off):.2f}",
                    "interval_80_pct": f"{held:.1f}",
                    "largest_pct": f"{max(off):.1f}",
                }
            )
    return out


def main(tables: str) -> None:
    """All devices."""
    rows = [row for name in DEVICES for row in rows_of(name, Path(tables))]
    write(RESULTS / "flagged.csv", rows)
    for row in rows:
        print("  ".join(row.values()))


if __name__ == "__main__":
    main(*sys.argv[1:])
