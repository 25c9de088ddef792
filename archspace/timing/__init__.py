"""Timing real networks: backends, clocks, interleaved rounds, and the tables that measurements are kept in.

`measure(networks, backends=...)` times them in the same rounds. Below it, `runner` makes one network ready inside `running(threads)`,
`interleave` times any calls, `append_rows` keeps what came of it. `calibrate` fits a device profile.
"""

from __future__ import annotations

from archspace.timing.backends import BACKENDS, Runner, runner, running
from archspace.timing.calibrating import Calibrated, NoisyMachineWarning, calibrate
from archspace.timing.clock import CLOCKS, clock_for
from archspace.timing.rounds import ROUNDS, Rounds, in_turn, interleave
from archspace.timing.subject import Subject
from archspace.timing.table import Measured, append_rows, files_of
from archspace.timing.verb import BusyMachineWarning, NotMeasuredWarning, measure

__all__ = [
    "BACKENDS",
    "CLOCKS",
    "ROUNDS",
    "BusyMachineWarning",
    "Calibrated",
    "Measured",
    "NoisyMachineWarning",
    "NotMeasuredWarning",
    "Rounds",
    "Runner",
    "Subject",
    "append_rows",
    "calibrate",
    "clock_for",
    "files_of",
    "in_turn",
    "interleave",
    "measure",
    "runner",
    "running",
]
