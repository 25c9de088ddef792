"""Counts: does from_torch count what torch counts? One row per model, appended to the table; models that have a row are left alone."""

from __future__ import annotations

import csv
import resource
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from models import META, RUN_ERRORS, Model, UnmadeError, input_shapes, listed, make, told, version
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import archspace
from archspace.analysis.coverage import coverage
from archspace.analysis.opaque import OpaqueWarning
from archspace.errors import ArchspaceError

RESULTS = Path(__file__).parent / "results"
MEMORY = 12 << 30  # bytes of address space: what asks for more is listed as not made
FIELDS = (
    "model", "kind", "input", "nodes", "madds", "torch_madds", "params", "params_in_use", "params_of_module", "unused", "opaque",
    "coverage_pct", "import_seconds", "made_on", "verdict", "reason",
)  # fmt: skip


class _Used(TorchDispatchMode):
    """Notes the parameters that reach the dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        self.seen |= {id(one) for one in pytree.tree_leaves((args, kwargs)) if isinstance(one, nn.Parameter)}
        return func(*args, **(kwargs or {}))


def torch_counts(module: nn.Module, inputs: list[Tensor]) -> tuple[int, list[str]]:
    """Multiply-adds by torch's flop counter, and the parameters that a run leaves alone. Moves the module to the meta device."""
    module.to(META).requires_grad_(False)
    used, flops = _Used(), FlopCounterMode(display=False)
    with torch.no_grad(), flops, used:
        module(*inputs)
    assert flops.get_total_flops() % 2 == 0
    return flops.get_total_flops() // 2, [name for name, one in module.named_parameters() if id(one) not in used.seen]


def row_of(model: Model) -> dict[str, Any]:
    """The row of a model."""
    row: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"model": model.name, "kind": model.kind}
    try:
        module, on_meta = make(model)
    except UnmadeError as error:
        return row | {"verdict": "not made", "reason": str(error)}
    shapes = input_shapes(model, module)
    row |= {"input": " ".join("x".join(map(str, shape)) for shape in shapes), "made_on": "meta" if on_meta else "cpu"}
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OpaqueWarning)
            graph = archspace.from_torch(module, *inputs)
    except ArchspaceError as error:
        return row | {"verdict": "not imported", "reason": str(error)}
    seconds = time.perf_counter() - start
    known, totals = coverage(graph), archspace.analyze(graph).totals
    kinds = Counter(kind for _, kind in known.opaque)
    row |= {
        "nodes": len(graph),
        "madds": totals.madds,
        "params": totals.params,
        "opaque": " ".join(f"{kind}*{times}" for kind, times in kinds.items()),
        "coverage_pct": round(100 * known.share, 2),
        "import_seconds": round(seconds, 3),
    }
    try:
        madds, unused = torch_counts(module, inputs)
    except RUN_ERRORS as error:
        return row | {"verdict": "not run by torch", "reason": told(error)}
    sizes = {name: one.numel() for name, one in module.named_parameters()}
    in_use = sum(sizes.values()) - sum(sizes[name] for name in unused)
    agrees = (totals.madds, totals.params) == (madds, in_use)
    return row | {
        "torch_madds": madds,
        "params_in_use": in_use,
        "params_of_module": sum(sizes.values()),
        "unused": shortened(unused),
        "verdict": "agrees" if agrees else "differs",
    }


def shortened(names: list[str]) -> str:
    """The outermost scopes that hold nothing but these names would be long to find: first parts with how many, or the name alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition(".")[0], []).append(name)
    return " ".join(group[0] if len(group) == 1 else f"{first}.*({len(group)})" for first, group in groups.items())


def counts(library: str) -> None:
    """Append the rows that are missing."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    path = RESULTS / f"counts-{version(library)}-meta.csv"
    done = set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            done = {(row["model"], row["kind"]) for row in csv.DictReader(file)}
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for model in listed(library):
            if (model.name, model.kind) not in done:
                row = row_of(model)
                writer.writerow(row)
                file.flush()
                if row["verdict"] != "agrees" or row["opaque"]:
                    print({key: value for key, value in row.items() if value != ""}, flush=True)
