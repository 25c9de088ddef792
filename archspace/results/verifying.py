"""`verify`: the best candidates of a study built, checked by other tools and timed on this machine, with a folder for each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from archspace.errors import LawError, MissingPackageError
from archspace.ir.graph import Graph
from archspace.ir.resize import with_input
from archspace.latency import Profile, latency_ms
from archspace.results.verify_checks import Checked, checked
from archspace.results.verify_files import checks_of, folder_of, forget, known, time_of, write_network, write_verified
from archspace.results.verify_rows import Time, Verified, best_first
from archspace.study import Question, Record, StudyResult
from archspace.study.arguments import whole

if TYPE_CHECKING:
    from archspace.timing import Measured

Report = Callable[[str, int, int], None]  # (what is being done, how many of it are done, of how many)
BACKEND = "folded"
THREADS = 1
LATENCY = "latency_ms"
PACKAGES = (("torch", "torch"), ("fvcore", "torch"))
ONNX_PACKAGES = (("onnx", "measure"), ("onnxscript", "measure"), ("onnxruntime", "measure"))


def verify(
    result: StudyResult, n: int = 10, *, backend: str = BACKEND, force: bool = False, progress: Report | None = None
) -> tuple[Verified, ...]:
    """Verify the `n` best candidates of a study: the Pareto front, best in the first objective first, then the front of the rest.

    Each is built again from its options, counted again against every bound, built as a PyTorch module and checked by torch's flop counter
    and fvcore; then all are timed together in interleaved rounds, on one CPU thread. Where latency is an objective or bounded they come
    back in the order of the measured times. What is known from an earlier call stays, unless `force`; where the candidates or the backend
    differ all are timed again, for only times of the same rounds compare. Writes `verified/01/` and on into the study's directory:
    config.json, graph.json, network.py, report.md.

    A candidate that cannot be built or run says so in `problem`, and the rest goes on; a BusyMachineWarning says when others used the
    machine. Raises LawError for an `n` below 1, UnknownNameError for a backend that is none, MissingPackageError, FileError.
    """
    whole("n", n, least=1)
    check_packages(backend)
    from archspace.timing.backends import check_backend

    check_backend(backend, "cpu")
    question, report = result.question, progress or (lambda what, done, total: None)
    profile = question.profile()
    before = {} if force else known(result.directory, question)
    found: list[tuple[Verified, Graph | None]] = []
    chosen = best_first(result.records, question, n)
    for number, (record, is_winner) in enumerate(chosen, start=1):
        report(f"checking {number:02d}", number - 1, len(chosen))
        old = before.get(record.digest)
        if old is None or old["problem"]:  # what failed is tried again
            old, checks = None, checked(question, record, profile)
        else:
            checks = Checked(question.space.build(record.options), old["exceeded"], checks_of(old), old["problem"])
        one = Verified(
            rank=number,
            rank_before=number,
            is_winner=is_winner,
            options=record.options,
            digest=record.digest,
            metrics=record.metrics,
            predicted_ms=_predicted(record, checks.graph, profile),
            exceeded=checks.exceeded,
            checks=checks.checks,
            timed=None if old is None else time_of(old),
            problem=checks.problem,
            too_slow=False,
            folder=folder_of(result.directory, number),
        )
        if checks.graph is not None and not checks.problem:
            write_network(one.folder, checks.graph)
        write_verified(one, checks.graph, question, profile)
        found.append((one, checks.graph))
    rows = _timed(found, question, profile, backend, report)
    for one in rows:
        write_verified(one, found[one.rank_before - 1][1], question, profile)
    forget(result.directory, kept=len(rows))
    return tuple(sorted(rows, key=lambda one: one.rank))


def check_packages(backend: str = BACKEND) -> None:
    """Raise MissingPackageError unless everything that verifying needs is installed: to be known before a search, not after it."""
    for package, extra in PACKAGES + (ONNX_PACKAGES if backend == "onnxruntime" else ()):
        if find_spec(package) is None:
            raise MissingPackageError(package, extra)


def is_this_machine(profile: Profile | None, backend: str) -> bool:
    """Whether a device's profile was fitted on this machine, with what times networks here: then predictions and times are of the same."""
    from archspace.timing.machine import device_name

    return profile is not None and (profile.title, profile.backend, profile.on, profile.threads) == (
        device_name("cpu"),
        backend,
        "cpu",
        THREADS,
    )


