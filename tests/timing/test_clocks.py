"""Which clock is used when, and that thread CPU time sees all that one thread's backends do."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from archspace.timing import CLOCKS, clock_for, runner, running
from archspace.timing import cuda as cuda_module
from archspace.zoo import build


@pytest.mark.parametrize(
    ("on", "threads", "implementation", "clock"),
    [
        ("cpu", 1, "clock_gettime(CLOCK_THREAD_CPUTIME_ID)", "thread"),
        ("cpu", 1, "GetThreadTimes()", "wall"),  # ticks 64 times a second
        ("cpu", 2, "clock_gettime(CLOCK_THREAD_CPUTIME_ID)", "wall"),
        ("cuda", 1, "clock_gettime(CLOCK_THREAD_CPUTIME_ID)", "events"),
    ],
)
def test_the_clock_follows_from_device_and_threads(
    on: str, threads: int, implementation: str, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "get_clock_info", lambda name: SimpleNamespace(implementation=implementation))
    assert clock_for(on, threads) == clock


@pytest.mark.parametrize(("clock", "source"), [("thread", "thread_time"), ("wall", "perf_counter")])
def test_a_clock_gives_the_milliseconds_of_one_call(clock: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def call() -> None:
        now[0] += 0.002

    monkeypatch.setattr(time, source, lambda: now[0])
    assert CLOCKS[clock](call, 5) == pytest.approx(2)


@pytest.mark.parametrize("backend", ["eager", "folded", "onnxruntime"])
def test_one_thread_of_a_backend_is_the_calling_one(backend: str) -> None:
    with running(1):
        call = runner(build("shufflenet_v2", width=0.5), backend).call
        thread, process = time.thread_time(), time.process_time()
        for _ in range(20):
            call()
        thread, process = time.thread_time() - thread, time.process_time() - process
    assert thread > 0.8 * process  # of all threads' CPU time; a pool of two would leave about half


class FakeEvent:
    """A CUDA event on a device whose time is that of `Fake.now`."""

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.at = -1.0

    def record(self) -> None:
        self.at = Fake.now

    def synchronize(self) -> None:
        assert self.at >= 0

    def elapsed_time(self, end: FakeEvent) -> float:
        return end.at - self.at


class Fake:
    """A CUDA device that does not exist: its time, and whether it can capture."""

    now = 0.0
    captures = True


class FakeGraph:
    """A CUDA graph of one launch, that takes 2 ms where launching it took 5."""

    def replay(self) -> None:
        Fake.now += 2


class FakeStream:
    """A stream: a context that may wait."""

    def wait_stream(self, other: Any) -> None:
        assert isinstance(other, FakeStream)

    def __enter__(self) -> None: ...

    def __exit__(self, *error: Any) -> None: ...


class FakeCapture(FakeStream):
    """The capture of a graph; where it fails it does so at its end."""

    def __init__(self, graph: FakeGraph) -> None:
        assert isinstance(graph, FakeGraph)

    def __exit__(self, *error: Any) -> None:
        if not Fake.captures:
            raise RuntimeError("operation not permitted when stream is capturing")


@pytest.fixture
def _fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = {"Event": FakeEvent, "CUDAGraph": FakeGraph, "Stream": FakeStream, "current_stream": FakeStream}
    fakes |= {"stream": lambda stream: stream, "graph": FakeCapture, "synchronize": lambda: None}
    for name, value in fakes.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(Fake, "now", 0.0)
    monkeypatch.setattr(Fake, "captures", True)


def launch() -> str:
    Fake.now += 5
    return "result"


@pytest.mark.usefixtures("_fake_cuda")
def test_events_time_what_the_device_did_between_them() -> None:
    assert CLOCKS["events"](launch, 4) == 5


@pytest.mark.usefixtures("_fake_cuda")
def test_a_captured_run_is_replayed() -> None:
    replayed = cuda_module.replay(launch)
    assert replayed is not None
    assert CLOCKS["events"](replayed, 4) == 2
    assert replayed() == "result"


@pytest.mark.usefixtures("_fake_cuda")
def test_a_run_that_cannot_be_captured_is_none() -> None:
    Fake.captures = False
    assert cuda_module.replay(launch) is None
