"""The graph of every model in timm's benchmark tables: made without weights on the meta device, imported once, kept in cache/.

A graph is that of one image at the size of the table; `latency` scales it to the table's batch. Models that have a file are left alone.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

import archspace
from archspace.analysis.opaque import OpaqueWarning
from archspace.errors import ArchspaceError
from archspace.ir import Graph
from archspace.ir.serde import from_dict, to_dict

CACHE = Path(__file__).parent / "cache"
META = torch.device("meta")

# What models raise where they look into weights that are not there or do not fit the size of the table.
MAKE_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Measured:
    """A row of a benchmark table."""

    model: str
    img_size: int
    batch: int
    ms: float  # one batch
    gmacs: float  # as the table counts, 1e9 multiply-adds of one image
    macts: float  # 1e6 output elements of convolutions and linears

    @property
    def cached(self) -> Path:
        """Where its graph is kept."""
        return CACHE / f"{self.model}@{self.img_size}.json.gz"


def read_table(path: Path) -> list[Measured]:
    """The rows of a table, without those that say no time."""
    with path.open(encoding="utf-8") as file:
        return [
            Measured(
                r["model"],
                int(r["infer_img_size"]),
                int(r["infer_batch_size"]),
                float(r["infer_step_time"]),
                float(r["infer_gmacs"]),
                float(r["infer_macts"]),
            )
            for r in csv.DictReader(file)
            if r["infer_step_time"]
        ]


def declare_torchvision_operators() -> Any:
    """The two schemas without which torchvision's Python half does not import where its compiled half does not fit torch."""
    declare: Any = torch.library.Library
    library = declare("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def make(row: Measured) -> Graph:
    """The graph of one image. Raises what the model raises, and ArchspaceError."""
    random.seed(0)
    torch.manual_seed(0)
    create = import_module("timm").create_model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with META:
                module = create(row.model).eval()
        except MAKE_ERRORS:  # it computes with its weights while it is made
            module = create(row.model).eval().to(META)
        warnings.simplefilter("ignore", OpaqueWarning)
        return archspace.from_torch(module, torch.empty(1, 3, row.img_size, row.img_size, device=META))


def load(row: Measured) -> Graph | None:
    """The kept graph, or None for a model that could not be made."""
    data = json.loads(gzip.decompress(row.cached.read_bytes()))
    return from_dict(data, str(row.cached)) if "archspace_graph" in data else None


def import_missing(rows: Sequence[Measured]) -> Iterator[tuple[Measured, str]]:
    """Imports what has no file yet, and says what came of each: the number of nodes, or why there is no graph."""
    CACHE.mkdir(exist_ok=True)
    for row in rows:
        if row.cached.exists():
            continue
        try:
            graph = make(row)
            data, told = to_dict(graph), f"{len(graph)} nodes"
        except (*MAKE_ERRORS, ArchspaceError, MemoryError) as error:
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            data = {"not_made": told}
        partial = row.cached.with_suffix(".part")
        partial.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 6))
        partial.rename(row.cached)
        yield row, told
