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
    mparams: float  # 1e6 learnable scalars of the module that was timed, to two digits

    @property
    def cached(self) -> Path:
        """Where its graph is kept."""
        return CACHE / f"{self.model}@{self.img_size}.json.gz"

    @property
    def cached_fused(self) -> Path:
        """Where the graph of the re-parameterised model is kept, if that is another."""
        return CACHE / f"{self.model}@{self.img_size}.fused.json.gz"


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
                float(r["param_count"]),
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


def make(row: Measured) -> tuple[Graph, Graph | None, tuple[int, int]]:
    """The graph of one image, that of the re-parameterised model if it has fewer parameters, and both numbers of parameters.

    Raises what the model raises, and ArchspaceError.
    """
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
        image = torch.empty(1, 3, row.img_size, row.img_size, device=META)
        graph = archspace.from_torch(module, image)
        params = sum(p.numel() for p in module.parameters())
        try:
            with META:
                fused = import_module("timm.utils.model").reparameterize_model(module).eval()
            fused_params = sum(p.numel() for p in fused.parameters())
            return graph, archspace.from_torch(fused, image) if fused_params < params else None, (params, fused_params)
        except MAKE_ERRORS:  # it cannot be fused without weights
            return graph, None, (params, params)


def are_fused(rows: Sequence[Measured]) -> bool:
    """Whether a table timed re-parameterised models: some row's parameters are those of the fused model, and not of the plain one."""
    for row in rows:
        if row.cached_fused.exists():
            plain, fused = json.loads(gzip.decompress(row.cached_fused.read_bytes()))["params"]
            if abs(fused / 1e6 - row.mparams) < 0.006 < abs(plain / 1e6 - row.mparams):
                return True
    return False


def load(row: Measured, *, fused: bool) -> Graph | None:
    """The kept graph, or None for a model that could not be made. `fused`: the re-parameterised one where there is one."""
    if fused and row.cached_fused.exists():
        return from_dict(json.loads(gzip.decompress(row.cached_fused.read_bytes()))["graph"], str(row.cached_fused))
    data = json.loads(gzip.decompress(row.cached.read_bytes()))
    return from_dict(data, str(row.cached)) if "archspace_graph" in data else None


def import_missing(rows: Sequence[Measured]) -> Iterator[tuple[Measured, str]]:
    """Imports what has no file yet, and says what came of each: the number of nodes, or why there is no graph."""
    CACHE.mkdir(exist_ok=True)
    for row in rows:
        if row.cached.exists():
            continue
        try:
            graph, fused, params = make(row)
            data, told = to_dict(graph), f"{len(graph)} nodes"
            if fused is not None:
                _write(row.cached_fused, {"params": params, "graph": to_dict(fused)})
                told += f", re-parameterised {len(fused)}"
        except (*MAKE_ERRORS, ArchspaceError, MemoryError) as error:
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            data = {"not_made": told}
        _write(row.cached, data)
        yield row, told


def _write(path: Path, data: Any) -> None:
    partial = path.with_suffix(".part")
    partial.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 6))
    partial.rename(path)
