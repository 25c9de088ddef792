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
from correlate import Correlation, correlation
from measure import COUNTED, MEASURES, RESULTS, SEEDS, VALUES, complete, measure_all, measure_seeds, read

from archspace.pytorch.proxies import PROXIES
from archspace.pytorch.proxies.quality import QUALITY_JSON

CORRELATIONS = RESULTS / "correlations-top1-95pct-2000resamples.csv"
SPREADS = RESULTS / "spread-5seeds.csv"
GIVEN = ("params", "madds")

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


def correlate(rows: Sequence[Row]) -> dict[tuple[str, str], Correlation]:
    """(set, measure) -> its correlation with accuracy, over the networks that every proxy has a value of; in EACH over those that it has."""
    found = {}
    for name, belongs in SETS.items():
        members = [row for row in complete(list(rows)) if belongs(row)]
        for measure in (*MEASURES, *COUNTED):
            if len(members) > 4:
                found[name, measure] = correlation_of(measure, members)
    for measure in (*MEASURES, *COUNTED):
        members = [row for row in rows if SETS[ALL_TIMM](row) and row[measure]]
        if len(members) > 4:
            found[EACH, measure] = correlation_of(measure, members)
    return found


def correlation_of(measure: str, members: Sequence[Row]) -> Correlation:
    """Of one measure with top-1 over some networks, given params and multiply-adds."""
    accuracies = [100 - float(row["top1_err_pct"]) for row in members]
    given = () if measure in GIVEN else [[float(row[each]) for row in members] for each in GIVEN]
    return correlation([float(row[measure]) for row in members], accuracies, given)


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


def quality_rows(rows: Sequence[Row], found: dict[tuple[str, str], Correlation]) -> list[dict[str, object]]:
    """What ships: one row per proxy and baseline."""
    out = []
    for name in (*PROXIES, *COUNTED):
        overall, inside, zoo = found[ALL_TIMM, name], found[BAND_TIMM, name], found[ALL_ZOO, name]
        timed = [float(row[f"{name}_ms"]) for row in rows if row.get(f"{name}_ms") and SETS[ALL_TIMM](row)]
        out.append(
            {
                "name": name,
                "overall": round(overall.spearman, 2),
                "overall_networks": overall.n,
                "band": round(inside.spearman, 2),
                "band_networks": inside.n,
                "partial": None if overall.partial is None else round(overall.partial, 2),
                "zoo": round(zoo.spearman, 2),
                "zoo_networks": zoo.n,
                "ms": round(median(timed)) if timed else None,
                "conditions": f"batch {PROXIES[name].batch}, one thread, x86-64" if timed else "counted",
            }
        )
    return out


def main(arguments: Sequence[str]) -> None:
    """Measure what is missing, correlate, write."""
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    measure_all(Path(arguments[0]) if arguments else None)
    measure_seeds()
    rows = read(VALUES)
    found = correlate(rows)
    cells = [
        {
            "set": name,
            "measure": measure,
            "n": str(c.n),
            "spearman": f"{c.spearman:.3f}",
            "low": f"{c.low:.3f}",
            "high": f"{c.high:.3f}",
            "kendall": f"{c.kendall:.3f}",
            "given_params_and_madds": "" if c.partial is None else f"{c.partial:.3f}",
        }
        for (name, measure), c in found.items()
    ]
    write(CORRELATIONS, cells)
    write(SPREADS, spreads(read(SEEDS), rows))
    if any(name == ALL_TIMM for name, _ in found):
        source = "studies/proxies: Spearman with ImageNet top-1 of timm's CNNs trained on ImageNet-1k alone"
        text = json.dumps({"source": source, "rows": quality_rows(rows, found)}, indent=2)
        QUALITY_JSON.write_text(f"{text}\n", encoding="utf-8")
    for cell in cells:
        print(*cell.values(), sep="\t")


def write(path: Path, rows: Sequence[Row]) -> None:
    """A CSV of rows with the same keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
