"""What makes predictions fast: repeated blocks are looked at once and priced once, whatever the runtime."""

from __future__ import annotations

from typing import Any

import pytest

from archspace.ir import Builder, Graph
from archspace.ir.ops import Add, BatchNorm2d, ChannelShuffle, Conv2d, ReLU
from archspace.latency import latency_ms, load_profile, model, predict
from archspace.latency.autocast import _step
from archspace.latency.fusion import FUSIONS, _placed, fused_kernels
from archspace.latency.kernel import Work
from archspace.latency.terms import kernel_terms
from archspace.zoo import build


def stack(blocks: int, channels: int = 24) -> Graph:
    """So many equal residual blocks."""
    b = Builder("stack")
    x = b.input((1, channels, 14, 14))
    for i in range(blocks):
        with b.block(f"unit{i}"):
            y = b.add("pw", Conv2d(channels, channels, 1, groups=3), x)
            y = b.add("bn", BatchNorm2d(channels), y)
            y = b.add("act", ReLU(), y)
            y = b.add("shuffle", ChannelShuffle(3), y)
            y = b.add("dw", Conv2d(channels, channels, 3, padding=1, groups=channels), y)
            x = b.add("out", ReLU(), b.add("add", Add(), x, y))
    return b.build(x)


@pytest.mark.parametrize("rules", FUSIONS)
def test_equal_blocks_share_their_work_however_many_there_are(rules: str) -> None:
    """The first two and the last may differ from those between, by what they read and who reads them."""
    few, many = fused_kernels(stack(5), rules), fused_kernels(stack(50), rules)
    assert {kernel.work for kernel in few} == {kernel.work for kernel in many}
    assert len(many) - len(few) == 45 * (len(few) - len(fused_kernels(stack(4), rules)))


@pytest.mark.parametrize("device", ["gtx1080ti", "i7_12700h", "rtx4090"])
def test_the_terms_of_shared_work_are_computed_once(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Work] = []

    def counted(work: Work, **how: Any) -> tuple[float, ...]:
        asked.append(work)
        return kernel_terms(work, **how)

    model._cause.cache_clear()
    monkeypatch.setattr(model, "kernel_terms", counted)
    graph, profile = stack(30, channels=36), load_profile(device)
    works = {kernel.work for kernel in fused_kernels(graph, profile.fusion)}
    predict(graph, profile, batch=7)
    assert set(asked) == works
    assert len(asked) == len(works) < len(fused_kernels(graph, profile.fusion)) / 10
    predict(stack(60, channels=36), profile, batch=7)  # the same blocks in another network
    latency_ms(graph, profile, 7)
    assert len(asked) == len(works)


@pytest.mark.parametrize(("rules", "look"), [("paper", _placed), ("torch_eager", _placed), ("torch_amp", _step)])
def test_a_network_looks_once_at_each_op_on_its_shapes(rules: str, look: Any) -> None:
    graph = build("se_shufflenet_v2_164")
    fused_kernels(graph, rules)
    known = look.cache_info()
    fused_kernels(graph, rules)
    again = look.cache_info()
    assert again.misses == known.misses
    assert again.hits - known.hits >= len(graph) - 1  # under autocast the input launches nothing


def test_what_is_remembered_is_bounded() -> None:
    assert all(cache.cache_info().maxsize for cache in (_placed, _step, model._cause))
