"""`measure`: networks times backends, all timed in the same rounds."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from torch import nn

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.resize import with_input
from archspace.timing.backends import BACKENDS, Runner, check_backend, runner, running
from archspace.timing.clock import CLOCKS, clock_for
from archspace.timing.idle import BUSY_PCT, others_pct, used_now
from archspace.timing.machine import device_name, package_version
from archspace.timing.rounds import ROUNDS, Rounds, check_length, interleave
from archspace.timing.subject import Subject
from archspace.timing.table import Measured

Report = Callable[[str, int, int], None]  # (what is being done, how many of it are done, of how many)
IDLE_S = 0.3  # how long the machine is watched before the rounds
REPLAY = "graph replay"
DTYPE = "float32"  # of weights, and of inputs unless they are integers


class NotMeasuredWarning(UserWarning):
    """A backend cannot run a network; the others are measured."""


class BusyMachineWarning(UserWarning):
    """Other processes used the machine while wall-clock time was measured."""


@dataclass(frozen=True, slots=True)
class _Entry:
    subject: Subject
    backend: str
    runner: Runner


def measure(
    models: Iterable[Graph | Subject],
    *,
    backends: Sequence[str] = ("eager",),
    on: str = "cpu",
    batch: int | None = None,
    threads: int = 1,
    rounds: int = ROUNDS,
    seconds: float | None = None,
    progress: Report | None = None,
) -> tuple[Measured, ...]:
    """Time networks with one or more backends in the same interleaved rounds: a row per network and backend, in that order.

    A graph is built with random weights; modules and .onnx files come as a `Subject`, with their inputs. `batch` resizes graphs. On one
    CPU thread the clock is that thread's CPU time, with more it is the wall clock, on a GPU CUDA events around graph replays where they can
    be captured. `seconds` is for the rounds, in place of their number; compiling and exporting come before.
    What a backend cannot run is a NotMeasuredWarning, and the rest goes on; a machine that others use, where that matters, is a
    BusyMachineWarning. Raises LawError for no networks, for a batch, a number of threads or of rounds that is none, for a device that
    torch does not find, and where nothing could be run; UnknownNameError for a backend or device that is none; MissingPackageError.
    """
    report = progress or (lambda what, done, total: None)
    subjects = _subjects(models, batch)
    _check(backends, on, threads)
    check_length(rounds, seconds)
    with running(threads):
        entries, problems = _prepared(subjects, backends, on, threads, report)
        if not entries:
            raise LawError("; ".join(map(str, problems)))
        clock = clock_for(on, threads)
        before = used_now()
        if before is not None and clock == "wall":
            time.sleep(IDLE_S)
        timed = interleave(
            [entry.runner.call for entry in entries],
            CLOCKS[clock],
            rounds=rounds,
            seconds=seconds,
            progress=lambda done, total: report("rounds", done, total),
        )
        after = used_now()
    busy = others_pct(before, after) if before is not None and after is not None else None
    if busy is not None and busy > BUSY_PCT and clock == "wall":
        words = f"other processes used {busy:.0f} % of the machine meanwhile, and wall-clock time shows it. Measure again when it is idle."
        warnings.warn(words, BusyMachineWarning, stacklevel=2)
    return _rows(entries, timed, (on, threads, clock, busy))


def _subjects(models: Iterable[Graph | Subject], batch: int | None) -> list[Subject]:
    if isinstance(models, Graph | Subject | nn.Module):
        raise LawError(f"measure takes a list of networks, but got one {type(models).__name__}. Put it into a list.")
    if batch is not None and batch < 1:
        raise LawError(f"the batch must be at least 1, but got {batch}")
    found = [_subject(model, batch) for model in models]
    if not found:
        raise LawError("measure takes at least one network, but got none")
    return found


def _subject(model: Graph | Subject, batch: int | None) -> Subject:
    if isinstance(model, Graph):
        resized = model if batch in (None, model.input_shape[0]) else with_input(model, (batch or 1, *model.input_shape[1:]))
        return Subject(model.name, resized)
    if not isinstance(model, Subject):
        way = "Say what it takes: Subject(name, module, (tensor,))"
        raise LawError(f"measure takes graphs and subjects, but got {type(model).__name__}. {way}")
    if batch not in (None, model.input_shape[0]):
        raise LawError(f"{model.name}: its inputs have a batch of {model.input_shape[0]}, but {batch} was asked for. Give it such inputs.")
    return model


def _check(backends: Sequence[str], on: str, threads: int) -> None:
    if isinstance(backends, str) or not backends:
        raise LawError(f"measure takes a list of backends, but got {backends!r}. Known: {', '.join(BACKENDS)}")
    if threads < 1:
        raise LawError(f"the number of threads must be at least 1, but got {threads}")
    for backend in backends:
        check_backend(backend, on)


def _prepared(
    subjects: Sequence[Subject], backends: Sequence[str], on: str, threads: int, report: Report
) -> tuple[list[_Entry], list[LawError]]:
    """What can be run, and an error for each that cannot, which is warned of too."""
    entries: list[_Entry] = []
    problems: list[LawError] = []
    pairs = [(subject, backend) for subject in subjects for backend in backends]
    for done, (subject, backend) in enumerate(pairs):
        report(f"preparing {subject.name} ({backend})", done, len(pairs))
        try:
            entries.append(_Entry(subject, backend, runner(subject, backend, on=on, threads=threads)))
        except LawError as error:
            problems.append(error)
    for problem in problems if entries else ():
        warnings.warn(str(problem), NotMeasuredWarning, stacklevel=3)
    return entries, problems


def _rows(entries: Sequence[_Entry], timed: Rounds, conditions: tuple[str, int, str, float | None]) -> tuple[Measured, ...]:
    on, threads, clock, busy = conditions
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = []
    for i, entry in enumerate(entries):
        package = BACKENDS[entry.backend].package
        rows.append(
            Measured(
                time=now,
                model=entry.subject.name,
                backend=entry.backend,
                measured_ms=timed.ms(i),
                spread_pct=timed.spread_pct(i),
                noise_pct=timed.noise_pct,
                ratio=timed.ratio(i),
                rounds=timed.rounds,
                calls=timed.calls[i],
                clock=REPLAY if entry.runner.is_replay else clock,
                busy_pct=busy,
                input_shape=entry.subject.input_shape,
                device=device_name(on),
                runtime=f"{package} {package_version(package)}",
                on=on,
                threads=threads,
                dtype=DTYPE,
                graph=entry.subject.graph_hash,
                least_ms=timed.least_ms[i],
            )
        )
    return tuple(rows)
