"""Processes that judge candidates: each may hang or be killed, at any moment, without taking the search with it.

Each has pipes and a thread of its own and shares nothing with the others, so that one that dies leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Event, Lock, Thread, Timer
from typing import Any

from archspace.errors import ArchspaceError, StudyError
from archspace.latency.profile_json import profile_to_dict
from archspace.objectives import metric_named
from archspace.study.child import Child, ChildDiedError, Receive, Send
from archspace.study.judging import Outcome, Pending, outcome_of
from archspace.study.question import Question

Keep = Callable[[Mapping[str, Any], str, Outcome], None]  # given options, digest and outcome of what was just judged
ATTEMPTS = 3  # a candidate whose process died so often is to blame itself


@dataclass(frozen=True, slots=True)
class Task:
    """A candidate to be judged."""

    options: Mapping[str, Any]
    digest: str
    future: Future[Outcome]


Tasks = SimpleQueue[Task | None]


class Pool:
    """`workers` processes; a candidate that takes longer than `time_limit_s` is given up, and its process replaced."""

    def __init__(self, question: Question, workers: int, time_limit_s: float | None, keep: Keep) -> None:
        self._tasks: Tasks = SimpleQueue()
        self._slots = [Slot(question, self._tasks, time_limit_s, keep) for _ in range(workers)]

    def submit(self, options: Mapping[str, Any], digest: str) -> Pending:
        """Judge a candidate's options in some process; those of one that dies are tried again. `keep` is told at once what came of it."""
        task = Task(dict(options), digest, Future())
        self._tasks.put(task)
        return task.future.result

    def stop(self) -> None:
        """End all processes, whatever they do."""
        for slot in self._slots:
            slot.stop()
        for _ in self._slots:
            self._tasks.put(None)
        for slot in self._slots:
            slot.join()


class Slot(Thread):
    """A thread that keeps one process at work; the process is started when there is something to do, and again when it died."""

    def __init__(self, question: Question, tasks: Tasks, time_limit_s: float | None, keep: Keep) -> None:
        super().__init__(daemon=True)
        self._question, self._tasks, self._time_limit_s, self._keep = question, tasks, time_limit_s, keep
        self._child: Child | None = None
        self._lock = Lock()  # of a start and a stop
        self._stopped = False
        self.start()

    def run(self) -> None:
        """Judge one task after the other."""
        while (task := self._tasks.get()) is not None and not self._stopped:
            try:
                outcome = self._outcome(task)
                if self._stopped:  # it may have been ended by that
                    break
                self._keep(task.options, task.digest, outcome)
            except ArchspaceError as error:
                task.future.set_exception(error)
            except OSError as error:
                task.future.set_exception(StudyError(f"no process to judge candidates can be started: {error.strerror}"))
            else:
                task.future.set_result(outcome)
        self._drop()

    def stop(self) -> None:
        """End the process; the thread ends soon after."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def _outcome(self, task: Task) -> Outcome:
        code = 0
        for _ in range(ATTEMPTS):
            try:
                return self._answer(self._running(), task)
            except ChildDiedError as died:
                code = died.code
                self._drop()
            if self._stopped:
                break
        return Outcome({}, f"the process that judged it died {ATTEMPTS} times, last with exit code {code}")

    def _answer(self, child: Child, task: Task) -> Outcome:
        """What the process says of a candidate, or that it took too long. Raises ChildDiedError, StudyError."""
        over = Event()

        def give_up() -> None:
            over.set()
            child.kill()

        timer = Timer(self._time_limit_s or 0, give_up)
        if self._time_limit_s is not None:
            timer.start()
        try:
            child.send(task.options)
            answer: Outcome | StudyError = child.receive()
        except ChildDiedError:
            if not over.is_set():
                raise
            self._drop()
            return Outcome({}, f"judging it took longer than {self._time_limit_s:g} s, the limit of --trial-timeout")
        finally:
            timer.cancel()
        if isinstance(answer, StudyError):
            raise answer
        return answer

    def _running(self) -> Child:
        """The process, ready. Raises ChildDiedError, OSError, StudyError."""
        if self._child is None:
            with self._lock:
                if self._stopped:
                    raise ChildDiedError(0)
                self._child = Child(serve)
            self._child.send(self._question)
            ready = self._child.receive()  # a time limit is for candidates, not for what is imported before the first
            if isinstance(ready, StudyError):
                raise ready
        return self._child

    def _drop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()


@contextmanager
def processes(question: Question, workers: int, time_limit_s: float | None, keep: Keep) -> Iterator[Pool]:
    """A pool of `workers` processes for a question; ended with all that runs in it on leaving."""
    profile = question.profile()
    pool = Pool(replace(question, profile_json=None if profile is None else profile_to_dict(profile)), workers, time_limit_s, keep)
    try:
        yield pool
    finally:
        pool.stop()


def serve(receive: Receive, send: Send) -> None:
    """What a process does: judge the candidates of a question, one after the other."""
    question: Question = receive()
    try:
        for name in question.metrics:
            metric_named(name)  # imports the modules of the user's own functions
        device = question.profile()
    except ArchspaceError as error:
        send(StudyError(str(error)))
        return
    send(None)
    while True:
        options = receive()
        try:
            send(outcome_of(question, device, question.space.build(options)))
        except ArchspaceError as error:  # of a kind that no candidate is to blame for
            send(StudyError(str(error)))
