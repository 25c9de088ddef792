"""What tests of faults share: commands that are killed, waiting for something with a generous deadline, reading what is stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from mischief import SPACE
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from archspace.space import Space
from archspace.study import StudyResult, search

ROOT = Path(__file__).parents[2]
DEADLINE_S = 600.0  # of whatever should take a second: machines may be busy, or stand still for minutes
TINY = Space.from_dict(SPACE, "tiny")


def aims(objective: str) -> dict[str, str]:
    """The objectives of a search that one of `mischief` judges too."""
    return {"stage_channels": "maximize", f"python:mischief:{objective}": "minimize"}


def run(directory: Path, objective: str, trials: int, **options: Any) -> StudyResult:
    """A search in this process, with one of `mischief`'s objectives."""
    return search(
        **{"space": TINY, "directory": directory, "objectives": aims(objective), "trials": trials, "sampler": "random", **options}
    )


def words(directory: Path, objective: str, trials: int, *more: str) -> list[str]:
    """The same search as a command."""
    file = directory.parent / "tiny.toml"
    file.write_text(TOML, encoding="utf-8")
    fixed = ["--maximize", "stage_channels", "--minimize", f"python:mischief:{objective}", "--trials", str(trials), "-o", str(directory)]
    return [sys.executable, "-m", "archspace", "search", str(file), *fixed, *more]


def search_command(directory: Path, objective: str, trials: int, **options: Any) -> list[str]:
    """`run` in a process of its own: sooner there than the command line, and without a report. Says what the search says."""
    return [sys.executable, "-m", "faults", json.dumps({"directory": str(directory), "objective": objective, "trials": trials, **options})]


def main() -> None:
    """What that process does."""
    result = run(say=lambda text: print(text, file=sys.stderr), **json.loads(sys.argv[1]))
    print(f"{len(result.records)} trials ({result.resumed} from before)", file=sys.stderr)


TOML = """
family = "shufflenet_v1"
[constants]
input = [32, 32]
[objectives]
maximize = ["stage_channels"]
minimize = ["mem_elems"]
[parameters.groups]
choices = [1, 2, 3, 4, 8]
[parameters.width]
low = 0.25
high = 2.0
step = 0.05
[parameters.repeats]
each = [{ low = 1, high = 2 }, { low = 1, high = 2 }, { low = 1, high = 2 }]
"""


def environment() -> dict[str, str]:
    """Of a command: it finds archspace and `mischief`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command that runs meanwhile; killed in any case."""
    usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": environment()}
    with subprocess.Popen(command, **{**usual, **options}) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """What came of a command."""
    usual = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "env": environment(), "timeout": DEADLINE_S}
    return subprocess.run(command, check=False, **{**usual, **options})


def until(condition: Callable[[], Any], process: subprocess.Popen[str] | None = None, every_s: float = 0.05) -> None:
    """Wait for a condition, while `process` runs."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        assert process is None or process.poll() is None, f"it ended: {process.communicate()[1]}"
        time.sleep(every_s)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for (a zombie) does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def lines(file: Path) -> int:
    """How many whole lines a file has."""
    return file.read_bytes().count(b"\n") if file.exists() else 0


def journaled(directory: Path) -> list[Any]:
    """What the trials in a study's journal are, as Optuna itself reads them."""
    storage = JournalStorage(JournalFileBackend(str(directory / "journal.log")))
    (name,) = optuna.get_all_study_names(storage)
    return [facts(trial) for trial in optuna.load_study(study_name=name, storage=storage).trials]


def facts(trial: optuna.trial.FrozenTrial) -> tuple[Any, ...]:
    """What does not depend on when and where it ran."""
    return trial.number, trial.state, trial.params, trial.values, dict(trial.constraints), trial.user_attrs


if __name__ == "__main__":
    main()
