"""Studies of a space of small networks, and times that are given, for tests of what follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from standing_in import StandIn, Times

from archspace.latency import load_profile
from archspace.latency.profile_json import save_profile
from archspace.space import Space
from archspace.study import StudyResult, search
from archspace.timing.machine import device_name, package_version
from archspace.timing.table import Measured

SPACE: Mapping[str, Any] = {
    "family": "shufflenet_v1",
    "constants": {"input": [32, 32], "num_classes": 10, "repeats": [1, 1, 1]},
    "parameters": {"groups": {"choices": [1, 2, 3, 4, 8]}, "width": {"low": 0.25, "high": 0.5, "step": 0.05}},
}


def studied(folder: Path, **asked: Any) -> StudyResult:
    """The grid's first 16 of 30 small networks."""
    objectives = {"stage_channels": "maximize", "mem_elems": "minimize"}
    question: dict[str, Any] = {"objectives": objectives, "trials": 16, "sampler": "grid", **asked}
    return search(Space.from_dict(SPACE, "small"), directory=folder / "study", **question)


def own_device(folder: Path, **fields: Any) -> str:
    """A device profile that was fitted on this very machine, by what it says of itself."""
    theirs: dict[str, Any] = {"title": device_name("cpu"), "backend": "folded", "on": "cpu", "threads": 1, "batch": 2, **fields}
    path = folder / "mine.json"
    save_profile(replace(load_profile("gtx1080ti"), **theirs), path, force=True)
    return str(path)


class Here(StandIn):
    """Times that are given, as if this machine had taken them."""

    def __init__(self, times: Times) -> None:
        super().__init__(times)

    def __call__(self, subjects: Any, **conditions: Any) -> tuple[Measured, ...]:
        rows = super().__call__(subjects, **conditions)
        return tuple(replace(row, device=device_name("cpu"), runtime=f"torch {package_version('torch')}") for row in rows)
