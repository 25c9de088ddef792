"""Modules rebuilt from their graphs with the weights that they compute with return what the originals return."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace import analyze, from_torch
from archspace.errors import LawError
from archspace.ir import ops
from archspace.pytorch import rebuild

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(1))


class Standardised(nn.Conv2d):
    """A convolution whose weight has mean 0 and variance 1 per output channel, before a scale of its own."""

    def __init__(self) -> None:
        super().__init__(3, 4, 3)
        self.gain = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, 4, -1)
        weight = functional.batch_norm(flat, None, None, weight=self.gain, training=True).reshape_as(self.weight)
        return functional.conv2d(x, weight, self.bias)


class Biased(nn.Module):
    """Attention with a bias picked from a table, and a mask of truth values."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(11, 2))
        self.register_buffer("places", torch.arange(6)[:, None] - torch.arange(6)[None, :] + 5)
        self.register_buffer("mask", torch.ones(6, 6, dtype=torch.bool).tril())

    def forward(self, x: Tensor) -> Tensor:
        bias = self.table[self.get_buffer("places")].permute(2, 0, 1)
        heads = x.unflatten(-1, (2, 4)).transpose(1, 2)
        y = functional.scaled_dot_product_attention(heads, heads, heads, self.get_buffer("mask"))
        return y @ y.mT + bias


class Recurrent(nn.Module):
    """An LSTM, and a product that is written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.table = nn.Parameter(torch.randn(10, 3))
        self.offset = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.offset, self.lstm(x)[0][:, -1], self.table)


class Crossing(nn.Module):
    """Attention between two sequences: one weight in three parts."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x.flip(1), x.roll(1, 1))[0]


class Tied(nn.Module):
    """A layer called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(torch.relu(self.layer(x)))


class Blurred(nn.Module):
    """A convolution by a constant, behind a batch norm without weights."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, affine=False)
        self.register_buffer("kernel", torch.tensor([1.0, 2.0, 1.0]) / 4)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.get_buffer("kernel")
        return functional.conv2d(self.norm(x), (kernel[:, None] * kernel).expand(3, 1, 3, 3), groups=3)


class Scaled(nn.Module):
    """A layer that is one product by a weight of its own: a call, in a scope that bears its name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Scale()

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Placed(nn.Module):
    """Positions from a small network on their coordinates, picked by distance, as in Swin v2; a norm without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 5), nn.ReLU(), nn.Linear(5, 8))
        self.weight = nn.Parameter(torch.randn(6))
        self.register_buffer("coordinates", torch.linspace(-1, 1, 11)[:, None])
        self.register_buffer("distances", torch.arange(6) + 3)

    def forward(self, x: Tensor) -> Tensor:
        places = self.net(self.get_buffer("coordinates"))[self.get_buffer("distances")]
        return functional.group_norm(torch.add(x, places.expand(len(x), -1, -1), alpha=2), 2, self.weight)


class Scale(nn.Module):
    """The product."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


MODULES = {
    "positions from a network": (Placed, TOKENS),
    "scale of a layer": (Scaled, TOKENS),
    "constant weights": (Blurred, IMAGES),
    "standardised convolution and batch norm": (lambda: nn.Sequential(Standardised(), nn.BatchNorm2d(4), nn.PReLU(4)), IMAGES),
    "position table and mask": (Biased, TOKENS),
    "recurrence and product": (Recurrent, TOKENS),
    "attention between sequences": (Crossing, TOKENS),
    "layer called twice": (Tied, TOKENS),
    "norms": (lambda: nn.Sequential(nn.GroupNorm(1, 3), nn.Flatten(2), nn.LayerNorm(64), nn.RMSNorm(64)), IMAGES),
}


@pytest.mark.parametrize("case", MODULES)
def test_a_rebuilt_module_returns_what_the_original_returns(case: str) -> None:
    make, x = MODULES[case]
    torch.manual_seed(0)
    module = make().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    for name, buffer in module.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    _, built = rebuild(module, x)
    torch.testing.assert_close(built(x), module(x), rtol=1e-5, atol=1e-5)


def test_work_on_weights_alone_is_done_when_rebuilt() -> None:
    module = Placed()
    assert analyze(from_torch(module, TOKENS)).totals.madds == 11 * 5 + 11 * 5 * 8
    graph, _ = rebuild(module, TOKENS)
    assert analyze(graph).totals.madds == 0
    assert [node.shape for node in graph if isinstance(node.op, ops.Parameter)] == [(6, 8)]


def test_what_is_rebuilt_has_weights_of_its_own() -> None:
    module = nn.Sequential(Standardised())
    graph, built = rebuild(module, IMAGES)
    assert (graph["0"].params, graph["0"].op) == (None, ops.Conv2d(3, 4, 3, bias=True))
    assert analyze(graph).totals.params == sum(one.numel() for one in built.parameters()) == 4 * 3 * 9 + 4
    before = [one.clone() for one in module.parameters()]
    with torch.no_grad():
        for one in built.parameters():
            one.zero_()
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), before, strict=True))


def test_unknown_work_is_not_rebuilt() -> None:
    class Unknown(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.hypot(x, x)

    with pytest.raises(
        LawError,
        match=r"^Unknown: a module is rebuilt of known ops alone, but .*hypot.*\. Run the module itself, as the backend eager does\.$",
    ):
        rebuild(Unknown(), IMAGES)
    with pytest.raises(LawError, match=r"^rebuild takes a torch\.nn\.Module and its example inputs, but got str and 0 inputs"):
        rebuild("resnet18")


def test_weights_made_of_one_parameter_in_two_ways_are_not_the_same_weights() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Parameter(torch.randn(8))

        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(self.gate) * x + (1 - torch.sigmoid(self.gate)) * x.flip(1) * torch.sigmoid(self.gate)

    module = Gated()
    graph, built = rebuild(module, TOKENS)
    assert [(node.shape, node.shares) for node in graph if isinstance(node.op, ops.Parameter)] == [((8,), ""), ((8,), ""), ((8,), "weight")]
    torch.testing.assert_close(built(TOKENS), module(TOKENS))
