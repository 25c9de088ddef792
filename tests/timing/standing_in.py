"""A stand-in for `measure` whose times are given, so that what follows from times is tested without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archspace.timing.subject import Subject
from archspace.timing.table import Measured

Times = Callable[[str, str], Sequence[float] | None]  # (row, backend) -> ms in each round, None where it cannot be run

PLAIN = Measured(
    time="2026-01-01T00:00:00+00:00",
    model="",
    backend="eager",
    measured_ms=1.0,
    spread_pct=0.5,
    noise_pct=1.0,
    ratio=1.0,
    rounds=4,
    calls=3,
    clock="thread",
    busy_pct=7.0,
    input_shape=(1, 3, 56, 56),
    device="Some CPU, 2 cores",
    runtime="torch 9.9",
    on="cpu",
    threads=1,
    dtype="float32",
    graph="",
    least_ms=(1.0, 1.0, 1.0, 1.0),
)


def measured(row: str, backend: str, times: Sequence[float], **fields: Any) -> Measured:
    """A row with these times, of an odd number of rounds."""
    middle = sorted(times)[len(times) // 2]
    return replace(PLAIN, model=row, backend=backend, measured_ms=middle, least_ms=tuple(times), rounds=len(times), **fields)


class StandIn:
    """Called as `measure` is; keeps what it was asked for."""

    def __init__(self, times: Times, noise_pct: float = 1.0) -> None:
        self.times, self.noise_pct = times, noise_pct
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, subjects: Sequence[Subject], **conditions: Any) -> tuple[Measured, ...]:
        self.asked.append({"rows": [one.name for one in subjects], "shapes": [one.input_shape for one in subjects], **conditions})
        conditions["progress"]("preparing", 0, 1)
        conditions["progress"]("rounds", 1, 4)
        conditions["progress"]("rounds", 4, 4)
        found = []
        for subject in subjects:
            for backend in conditions["backends"]:
                times = self.times(subject.name, backend)
                if times is not None:
                    shape = {"input_shape": subject.input_shape, "noise_pct": self.noise_pct, "on": conditions["on"]}
                    found.append(measured(subject.name, backend, times, **shape))
        return tuple(found)
