"""`archspace.measure`: rows of networks times backends, and what is refused, left out or warned of."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import archspace
from archspace.errors import ArchspaceError
from archspace.ir import Graph
from archspace.timing import BusyMachineWarning, NotMeasuredWarning, Subject, measure, verb
from archspace.timing.idle import Used

X = torch.zeros(1, 3, 8, 8)


def small(width: float = 0.5) -> Graph:
    return archspace.build("shufflenet_v2", input=(32, 32), width=width, num_classes=10)


def failing() -> Subject:
    """A module that takes other inputs."""
    return Subject("linear", nn.Linear(5, 5), (X,))


def test_a_row_per_network_and_backend_with_ratios_to_the_first() -> None:
    told: list[tuple[str, int, int]] = []
    graphs = [small(0.5), small(1.0)]
    rows = archspace.measure(
        graphs, backends=("eager", "onnxruntime"), rounds=4, progress=lambda what, done, total: told.append((what, done, total))
    )
    assert [(row.model, row.backend) for row in rows] == [(g.name, b) for g in graphs for b in ("eager", "onnxruntime")]
    assert [row.rounds for row in rows] == [len(row.least_ms) for row in rows] == [4] * 4
    assert rows[0].ratio == 1
    assert len({row.noise_pct for row in rows}) == len({row.time for row in rows}) == 1
    assert all(min(row.least_ms) <= row.measured_ms <= max(row.least_ms) for row in rows)
    assert {(row.on, row.threads, row.clock, row.batch, row.dtype) for row in rows} == {("cpu", 1, "thread", 1, "float32")}
    assert [row.runtime.split()[0] for row in rows] == ["torch", "onnxruntime"] * 2
    assert rows[0].graph == rows[1].graph != rows[2].graph == rows[3].graph
    assert told == [
        *[(f"preparing {row.model} ({row.backend})", i, 4) for i, row in enumerate(rows)],
        *[("rounds", i, 4) for i in (1, 2, 3, 4)],
    ]


def test_a_batch_resizes_graphs() -> None:
    (row,) = measure([small()], batch=3, rounds=4)
    assert row.input_shape == (3, 3, 32, 32)
    assert row.batch == 3


def test_what_cannot_be_run_is_warned_of_and_the_rest_goes_on() -> None:
    with pytest.warns(NotMeasuredWarning, match="^eager cannot run linear: RuntimeError: ") as caught:
        rows = measure([failing(), small()], rounds=4)
    assert len(caught) == 1
    assert [row.model for row in rows] == [small().name]
    assert rows[0].ratio == 1


def test_nothing_that_can_be_run_is_an_error() -> None:
    with pytest.raises(ArchspaceError, match=r"^eager cannot run linear: .*; folded cannot run linear: "):
        measure([failing()], backends=("eager", "folded"))


def test_several_threads_are_timed_by_the_wall_clock_and_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    account = iter([Used(0, 0, 0), Used(total_s=10, busy_s=7, own_s=4), Used(0, 0, 0), Used(total_s=10, busy_s=4.4, own_s=4)])
    monkeypatch.setattr(verb, "used_now", lambda: next(account))
    before = torch.get_num_threads()
    with pytest.warns(BusyMachineWarning, match="other processes used 30 % of the machine meanwhile"):
        (row,) = measure([small()], threads=2, rounds=4)
    assert (row.clock, row.threads, row.busy_pct) == ("wall", 2, pytest.approx(30))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = measure([small()], threads=2, rounds=4)  # 4 % is idle
    assert row.busy_pct == pytest.approx(4)
    assert torch.get_num_threads() == before


def test_others_do_not_matter_to_the_cpu_time_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    account = iter([Used(0, 0, 0), Used(total_s=10, busy_s=10, own_s=4)])
    monkeypatch.setattr(verb, "used_now", lambda: next(account))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = measure([small()], rounds=4)
    assert row.busy_pct == pytest.approx(60)


@pytest.mark.parametrize(
    ("models", "options", "words"),
    [
        ([], {}, "at least one network, but got none"),
        (small(), {}, "takes a list of networks, but got one Graph"),
        (nn.ReLU(), {}, "takes a list of networks, but got one ReLU"),
        ([nn.ReLU()], {}, r"takes graphs and subjects, but got ReLU. Say what it takes: Subject\(name, module, \(tensor,\)\)"),
        ([small()], {"batch": 0}, "the batch must be at least 1, but got 0"),
        ([small()], {"batch": -2}, "the batch must be at least 1, but got -2"),
        ([failing()], {"batch": 2}, "linear: its inputs have a batch of 1, but 2 was asked for"),
        ([small()], {"threads": 0}, "the number of threads must be at least 1, but got 0"),
        ([small()], {"rounds": 1}, "at least 4 rounds, but got 1"),
        ([small()], {"seconds": -1}, "must be positive and finite, but got -1"),
        ([small()], {"backends": "eager"}, "takes a list of backends, but got 'eager'"),
        ([small()], {"backends": ()}, "takes a list of backends"),
        ([small()], {"backends": ("eagre",)}, "unknown backend 'eagre'. Did you mean 'eager'"),
        ([small()], {"on": "mps"}, "unknown device to measure on 'mps'"),
    ],
)
def test_what_is_no_measurement_is_refused(models: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArchspaceError, match=words):
        measure(models, **options)
