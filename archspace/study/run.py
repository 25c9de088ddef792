"""Studies: run a question's trials, resume them, and keep what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from archspace.analysis.pareto import Direction
from archspace.errors import ArchspaceError, FileError, SpaceError, StudyError
from archspace.files import make_folder, read_json, what_is_at, write_text
from archspace.latency.profile_json import save_profile
from archspace.objectives import check_objectives, metric_named
from archspace.space import Space
from archspace.study import arguments
from archspace.study.address import storage_name
from archspace.study.crew import begin_shared, run_shared
from archspace.study.evaluated import FILE as EVALUATED
from archspace.study.evaluated import Evaluated
from archspace.study.local import run as run_locally
from archspace.study.progress import Report, Run, StudyResult
from archspace.study.question import AUTO, IN_FLIGHT, Question, check_same, digest_of
from archspace.study.quiet import quiet_optuna
from archspace.study.samplers import automatic_sampler
from archspace.study.store import JOURNAL, open_store

TRACEBACK_FILE, DEVICE_FILE = "first_error.txt", "device.json"
QUESTION_FILE = "study.json"
OWN_FILES = {
    QUESTION_FILE, JOURNAL, f"{JOURNAL}.lock", EVALUATED, TRACEBACK_FILE, DEVICE_FILE,
    "records.csv", "pareto.csv", "pareto.html", "report.html", "winners", "verified",
}  # fmt: skip


def search(
    space: Space | str | Path,
    *,
    directory: str | Path,
    bounds: Mapping[str, float | str] | None = None,
    objectives: Mapping[str, Direction] | None = None,
    hold: Mapping[str, float | str] | None = None,
    device: str | None = None,
    trials: int = 200,
    sampler: str = "auto",
    seed: int = 0,
    workers: int = 1,
    in_flight: int | None = None,
    time_limit_s: float | None = None,
    patience: int | None = None,
    storage: str | None = None,
    study: str | None = None,
    grace_s: int = 120,
    force: bool = False,
    progress: Report | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> StudyResult:
    """Run `trials` trials in all, going on where an earlier run in the same directory stopped.

    bounds: metric -> most, e.g. {"madds": 140e6} or {"madds": "140M", "latency_ms": "30ms"}. objectives: metric -> "maximize" or
    "minimize"; the space's own where None; "python:package.module:function" is a function of your own. hold: metric -> value that each
    candidate's width is solved for. sampler: by name; "auto" is decided when the study begins, by the trials asked for and by what it
    takes to judge one. workers: processes that judge candidates; the trials are the same for any number of them. in_flight: how many
    candidates are out at once (by default 1, and 8 where judging is slow). time_limit_s: for one candidate that is slow to judge.
    patience: stop early when the front's hypervolume has not grown for so many trials.

    storage: an Optuna database URL instead of a journal file in the directory: workers on other machines can join the study
    (`archspace.study.work`), by the name `study`; which trials come then depends on them. grace_s: a worker that has not been heard of
    for so long is taken for dead, and its trial given to another. force: start anew.

    KeyboardInterrupt ends the run early with what it has. Raises ArchspaceError for questions that contradict themselves or that
    nothing in the space can meet.
    """
    space = arguments.space(space)
    folder = arguments.folder(directory)
    trials, seed = arguments.whole("trials", trials, least=1), arguments.whole("seed", seed)
    workers = arguments.whole("workers", workers, least=1)
    patience = None if patience is None else arguments.whole("patience", patience, least=1)
    time_limit_s = arguments.seconds("time_limit_s", time_limit_s)
    for name, value in (("device", device), ("sampler", sampler), ("storage", storage), ("study", study)):
        arguments.word(name, value)
    if objectives is None:
        try:
            check_objectives(space.objectives)
        except ArchspaceError as error:
            raise SpaceError(f"{space.place or space.name}: {error}") from None
    chosen = arguments.table("objectives", space.objectives if objectives is None else objectives)
    most, held = arguments.quantities("bounds", bounds), arguments.quantities("hold", hold)
    is_slow = any(metric_named(name).is_slow for name in (*chosen, *most))
    if sampler == AUTO:
        sampler = begun_with(folder, force=force) or automatic_sampler(trials, is_slow=is_slow)
    out = arguments.whole("in_flight", (IN_FLIGHT if is_slow else 1) if in_flight is None else in_flight, least=1)
    question = Question(space, chosen, most, held, device, sampler, seed, out)
    named = study or (None if storage is None else default_name(folder, question))
    asked = {**question.to_dict(), "storage": storage_name(storage), **({"study": named} if storage else {})}
    check_folder(folder, asked, force=force)
    question.check()
    how = Run(trials, workers, time_limit_s, patience, arguments.whole("grace_s", grace_s, least=1))
    with quiet_optuna():
        if storage is None:
            write_question(folder, question, asked, force=force)  # a journal needs its folder
            store = open_store(folder, question.to_dict(), list(chosen.values()), fresh=force)
            if force:
                Evaluated(folder).forget()
            ran = run_locally(question, store, how, progress)
        else:
            # A database that does not answer must leave nothing behind.
            begun = begin_shared(storage, str(named), question, how, fresh=force)
            write_question(folder, question, asked, force=force)
            say(f"study {named}: other machines join it with `archspace worker --storage URL --study {named}`")
            ran = run_shared(storage, str(named), begun, question, how, progress, say)
    if ran.traceback:
        write_text(folder / TRACEBACK_FILE, ran.traceback, force=True)
    return StudyResult(question, folder, tuple(ran.records), ran.resumed, ran.interrupted, ran.stalled, ran.traceback)


def default_name(folder: Path, question: Question) -> str:
    """The name of a study in a database: the folder's, with a digest of the question, so that different questions do not meet."""
    return f"{folder.resolve().name}-{digest_of(question.to_dict())[:10]}"


def begun_with(folder: Path, *, force: bool) -> str | None:
    """The sampler that the study in a folder began with; None where a new one begins."""
    file = folder / QUESTION_FILE
    if force or what_is_at(file) != "file":
        return None
    stored = read_json(file)
    sampler = stored.get("sampler") if isinstance(stored, dict) else None
    return sampler if isinstance(sampler, str) else None


def check_folder(folder: Path, asked: Mapping[str, Any], *, force: bool) -> None:
    """Raise StudyError or FileError for a folder that holds another study (unless `force`) or something else."""
    file = folder / QUESTION_FILE
    found = what_is_at(folder)
    if what_is_at(file) == "file":
        if not force:
            check_same(read_json(file), asked, str(folder))
    elif found == "file":
        raise FileError(f"{folder}: a study needs a folder, but this is a file. Give another one with -o.")
    elif found == "folder" and not {entry.name for entry in folder.iterdir()} <= (OWN_FILES if force else {JOURNAL}):
        raise StudyError(f"{folder}: a study begins in an empty folder, but this one holds other files. Give another one with -o.")


def write_question(folder: Path, question: Question, asked: Mapping[str, Any], *, force: bool) -> None:
    """Make the study's folder and put its question there, with its device profile, unless one is there already. Raises FileError."""
    file = make_folder(folder) / QUESTION_FILE
    if force or what_is_at(file) == "nothing":
        profile = question.profile()
        if profile is not None:
            save_profile(profile, folder / DEVICE_FILE, force=True)
        write_text(file, json.dumps(asked, indent=2) + "\n", force=True)
