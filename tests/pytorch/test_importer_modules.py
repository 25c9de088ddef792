"""The importer on modules as people write them: names, blocks, in-place ops, functional calls, shared weights, several inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace.analysis import analyze
from archspace.analysis.coverage import coverage
from archspace.errors import LawError
from archspace.ir import ops
from archspace.ir.serde import from_dict, to_dict
from archspace.pytorch import OpaqueWarning, from_torch, to_module
from archspace.pytorch.oracle import torch_madds

X = torch.randn((2, 8, 12, 12), generator=torch.Generator().manual_seed(0))


class InPlace(nn.Module):
    """Residual, in place: conv, batch norm, ReLU called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn(self.conv(x)))
        out += x
        return self.relu(out)


class Split(nn.Module):
    """Chunk, concat, shuffle by view, transpose, view; squeeze-and-excitation by mean and expand."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.gate = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        kept, other = x.chunk(2, dim=1)
        x = torch.cat((kept, self.branch(other)), dim=1)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)
        gate = torch.sigmoid(self.gate(x.mean((2, 3))))
        x = x * gate.view(n, c, 1, 1).expand_as(x)
        return functional.hardtanh(x[:, 2:6], 0, 6)


class Functional(nn.Module):
    """A parameter that a functional convolution uses, and a module that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn((4, 8, 2, 3), generator=torch.Generator().manual_seed(1)))
        self.unused = nn.Linear(100, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.kernel, padding="same")
        x = functional.max_pool2d(functional.relu6(x), 2)
        return functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


class Thrice(nn.Module):
    """One block called three times, and its weights once more under another name."""

    def __init__(self) -> None:
        super().__init__()
        self.block = InPlace()
        self.again = self.block
        self.rows = nn.Sequential(InPlace(), InPlace())

    def forward(self, x: Tensor) -> Tensor:
        return self.rows(self.again(self.block(self.block(x))))


class TwoInputs(nn.Module):
    """Two inputs, nested outputs, dropout, a sum that starts from zero."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(8, 6, 1)
        self.right = nn.Conv2d(8, 6, 1)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        total: Any = sum([self.left(x), self.right(y)])
        pooled = functional.adaptive_avg_pool2d(total, 1).flatten(1)
        return self.drop(pooled), torch.softmax(total.flatten(2), dim=-1)


class Scale(nn.Module):
    """A factor per channel, stored flat."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.randn(8))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma.view(1, -1, 1, 1)


class Token(nn.Module):
    """A class token, which is repeated for each image, in front of scaled pixels with their places."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(torch.randn(8, 145))

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.scale(x).flatten(2).transpose(1, 2)
        return torch.cat((self.token.expand(x.shape[0], -1, -1), pixels), dim=1) + self.places.t()


# A module, its inputs, and what its parameters are called in the graph where it is not what the module calls them.
MODULES: dict[str, tuple[type[nn.Module], tuple[Tensor, ...], dict[str, str]]] = {
    "in place": (InPlace, (X,), {}),
    "split": (Split, (X,), {}),
    "functional": (Functional, (X,), {"kernel": "conv2d.weight"}),
    "thrice": (Thrice, (X,), {}),
    "token": (Token, (X,), {}),
    "two inputs": (TwoInputs, (X, X + 1), {}),
}


def made(key: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    kind, inputs, _ = MODULES[key]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = kind()
    return module.eval(), inputs


@pytest.mark.parametrize("key", MODULES)
def test_the_module_built_from_the_graph_computes_the_same_with_the_same_weights(key: str) -> None:
    module, inputs = made(key)
    twin = to_module(from_torch(module, *inputs, strict=True), seed=3).eval()
    names = MODULES[key][2]
    state = {names.get(name, name): value for name, value in module.state_dict().items()}
    twin.load_state_dict({name: state[name] for name in twin.state_dict()})
    with torch.no_grad():
        expected, found = module(*inputs), twin(*inputs)
    for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (expected, found)), strict=True):
        assert a.shape == b.shape
        assert float((a - b).abs().max()) < 1e-5


@pytest.mark.parametrize("key", MODULES)
def test_multiply_adds_are_those_of_torchs_counter_and_parameters_those_that_are_used(key: str) -> None:
    module, inputs = made(key)
    totals = analyze(from_torch(module, *inputs)).totals
    assert totals.madds == torch_madds(module, inputs)
    assert totals.params == sum(p.numel() for name, p in module.named_parameters() if not name.startswith("unused"))


def test_a_module_called_again_has_nodes_of_its_own_and_shares_its_weights() -> None:
    module, inputs = made("thrice")
    graph = from_torch(module, *inputs)
    convs = [node for node in graph if isinstance(node.op, ops.Conv2d)]
    assert [node.name for node in convs] == ["block.conv", "block_1.conv", "block_2.conv", "rows.0.conv", "rows.1.conv"]
    assert [node.shares for node in convs] == ["", "block.conv", "block.conv", "", ""]
    assert [graph.counts(node).params for node in convs] == [576, 0, 0, 576, 576]
    assert len({graph.counts(node).madds for node in convs}) == 1
    assert [node.name for node in graph if node.block == "block"][-1] == "block.relu_1"
    assert from_dict(to_dict(graph)) == graph


def test_a_shuffle_a_split_and_a_gate_are_recognised() -> None:
    module, inputs = made("split")
    kinds = [type(node.op).__name__ for node in from_torch(module, *inputs)]
    assert kinds == [
        "Input", "ChannelSlice", "ChannelSlice", "Conv2d", "Concat", "ChannelShuffle", "AdaptiveAvgPool2d", "Flatten", "Linear",
        "Sigmoid", "Reshape", "Multiply", "ChannelSlice", "ReLU6",
    ]  # fmt: skip


def test_a_kernel_of_even_height_is_padded_at_the_end() -> None:
    module, inputs = made("functional")
    graph = from_torch(module, *inputs)
    assert graph["pad"].op == ops.Pad((1, 1, 0, 1))
    assert graph["conv2d"].op == ops.Conv2d(8, 4, (2, 3))
    assert graph["avg_pool2d"].op == ops.AvgPool2d(3, 2, 1, count_include_pad=False)


def test_several_inputs_and_outputs_keep_their_order_and_names() -> None:
    module, inputs = made("two inputs")
    graph = from_torch(module, *inputs)
    assert [node.name for node in graph.inputs] == ["x", "y"]
    assert [graph.nodes[i].shape for i in graph.outputs] == [(2, 6), (2, 6, 144)]
    assert graph["drop"].op == ops.Dropout(0.3)


class ResNetLike(nn.Module):
    """Stages of blocks as torchvision writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.layer1 = nn.Sequential(self.block(), self.block())
        self.fc = nn.Linear(8, 5)

    @staticmethod
    def block() -> nn.Module:
        return nn.Sequential(InPlace(), InPlace(), nn.Conv2d(8, 8, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(self.layer1(self.stem(x)), (1, 1)), 1))


