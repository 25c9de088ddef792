"""Timing real networks: backends, clocks, interleaved rounds, and the tables that measurements are kept in.

`measure(networks, backends=...)` times them in the same rounds. Below it, `runner` makes one network ready inside `running(threads)`,
`interleave` times any calls, `append_rows` keeps what came of it. `calibrate` fits a device profile, `experiment(name)` repeats a table
of the ShuffleNet v2 paper.
"""

from __future__ import annotations

from archspace.timing.backends import BACKENDS, Runner, runner, running
from archspace.timing.calibrating import Calibrated, NoisyMachineWarning, calibrate
from archspace.timing.clock import CLOCKS, clock_for
from archspace.timing.experiment_run import experiment
from archspace.timing.experiments import EXPERIMENTS
from archspace.timing.outcome import Outcome
from archspace.timing.pages import keep_pages
from archspace.timing.rounds import ROUNDS, Rounds, in_turn, interleave
from archspace.timing.subject import Subject
from archspace.timing.table import Measured, append_rows, files_of
from archspace.timing.verb import BusyMachineWarning, NotMeasuredWarning, measure

__all__ = [
    "BACKENDS",
    "CLOCKS",
    "EXPERIMENTS",
    "ROUNDS",
    "BusyMachineWarning",
    "Calibrated",
    "Measured",
    "NoisyMachineWarning",
    "NotMeasuredWarning",
    "Outcome",
    "Rounds",
    "Runner",
    "Subject",
    "append_rows",
    "calibrate",
    "clock_for",
    "experiment",
    "files_of",
    "in_turn",
    "interleave",
    "keep_pages",
    "measure",
    "runner",
    "running",
]