def _predicted(record: Record, graph: Graph | None, profile: Profile | None) -> float | None:
    if profile is None or graph is None:
        return record.metrics.get(LATENCY)
    return latency_ms(graph, profile)


def _timed(
    found: Sequence[tuple[Verified, Graph | None]], question: Question, profile: Profile | None, backend: str, report: Report
) -> list[Verified]:
    """The candidates with their times and ranks, in the order of the search."""
    ready = [(one, graph) for one, graph in found if graph is not None and not one.problem]
    own = is_this_machine(profile, backend)
    batch = profile.batch if own and profile is not None else None
    if ready and not _have_times([one.timed for one, _ in ready], backend, batch):
        times, problems = _measured(ready, backend, batch, report)
    else:
        times, problems = {one.rank_before: one.timed for one, _ in ready if one.timed}, {}
    rows = [replace(one, timed=times.get(one.rank_before), problem=one.problem or problems.get(one.rank_before, "")) for one, _ in found]
    ordered = sorted(rows, key=lambda one: (one.timed.measured_ms if one.timed else float("inf"), one.rank_before))
    ranks = {one.rank_before: rank for rank, one in enumerate(ordered, start=1)}
    rows = [replace(one, rank=ranks[one.rank_before]) for one in rows]
    most = question.bounds.get(LATENCY)
    return [replace(one, too_slow=bool(own and most and one.timed and one.timed.measured_ms > most)) for one in rows]


def _have_times(times: Sequence[Time | None], backend: str, batch: int | None) -> bool:
    """Whether all were timed in the same rounds, under the conditions that hold now."""
    from archspace.timing import BACKENDS
    from archspace.timing.machine import device_name, package_version

    package = BACKENDS[backend].package
    now = (backend, device_name("cpu"), f"{package} {package_version(package)}")
    conditions = {(t.backend, t.device, t.runtime) if t and batch in (None, t.batch) else None for t in times}
    return conditions == {now} and len({t.time for t in times if t}) == 1


def _measured(
    ready: Sequence[tuple[Verified, Graph]], backend: str, batch: int | None, report: Report
) -> tuple[Mapping[int, Time], Mapping[int, str]]:
    """The times of the candidates by their number, and why some have none."""
    from archspace.timing import NotMeasuredWarning, Subject, measure

    subjects = {}
    for one, graph in ready:
        shape = graph.input_shape if batch is None else (batch, *graph.input_shape[1:])
        subjects[one.rank_before] = Subject(_name(one.rank_before), graph if shape == graph.input_shape else with_input(graph, shape))
    rows: tuple[Measured, ...] = ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            rows = measure(list(subjects.values()), backends=[backend], on="cpu", threads=THREADS, progress=report)
        except LawError as error:  # none of them could be run
            words = [str(error)] * len(subjects)
        else:
            words = []
    for warning in caught:
        if issubclass(warning.category, NotMeasuredWarning):
            words.append(str(warning.message))
        else:
            warnings.warn(warning.message, stacklevel=4)
    times = {int(row.model): _time(row) for row in rows}
    missing = [number for number in subjects if number not in times]
    return times, dict(zip(missing, words, strict=False))


def _name(number: int) -> str:
    return f"{number:02d}"


def _time(row: Measured) -> Time:
    return Time(
        measured_ms=row.measured_ms,
        noise_pct=row.noise_pct,
        spread_pct=row.spread_pct,
        backend=row.backend,
        threads=row.threads,
        batch=row.batch,
        device=row.device,
        runtime=row.runtime,
        rounds=row.rounds,
        time=row.time,
    )
