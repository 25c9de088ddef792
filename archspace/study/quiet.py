"""Optuna kept quiet: what it has to say, a search says itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import ExperimentalWarning


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna's log lines go to warnings only, and back to what they were; what it says of heartbeats is not repeated."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.filterwarnings("ignore", "Heartbeat of storage")  # `Beating` beats where Optuna's own loop would
            warnings.filterwarnings("ignore", "The constraint value is ignored")  # a step that is tried again sets the same one
            yield
    finally:
        optuna.logging.set_verbosity(before)
