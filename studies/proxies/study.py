"""Which proxies say more of ImageNet accuracy than params, multiply-adds and activations do?

python studies/proxies/study.py [results-imagenet.csv]    # timm's table, needs timm; without it the zoo, and what is in results/ already

One process, one thread. Goes on where it stopped; writes results/ and the table that ships (archspace/pytorch/proxies/quality.json).
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, stdev

import torch
from correlate import correlation, partial_spearman
from measure import COUNTED, MEASURES, RESULTS, SEEDS, VALUES, complete, measure_all, measure_seeds, read

from archspace.pytorch.proxies import PROXIES
from archspace.pytorch.proxies.quality import QUALITY_JSON

CORRELATIONS = RESULTS / "correlations-top1-95pct-2000resamples.csv"
SPREADS = RESULTS / "spread-3seeds.csv"
# What is given in partial correlations; a measure that is among them has none.
GIVEN = {"given_params_madds": ("params", "madds"), "given_params_madds_acts": ("params", "madds", "acts")}

Row = dict[str, str]


def band(source: str, low_m: float, high_m: float) -> Callable[[Row], bool]:
    """Networks of a source with so many millions of multiply-adds."""
    return lambda row: row["source"] == source and low_m * 1e6 <= int(row["madds"]) <= high_m * 1e6


# The papers' levels of complexity, and what counts as one.
SETS: dict[str, Callable[[Row], bool]] = {
    "zoo, 13 M": band("zoo", 10, 16),
    "zoo, 40 M": band("zoo", 36, 46),
    "zoo, 140 M": band("zoo", 128, 160),
    "zoo, 300 M": band("zoo", 250, 350),
    "zoo, 500 M": band("zoo", 450, 600),
    "zoo, at most 600 M": band("zoo", 0, 600),
    "timm, 350 to 600 M": band("timm", 350, 600),
    "timm, at most 600 M": band("timm", 0, 600),
}
ALL_ZOO, BAND_TIMM, ALL_TIMM = list(SETS)[-3:]
EACH = "timm, at most 600 M, where it applies"  # layer norms have no Zen-score, root mean squares no SynFlow


def correlate(rows: Sequence[Row]) -> list[Row]:
    """A row per set and measure, over the networks that every proxy has a value of; in EACH over those that the measure has."""
    table = []
    for name, belongs in SETS.items():
        members = [row for row in complete(list(rows)) if belongs(row)]
        table += [correlation_row(name, measure, members) for measure in (*MEASURES, *COUNTED) if len(members) > 4]
    for measure in (*MEASURES, *COUNTED):
        members = [row for row in rows if SETS[ALL_TIMM](row) and row[measure]]
        table += [correlation_row(EACH, measure, members)] if len(members) > 4 else []
    return table


def correlation_row(name: str, measure: str, members: Sequence[Row]) -> Row:
    """One measure's correlations with top-1 over some networks."""
    accuracies = [100 - float(row["top1_err_pct"]) for row in members]
    values = {each: [float(row[each]) for row in members] for each in (measure, *COUNTED)}
    found = correlation(values[measure], accuracies)
    partials = {
        column: "" if measure in given else f"{partial_spearman(values[measure], accuracies, [values[each] for each in given]):.3f}"
        for column, given in GIVEN.items()
    }
    return {
        "set": name,
        "measure": measure,
        "n": str(found.n),
        "spearman": f"{found.spearman:.3f}",
        "low": f"{found.low:.3f}",
        "high": f"{found.high:.3f}",
        "kendall": f"{found.kendall:.3f}",
        **partials,
    }


def spreads(rows: Sequence[Row], across: Sequence[Row]) -> list[Row]:
    """How far seeds spread beside how far networks do: the median standard deviation over seeds, and that over the networks."""
    table = []
    for measure in MEASURES:
        by_name: dict[str, list[float]] = {}
        for row in rows:
            if row[measure]:
                by_name.setdefault(row["name"], []).append(float(row[measure]))
        of_networks = [float(row[measure]) for row in across if row[measure] and row["name"] in by_name]
        table.append(
            {
                "measure": measure,
                "networks": str(len(by_name)),
                "seeds": str(min(len(values) for values in by_name.values())),
                "seed_deviation": f"{median(stdev(values) for values in by_name.values()):.3f}",
                "largest_seed_deviation": f"{max(stdev(values) for values in by_name.values()):.3f}",
                "network_deviation": f"{stdev(of_networks):.3f}",
            }
        )
    return table


def quality_rows(rows: Sequence[Row], table: Sequence[Row]) -> list[dict[str, object]]:
    """What ships: one row per proxy and baseline."""
    found = {(row["set"], row["measure"]): row for row in table}
    out = []
    for name in (*PROXIES, *COUNTED):
        overall, inside, zoo = found[ALL_TIMM, name], found[BAND_TIMM, name], found[ALL_ZOO, name]
        timed = [float(row[f"{name}_ms"]) for row in rows if row.get(f"{name}_ms") and SETS[ALL_TIMM](row)]
        out.append(
            {
                "name": name,
                **{key: rounded(cell["spearman"]) for key, cell in (("overall", overall), ("band", inside), ("zoo", zoo))},
                **{f"{key}_networks": int(cell["n"]) for key, cell in (("overall", overall), ("band", inside), ("zoo", zoo))},
                "partial": rounded(overall["given_params_madds"]),
                "beyond": rounded(overall["given_params_madds_acts"]),
                "zoo_beyond": rounded(zoo["given_params_madds_acts"]),
                "ms": round(median(timed)) if timed else None,
                "conditions": f"batch {PROXIES[name].batch}, one thread, x86-64" if timed else "counted",
            }
        )
    return out


def rounded(cell: str) -> float | None:
    """A correlation to two digits; None where there is none."""
    return round(float(cell), 2) if cell else None


def main(arguments: Sequence[str]) -> None:
    """Measure what is missing, correlate, write."""
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    measure_all(Path(arguments[0]) if arguments else None)
    measure_seeds()
    rows = read(VALUES)
    table = correlate(rows)
    write(CORRELATIONS, table)
    write(SPREADS, spreads(read(SEEDS), rows))
    if any(row["set"] == ALL_TIMM for row in table):
        source = "studies/proxies: Spearman with ImageNet top-1 of timm's CNNs trained on ImageNet-1k alone"
        text = json.dumps({"source": source, "rows": quality_rows(rows, table)}, indent=2)
        QUALITY_JSON.write_text(f"{text}\n", encoding="utf-8")
    for row in table:
        print(*row.values(), sep="\t")


def write(path: Path, rows: Sequence[Row]) -> None:
    """A CSV of rows with the same keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
