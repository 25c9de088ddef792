"""The search's own workers on a shared study: one in this process, or several processes that are watched and replaced."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import optuna

from archspace.errors import ArchspaceError, StudyError
from archspace.study.database import ERROR_ATTR, Limits, create_shared, patient
from archspace.study.progress import Ran, Report, Run, Tally
from archspace.study.question import Question
from archspace.study.shared import POLL_SECONDS, work
from archspace.study.trials import records_of

MOST_DEATHS = 10  # workers that died in a row without a trial finished: then something is wrong with all of them
STOP_SECONDS = 10.0
BROKEN = 2  # exit code of a worker that cannot work at all


def begin_shared(url: str, name: str, question: Question, how: Run, *, fresh: bool) -> optuna.Study:
    """The shared study, with the limits that its workers keep to. Raises StudyError."""
    limits = Limits(how.trials, how.time_limit_s, how.patience)
    return create_shared(url, name, question, limits, fresh=fresh)


def run_shared(
    url: str, name: str, study: optuna.Study, question: Question, how: Run, report: Report | None, say: Callable[[str], None]
) -> Ran:
    """Run the study's trials, with `how.workers` workers on this machine and whoever joins from others."""
    resumed = len(records_of(question, study.get_trials(deepcopy=False)))
    interrupted = False
    try:
        if how.workers == 1:
            work(url, name, report=report, say=say, alone=True)
        else:
            _Crew(url, name, how.workers, say).run(study, question, how, report)
    except KeyboardInterrupt:
        interrupted = True
    records = records_of(question, study.get_trials(deepcopy=False))
    stalled = how.patience is not None and not interrupted and len(records) < how.trials
    return Ran(records, resumed, interrupted, stalled, study.user_attrs.get(ERROR_ATTR, ""))


class _Crew:
    """Worker processes on this machine."""

    def __init__(self, url: str, name: str, workers: int, say: Callable[[str], None]) -> None:
        self._url, self._name, self._say = url, name, say
        self._context = multiprocessing.get_context("spawn")
        self._members: list[BaseProcess] = [self._hire() for _ in range(workers)]

    def run(self, study: optuna.Study, question: Question, how: Run, report: Report | None) -> None:
        """Watch the workers until all are done; replace those that die."""
        deaths, finished = 0, 0
        limits = Limits(how.trials)
        try:
            while self._members:
                for member in list(self._members):
                    member.join(POLL_SECONDS / len(self._members))
                    if member.exitcode is None:
                        continue
                    self._members.remove(member)
                    if member.exitcode == BROKEN or deaths >= MOST_DEATHS:
                        raise StudyError(f"study {self._name}: its workers cannot go on; the first to say why is above")
                    if member.exitcode != 0:
                        deaths += 1
                        self._say(f"a worker died (exit code {member.exitcode}); another one takes its place")
                        self._members.append(self._hire())
                records = patient(lambda: records_of(question, study.get_trials(deepcopy=False)), limits, self._say)
                if len(records) > finished:
                    deaths, finished = 0, len(records)
                if report is not None:
                    report(Tally(question, records).progress(how.trials))
        finally:
            self._dismiss()

    def _hire(self) -> BaseProcess:
        member = self._context.Process(target=_serve, args=(self._url, self._name), daemon=False)
        member.start()
        return member

    def _dismiss(self) -> None:
        """Ask those that still work to stop: each queues its trial again."""
        for member in self._members:
            member.terminate()
        for member in self._members:
            member.join(STOP_SECONDS)
            if member.exitcode is None:
                member.kill()


def _serve(url: str, name: str) -> None:
    """What a worker process does. SIGTERM stops it as Ctrl-C does; Ctrl-C itself is left to the process that watches it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    try:
        work(url, name, say=_print)
    except KeyboardInterrupt:
        raise SystemExit(0) from None
    except ArchspaceError as error:
        _print(f"archspace: {error}")
        raise SystemExit(BROKEN) from None


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _print(text: str) -> None:
    print(text, file=sys.stderr)
