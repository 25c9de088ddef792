"""Are networks that waste more, by the linter's account, slower at equal complexity?

Run from the repository's root: python studies/rules/study.py
Reads the published speeds that come with archspace, writes results/, prints what it writes. Needs numpy and scipy; deterministic, half a
minute.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np
from picture import draw
from ranking import Array, kendall, ranks, related, spearman

from archspace import analyze, build
from archspace.ir import Graph
from archspace.latency import Profile, latency_ms, load_profile
from archspace.rules import RULES, Waste, lint
from archspace.zoo.published import PUBLISHED

HERE = Path(__file__).parent
PAPER = "ShuffleNet v2 (ECCV 2018)"
DEVICES = {"gpu": "gtx1080ti", "arm": "sd810"}
# The paper prints these twice, as theirs and as its own, with one speed.
PRINTED_TWICE = {"mobilenet_v2_1x", "mobilenet_v2_1.4x"}
# Table 8's groups of about 40, 140, 300 and 500 M multiply-adds begin with these.
LEVELS = {"shufflenet_v2_0.5x": "40", "shufflenet_v2_1x": "140", "shufflenet_v2_1.5x": "300", "shufflenet_v2_2x": "500"}
CELLS = {"nasnet_a", "pnasnet_5"}
GUIDELINES = ("G1", "G2", "G3", "G4")
INFO = tuple(code for code, rule in RULES.items() if rule.severity == "info")
# Every threshold of a guideline at the least that makes sense: any unequal width, group or second fragment counts.
BARE = {
    "G101": {"ratio": 1},
    "G102": {"expansion": 1},
    "G201": {"ratio": 1},
    "G301": {"fragments": 1},
    "G302": {"branches": 1},
    "G401": {"share": 0},
}


@dataclass(frozen=True)
class Row:
    """A network with its published time and what is held against it."""

    device: str
    level: str  # about so many million multiply-adds; of a stack: table, platform and scale
    family: str
    member: str
    published_ms: float  # of a batch
    measures: Mapping[str, float]


def timed(table: str) -> list[tuple[str, str, float]]:
    """Platform, member and milliseconds of a batch, in the table's order."""
    with (PUBLISHED / "speeds.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["paper"] == PAPER and r["table"] == table]
    return [(r["platform"], r["member"], 1e3 / float(r["speed"])) for r in rows]


# What a network wastes, and what else might order the speeds.


def without_launches(profile: Profile) -> Profile:
    """The profile with kernels that cost nothing to launch."""
    return replace(profile, coefficients={kind: replace(c, us_per_kernel=0.0) for kind, c in profile.coefficients.items()})


def sizes(graph: Graph, profile: Profile) -> dict[str, float]:
    """What needs no linter."""
    totals = analyze(graph).totals
    return {"madds": totals.madds, "mem_elems": totals.mem_elems, "latency_ms": latency_ms(graph, profile)}


def in_ms(waste: Waste) -> float:
    """Rounded to a picosecond: networks that waste equally much shall tie."""
    return round(waste.ms or 0.0, 9)


def network_measures(graph: Graph, profile: Profile) -> dict[str, float]:
    """Waste in milliseconds of a batch and in elements of an image: in total, of each guideline, and in other readings of the total."""
    total = lint(graph, device=profile).waste["total"]
    alone = {g: lint(graph, select=[g], device=profile).waste["total"] for g in GUIDELINES}
    return {
        "waste_ms": in_ms(total),
        "waste_elems": total.mem_elems,
        **sizes(graph, profile),
        **{f"waste_ms_{g}": in_ms(waste) for g, waste in alone.items()},
        **{f"waste_elems_{g}": waste.mem_elems for g, waste in alone.items()},
        "waste_ms_no_info": in_ms(lint(graph, ignore=INFO, device=profile).waste["total"]),
        "waste_elems_no_info": lint(graph, ignore=INFO).waste["total"].mem_elems,
        "waste_ms_no_launches": in_ms(lint(graph, device=without_launches(profile)).waste["total"]),
    }


def stack_measures(graph: Graph, profile: Profile) -> dict[str, float]:
    """The waste of a guideline stack with the rules' own thresholds and with bare ones."""
    own, bare = (lint(graph, device=profile, thresholds=given).waste["total"] for given in ({}, BARE))
    return {
        "waste_ms": in_ms(own),
        "waste_elems": own.mem_elems,
        "bare_waste_ms": in_ms(bare),
        "bare_waste_elems": bare.mem_elems,
        **sizes(graph, profile),
    }


def networks() -> list[Row]:
    """Table 8, each network that was timed once."""
    rows = []
    for platform, device in DEVICES.items():
        level, profile = "", load_profile(device)
        for at, member, ms in timed("table 8"):
            if at == platform and member not in PRINTED_TWICE:
                level, graph = LEVELS.get(member, level), build(member)
                rows.append(Row(device, level, graph.name, member, ms, network_measures(graph, profile)))
    return rows


def stacks() -> list[Row]:
    """Tables 1 to 4; a batch there is one image. A scale has four times the multiply-adds of the one before."""
    rows = []
    for table in ("table 1", "table 2", "table 3", "table 4"):
        for platform, device in DEVICES.items():
            profile = replace(load_profile(device), batch=1)
            of_table = []
            for at, member, ms in timed(table):
                if at == platform:
                    graph = build(member)
                    of_table.append(Row(device, "", graph.name, member, ms, stack_measures(graph, profile)))
            least = min(row.measures["madds"] for row in of_table)
            for row in of_table:
                scale = 2 ** round(log(row.measures["madds"] / least, 4))
                rows.append(replace(row, level=f"{table} {platform} x{scale}"))
    return rows


# The questions, one table each.


def correlations(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Published time against each measure: per level, over all rows, within levels, and of families.

    "within levels" compares only networks of one level. Its rows are not independent, as a family comes at up to four levels: "families"
    takes a family's mean place within its levels as one value, and `without_a_family` is the range when any one family is left out.
    `given_memory` is Spearman's partial correlation: what the measure says beyond the network's memory access.
    """
    out = []
    for device in DEVICES.values():
        of_device = [row for row in rows if row.device == device]
        subsets: dict[str, Callable[[Row], bool]] = {
            "table 8": lambda row: True,
            "without cells": lambda row: row.family not in CELLS,
            "without IGCV3-D 0.7x": lambda row: row.member != "igcv3_d_0.7x",
        }
        for subset, belongs in subsets.items():
            chosen = [row for row in of_device if belongs(row)]
            levels = np.array([row.level for row in chosen])
            families = np.array([row.family for row in chosen])
            y = np.array([row.published_ms for row in chosen])
            memory = np.array([row.measures["mem_elems"] for row in chosen])
            for measure in chosen[0].measures:
                x = np.array([row.measures[measure] for row in chosen])
                head = {"device": device, "rows": subset, "measure": measure}
                for level in dict.fromkeys(levels):
                    of = levels == level
                    out.append({**head, "level": level, "n": str(of.sum()), **related(x[of], y[of], levels[of])})
                same = np.full(len(x), "all")
                out.append({**head, "level": "all rows", "n": str(len(x)), **related(x, y, same, memory)})
                within = {"level": "within levels", "n": str(len(x)), **related(x, y, levels, memory)}
                out.append({**head, **within, "without_a_family": without_a_family(x, y, levels, families)})
                names = list(dict.fromkeys(families))
                mean_x, mean_y = (place(values, levels, families, names) for values in (x, y))
                out.append({**head, "level": "families", "n": str(len(names)), **related(mean_x, mean_y, np.full(len(names), "all"))})
    return out


def without_a_family(x: Array, y: Array, levels: Array, families: Array) -> str:
    """The range of Spearman within levels when any one family is left out: '0.56 to 0.74'."""
    kept = [families != family for family in dict.fromkeys(families)]
    rhos = [rho for rho in (spearman(x[of], y[of], levels[of]) for of in kept) if rho is not None]
    return f"{min(rhos):.2f} to {max(rhos):.2f}" if rhos else ""


def place(values: Array, levels: Array, families: Array, names: Sequence[str]) -> Array:
    """Each family's mean place within its levels, from -0.5 (least) to 0.5."""
    places = ranks(values, levels)
    for level in np.unique(levels):
        places[levels == level] /= np.sum(levels == level)
    return np.array([places[families == name].mean() for name in names])


def without_a_rule(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Spearman of published time and the total waste when a rule or a guideline is left out of it, within levels and per level."""
    out = []
    for device in DEVICES.values():
        profile, chosen = load_profile(device), [row for row in rows if row.device == device]
        graphs = [build(row.member) for row in chosen]
        levels, y = np.array([row.level for row in chosen]), np.array([row.published_ms for row in chosen])
        for left_out in ("", *GUIDELINES, *(code for code in RULES if code.startswith(GUIDELINES))):
            waste = [lint(graph, ignore=[left_out] if left_out else [], device=profile).waste["total"] for graph in graphs]
            for measure, x in (("waste_ms", np.array([in_ms(w) for w in waste])), ("waste_elems", np.array([w.mem_elems for w in waste]))):
                rhos = {"within levels": spearman(x, y, levels)}
                rhos |= {
                    level: spearman(x[levels == level], y[levels == level], levels[levels == level]) for level in dict.fromkeys(levels)
                }
                head = {"device": device, "measure": measure, "without": left_out or "nothing"}
                out.append({**head, **{name: "" if rho is None else f"{rho:.2f}" for name, rho in rhos.items()}})
    return out


def guideline_pairs(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Per table, platform and scale, how many pairs of stacks a measure orders as the published times do.

    Three to five stacks share a scale, so that a coefficient says little: pairs are counted. `tied` pairs have one measure and two times;
    pairs with one time are left out.
    """
    out = []
    groups = [*dict.fromkeys(row.level for row in rows), *dict.fromkeys(row.level.rpartition(" ")[0] for row in rows)]
    for group in groups:
        chosen = [row for row in rows if group in (row.level, row.level.rpartition(" ")[0])]
        for measure in chosen[0].measures:
            counts = {"right": 0, "wrong": 0, "tied": 0}
            for i, one in enumerate(chosen):
                for other in chosen[:i]:
                    if one.level == other.level and one.published_ms != other.published_ms:
                        more, slower = one.measures[measure] - other.measures[measure], one.published_ms - other.published_ms
                        counts["tied" if more == 0 else "right" if more * slower > 0 else "wrong"] += 1
            strata = np.array([row.level for row in chosen])
            x, y = np.array([row.measures[measure] for row in chosen]), np.array([row.published_ms for row in chosen])
            rho, tau = spearman(x, y, strata), kendall(x, y, strata)
            out.append(
                {
                    "stacks": group,
                    "measure": measure,
                    "n": str(len(chosen)),
                    **{name: str(count) for name, count in counts.items()},
                    "spearman": "" if rho is None else f"{rho:.2f}",
                    "kendall": "" if tau is None else f"{tau:.2f}",
                }
            )
    return out


def row_table(rows: Sequence[Row]) -> list[dict[str, str]]:
    """The rows themselves."""
    return [
        {
            "device": row.device,
            "level": row.level,
            "member": row.member,
            "published_ms": f"{row.published_ms:.3f}",
            **{name: f"{value:.3f}" if "_ms" in name else str(int(value)) for name, value in row.measures.items()},
        }
        for row in rows
    ]


def write(name: str, rows: list[dict[str, str]]) -> None:
    path = HERE / "results" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"\n{path.relative_to(HERE)}\n{path.read_text(encoding='utf-8')}", end="")


def main() -> None:
    table8, tables = networks(), stacks()
    write("networks-table8", row_table(table8))
    write("correlations-table8-9999permutations", correlations(table8))
    write("without-a-rule-table8", without_a_rule(table8))
    write("stacks-tables1to4", row_table(tables))
    write("pairs-tables1to4", guideline_pairs(tables))
    points = [(row.device, row.level, row.family, row.measures["waste_ms"], row.published_ms) for row in table8]
    (HERE / "results" / "waste-against-time.svg").write_text(draw(points), encoding="utf-8")


if __name__ == "__main__":
    main()
