"""`calibrate`: time op benchmarks and networks on this machine, fit them, and write a device profile with its raw samples beside it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archspace.errors import FileError, LawError
from archspace.files import check_writable
from archspace.latency.calibration import Calibration
from archspace.latency.profile import Profile
from archspace.latency.profile_json import save_profile
from archspace.timing.backends import BACKENDS, check_backend, running
from archspace.timing.clock import clock_for
from archspace.timing.fitting import noise_pct, profile_of
from archspace.timing.idle import BUSY_PCT, others_pct, used_now
from archspace.timing.machine import device_name, package_version
from archspace.timing.samples import Conditions, TimedGraph, append_sample, read_rows, read_samples, rounds_in, whole_rounds
from archspace.timing.sweep import DEFAULT, THOROUGH, networks_of, timed_networks, timed_ops
from archspace.timing.verb import IDLE_S, BusyMachineWarning, Report

NOISY_PCT = 5.0


class NoisyMachineWarning(UserWarning):
    """The measurements repeat worse than a calibration should."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A new profile, what its fit is worth, and how far the measurement repeated."""

    profile: Profile
    fit: Calibration
    noise_pct: float
    files: tuple[Path, Path]  # the profile and its samples
    samples: int
    resumed: int  # samples that were there already
    resumed_rounds: int  # rounds of networks that were there already, where the networks were not


def calibrate(
    path: str | Path,
    *,
    backend: str = "folded",
    on: str = "cpu",
    batches: Sequence[int] = (1,),
    threads: int = 1,
    thorough: bool = False,
    force: bool = False,
    progress: Report | None = None,
) -> Calibrated:
    """Measure this machine and write its profile to `path` (.json), with the raw samples beside it (.csv), which a next call goes on from.

    Single ops on buffers that take turns, and 8 networks (20 with `thorough`), at each of `batches`; the first is the profile's own.
    Noise above 5 % is a NoisyMachineWarning, a machine that others use, where that matters, a BusyMachineWarning, a network that the
    backend cannot run a NotMeasuredWarning. Raises FileError for a path that is taken (without `force`) or beside samples of other
    conditions, LawError for batches or threads that are none and for a device that torch does not find, UnknownNameError for a backend
    that is none, MissingPackageError.
    """
    target, raw = _files(path, force=force)
    if not batches or any(batch < 1 for batch in batches):
        raise LawError(f"batches must be at least 1 each, but got {', '.join(map(str, batches)) or 'none'}")
    if threads < 1:
        raise LawError(f"the number of threads must be at least 1, but got {threads}")
    check_backend(backend, on)
    package = BACKENDS[backend].package
    runtime = f"{package} {package_version(package)}"
    sweep = THOROUGH if thorough else DEFAULT
    conditions = Conditions(device_name(on), backend, runtime, on, threads, clock_for(on, threads), sweep)
    known = _known(target, raw, conditions, force=force)
    asked = tuple(dict.fromkeys(batches))
    with running(threads):
        before = used_now()
        if before is not None and conditions.clock == "wall":
            time.sleep(IDLE_S)
        resumed_rounds = _complete(raw, conditions, known, asked, progress or _silent)
        after = used_now()
    samples = [s for batch in asked for s in read_samples(raw, conditions) if s.batch == batch]
    profile, fit = profile_of(target.stem, samples, conditions)
    profile = replace(profile, samples=raw.name)
    save_profile(profile, target, force=force)
    noise = noise_pct(samples)
    if noise > NOISY_PCT:
        words = f"times repeat within {noise:.1f} % only, and a profile wants {NOISY_PCT:g} % at most. Calibrate when the machine is idle."
        warnings.warn(words, NoisyMachineWarning, stacklevel=2)
    busy = others_pct(before, after) if before is not None and after is not None else 0.0
    if conditions.clock == "wall" and busy > BUSY_PCT:
        words = f"other processes used {busy:.0f} % of the machine meanwhile, and wall-clock time shows it. Calibrate when it is idle."
        warnings.warn(words, BusyMachineWarning, stacklevel=2)
    return Calibrated(profile, fit, noise, (target, raw), len(samples), sum(s.batch in asked for s in known), resumed_rounds)


def kept(path: str | Path) -> str:
    """What an interrupted calibration has left for the same call to go on from: '8 networks, 40 op benchmarks'; '' for nothing.

    Of networks whose rounds were not all done the rounds are told. Raises FileError for a file of something else.
    """
    rows = read_rows(Path(path).with_suffix(".csv"))
    found = []
    for batch in dict.fromkeys(row.batch for row in rows):
        networks, ops = (sum((row.kind, row.batch) == (kind, batch) for row in rows) for kind in ("network", "op"))
        done = 0 if networks else whole_rounds(rounds_in(rows, batch))
        at = f" at batch {batch}" if batch > 1 else ""
        counts = ((done, "round", " of the networks"), (networks, "network", ""), (ops, "op benchmark", ""))
        found += [f"{count} {word}{'s' if count > 1 else ''}{of}{at}" for count, word, of in counts if count]
    return ", ".join(found)


def _files(path: str | Path, *, force: bool) -> tuple[Path, Path]:
    """The profile's file and that of its samples."""
    target = Path(path)
    if target.suffix != ".json":
        raise FileError(f"{path}: a device profile is a .json file. Name it so: {target.with_suffix('.json').name}")
    return target, check_writable(target, force=force).with_suffix(".csv")


def _known(target: Path, raw: Path, conditions: Conditions, *, force: bool) -> tuple[TimedGraph, ...]:
    """The samples to go on from. With `force` a complete calibration goes, and so do samples of other conditions.

    Samples without a profile are of an interrupted calibration and stay, so that the same command goes on.
    """
    if force and target.exists():
        raw.unlink(missing_ok=True)
        target.unlink()
    try:
        return read_samples(raw, conditions)
    except FileError:
        if not force:
            raise
        raw.unlink()
        return ()


def _complete(raw: Path, conditions: Conditions, known: Sequence[TimedGraph], batches: Sequence[int], report: Report) -> int:
    """Time what has no sample yet, and append each as it comes; the number of rounds that were there already.

    Networks first: after a hundred benchmarks the process's memory is in pieces, and networks take up to a tenth longer.
    """
    keys = {sample.key for sample in known}
    resumed = 0
    for batch in batches:
        names = networks_of(conditions.sweep)
        if any(("network", name, batch) not in keys for name in names):  # all of them: they are compared inside rounds
            rounds = rounds_in(read_rows(raw, conditions), batch)
            resumed += whole_rounds(rounds)
            for sample in timed_networks(names, conditions, batch, report, rounds):
                append_sample(raw, sample, conditions)
    for batch in batches:
        for sample in timed_ops(conditions, batch, keys, report):
            append_sample(raw, sample, conditions)
    return resumed


def _silent(what: str, done: int, total: int) -> None:
    """No progress."""
