"""The folded backend: batch norms go into the layers before them, the rest of a user's module stays as it is, whatever it does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace import from_torch
from archspace.errors import LawError
from archspace.ir.ops import Parameter
from archspace.timing import Subject, runner, running

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Attending(nn.Module):
    """A block of a vision transformer, with torch's attention layer or with the function."""

    def __init__(self, *, by_layer: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True) if by_layer else None
        self.qkv, self.proj = nn.Linear(16, 48), nn.Linear(16, 16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        if self.attention is not None:
            x = x + self.attention(y, y, y, need_weights=False)[0]
        else:
            q, k, v = self.qkv(y).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
            x = x + self.proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


class Vit(nn.Module):
    """A vision transformer of one block: its class token and its positions are parameters that no layer holds."""

    def __init__(self, *, by_layer: bool = False) -> None:
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, 16, 4, 4), nn.BatchNorm2d(16)
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 17, 16))
        self.block = Attending(by_layer=by_layer)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.patch(x)).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        result: Tensor = self.head(self.block(x)[:, 0])
        return result


class Stem(nn.Module):
    """A convolution and a batch norm; others add to it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.conv(x))
        return result


class Unknown(Stem):
    """Behind the norm an op that the vocabulary has not."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return torch.hypot(y, y + 1)


class Called(Unknown):
    """The same norm as the call of a function, which no layer is."""

    def forward(self, x: Tensor) -> Tensor:
        norm = self.norm
        y = functional.batch_norm(self.conv(x), norm.running_mean, norm.running_var, norm.weight, norm.bias)
        return torch.hypot(y, y + 1)


class Twice(Stem):
    """The convolution is called once more, without the norm."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return super().forward(x) + y


class Aliased(Stem):
    """The norm has a second name, by which it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.also = self.norm

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.also(self.conv(x))
        return result


class Partly(Stem):
    """A part of the convolution's weight has another reader."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :2] + functional.conv2d(x, self.conv.weight[:2], padding=1)


class Normed(nn.BatchNorm2d):
    """A norm that does more, as timm's do."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


class Joined(Stem):
    """The norm's class is another's."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = Normed(4)


def made(kind: Callable[[], nn.Module]) -> nn.Module:
    """The module in eval mode, with statistics and weights that a norm is seen by."""
    torch.manual_seed(1)
    module = kind().eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.running_var, *layer.parameters()):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 2)
    return module


def norms(module: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in module.modules())


@pytest.mark.parametrize(
    ("kind", "norms_left", "is_own"),
    [
        (Vit, 0, True),
        (lambda: Vit(by_layer=True), 0, True),
        (Unknown, 0, True),
        (Aliased, 0, True),
        (Twice, 1, True),  # nothing folds: the graph says so
        (Partly, 0, False),  # rebuilt, with weights of each node's own
        (Joined, 0, False),
        (lambda: nn.Sequential(nn.ReLU(), nn.Flatten()), 0, True),
    ],
    ids=["vit", "vit by layer", "unknown op", "alias", "twice", "part of a weight", "own class", "no norm"],
)
def test_folding_keeps_what_is_computed_and_all_else_of_the_module(kind: Callable[[], nn.Module], norms_left: int, is_own: bool) -> None:
    module = made(kind)
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    folded = Subject("net", module, (X,)).folded()
    assert norms(folded) == norms_left
    assert (type(folded) is type(module)) == is_own
    with torch.no_grad():
        torch.testing.assert_close(folded(X), module(X), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())


def test_a_vision_transformer_runs_folded_at_any_batch() -> None:
    module = made(Vit)
    for batch in (1, 8):
        x = X[:1].repeat(batch, 1, 1, 1)
        with running(1):
            result = runner(module, "folded", (x,)).call()
        assert isinstance(result, Tensor)
        with torch.no_grad():
            torch.testing.assert_close(result, module(x), rtol=1e-5, atol=1e-5)


def test_a_graph_with_tensors_of_its_own_is_folded() -> None:
    graph = from_torch(made(Vit), X)
    assert {node.name for node in graph if isinstance(node.op, Parameter)} == {"token", "positions"}
    subject = Subject("net", graph)
    folded, module = subject.folded(), subject.module()
    assert (norms(folded), norms(module)) == (0, 1)
    x = subject.inputs[0]
    with torch.no_grad():
        torch.testing.assert_close(folded(x), module(x), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_folded_is_told_with_a_way_out_that_helps() -> None:
    with pytest.raises(
        LawError, match=r"folded cannot run Called: a batch norm that is no plain layer .*: a module is rebuilt of .*hypot"
    ) as raised:
        runner(made(Called), "folded", (X,))
    assert "strict" not in str(raised.value)
    assert str(raised.value).endswith("Run the module itself, as the backend eager does.")
