"""The search's own workers on a shared study: one in this process, or several processes that are watched and replaced."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

import optuna

from archspace.errors import ArchspaceError, StudyError
from archspace.study.child import Child, Receive, Send
from archspace.study.database import ERROR_ATTR, Limits, close_study, create_shared
from archspace.study.link import OUTAGE_SECONDS, Link
from archspace.study.progress import Ran, Report, Run, Tally
from archspace.study.question import Question
from archspace.study.records import Record
from archspace.study.shared import POLL_SECONDS, candidates_wanted, is_over, work
from archspace.study.trials import records_of

MOST_DEATHS = 10  # workers that died in a row without a trial finished: then something is wrong with all of them
STOP_SECONDS = 10.0  # what a worker gets to queue its trial again
LEAVE_SECONDS = 5.0  # what it gets to notice that the study is over
BROKEN = 2  # exit code of a worker that cannot work at all


def limits_of(how: Run) -> Limits:
    """What the workers of a run keep to."""
    return Limits(how.trials, how.time_limit_s, how.patience, how.grace_s)


def begin_shared(url: str, name: str, question: Question, how: Run, *, fresh: bool) -> optuna.Study:
    """The shared study, with the limits that its workers keep to. Raises StudyError."""
    return create_shared(url, name, question, limits_of(how), fresh=fresh)


def run_shared(
    url: str, name: str, study: optuna.Study, question: Question, how: Run, report: Report | None, say: Callable[[str], None]
) -> Ran:
    """Run the study's trials, with `how.workers` workers on this machine and whoever joins from others. Closes the study."""
    link = Link(url, OUTAGE_SECONDS, say)

    def records_now() -> list[Record]:
        return link.patient(lambda: records_of(question, study.get_trials(deepcopy=False)))

    try:
        resumed = len(records_now())
        interrupted = False
        try:
            if how.workers == 1:
                work(url, name, report=report, say=say, alone=True, begun=True)
            else:
                _Crew(url, name, say).run(question, how, records_now, report)
        except KeyboardInterrupt:
            interrupted = True
        records = records_now()
        stalled = not interrupted and len(records) < candidates_wanted(question, limits_of(how))
        return Ran(records, resumed, interrupted, stalled, link.patient(lambda: study.user_attrs).get(ERROR_ATTR, ""))
    finally:
        close_study(study)


class _Crew:
    """Worker processes on this machine."""

    def __init__(self, url: str, name: str, say: Callable[[str], None]) -> None:
        self._url, self._name, self._say = url, name, say
        self._members: list[Child] = []

    def run(self, question: Question, how: Run, records_now: Callable[[], list[Record]], report: Report | None) -> None:
        """Watch the workers until all are done; replace those that die."""
        deaths, finished = 0, 0
        over_at: float | None = None
        try:
            self._members += [self._hire() for _ in range(how.workers)]
            while self._members and (over_at is None or monotonic() - over_at < LEAVE_SECONDS):
                for member in list(self._members):
                    code = member.exit_code(POLL_SECONDS / len(self._members))
                    if code is None:
                        continue
                    self._members.remove(member)
                    member.close()
                    if code == BROKEN or deaths >= MOST_DEATHS:
                        raise StudyError(f"study {self._name}: its workers cannot go on; the first to say why is above")
                    if code != 0 and over_at is None:
                        deaths += 1
                        self._say(f"a worker died (exit code {code}); another one takes its place")
                        self._members.append(self._hire())
                records = records_now()
                if len(records) > finished:
                    deaths, finished = 0, len(records)
                if over_at is None and is_over(question, limits_of(how), records):
                    over_at = monotonic()  # a worker that does not notice, as it hangs or is paused, has nothing left to do
                if report is not None:
                    report(Tally(question, records).progress(how.trials))
        finally:
            self._dismiss(STOP_SECONDS if over_at is None else 0.0)

    def _hire(self) -> Child:
        member = Child(serve)
        member.send((self._url, self._name))  # not on a command line, as a URL may hold a password
        return member

    def _dismiss(self, within_s: float) -> None:
        """Ask those that still work to stop, and end those that do not: each that does queues its trial again."""
        for member in self._members:
            member.ask_to_stop()
        deadline = monotonic() + within_s
        for member in self._members:
            member.exit_code(max(0.0, deadline - monotonic()))
            member.close()


def serve(receive: Receive, send: Send) -> None:
    """What a worker process does. SIGTERM stops it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _stop)
    url, name = receive()
    try:
        work(url, name, say=_print, begun=True)
    except KeyboardInterrupt:
        raise SystemExit(0) from None
    except ArchspaceError as error:
        _print(f"archspace: {error}")
        raise SystemExit(BROKEN) from None


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _print(text: str) -> None:
    print(text, file=sys.stderr)
