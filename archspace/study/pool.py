"""Processes that judge candidates: each may hang or be killed without taking the search with it.

pebble runs them, because it can end a task that takes too long and says when a process died, which concurrent.futures cannot.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pebble import ProcessExpired, ProcessPool

from archspace.latency.profile_json import profile_to_dict
from archspace.study.judging import Outcome, Pending, outcome_of
from archspace.study.question import Question

Keep = Callable[[Mapping[str, Any], str, Outcome], None]  # given options, digest and outcome of what was just judged
ATTEMPTS = 3  # a candidate whose process was killed so often is to blame itself
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pool:
    """`workers` processes; a candidate that takes longer than `time_limit_s` is given up, and its process replaced."""

    question: Question
    pool: Any  # pebble.ProcessPool
    time_limit_s: float | None
    keep: Keep

    def submit(self, options: Mapping[str, Any], digest: str) -> Pending:
        """Judge a candidate's options in some process; those of a killed one are tried again. `keep` is told at once what came of it."""
        future = self._schedule(options, digest)

        def settled() -> Outcome:
            nonlocal future
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    outcome: Outcome = future.result()
                    return outcome
                except TookTooLong:
                    assert self.time_limit_s is not None
                    return Outcome({}, f"judging it took longer than {self.time_limit_s:g} s, the limit of --trial-timeout")
                except ProcessExpired as error:
                    how = error.exitcode
                    if attempt < ATTEMPTS:
                        future = self._schedule(options, digest)
            return Outcome({}, f"the process that judged it died {ATTEMPTS} times, last with exit code {how}")

        return settled

    def _schedule(self, options: Mapping[str, Any], digest: str) -> Any:
        future = self.pool.schedule(_judge, args=(self.question, dict(options)), timeout=self.time_limit_s)

        def finished(done: Any) -> None:
            if not done.cancelled() and done.exception() is None:
                self.keep(options, digest, done.result())

        future.add_done_callback(finished)
        return future


@contextmanager
def processes(question: Question, workers: int, time_limit_s: float | None, keep: Keep) -> Iterator[Pool]:
    """A pool of `workers` processes for a question; ended with all that runs in it on leaving."""
    profile = question.profile()
    carried = replace(question, profile_json=None if profile is None else profile_to_dict(profile))
    # spawn: a fork of a process that has run torch or threads may hang.
    pool: Any = ProcessPool(max_workers=workers, context=multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        yield Pool(carried, pool, time_limit_s, keep)
    finally:
        pool.stop()
        pool.join(STOP_SECONDS)


def _begin() -> None:
    """What a process does first: leave Ctrl-C to the one that asks, and take one thread, as the processes share the cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported


def _judge(question: Question, options: dict[str, Any]) -> Outcome:
    return outcome_of(question, question.profile(), question.space.build(options))
