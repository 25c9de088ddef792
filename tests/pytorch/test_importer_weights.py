"""Weights read as activations are: class tokens, scales, position tables; and names by which a model's own weights load."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archspace import analyze, from_torch, to_module
from archspace.ir import ops

X = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))


class Tokens(nn.Module):
    """A class token for every image, a scale and a buffer, as vision transformers have them."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.scale = Scale()
        self.register_buffer("places", torch.randn(7, 8))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        return self.scale(y) + self.get_buffer("places")[None]


class Scale(nn.Module):
    """A factor for every channel, in a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.randn(8))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma.reshape(1, 1, -1)


def test_parameters_and_buffers_that_are_read_as_activations_keep_their_names_and_shapes() -> None:
    graph = from_torch(Tokens(), X)
    found = {node.name: (node.shape, node.op.learned) for node in graph if isinstance(node.op, ops.Parameter)}
    assert found == {"token": ((1, 1, 8), True), "scale.gamma": ((8,), True), "places": ((7, 8), False)}
    assert graph["expand"].op == ops.Expand((2, 1, 8))
    assert analyze(graph).totals.params == 8 + 8


def test_a_model_with_tokens_and_scales_comes_back_with_its_own_weights_by_name() -> None:
    module = Tokens().eval()
    built = to_module(from_torch(module, X)).eval()
    built.load_state_dict(module.state_dict())
    assert torch.equal(built(X), module(X))


def test_a_view_of_one_part_of_a_weight_is_a_view_of_the_whole() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(16))

        def forward(self, x: Tensor) -> Tensor:
            scale, offset = self.table.chunk(2)
            return x * scale + offset

    module = Halves()
    graph = from_torch(module, X)
    assert analyze(graph).totals.params == 16
    built = to_module(graph)
    built.load_state_dict(module.state_dict())
    assert torch.equal(built(X), module(X))


def test_torchs_attention_is_recorded_without_an_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.export, "export", None)
    module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    graph = from_torch(module, X)
    counted = analyze(graph).totals
    assert counted.params == sum(one.numel() for one in module.parameters())
    # 12 rows: q, k, v and the output of 8 from 8, two layers of 8 and 16; 2 heads of 4 x 6 x 6 by two products for each of 2 images.
    assert counted.madds == 12 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 2 * (2 * 4 * 6 * 6)


def test_modules_named_with_dashes_are_built_under_their_names() -> None:
    module = nn.Sequential()
    module.add_module("block1-0", nn.Linear(8, 4))
    built = to_module(from_torch(module, X))
    built.load_state_dict(module.state_dict())
    assert torch.equal(built(X), module(X))
