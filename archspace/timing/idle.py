"""The idle check: how much of the machine other processes use, by Linux's own account (/proc/stat)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
IDLE = (3, 4)  # idle and iowait among the numbers of /proc/stat's first line
TIMES = 8  # user, nice, system, idle, iowait, irq, softirq, steal; guests' times behind them are in user and nice already
BUSY_PCT = 5.0  # above it wall-clock times are not to be trusted


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds since the machine started: of all its processors, those in use, and those that this process used."""

    total_s: float
    busy_s: float
    own_s: float


def others_pct(before: Used, after: Used) -> float:
    """How much of the machine's processors others used in between, in percent.

    >>> others_pct(Used(0, 0, 0), Used(total_s=20, busy_s=12, own_s=10))  # ten seconds of two processors
    10.0
    """
    total = after.total_s - before.total_s
    others = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return min(100.0, max(0.0, 100 * others / total)) if total > 0 else 0.0


def used_now() -> Used | None:
    """What was used until now; None where the system keeps no such account."""
    try:
        text = STAT.read_text(encoding="ascii")
    except OSError:
        return None
    total, busy = processor_ticks(text)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    return Used(total * tick, busy * tick, time.process_time())


def processor_ticks(stat: str) -> tuple[int, int]:
    """All ticks and those that were not idle, of all processors, from the text of /proc/stat.

    >>> processor_ticks("cpu  10 0 5 80 5 0 0 0 0 0")
    (100, 15)
    """
    numbers = [int(word) for word in stat.splitlines()[0].split()[1 : TIMES + 1]]
    return sum(numbers), sum(numbers) - sum(numbers[i] for i in IDLE)
