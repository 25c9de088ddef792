"""The clocks: thread CPU time, wall clock, and CUDA events; each gives the milliseconds of one call, of several in a row."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from archspace.timing.rounds import Call, Clock

FINE_CLOCKS = ("clock_gettime", "mach")  # thread CPU time by other means ticks 64 times a second (Windows' GetThreadTimes)


def thread_ms(call: Call, calls: int) -> float:
    """CPU time of this thread: what runs elsewhere on the machine does not count, and neither does work in other threads."""
    return _timed(time.thread_time, call, calls)


def wall_ms(call: Call, calls: int) -> float:
    """Wall-clock time: with several threads the only one that a user feels, and true on an idle machine alone."""
    return _timed(time.perf_counter, call, calls)


def events_ms(call: Call, calls: int) -> float:
    """Time between two CUDA events around the calls on the current stream."""
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / calls


# The name of each clock in results.
CLOCKS: dict[str, Clock] = {"thread": thread_ms, "wall": wall_ms, "events": events_ms}


def clock_for(on: str, threads: int) -> str:
    """The clock's name: events on a GPU, thread CPU time of one thread where it ticks finely enough, else wall clock."""
    if on == "cuda":
        return "events"
    is_fine = time.get_clock_info("thread_time").implementation.startswith(FINE_CLOCKS)
    return "thread" if threads == 1 and is_fine else "wall"


def _timed(now: Callable[[], float], call: Call, calls: int) -> float:
    start = now()
    for _ in range(calls):
        call()
    return 1000 * (now() - start) / calls
