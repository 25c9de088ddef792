"""Verbs: analyze, lint, predict and reuse on imported graphs. A graph on which one of them raises anything is a finding."""

from __future__ import annotations

import csv
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch
from models import META, Model, input_shapes, listed, make, version

import archspace
from archspace.analysis.opaque import OpaqueWarning
from archspace.analysis.reuse import reuse_matrix
from archspace.errors import ArchspaceError
from archspace.ir.serde import from_dict, to_dict

RESULTS = Path(__file__).parent / "results"
LIBRARIES = {"torchvision": 3, "timm": 16}  # every how many-th model is taken
DEVICE = "gtx1080ti"
VERBS = {
    "analyze": archspace.analyze,
    "lint": archspace.lint,
    "lint_on_device": lambda graph: archspace.lint(graph, device=DEVICE),
    "predict": lambda graph: archspace.predict(graph, device=DEVICE),
    "reuse": reuse_matrix,
    "json": lambda graph: from_dict(to_dict(graph), "json"),
}


def outcome(verb: str, graph: archspace.Graph) -> str:
    """The milliseconds that a verb takes, or what it refuses, or that it breaks."""
    start = time.perf_counter()
    try:
        made = VERBS[verb](graph)
    except ArchspaceError as error:
        return f"refuses: {error}"
    except Exception as error:  # a crash is what is looked for
        return f"crashes: {type(error).__name__}: {error} at {traceback.extract_tb(error.__traceback__)[-1].line}"
    if verb == "json" and made != graph:
        return "crashes: another graph comes back"
    return f"{1e3 * (time.perf_counter() - start):.1f}"


def verbs() -> None:
    """Write the table."""
    torch.set_num_threads(1)
    path = RESULTS / f"verbs-{'-'.join(map(version, LIBRARIES))}-{DEVICE}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["library", "kind", "model", "nodes", *VERBS], lineterminator="\n")
        writer.writeheader()
        for library, every in LIBRARIES.items():
            for model in listed(library)[::every]:
                row = row_of(model)
                writer.writerow(row)
                file.flush()
                if any(value.startswith(("crashes", "refuses")) for value in map(str, row.values())):
                    print(row, flush=True)


def row_of(model: Model) -> dict[str, Any]:
    """Every verb on a model."""
    module, _ = make(model)
    inputs = [torch.empty(shape, device=META) for shape in input_shapes(model, module)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OpaqueWarning)
        graph = archspace.from_torch(module, *inputs)
    row: dict[str, Any] = {"library": model.library, "kind": model.kind, "model": model.name, "nodes": len(graph)}
    return row | {verb: outcome(verb, graph) for verb in VERBS}