def test_blocks_are_what_a_stage_is_a_sequence_of() -> None:
    graph = from_torch(ResNetLike(), X)
    blocks = list(dict.fromkeys(node.block for node in graph if not isinstance(node.op, ops.Input)))
    assert blocks == ["stem", "layer1.0", "layer1.1", "adaptive_avg_pool2d", "flatten", "fc"]


class Distance(nn.Module):
    """A function that the vocabulary has no op for, of its input and weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(12))

    def forward(self, x: Tensor) -> Tensor:
        return torch.hypot(x, self.weight)


class Unknown(nn.Module):
    """Unknown work, and a write into a view that is read under another name."""

    def __init__(self) -> None:
        super().__init__()
        self.distance: nn.Module = Distance()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.distance(x))
        x[:, :4].relu_()
        return x


def test_unknown_work_is_opaque_with_its_weights_a_warning_and_a_coverage() -> None:
    with pytest.warns(OpaqueWarning, match=r"^Unknown: 80 % of nodes known \(4 of 5\); .*: distance \(aten\.hypot\.default\)$"):
        graph = from_torch(Unknown(), X)
    assert isinstance(graph["distance"].op, ops.Opaque)
    assert analyze(graph).totals.params == 12 + 8 * 8 + 8
    assert coverage(graph).share == 4 / 5
    assert graph.nodes[graph.outputs[0]].name == "overwrite"  # what is returned depends on what was written into a part of it


def test_a_write_into_a_view_that_is_read_under_another_name_cannot_be_built() -> None:
    module = Unknown()
    module.distance = nn.Identity()
    graph = from_torch(module, X)
    with pytest.raises(LawError, match=r"^overwrite: which part of a tensor is written anew is not in a graph"):
        to_module(graph)


def test_strict_refuses_unknown_work_by_name() -> None:
    with pytest.raises(LawError, match=r"^Unknown: with strict every node must be known, but .* distance \(aten\.hypot\.default\)"):
        from_torch(Unknown(), X, strict=True)


def test_weights_that_are_computed_cannot_be_built_but_are_counted() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 8, 1, 1))
            self.gain = nn.Parameter(torch.ones(3, 1, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.weight * self.gain)

    graph = from_torch(Scaled(), X)
    assert analyze(graph).totals.params == 3 * 8 + 3
    with pytest.raises(LawError, match=r"^conv2d: a node must have weights of its own"):
        to_module(graph)


def test_the_same_weights_at_another_dilation_are_tied_in_the_built_module() -> None:
    class Dilated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(8, 8, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.weight) + functional.conv2d(x, self.weight, padding=1, dilation=2)

    graph = from_torch(Dilated(), X)
    module = to_module(graph, seed=0)
    assert graph["conv2d_1"].shares == "conv2d"
    assert sum(p.numel() for p in module.parameters()) == analyze(graph).totals.params == 8 * 8 * 9
    assert module.conv2d.weight is module.conv2d_1.weight


def test_pooling_of_maps_with_their_channels_last_is_known() -> None:
    # torch pools them by a mean, and then lays out what is left of the map, one pixel, as channels last.
    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1)

    graph = from_torch(Last(), torch.zeros(1, 7, 7, 8), strict=True)
    assert [type(node.op) for node in graph] == [ops.Input, ops.Permute, ops.AdaptiveAvgPool2d]


def test_a_factor_that_is_expanded_to_the_size_of_its_map_is_known() -> None:
    class Normed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x.mean((2, 3), keepdim=True).expand(x.shape)

    graph = from_torch(Normed(), X, strict=True)
    assert [type(node.op) for node in graph] == [ops.Input, ops.AdaptiveAvgPool2d, ops.Multiply]
