"""The study's networks: the zoo's with a printed ImageNet error, timm's CNNs trained on ImageNet-1k alone; at most 0.6 G multiply-adds."""

from __future__ import annotations

import csv
import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import archspace
from archspace.analysis.opaque import OpaqueWarning
from archspace.errors import ArchspaceError
from archspace.ir import Graph
from archspace.ir.counts import Counts
from archspace.zoo.published import published_by_member

MOST_MADDS = 600_000_000
MOST_PARAMS = 30e6  # no CNN of at most 0.6 G multiply-adds has more; saves making the others
META = torch.device("meta")
OTHER_DATA = ("ssld", "in12k", "in21k", "in22k", "ig1b", "yfcc100m", "jft")  # parts of a tag that name more than ImageNet-1k

# What models raise where they cannot be made without weights, at another size, or imported.
MAKE_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, ArchspaceError)


@dataclass(frozen=True, slots=True)
class Row:
    """A network with its printed error; `tag` names timm's recipe, empty for the zoo."""

    source: str  # "zoo" or "timm"
    name: str
    tag: str
    img_size: int
    top1_err_pct: float


def counts_of(graph: Graph) -> Counts:
    """The sums over a graph."""
    return Counts.total(graph.counts(node) for node in graph)


def zoo_rows() -> list[tuple[Row, Graph]]:
    """One row per graph: members that are the same network (a stand-in, a re-implementation) are one. The error is the median of what
    papers print of it, for they train differently."""
    found: dict[Any, tuple[str, Graph, list[float]]] = {}
    for member, printed in published_by_member().items():
        errors = [row.top1_err_pct for row in printed if row.top1_err_pct is not None]
        graph = archspace.build(member)
        if errors and counts_of(graph).madds <= MOST_MADDS:
            key = (graph.input_shape, tuple((node.op, node.inputs, node.shape) for node in graph))
            found.setdefault(key, (member, graph, []))[2].extend(errors)
    return [(Row("zoo", name, "", graph.input_shape[-1], median(errors)), graph) for name, graph, errors in found.values()]


def timm_rows(path: Path) -> list[list[Row]]:
    """The rows of each architecture in timm's results-imagenet.csv that were trained on ImageNet-1k alone, at every size that it was tested
    at: the best first, those without a teacher before the others."""
    found: dict[str, list[tuple[bool, float, Row]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name, _, tag = row["model"].partition(".")
            parts = tag.split("_")
            if parts[-1] != "in1k" or set(parts) & set(OTHER_DATA) or float(row["param_count"].replace(",", "")) * 1e6 > MOST_PARAMS:
                continue
            taught = any("dist" in part for part in parts)
            read = Row("timm", name, tag, int(row["img_size"]), float(row["top1_err"]))
            found.setdefault(name, []).append((taught, read.top1_err_pct, read))
    return [[row for *_, row in sorted(rows, key=lambda each: each[:2])] for rows in found.values()]


def timm_graph(row: Row) -> Graph | None:
    """The graph of one image, or None for one of more than 0.6 G multiply-adds and for what is no CNN. Raises MAKE_ERRORS."""
    random.seed(0)
    torch.manual_seed(0)
    create = import_module("timm").create_model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with META:
                module = create(row.name).eval()
        except MAKE_ERRORS:  # it computes with its weights while it is made
            module = create(row.name).eval().to(META)
        image = torch.empty(1, 3, row.img_size, row.img_size, device=META)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(image)
        if counter.get_total_flops() / 2 > 1.02 * MOST_MADDS:
            return None
        warnings.simplefilter("ignore", OpaqueWarning)
        graph = archspace.from_torch(module, image)
    return graph if is_cnn(graph) and counts_of(graph).madds <= MOST_MADDS else None


def is_cnn(graph: Graph) -> bool:
    """No attention between positions, and a convolution larger than a patch that it tiles."""
    kinds = {type(node.op).__name__ for node in graph}
    if "ScaledDotProductAttention" in kinds or ("Softmax" in kinds and kinds & {"MatMul", "Einsum"}):
        return False
    for node in graph:
        size, stride = getattr(node.op, "kernel_size", 1), getattr(node.op, "stride", 1)
        if type(node.op).__name__ == "Conv2d" and size not in (1, (1, 1)) and size != stride:
            return True
    return False


def family_of(name: str) -> str:
    """The name up to the first digit or underscore."""
    return re.split(r"[_\d]", name)[0]


def timm_networks(path: Path, done: set[str]) -> Iterator[tuple[Row, Graph | str | None]]:
    """Each architecture that is not done: its best row of at most 0.6 G multiply-adds with the graph, or why it has none, or None for
    what the study is not about."""
    for rows in timm_rows(path):
        if rows[0].name in done:
            continue
        sizes = dict.fromkeys(row.img_size for row in rows)
        found: tuple[Row, Graph | str | None] = rows[0], None
        for size in sizes:
            row = next(row for row in rows if row.img_size == size)
            try:
                found = row, timm_graph(row)
            except MAKE_ERRORS as error:
                found = row, f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
            if found[1] is not None:
                break
        yield found
