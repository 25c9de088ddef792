"""Generated code of any graph: random names and wirings, imported modules, shared weights, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs
from small_networks import small_network
from torch import Tensor, nn
from torch.nn import functional

from archspace.errors import LawError
from archspace.ir import Builder, Graph, Node, ops
from archspace.pytorch import code_files, from_torch, to_module
from archspace.pytorch.deploy import deploy


def network_of(text: str) -> type[nn.Module]:
    """The last class of a model.py that imports nothing beside torch."""
    space: dict[str, object] = {"__name__": "model"}
    exec(compile(text.replace("from shift import", "from archspace.pytorch.layers import"), "model.py", "exec", dont_inherit=True), space)
    found = [one for one in space.values() if isinstance(one, type) and issubclass(one, nn.Module) and one.__module__ == "model"]
    return found[-1]


def inputs_of(graph: Graph) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(node.shape, generator=generator) for node in graph.inputs]


def outputs_of(module: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    with torch.no_grad():
        result = module.eval()(*inputs)
    return list(result) if isinstance(result, tuple) else [result]


def assert_same(graph: Graph) -> str:
    """The code's network has the module's state dict, keys in order, and its outputs bit by bit. Returns the code."""
    module = to_module(graph, seed=0)
    text = code_files(graph)["model.py"]
    network = network_of(text)()
    assert list(network.state_dict()) == list(module.state_dict())
    network.load_state_dict(module.state_dict())
    inputs = inputs_of(graph)
    for mine, its in zip(outputs_of(network, inputs), outputs_of(module, inputs), strict=True):
        assert torch.equal(mine, its)
    module.load_state_dict(network.state_dict())
    return text


# Random graphs under random names -------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["a", "b", "unit0", "unit1", "0", "1"])


@st.composite
def renamed_graphs(draw: st.DrawFn) -> Graph:
    """A random graph whose nodes lie in scopes that know nothing of its wiring."""
    graph = draw(graphs(most_nodes=14))
    nodes: list[Node] = []
    for i, node in enumerate(graph):
        scope = draw(st.lists(WORDS, max_size=3)) if not isinstance(node.op, ops.Input) else []
        name = ".".join([*scope, f"n{i}"])
        block = ".".join(scope[: draw(st.integers(0, 3))])
        nodes.append(replace(node, name=name, block=block or name))
    return replace(graph, nodes=tuple(nodes))


@settings(deadline=None, max_examples=15)
@given(renamed_graphs())
def test_code_computes_the_same_however_scopes_and_wiring_cross(graph: Graph) -> None:
    assert_same(graph)


# Imported modules -----------------------------------------------------------------------------------------------------------------


class Bottleneck(nn.Module):
    """As torchvision writes it."""

    def __init__(self, channels: int, hidden: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, channels * stride, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels * stride)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels, channels * stride, 1, stride=stride, bias=False), nn.BatchNorm2d(channels * stride))
            if stride > 1
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNetLike(nn.Module):
    """Stages of numbered blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(*(Bottleneck(8, 4) for _ in range(4)))
        self.layer2 = nn.Sequential(Bottleneck(8, 4, 2), Bottleneck(16, 8), Bottleneck(16, 8))
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x)))))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Twice(nn.Module):
    """A convolution that is called twice, at two depths, and a stack whose middle is read outside."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1), nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1)), nn.Conv2d(3, 3, 1)])
        self.head = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.layers[0](x)
        z = self.layers[1](y)
        return self.head(y) + self.layers[2](z), self.head(self.layers[0](z))


X = torch.zeros(2, 3, 16, 16)


def test_an_imported_network_has_its_stages_as_rows_of_one_class() -> None:
    text = assert_same(from_torch(ResNetLike(), X))
    assert "self.layer1 = nn.Sequential(*(ResidualBlock(8) for _ in range(4)))" in text
    assert "self.layer2 = nn.Sequential(DownBlock(), ResidualBlock(16), ResidualBlock(16))" in text


def test_a_module_that_is_called_twice_stays_one_module() -> None:
    module = Twice()
    graph = from_torch(module, X)
    assert_same(graph)
    assert set(to_module(graph).state_dict()) == set(module.state_dict())


def test_a_network_that_is_one_row_has_numbers_for_names() -> None:
    text = assert_same(from_torch(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()), X))
    assert 'self.add_module("0", nn.Conv2d(3, 8, 3))' in text


def test_the_same_weights_at_another_dilation_are_tied() -> None:
    class Dilated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 3, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.weight) + functional.conv2d(x, self.weight, padding=1, dilation=2)

    graph = from_torch(Dilated(), X)
    network = network_of(assert_same(graph))()
    assert sum(p.numel() for p in network.parameters()) == 3 * 3 * 9


# Tensors of the network's own -----------------------------------------------------------------------------------------------------


class Scale(nn.Module):
    """A layer scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Scaled(nn.Module):
    """Layer scales of two widths, a buffer, and a parameter whose name is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(c, 2 * c, 1), Scale(2 * c), nn.ReLU()) for c in (3, 6)))
        self.shifts = nn.ParameterList([torch.ones(16, 16)])
        self.offset = nn.Buffer(torch.ones(12, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x) + self.offset + self.shifts[0]


def test_a_tensor_of_a_block_is_a_parameter_with_the_blocks_channels() -> None:
    text = assert_same(from_torch(Scaled(), X))
    assert "self.gamma = nn.Parameter(torch.zeros(" in text
    assert text.count("(nn.Module):") == text.count("def forward(")
    assert "self.gamma" in text.split("def forward", 1)[1]


def graph_with_tensors() -> Graph:
    """Tensors in a scope without a layer, in a numbered one, at the root, read twice, read by nobody and handed out."""
    b = Builder("tensors")
    x = b.input((2, 4, 8))
    position = b.add("embed.position", ops.Parameter((1, 4, 8)))
    x = b.add("add", ops.Add(), x, position)
    x = b.add("stage.0.norm", ops.LayerNorm((8,)), x)
    x = b.add("stage.0.scaled", ops.Multiply(), x, b.add("stage.0.7", ops.Parameter((8,))))
    b.add("unread", ops.Parameter((3,)))
    again = b.append(Node("again", ops.Parameter((1, 4, 8)), (), (1, 4, 8), "", "embed.position", 0))
    mask = b.add("mask", ops.Parameter((4, 1), learned=False))
    return b.build(b.add("sum", ops.Add(), b.add("masked", ops.Multiply(), x, mask), again), position)


def test_tensors_in_any_scope_keep_their_names_order_and_readers() -> None:
    text = assert_same(graph_with_tensors())
    assert 'self.embed.register_parameter("position", nn.Parameter(torch.zeros(1, 4, 8)))' in text
    assert "self.mask = nn.Buffer(torch.zeros(4, 1))" in text


def test_tensors_start_as_in_memory() -> None:
    graph = graph_with_tensors()
    network, module = network_of(code_files(graph)["model.py"])(seed=5), to_module(graph, seed=5)
    assert all(map(torch.equal, network.state_dict().values(), module.state_dict().values()))


@pytest.mark.parametrize(("family", "layer"), [("shufflenet_v2", "ChannelGather("), ("fenet", "FixedShift(")])
def test_a_deployed_network_is_code_too(family: str, layer: str) -> None:
    graph = small_network(family, width=1.0)
    assert layer in assert_same(deploy(graph, to_module(graph, seed=0).state_dict())[0])


# Ends and laws --------------------------------------------------------------------------------------------------------------------


def test_several_inputs_and_outputs_keep_their_order() -> None:
    b = Builder("two")
    left, right = b.input((1, 4, 2, 2), "images.left"), b.input((1, 4, 2, 2), "images.right")
    y = b.add("conv", ops.Conv2d(4, 4, 1), b.add("total", ops.Add(), right, left))
    text = assert_same(b.build(y, right, y))
    assert "def forward(self, images_left: Tensor, images_right: Tensor) -> tuple[Tensor, Tensor, Tensor]:" in text


@pytest.mark.parametrize(
    ("names", "message"),
    [(("conv", "conv.bn"), "a scope must not be a node"), (("conv.bn", "conv"), "Rename the node"), (("code",), "'code' is not")],
)
def test_names_that_no_module_can_have_are_refused_as_in_memory(names: tuple[str, ...], message: str) -> None:
    b = Builder("names")
    x = b.input((1, 4, 2, 2))
    for name in names:
        x = b.add(name, ops.ReLU(), x)
    for build in (code_files, to_module):
        with pytest.raises(LawError, match=message):
            build(b.build(x))


def test_an_opaque_node_is_refused_with_its_place() -> None:
    b = Builder("foreign")
    with b.block("neck"):
        x = b.add("roll", ops.Opaque("aten::roll", (1, 3, 8, 8)), b.input((1, 3, 8, 8)))
    with pytest.raises(LawError, match=r"^neck\.roll: only ops of the vocabulary"):
        code_files(b.build(x))
