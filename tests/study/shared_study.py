"""What tests of shared studies have in common: the commands, and a look at what is in the database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import optuna
from faults import search_command
from optuna.trial import FrozenTrial, TrialState

from archspace.errors import ArchspaceError
from archspace.study.database import close_database, open_database
from archspace.study.lineage import RECORD_ATTR, is_counted, root_of

NAME = "tiny"
GRACE_S = 6  # the heart beats every second, also on a busy machine


def searching(tmp_path: Path, url: str, objective: str, trials: int, **more: Any) -> list[str]:
    """The command that begins the study, and resumes it."""
    return search_command(tmp_path / "study", objective, trials, **{"storage": url, "study": NAME, "grace_s": GRACE_S, **more})


def joining(url: str) -> list[str]:
    """The command of a worker that joins it."""
    return [sys.executable, "-m", "archspace", "worker", "--storage", url, "--study", NAME]


class Look:
    """Looks at the study from outside, by Optuna alone."""

    def __init__(self, storage: optuna.storages.RDBStorage) -> None:
        self._storage = storage

    @property
    def study(self) -> optuna.Study:
        return optuna.load_study(study_name=NAME, storage=self._storage)

    def names(self) -> list[str]:
        return optuna.get_all_study_names(self._storage)

    def trials(self) -> list[FrozenTrial]:
        """All trials; none where nobody began the study."""
        return self.study.trials if NAME in self.names() else []

    def counted(self) -> int:
        return sum(map(is_counted, self.trials()))

    def metrics(self, trial: FrozenTrial) -> dict[str, float]:
        """What a trial's record says."""
        found: dict[str, float] = json.loads(trial.user_attrs[RECORD_ATTR])["metrics"]
        return found

    def digest(self, trial: FrozenTrial) -> str:
        """The network's that a trial's record is of."""
        return str(json.loads(trial.user_attrs[RECORD_ATTR])["digest"])

    def running(self) -> list[FrozenTrial]:
        return [trial for trial in self.trials() if trial.state == TrialState.RUNNING]

    def assert_complete(self, trials: int) -> list[FrozenTrial]:
        """As many candidates as asked for are counted, each once, and nothing is left over. Returns all trials."""
        found = self.trials()
        counted = [trial for trial in found if is_counted(trial)]
        assert len(counted) == trials
        assert len({root_of(trial) for trial in counted}) == trials
        assert [trial for trial in found if not trial.state.is_finished()] == []
        return found


@contextmanager
def looking_at(url: str) -> Iterator[Look]:
    """A look at the study in a database."""
    storage = open_database(url)
    try:
        yield Look(storage)
    finally:
        close_database(storage)


def at_once(number: int, step: Callable[[], Any]) -> list[Any]:
    """What so many threads get, or the error that is raised in them, when they all take a step at the same time."""
    start = Barrier(number)

    def one(_: int) -> Any:
        start.wait()
        try:
            return step()
        except ArchspaceError as error:
            return error

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(one, range(number)))
