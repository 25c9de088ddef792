"""Studies in PostgreSQL: workers on several machines, killed, paused, and always as many candidates as were asked for, each once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import mischief
import optuna
import pytest
from faults import finished, is_alive, run, started, until, words
from optuna.trial import TrialState

from archspace.study.lineage import is_counted, is_retry, root_of

NAME = "tiny"
GRACE = ["--grace", "2"]


def command(tmp_path: Path, database: str, objective: str, trials: int, *more: str) -> list[str]:
    """The search that begins the study."""
    study = tmp_path / "study"
    return words(study, objective, trials, "--sampler", "random", "--storage", database, "--study", NAME, *GRACE, *more)


def joining(database: str) -> list[str]:
    """A worker that joins it."""
    return [sys.executable, "-m", "archspace", "worker", "--storage", database, "--study", NAME]


def trials_in(database: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=NAME, storage=database).trials


def has_begun(database: str) -> bool:
    return NAME in optuna.get_all_study_names(database) and bool(trials_in(database))


def assert_complete(database: str, trials: int) -> list[optuna.trial.FrozenTrial]:
    """As many candidates as asked for are counted, each once, with its own constraints; nothing is left over."""
    found = trials_in(database)
    counted = [trial for trial in found if is_counted(trial)]
    assert len(counted) == trials
    assert len({root_of(trial) for trial in counted}) == trials
    assert not [trial for trial in found if not trial.state.is_finished()]
    return found
