"""Where a predicted latency goes: parts add up, by whatever they are summed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archspace import build
from archspace.errors import LawError, UnknownNameError
from archspace.latency import Latency, breakdown, load_profile, predict
from archspace.latency.breakdown import CONSTANT, PARTS, costliest, total
from archspace.latency.model import KernelLatency

KERNELS = (
    KernelLatency("stem.conv", ("stem.conv", "stem.bn"), "stem", "dense", 3.0, 1.0, 0.5),
    KernelLatency("stage1.unit0.dw", ("stage1.unit0.dw",), "stage1.unit0", "depthwise", 0.0, 2.0, 0.5),
    KernelLatency("stage1.unit0.pw", ("stage1.unit0.pw",), "stage1.unit0", "dense", 4.0, 1.0, 0.5),
    KernelLatency("stage1.unit1.dw", ("stage1.unit1.dw",), "stage1.unit1", "depthwise", 0.0, 1.0, 0.5),
)
LATENCY = Latency(16.0, 14.4, 17.6, 10.0, 8, "made_up", 2.0, KERNELS, ())


def times(per: str) -> dict[str, tuple[float, float, float, float]]:
    return {part.name: (part.compute_ms, part.memory_ms, part.overhead_ms, part.constant_ms) for part in breakdown(LATENCY, per)}


def test_blocks_sum_their_kernels_by_cause_and_the_constant_comes_last() -> None:
    assert times("block") == {
        "stem": (3, 1, 0.5, 0),
        "stage1.unit0": (4, 3, 1, 0),  # a depthwise convolution of 0 + 2 + 0.5 and a dense one of 4 + 1 + 0.5
        "stage1.unit1": (0, 1, 0.5, 0),
        CONSTANT: (0, 0, 0, 2),
    }
    assert list(times("block"))[-1] == CONSTANT


def test_stages_op_types_and_kernels_are_summed_the_same_way() -> None:
    assert times("stage") == {"stem": (3, 1, 0.5, 0), "stage1": (4, 4, 1.5, 0), CONSTANT: (0, 0, 0, 2)}
    assert times("type") == {"dense": (7, 2, 1, 0), "depthwise": (0, 3, 1, 0), CONSTANT: (0, 0, 0, 2)}
    assert list(times("op")) == [*(kernel.name for kernel in KERNELS), CONSTANT]


def test_the_whole_is_split_by_cause() -> None:
    whole = total(LATENCY)
    assert (whole.compute_ms, whole.memory_ms, whole.overhead_ms, whole.constant_ms, whole.ms) == (7, 5, 2, 2, 16)


def test_without_a_constant_there_is_no_part_for_it() -> None:
    assert CONSTANT not in [part.name for part in breakdown(replace(LATENCY, constant_ms=0.0))]


@pytest.mark.parametrize("per", PARTS)
@pytest.mark.parametrize("device", ["gtx1080ti", "sd810"])
def test_the_parts_of_a_prediction_add_up_to_it(device: str, per: str) -> None:
    latency = predict(build("shufflenet_v1", groups=8), load_profile(device))
    parts = breakdown(latency, per)
    assert sum(part.ms for part in parts) == pytest.approx(latency.ms, rel=1e-12)
    assert sum(len(part.kernels) for part in parts) == len(latency.rows)


def test_the_costliest_come_first_and_the_others_are_one_part_before_the_constant() -> None:
    parts = costliest(breakdown(LATENCY, "block"), 1, "other blocks")
    assert [(part.name, part.ms) for part in parts] == [("stage1.unit0", 8), ("(2 other blocks)", 6), (CONSTANT, 2)]
    assert [part.name for part in costliest(breakdown(LATENCY, "block"), 9)] == ["stage1.unit0", "stem", "stage1.unit1", CONSTANT]


def test_an_unknown_grouping_and_a_top_of_nothing_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown grouping 'blok'\. Did you mean 'block'"):
        breakdown(LATENCY, "blok")
    with pytest.raises(LawError, match="the costliest are at least 1, but got 0"):
        costliest(breakdown(LATENCY), 0)
