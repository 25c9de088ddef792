"""The ATen table row by row: what a call becomes, and that what it becomes computes the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from archspace.ir.ops import (
    GELU,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Dropout,
    Flatten,
    Hardsigmoid,
    Hardswish,
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
)
from archspace.pytorch import from_torch, to_module
from archspace.pytorch.importer.aten import ATEN, VIEWS

X = torch.randn((2, 12, 6, 10), generator=torch.Generator().manual_seed(0))

# A call on X -> the ops that it becomes, in order.
CALLS: dict[str, tuple[Callable[[Tensor], Tensor], list[Op]]] = {
    "relu": (torch.relu, [ReLU()]),
    "relu in place": (lambda x: f.relu(x * x, inplace=True), [Multiply(), ReLU()]),
    "relu6": (f.relu6, [ReLU6()]),
    "hardtanh 0 to 6": (lambda x: f.hardtanh(x, 0.0, 6.0), [ReLU6()]),
    "clamp from 0": (lambda x: x.clamp(min=0), [ReLU()]),
    "clamp 0 to 6": (lambda x: x.clamp(0, 6), [ReLU6()]),
    "clamp_min 0": (lambda x: x.clamp_min(0), [ReLU()]),
    "silu": (f.silu, [SiLU()]),
    "sigmoid": (torch.sigmoid, [Sigmoid()]),
    "swish by hand": (lambda x: x * x.sigmoid(), [Sigmoid(), Multiply()]),
    "hardsigmoid": (f.hardsigmoid, [Hardsigmoid()]),
    "hardswish": (f.hardswish, [Hardswish()]),
    "gelu": (f.gelu, [GELU()]),
    "softmax": (lambda x: x.softmax(1), [Softmax(1)]),
    "dropout": (lambda x: f.dropout(x, 0.1, training=False), [Dropout(0.1)]),
    "dropout of nothing": (lambda x: f.relu(f.dropout(x, 0.0, training=False)), [ReLU()]),
    "add": (lambda x: x + x, [Add()]),
    "add zero, multiply by one": (lambda x: f.relu((x + 0) * 1), [ReLU()]),
    "add of each channel's mean": (lambda x: x + x.mean((2, 3), keepdim=True), [AdaptiveAvgPool2d(1), Add()]),
    "mean": (lambda x: x.mean((-1, -2)), [AdaptiveAvgPool2d(1), Flatten(1)]),
    "cat": (lambda x: torch.cat([x, x], -1), [Concat(3)]),
    "slice": (lambda x: x[:, 2:-3], [ChannelSlice(2, 9)]),
    "slice of everything": (lambda x: f.relu(x[:, :, :, :]), [ReLU()]),
    "narrow": (lambda x: x.narrow(1, 4, 3), [ChannelSlice(4, 7)]),
    "chunk": (lambda x: x.chunk(5, 1)[3], [ChannelSlice(9, 12)]),
    "split": (lambda x: x.split(5, dim=1)[2], [ChannelSlice(10, 12)]),
    "split by sizes": (lambda x: x.split([2, 10], dim=1)[1], [ChannelSlice(2, 12)]),
    "flatten": (lambda x: x.flatten(1), [Flatten(1)]),
    "flatten the image": (lambda x: x.flatten(2), [Flatten(2)]),
    "reshape": (lambda x: x.reshape(2, 3, -1, 10), [Reshape((3, 24, 10))]),
    "unsqueeze": (lambda x: x.unsqueeze(-1), [Reshape((12, 6, 10, 1))]),
    "squeeze": (lambda x: f.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1), [AdaptiveAvgPool2d(1), Flatten(2), Flatten(1)]),
    "nothing": (lambda x: f.relu(x.contiguous().clone().detach().view(x.shape)), [ReLU()]),
    "shuffle": (lambda x: x.view(2, 3, 4, 6, 10).transpose(1, 2).reshape(2, 12, 6, 10), [ChannelShuffle(3)]),
    "shuffle by permutation": (lambda x: x.view(2, 4, 3, 6, 10).permute(0, 2, 1, 3, 4).flatten(1, 2), [ChannelShuffle(4)]),
    "max pool": (lambda x: f.max_pool2d(x, 3, 2, 1, ceil_mode=True), [MaxPool2d(3, 2, 1, ceil_mode=True)]),
    "average pool": (lambda x: f.avg_pool2d(x, (2, 5)), [AvgPool2d((2, 5), (2, 5))]),
    "average pool to a size": (lambda x: f.adaptive_avg_pool2d(x, (3, None)), [AdaptiveAvgPool2d((3, 10))]),
    "pad": (lambda x: f.pad(x, (1, 2, 3, 0)), [Pad((1, 2, 3, 0))]),
    "pad the width": (lambda x: f.pad(x, (0, 1)), [Pad((0, 1, 0, 0))]),
}

# Near misses: each looks like a row of the table, and is something else.
OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu1": lambda x: f.hardtanh(x, 0.0, 1.0),
    "clamp from one": lambda x: x.clamp(min=1),
    "approximate gelu": lambda x: f.gelu(x, approximate="tanh"),
    "twice the other": lambda x: torch.add(x, x, alpha=2),
    "add one": lambda x: x + 1,
    "mean of a row": lambda x: x.mean(3),
    "slice of the image": lambda x: x[:, :, 1:],
    "every second channel": lambda x: x[:, ::2],
    "dilated max pool": lambda x: f.max_pool2d(x, 2, dilation=2),
    "pad by reflection": lambda x: f.pad(x, (1, 1, 1, 1), mode="reflect"),
    "pad with ones": lambda x: f.pad(x, (1, 1, 1, 1), value=1.0),
    "crop": lambda x: f.pad(x, (-1, 0, 0, 0)),
    "view across the batch": lambda x: x.view(24, 60),
    "plain transposition": lambda x: x.transpose(2, 3),
    "batch norm by the batch": lambda x: f.batch_norm(x, None, None, training=True),
    "expand": lambda x: f.relu(x.mean((2, 3), keepdim=True).expand(2, 12, 3, 3)),
}


class Lambda(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("key", CALLS)
def test_a_call_becomes_its_op_and_computes_the_same(key: str) -> None:
    function, expected = CALLS[key]
    graph = from_torch(Lambda(function), X, strict=True)
    assert [node.op for node in graph][1:] == expected
    torch.testing.assert_close(to_module(graph).eval()(X), function(X), rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore::archspace.pytorch.OpaqueWarning")
@pytest.mark.parametrize("key", OTHERS)
def test_what_only_looks_like_a_known_call_is_opaque(key: str) -> None:
    graph = from_torch(Lambda(OTHERS[key]), X)
    assert any(isinstance(node.op, Opaque) for node in graph)
    assert graph.nodes[graph.outputs[0]].shape == tuple(OTHERS[key](X).shape)


def test_every_row_is_an_overload_that_torch_has() -> None:
    for name in (*ATEN, *VIEWS):
        _, packet, overload = name.split(".")
        assert overload in getattr(torch.ops.aten, packet).overloads(), name
