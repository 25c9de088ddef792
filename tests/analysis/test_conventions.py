"""Conventions: what six tools print, to the last digit, by running them on the built modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_networks import small_network

from archspace.analysis import CONVENTIONS, analyze
from archspace.errors import UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.ops import (
    GELU,
    KINDS,
    OPS,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelGather,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    FixedShift,
    Flatten,
    GroupedShift,
    Hardsigmoid,
    Hardswish,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    Opaque,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    SparseShift,
)
from archspace.pytorch import to_module, tool_flops
from archspace.pytorch.oracle import TOOLS
from archspace.zoo import ZOO, build

# What each prints for ResNet-50 at batch 1, 224 x 224, in eval mode.
RESNET50 = {
    "paper": 4_089_184_256,  # convolutions and linear: the raw multiply-adds
    "conv": 4_089_184_256 - 2048 * 1000,  # without the classifier
    "torch": 8_178_368_512,  # torch 2.13
    "thop": 4_133_742_592,  # thop 0.1.1
    "ptflops": 4_132_436_968,  # ptflops 0.7.5
    "fvcore": 4_111_512_576,  # fvcore 0.1.5
    "torchprofile": 4_100_300_288,  # torchprofile 0.1
    "torchinfo": 4_089_238_376,  # torchinfo 1.8
}

# A member of every family and variant, small enough for six tools.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "shufflenet_v1 g=3": ("shufflenet_v1", {"groups": 3, "width": 0.25}),
    "shufflenet_v1 g=1": ("shufflenet_v1", {"groups": 1, "width": 0.25}),
    "shufflenet_v1 without shuffle": ("shufflenet_v1", {"groups": 3, "width": 0.25, "shuffle": False}),
    "shufflenet_v2": ("shufflenet_v2", {"width": 0.5}),
    "mobilenet_v1": ("mobilenet_v1", {"width": 0.25}),
    "mobilenet_v2": ("mobilenet_v2", {"width": 0.4}),
    "resnet18": ("resnet", {"depth": 18}),
    "fenet fixed": ("fenet", {"width": 0.5}),
    "fenet learned": ("fenet", {"width": 0.5, "learned_shifts": True}),
    "fenet depthwise": ("fenet", {"width": 0.5, "shift": "depthwise"}),
}

# Every kind of op with a lowering, between 1x1 convolutions of 9 channels: (op, how many of them it reads).
SINGLE_OPS: tuple[tuple[Op, int], ...] = (
    (AdaptiveAvgPool2d(1), 1),
    (AdaptiveAvgPool2d((5, 3)), 1),
    (Add(), 2),
    (AvgPool2d(2, 2), 1),
    (AvgPool2d(3, 2, 1), 1),
    (BatchNorm2d(9), 1),
    (ChannelShuffle(3), 1),
    (ChannelSlice(0, 4), 1),
    (Concat(), 2),
    (ChannelGather((9, 0, 17, 1)), 2),
    (Conv2d(9, 15, 3, groups=3, bias=True), 1),
    (Conv2d(9, 15, 3, stride=2, dilation=2), 1),
    (Dropout(0.2), 1),
    (FixedShift((0, 1, 0) * 3, (0, -2, 0) * 3), 1),
    (FixedShift((0, 1, 0) * 3, (0, -2, 0) * 3, inplace=True), 1),
    (Flatten(), 1),
    (GELU(), 1),
    (GroupedShift(9), 1),
    (Hardsigmoid(), 1),
    (Hardswish(), 1),
    (Linear(12, 7), 1),
    (Linear(12, 7, bias=False), 1),
    (MaxPool2d(3, 2, 1), 1),
    (Multiply(), 2),
    (Pad((1, 2, 3, 4)), 1),
    (ReLU(), 1),
    (ReLU6(), 1),
    (Reshape((9, 144)), 1),
    (SiLU(), 1),
    (Sigmoid(), 1),
    (Softmax(-1), 1),
    (Softmax(1), 1),
    (SparseShift(9, 3), 1),
    (SparseShift(9, 3, learned=True), 1),
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small tensors are faster so, and shared machines kinder."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def compare(tool: str, graph: Graph) -> None:
    assert tool_flops(tool, to_module(graph, seed=0), graph.input_shape) == analyze(graph).flops(tool)


def single(op: Op, reads: int, batch: int) -> Graph:
    b = Builder("single")
    x = b.input((batch, 9, 12, 12))
    return b.build(b.add("op", op, *(b.add(f"conv{i}", Conv2d(9, 9, 1), x) for i in range(reads))))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_resnet50_has_the_number_that_each_tool_prints(convention: str) -> None:
    assert analyze(build("resnet50")).flops(convention) == RESNET50[convention]


def test_every_tool_that_can_be_run_has_a_convention_and_every_convention_its_source() -> None:
    assert set(TOOLS) == set(CONVENTIONS) - {"paper", "conv"}
    assert set(RESNET50) == set(CONVENTIONS)
    for convention in CONVENTIONS.values():
        assert convention.summary
        assert convention.source
        assert set(convention.weighings) <= set(OPS.values())


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_tool_prints_for_a_built_network_what_its_convention_says(network: str, tool: str) -> None:
    name, options = NETWORKS[network]
    compare(tool, build(name, input=(64, 64), **options))


@pytest.mark.parametrize("tool", sorted(set(TOOLS) - {"ptflops"}))  # ptflops always runs one image
@pytest.mark.parametrize("network", ["shufflenet_v1 g=3", "mobilenet_v2", "fenet learned"])
def test_a_tool_prints_for_a_batch_what_its_convention_says(network: str, tool: str) -> None:
    name, options = NETWORKS[network]
    compare(tool, build(name, input=(64, 64), batch=3, **options))


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "member", ["shufflenet_v1_1x_g8", "shufflenet_v2_1x", "mobilenet_v1_0.5x", "mobilenet_v2_1x", "resnet18", "fenet_1x"]
)
def test_a_tool_prints_for_a_published_member_what_its_convention_says(member: str, tool: str) -> None:
    compare(tool, build(member))


def test_every_kind_that_computes_is_among_the_single_ops() -> None:
    kinds = {type(op) for op, _ in SINGLE_OPS}
    assert {kind.__name__ for kind in set(KINDS.values()) - kinds} == {"Input", "Opaque", "Parameter"}  # none has work to lower
    assert {kind for convention in CONVENTIONS.values() for kind in convention.weighings} <= kinds


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(set(ZOO) - {name for name, _ in NETWORKS.values()}))
def test_the_tools_print_for_every_other_family_what_their_conventions_say(family: str) -> None:
    graph = small_network(family)
    report, module = analyze(graph), to_module(graph, seed=0)
    assert {tool: tool_flops(tool, module, graph.input_shape) for tool in TOOLS} == {tool: report.flops(tool) for tool in TOOLS}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(("op", "reads"), SINGLE_OPS, ids=lambda value: str(value) if isinstance(value, Op) else "")
def test_a_tool_weighs_each_kind_of_op_as_its_convention_does(op: Op, reads: int, tool: str) -> None:
    compare(tool, single(op, reads, batch=1))
    if tool != "ptflops":  # which always runs one image
        compare(tool, single(op, reads, batch=2))


def test_what_a_table_does_not_list_counts_as_zero() -> None:
    b = Builder("g")
    x = b.add("relu", ReLU(), b.add("opaque", Opaque("fft", (1, 3, 8, 8)), b.input((1, 3, 8, 8))))
    report = analyze(b.build(b.add("add", Add(), x, x)))
    assert {name: report.flops(name) for name in CONVENTIONS if name != "ptflops"} == dict.fromkeys(set(CONVENTIONS) - {"ptflops"}, 0)
    assert report.flops("ptflops") == 2 * 3 * 8 * 8  # an activation, as a module and as a function


def test_an_unknown_convention_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError) as caught:
        analyze(build("resnet18", input=(32, 32))).flops("fvcor")
    assert str(caught.value) == "unknown convention 'fvcor'. Did you mean 'fvcore'?"
