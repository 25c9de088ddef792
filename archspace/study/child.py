"""Python processes of our own: started afresh, spoken to through two pipes, ended with the one that started them.

multiprocessing would import the user's script once more in each, and its pools share locks that a killed process takes with it.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import Any

Receive = Callable[[], Any]
Send = Callable[[Any], None]
Serve = Callable[[Receive, Send], None]

ORPHAN_SECONDS = 10.0  # what a process gets to stop in an orderly way once the one that started it is gone


class ChildDiedError(Exception):
    """A process ended before it answered. `code`: its exit code, -9 for kill -9."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the process ended with exit code {code}")
        self.code = code


class Child:
    """A process that runs `serve(receive, send)`, a function of a module that can be imported, on the other end of `send` and `receive`."""

    def __init__(self, serve: Serve) -> None:
        code = f"import sys; sys.path[:] = {sys.path!r}; from archspace.study.child import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # processes share the cores: one thread each; read when torch is imported
            process_group=0,  # Ctrl-C is for its parent; and it ends together with what it starts itself
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.pid = self._process.pid
        self.send(serve)

    def send(self, value: Any) -> None:
        """Hand over a value, which must be picklable. Raises ChildDiedError."""
        try:
            self._requests.write(pickle.dumps(value))
            self._requests.flush()
        except OSError:
            raise self._died() from None

    def receive(self) -> Any:
        """The next answer; waits for it. Raises ChildDiedError."""
        try:
            return pickle.load(self._answers)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._died() from None

    def exit_code(self, timeout_s: float) -> int | None:
        """Its exit code, waited for; None while it runs."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once, and what it started."""
        if self._process.returncode is None:  # nobody waited for it: its number is still its own
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it at once, wait until it is gone, and close the pipes."""
        self.kill()
        self._process.wait()
        self._answers.close()
        with suppress(OSError):  # what was not sent yet cannot be sent any more
            self._requests.close()

    def _died(self) -> ChildDiedError:
        self.kill()  # one that closed its pipe but lives on is of no use either
        return ChildDiedError(self._process.wait())


def main() -> None:
    """What a child does: serve until done. Its prints go to stderr, and its stdin is empty."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)

    def send(value: Any) -> None:
        answers.write(pickle.dumps(value))
        answers.flush()

    try:
        serve: Serve = pickle.load(requests)
        received: SimpleQueue[Any] = SimpleQueue()
        Thread(target=_read, args=(requests, received), daemon=True).start()
        serve(received.get, send)
    except SystemExit as error:
        _leave(error.code if isinstance(error.code, int) else 1)
    except BaseException:  # as the interpreter would, but for the waiting in `_leave`
        sys.excepthook(*sys.exc_info())
        _leave(1)
    _leave(0)


def _read(requests: Any, received: SimpleQueue[Any]) -> None:
    """Pass on what the parent sends. When it ends, killed even, its end of the pipe is closed: then this process ends too."""
    while True:
        try:
            received.put(pickle.load(requests))
        except (EOFError, OSError, pickle.UnpicklingError):
            os.killpg(os.getpgrp(), signal.SIGTERM)
            sleep(ORPHAN_SECONDS)
            os._exit(1)


def _leave(code: int) -> None:
    """End without waiting for the thread that reads."""
    sys.stderr.flush()
    os._exit(code)
