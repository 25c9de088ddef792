"""Roofline: memory-bound kernels that dominate their block on a device."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archspace import Builder, Graph, predict
from archspace.ir.ops import Conv2d, Opaque, ReLU
from archspace.latency import Profile, load_profile
from archspace.latency.terms import Coefficients
from archspace.rules import lint


def device(**coefficients: float) -> Profile:
    """Nothing fused, batch 1, float32, and one row of coefficients."""
    return replace(
        load_profile("gtx1080ti"), fusion="none", batch=1, constant_ms=0.0, coefficients={"default": Coefficients(**coefficients)}
    )


def block(*, opaque: bool = False) -> Graph:
    """A convolution and two ReLUs in one block: 1664 elements, then 1600 and 1600."""
    b = Builder("block")
    x = b.input((1, 8, 10, 10))
    with b.block("stage1.unit0"):
        x = b.add("conv", Conv2d(8, 8, 1), x)
        x = b.add("act1", ReLU(), x)
        x = b.add("act2", Opaque("torch.erfinv", x.shape) if opaque else ReLU(), x)
    return b.build(x)


def test_without_a_device_nothing_is_said() -> None:
    assert not lint(block(), select=["R101"]).findings


def test_a_memory_bound_kernel_that_takes_more_than_its_share_is_named() -> None:
    # A kernel reads 800 elements of maps, the convolution 64 weights more; it makes 8 * 8 * 100 multiply-adds.
    profile = device(ms_per_gb_in=1e6, ms_per_gb_weights=10e6, ms_per_gmadd=1000)
    conv, act = 4 * 800e-3 + 4 * 640e-3 + 6.4e-3, 4 * 800e-3  # ms
    share = conv / (conv + 2 * act)
    assert not lint(block(), select=["R101"], device=profile).findings
    (finding,) = lint(block(), select=["R101"], device=profile, thresholds={"R101": {"share": 0.37}}).findings
    assert (finding.code, finding.node, finding.severity) == ("R101", "stage1.unit0.conv", "info")
    assert finding.measured == pytest.approx(share)
    assert finding.message == "pointwise: 5.76 ms of memory, 0.0064 ms of multiply-adds, 47% of its block"
    assert (finding.excess_mem_elems, finding.excess_ms) == (0, 0)  # it says where time goes, not that it is wasted


def test_the_share_is_honoured_just_at_it_and_just_beyond() -> None:
    profile = device(us_per_kernel=1.0, ms_per_gb_in=1.0, ms_per_gmadd=1e-9)
    rows = predict(block(), profile).rows
    share = rows[1].ms / sum(row.ms for row in rows)
    for limit, count in ((share * (1 + 1e-9), 0), (share * (1 - 1e-9), 3)):
        assert len(lint(block(), select=["R101"], device=profile, thresholds={"R101": {"share": limit}}).findings) == count


def test_a_block_with_an_op_of_unknown_work_or_of_one_kernel_is_not_judged() -> None:
    profile = device(ms_per_gb_in=1.0)
    low = {"R101": {"share": 0.1}}
    assert lint(block(), select=["R101"], device=profile, thresholds=low).findings
    assert not lint(block(opaque=True), select=["R101"], device=profile, thresholds=low).findings
    b = Builder("lone")
    lone = b.build(b.add("act", ReLU(), b.input((1, 8, 10, 10))))
    assert not lint(lone, select=["R101"], device=profile, thresholds=low).findings


def test_a_kernel_that_computes_longer_than_it_moves_is_not_memory_bound() -> None:
    graph = block()
    moved = 4 * 1600 * 1e-9  # GB of the convolution's maps
    madds = 6400 * 1e-9
    for factor, expected in ((0.99, ["stage1.unit0.conv"]), (1.01, [])):
        profile = device(ms_per_gb_in=1e6, ms_per_gb_out=1e6, ms_per_gmadd=factor * 1e6 * moved / madds)
        found = lint(graph, select=["R101"], device=profile, thresholds={"R101": {"share": 0.4}}).findings
        assert [finding.node for finding in found] == expected


def test_a_profile_without_a_price_for_multiply_adds_judges_only_ops_that_make_none() -> None:
    profile = device(ms_per_gb_in=1e6, ms_per_gb_weights=10e6)
    found = lint(block(), select=["R101"], device=profile, thresholds={"R101": {"share": 0.2}})
    assert {finding.node for finding in found.findings} == {"stage1.unit0.act1", "stage1.unit0.act2"}
    assert found.caveats[-1] == f"{found.device} has no price for multiply-adds: R101 judges only ops that make none"
