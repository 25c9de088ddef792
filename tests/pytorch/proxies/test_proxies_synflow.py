"""SynFlow against its closed forms on chains and residual chains, and against plain autograd."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.pytorch import to_module
from archspace.pytorch.proxies.synflow import synflow
from archspace.zoo import build


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


def test_on_a_chain_it_is_the_sum_over_paths_times_the_number_of_layers() -> None:
    # R is linear in each of the three layers, so each contributes sum theta dR/dtheta = R: what all paths carry together.
    torch.manual_seed(0)
    first, second, third = nn.Linear(4, 3), nn.Linear(3, 5), nn.Linear(5, 2)
    a, b, c = (layer.weight.detach().double().abs().tolist() for layer in (first, second, third))
    paths = [c[m][k] * b[k][j] * a[j][i] for i in range(4) for j in range(3) for k in range(5) for m in range(2)]
    module = chain(nn.Flatten(), first, second, third)
    assert synflow(module, (1, 1, 2, 2)) == pytest.approx(log(3 * sum(paths)), rel=1e-12)


def test_norms_activations_and_biases_do_not_matter() -> None:
    torch.manual_seed(0)
    conv, head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 2, 1)
    plain = synflow(chain(conv, head), (1, 3, 5, 5))
    for layer in (nn.ReLU6(), nn.Hardswish(), nn.SiLU(), nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.Dropout(0.5), nn.PReLU()):
        assert synflow(chain(conv, layer, head), (1, 3, 5, 5)) == plain
    with torch.no_grad():
        assert conv.bias is not None
        conv.bias.fill_(7)
    assert synflow(chain(conv, head), (1, 3, 5, 5)) == plain


class Residual(nn.Module):
    """x + w x, `depth` times, one channel, one pixel."""

    def __init__(self, depth: int, weight: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(1, 1, 1, bias=False) for _ in range(depth))
        for layer in self.layers:
            nn.init.constant_(layer.weight, weight)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


@pytest.mark.parametrize(("depth", "weight"), [(3, -0.5), (400, 1000.0), (400, 1e-6)])
def test_on_residual_chains_of_any_depth_it_is_as_derived(depth: int, weight: float) -> None:
    # R = (1 + |w|)^L, and each weight gives |w| (1 + |w|)^(L - 1). 1001^400 is beyond float64.
    w = abs(weight)
    expected = log(depth * w) + (depth - 1) * log(1 + w)
    assert synflow(Residual(depth, weight), (1, 1, 1, 1)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("weight", [1024.0, 2.0**-10])
def test_deep_chains_neither_overflow_nor_underflow(weight: float) -> None:
    convs = [nn.Conv2d(1, 1, 1, bias=False) for _ in range(300)]
    for conv in convs:
        nn.init.constant_(conv.weight, weight)
    assert synflow(chain(*convs), (1, 1, 1, 1)) == pytest.approx(log(300) + 300 * log(weight), rel=1e-9)


def by_autograd(module: nn.Module, shape: tuple[int, ...]) -> float:
    """log sum |theta dR/dtheta| of a network of convolutions, linear layers, batch norms and ReLUs, with nothing kept in scale."""
    module = module.double().eval()  # running statistics 0 and 1
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 0.0
    weights = [p for p in module.parameters() if p.dim() > 1]
    with torch.no_grad():
        for weight in weights:
            weight.abs_()
    gradients = torch.autograd.grad(module(torch.ones(shape, dtype=torch.float64)).sum(), weights)
    return log(sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, gradients, strict=True)))


@pytest.mark.parametrize("family", ["shufflenet_v2", "mobilenet_v1", "shufflenet_v1"])
def test_on_small_networks_it_is_what_autograd_gives(family: str) -> None:
    # Batch norm of running statistics 0 and 1 is the identity; all tensors are positive, so ReLU is too.
    graph = build(family, input=(32, 32), num_classes=7)
    shape = (1, 3, 32, 32)
    assert synflow(to_module(graph, seed=1), shape) == pytest.approx(by_autograd(to_module(graph, seed=1), shape), rel=1e-10)


class Gated(nn.Module):
    """Squeeze and excitation of one channel."""

    def __init__(self, is_gated: bool) -> None:
        super().__init__()
        self.conv, self.squeeze = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
        self.gate = nn.Sigmoid() if is_gated else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.gate is None else x * self.gate(self.squeeze(x))


def test_a_gate_is_open() -> None:
    torch.manual_seed(0)
    gated, plain = Gated(True), Gated(False)
    plain.load_state_dict(gated.state_dict())
    assert synflow(gated, (1, 1, 2, 2)) == synflow(plain, (1, 1, 2, 2))


def test_what_is_not_linear_is_refused_by_name() -> None:
    with pytest.raises(LawError, match=r"_1: synflow is defined .* but this is Softmax"):
        synflow(chain(nn.Conv2d(3, 2, 1), nn.Softmax(1)), (1, 3, 2, 2))


def test_a_network_without_weights_and_one_of_zeros_are_refused() -> None:
    with pytest.raises(LawError, match="must have convolutions or linear layers"):
        synflow(chain(nn.ReLU()), (1, 3, 2, 2))
    zero = nn.Conv2d(3, 2, 1)
    nn.init.zeros_(zero.weight)
    with pytest.raises(LawError, match="a path of weights must lead from input to output"):
        synflow(chain(zero), (1, 3, 2, 2))


class Undecided(nn.Module):
    """What torch.fx cannot trace."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_what_cannot_be_traced_is_refused_with_the_way_out() -> None:
    with pytest.raises(LawError, match=r"torch.fx must be able to trace the module, but Undecided it cannot.*archspace.to_module"):
        synflow(Undecided(), (1, 3, 2, 2))
