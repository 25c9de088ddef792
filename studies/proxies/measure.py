"""Every proxy on every network, one row at a time: what is in the results already is left alone."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from networks import Row, counts_of, family_of, timm_networks, zoo_rows

from archspace.errors import ArchspaceError
from archspace.ir import Graph
from archspace.pytorch import to_module
from archspace.pytorch.proxies import PROXIES
from archspace.pytorch.proxies.zen import zen

RESULTS = Path(__file__).parent / "results"
BATCHES = "-".join(f"{name}{each.batch}" for name, each in PROXIES.items())
VALUES = RESULTS / f"values-seed0-1thread-batch-{BATCHES}.csv"
SEEDS = RESULTS / "seeds-0to2.csv"
LEFT_OUT = RESULTS / "left_out.csv"

Measure = Callable[..., float]
# The proxies, and Zen as most code has it: what its removal of residual links is worth.
MEASURES: dict[str, tuple[int, Measure]] = {
    **{name: (each.batch, each.measure) for name, each in PROXIES.items()},
    "zen_with_links": (PROXIES["zen"].batch, partial(zen, with_links=True)),
}
COUNTED = ("params", "madds", "acts")
COLUMNS = ("source", "name", "tag", "family", "img_size", "top1_err_pct", *COUNTED, *MEASURES, *(f"{name}_ms" for name in MEASURES))
SPREAD = (
    "shufflenet_v1_1x_g1", "shufflenet_v1_1x_g3", "shufflenet_v1_1x_g8", "shufflenet_v2_0.5x", "shufflenet_v2_1x", "mobilenet_v1_0.5x",
    "mobilenet_v2_1x", "igcv3_d_0.7x", "fenet_1x", "densenet_light_1x",
)  # fmt: skip
SPREAD_SEEDS = range(3)


def value_of(graph: Graph, name: str, seed: int) -> tuple[float | None, str, float]:
    """A proxy's value (None: why not), and the ms that building and measuring took."""
    batch, measure = MEASURES[name]
    start = time.perf_counter()
    try:
        sized = graph.with_input(batch=batch)
        value, why = measure(to_module(sized, seed=seed), sized.input_shape, seed), ""
    except ArchspaceError as error:
        value, why = None, str(error)
    return value, why, 1e3 * (time.perf_counter() - start)


def measure_all(table: Path | None) -> None:
    """Fill VALUES and LEFT_OUT; without a table the zoo alone."""
    done = {(row["source"], row["name"]) for row in read(VALUES)}
    for row, graph in zoo_rows():
        if (row.source, row.name) not in done:
            record(row, graph)
    if table is not None:
        skip = {name for source, name in done if source == "timm"} | {row["name"] for row in read(LEFT_OUT)}
        for row, graph in timm_networks(table, skip):
            if isinstance(graph, Graph):
                record(row, graph)
            else:
                append(LEFT_OUT, {"name": row.name, "why": graph or "no CNN of at most 0.6 G multiply-adds"})


def record(row: Row, graph: Graph) -> None:
    """Measure one network and write its row; a proxy that does not apply leaves its cell empty and a row in LEFT_OUT."""
    found = {name: value_of(graph, name, 0) for name in MEASURES}
    for name, (value, why, _) in found.items():
        if value is None:
            append(LEFT_OUT, {"name": f"{row.name} ({name})", "why": why})
    counts = counts_of(graph)
    cells: dict[str, object] = {
        "source": row.source,
        "name": row.name,
        "tag": row.tag,
        "family": family_of(row.name) if row.source == "timm" else graph.config["family"],
        "img_size": row.img_size,
        "top1_err_pct": f"{row.top1_err_pct:g}",
        **{name: getattr(counts, name) for name in COUNTED},
        **{name: "" if value is None else f"{value:.4f}" for name, (value, _, _) in found.items()},
        **{f"{name}_ms": "" if value is None else f"{ms:.0f}" for name, (value, _, ms) in found.items()},
    }
    append(VALUES, cells)
    print(row.source, row.name, f"{counts.madds / 1e6:.0f} M", *(cells[name] for name in MEASURES), file=sys.stderr, flush=True)


def measure_seeds() -> None:
    """Fill SEEDS: some of the zoo's networks with several seeds."""
    done = {(row["name"], row["seed"]) for row in read(SEEDS)}
    graphs = {row.name: graph for row, graph in zoo_rows() if row.name in SPREAD}
    for name, graph in graphs.items():
        for seed in SPREAD_SEEDS:
            if (name, str(seed)) not in done:
                values = {each: value_of(graph, each, seed)[0] for each in MEASURES}
                append(SEEDS, {"name": name, "seed": seed, **{k: "" if v is None else f"{v:.4f}" for k, v in values.items()}})


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV; none where there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, cells: dict[str, object]) -> None:
    """One more row, on the disk at once."""
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(cells), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(cells)


def complete(rows: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """The rows that every proxy has a value of."""
    return (row for row in rows if all(row[name] for name in MEASURES))
