"""Studies: run a question's trials, resume them, and keep what was found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from archspace.analysis.pareto import MAXIMIZE, Direction
from archspace.errors import ArchspaceError, FileError, SpaceError, StudyError
from archspace.files import make_folder, read_json, what_is_at, write_text
from archspace.latency import Profile
from archspace.objectives.metrics import check_objectives
from archspace.space import Space
from archspace.study import arguments
from archspace.study.question import AUTO, Question, check_same
from archspace.study.records import Record, evaluate, key_of, meets, winners
from archspace.study.samplers import automatic_sampler, sampler_for, suggest
from archspace.study.store import Store, open_store, storage_name

WRITE_SECONDS = 1.0  # finished trials wait about this long at most before they are stored
RECORD_ATTR = "archspace:record"
QUESTION_FILE = "study.json"
OWN_FILES = {QUESTION_FILE, "journal.log", "journal.log.lock", "records.csv", "pareto.csv", "pareto.html", "report.html", "winners"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is: trials done of all asked for, feasible ones, and the best value of the first objective."""

    done: int
    trials: int
    feasible: int
    best: float | None


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Every record of a study so far. `resumed` of them were there before; `interrupted` says that trials are left."""

    question: Question
    directory: Path
    records: tuple[Record, ...]
    resumed: int
    interrupted: bool

    @property
    def winners(self) -> list[Record]:
        """The Pareto front of the feasible records, best in the first objective first."""
        return winners(self.records, self.question)

    @property
    def feasible(self) -> int:
        """How many records meet every bound."""
        return sum(record.feasible for record in self.records)


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
    storage: str | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> StudyResult:
    """Run `trials` trials in all, going on where an earlier run in the same directory stopped.

    bounds: metric -> most, e.g. {"madds": 140e6} or {"madds": "140M", "latency_ms": "30ms"}. objectives: metric -> "maximize" or
    "minimize"; the space's own where None. hold: metric -> value that each candidate's width is solved for. sampler: by name; "auto" is
    decided when the study begins, by the trials asked for then. storage: an Optuna RDB URL instead of a journal file in the directory.
    force: start anew.
    KeyboardInterrupt ends the run early with what it has. Raises ArchspaceError for questions that contradict themselves or that
    nothing in the space can meet.
    """
    space = arguments.space(space)
    folder = arguments.folder(directory)
    trials, seed = arguments.whole("trials", trials, least=1), arguments.whole("seed", seed)
    for name, value in (("device", device), ("sampler", sampler), ("storage", storage)):
        arguments.word(name, value)
    if objectives is None:
        try:
            check_objectives(space.objectives)
        except ArchspaceError as error:
            raise SpaceError(f"{space.place or space.name}: {error}") from None
    chosen = arguments.table("objectives", space.objectives if objectives is None else objectives)
    most, held = arguments.quantities("bounds", bounds), arguments.quantities("hold", hold)
    if sampler == AUTO:
        sampler = begun_with(folder, force=force) or automatic_sampler(trials)
    question = Question(space, chosen, most, held, device, sampler, seed)
    asked = {**question.to_dict(), "storage": storage_name(storage)}
    check_folder(folder, asked, force=force)
    question.check()
    with quiet_optuna():
        # A journal needs its folder; a database that does not answer must leave nothing behind.
        if storage is None:
            write_question(folder, asked, force=force)
        store = open_store(folder, storage, question.to_dict(), list(chosen.values()), fresh=force)
        write_question(folder, asked, force=force)
        return _run(question, folder, store, trials, progress)


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
    elif found == "folder" and not {entry.name for entry in folder.iterdir()} <= (OWN_FILES if force else {"journal.log"}):
        raise StudyError(f"{folder}: a study begins in an empty folder, but this one holds other files. Give another one with -o.")


def write_question(folder: Path, asked: Mapping[str, Any], *, force: bool) -> None:
    """Make the study's folder and put its question there, unless one is there already. Raises FileError."""
    file = make_folder(folder) / QUESTION_FILE
    if force or what_is_at(file) == "nothing":
        write_text(file, json.dumps(asked, indent=2) + "\n", force=True)


def _run(question: Question, folder: Path, store: Store, trials: int, progress: Callable[[Progress], None] | None) -> StudyResult:
    study = optuna.create_study(directions=list(question.objectives.values()))
    study.add_trials(store.trials())
    records = [_record(trial) for trial in study.get_trials(deepcopy=False)]
    known = {_key(question, record.options): record for record in records}
    resumed = len(records)
    written_at = time.monotonic()
    device = question.profile()
    interrupted = False
    try:
        while len(records) < trials:
            study.sampler = sampler_for(question, len(records))
            records.append(_one_trial(study, question, device, known))
            if time.monotonic() - written_at > WRITE_SECONDS:
                store.append(study.get_trials(deepcopy=False)[store.saved : len(records)])
                written_at = time.monotonic()
            if progress is not None:
                progress(_progress(question, records, trials))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        try:
            store.append(study.get_trials(deepcopy=False)[store.saved : len(records)])
        except KeyboardInterrupt:
            interrupted = True
    return StudyResult(question, folder, tuple(records), resumed, interrupted)


def _one_trial(study: optuna.Study, question: Question, device: Profile | None, known: dict[str, Record]) -> Record:
    """Ask for a candidate, evaluate it (once, however often it is asked for), tell what came of it."""
    trial = study.ask()
    options = question.space.choose(lambda name, domain: suggest(trial, name, domain), without=question.solved)
    key = _key(question, options)
    if key not in known:
        known[key] = evaluate(question, device, options, trial.number)
    record = replace(known[key], number=trial.number)
    trial.set_user_attr(RECORD_ATTR, {"options": dict(record.options), "metrics": dict(record.metrics), "problem": record.problem})
    if not record.metrics:
        study.tell(trial, state=TrialState.FAIL)
        return record
    for name, most in question.bounds.items():
        trial.set_constraint(f"{name} <= {most:g}", record.metrics[name] / most - 1)
    study.tell(trial, [record.metrics[name] for name in question.objectives])
    return replace(record, feasible=meets(record.metrics, question.bounds))


def _record(trial: optuna.trial.FrozenTrial) -> Record:
    stored = trial.user_attrs[RECORD_ATTR]
    feasible = bool(stored["metrics"]) and all(value <= 0 for value in trial.constraints.values())
    return Record(trial.number, stored["options"], stored["metrics"], feasible, stored["problem"])


def _key(question: Question, options: Mapping[str, Any]) -> str:
    """A candidate's key; what is solved for follows from the rest."""
    return key_of({key: value for key, value in options.items() if key not in question.solved})


def _progress(question: Question, records: Sequence[Record], trials: int) -> Progress:
    name, direction = next(iter(question.objectives.items()))
    values = [record.metrics[name] for record in records if record.feasible]
    best = (max if direction == MAXIMIZE else min)(values, default=None)
    return Progress(len(records), trials, len(values), best)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna's log lines go to warnings only, and back to what they were."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
