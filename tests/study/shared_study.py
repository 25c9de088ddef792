"""What tests of shared studies have in common: the commands, and a look at what is in the database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from faults import words
from optuna.trial import FrozenTrial, TrialState

from archspace.study.database import close_database, open_database
from archspace.study.lineage import is_counted, root_of

NAME = "tiny"
GRACE_S = 2  # the heart beats every second


def searching(tmp_path: Path, url: str, objective: str, trials: int, *more: str) -> list[str]:
    """The command that begins the study, and resumes it."""
    fixed = ["--sampler", "random", "--storage", url, "--study", NAME, "--grace", str(GRACE_S)]
    return words(tmp_path / "study", objective, trials, *fixed, *more)


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

    def trials(self) -> list[FrozenTrial]:
        """All trials; none where nobody began the study."""
        return self.study.trials if NAME in optuna.get_all_study_names(self._storage) else []

    def counted(self) -> int:
        return sum(map(is_counted, self.trials()))

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
