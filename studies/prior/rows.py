"""The rows that the prior is fitted on: published errors, with the features of each network's graph."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np
from tables import MIXING_KINDS, NOT_CONVOLUTIONAL, family_of, left_out, recipe_of

from archspace.accuracy import Features, read
from archspace.analysis.report import total_counts
from archspace.errors import LawError
from archspace.ir import Graph
from archspace.ir.counts import Counts
from archspace.ir.ops import Conv2d, pair
from archspace.ir.serde import from_dict
from archspace.zoo import MEMBERS, build
from archspace.zoo.published import published_rows

PAPERS = "papers"
TIMM = "timm"


@dataclass(frozen=True, slots=True)
class Row:
    """A published error of a network at an input size. `weight` makes each network at a size count once, however often it is printed."""

    source: str
    network: str
    tag: str
    size: int
    family: str
    recipe: str
    error_pct: float
    params: int
    kinds: frozenset[str]
    features: Features
    weight: float = 1.0

    @property
    def gmadds(self) -> float:
        """1e9 multiply-adds of one image."""
        return float(np.exp(self.features.log_madds) / 1e9)

    def logs(self, name: str) -> float:
        """The natural logarithm of a baseline: params, acts, madds."""
        return {"params": log(self.params), "acts": self.features.log_acts, "madds": self.features.log_madds}[name]


def weighted(rows: list[Row]) -> list[Row]:
    """The rows with their weights: 1 over how many rows a network has at a size."""
    times = Counter([(row.network, row.size) for row in rows])
    return [replace(row, weight=1 / times[row.network, row.size]) for row in rows]


def paper_rows() -> list[Row]:
    """The printed top-1 errors of the zoo's networks. One number that several papers print is taken once."""
    rows, seen = [], set()
    graphs: dict[str, tuple[Graph, Counts, Features]] = {}
    for printed in published_rows():
        key = printed.member, printed.top1_err_pct
        if printed.top1_err_pct is None or key in seen or printed.member not in MEMBERS:
            continue
        seen.add(key)
        if printed.member not in graphs:
            graph = build(printed.member)
            counts = total_counts(graph)
            graphs[printed.member] = graph, counts, read(graph, counts).features
        graph, counts, features = graphs[printed.member]
        rows.append(
            Row(
                PAPERS,
                printed.member,
                printed.source,
                graph.input_shape[-1],
                family_of(printed.member),
                "paper",
                printed.top1_err_pct,
                counts.params,
                kinds_of(graph),
                features,
            )
        )
    return rows


def timm_rows(table: Path, graphs: Path) -> tuple[list[Row], Counter[str]]:
    """The convolutional networks of timm's table whose weights are of ImageNet-1k alone; and why the others are left out, how often.

    `graphs` is the folder that studies/timm_devices keeps its imported graphs in.
    """
    rows, why = [], Counter[str]()
    loaded: dict[tuple[str, int], Graph | str] = {}
    with table.open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            network, _, tag = line["model"].partition(".")
            size = int(line["img_size"])
            if (network, size) not in loaded:
                loaded[network, size] = _graph(network, size, graphs)
            graph = loaded[network, size]
            reason = (graph if isinstance(graph, str) else "") or left_out(tag)
            if reason or isinstance(graph, str):
                why[reason] += 1
                continue
            counts = total_counts(graph)
            found = read(graph, counts).features
            error = float(line["top1_err"])
            rows.append(
                Row(TIMM, network, tag, size, family_of(network), recipe_of(network, tag), error, counts.params, kinds_of(graph), found)
            )
    return rows, why


def _graph(network: str, size: int, folder: Path) -> Graph | str:
    """The kept graph of a network at an input size, or why it is not one of ours."""
    for part, reason in NOT_CONVOLUTIONAL.items():
        if part in network:
            return reason
    kept = sorted(folder.glob(f"{network}@*.json.gz"))
    plain = [path for path in kept if ".fused." not in path.name]
    if not plain:
        return "no graph kept"
    path = next((path for path in plain if path.name == f"{network}@{size}.json.gz"), plain[0])
    data = json.loads(gzip.decompress(path.read_bytes()))
    if "archspace_graph" not in data:
        return "could not be imported"
    graph = from_dict(data, str(path))
    mixing = MIXING_KINDS & kinds_of(graph)
    if mixing:
        return f"not convolutional: {', '.join(sorted(mixing))}"
    if not any(isinstance(node.op, Conv2d) and pair(node.op.kernel_size) > pair(node.op.stride) for node in graph):
        return "not convolutional: no kernel overlaps the next"
    if graph.input_shape[-1] == size:
        return graph
    try:
        return graph.with_input(size)
    except LawError:
        return "not at that size"


def kinds_of(graph: Graph) -> frozenset[str]:
    """The kinds of ops in a graph."""
    return frozenset([type(node.op).__name__ for node in graph])


def families(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Every family with its rows, by name."""
    for family in sorted({row.family for row in rows}):
        yield family, [row for row in rows if row.family == family]
