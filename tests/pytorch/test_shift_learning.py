"""Learning displacements: gradients against finite differences, the penalty that truncates, and freezing on the way."""

from __future__ import annotations

from itertools import product
from math import floor

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from archspace.errors import LawError
from archspace.ir import Builder, Graph
from archspace.ir.ops import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, Linear, ReLU, SparseShift
from archspace.pytorch import Network, accuracy, deploy, fit, shift_sparsity, to_module
from archspace.pytorch import layers as shift_layers
from archspace.pytorch.layers import freeze_shifts, interpolate_shifted, sparse_shifts, take_shifted


def relaxed(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Equation 3 as a loop: the four nearest integer points, each by its distance; zero outside the image."""
    out = torch.zeros_like(x)
    _, _, height, width = x.shape
    for b, c, j, i in product(*map(range, x.shape)):
        u, v = i + float(alpha[c]), j + float(beta[c])
        for n, m in product((floor(u), floor(u) + 1), (floor(v), floor(v) + 1)):
            if 0 <= n < width and 0 <= m < height:
                out[b, c, j, i] += x[b, c, m, n] * (1 - abs(u - n)) * (1 - abs(v - m))
    return out


def case() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """An input, displacements away from integers (where equation 3 has kinks), and the gradient of the output."""
    generator = torch.Generator().manual_seed(3)
    x, grad = (torch.randn((2, 4, 5, 6), dtype=torch.float64, generator=generator) for _ in range(2))
    return x, torch.tensor([0.3, -1.4, 2.6, -0.2]).double(), torch.tensor([-0.7, 0.6, -2.3, 1.1]).double(), grad


def test_the_relaxed_form_is_equation_3() -> None:
    x, alpha, beta, _ = case()
    torch.testing.assert_close(interpolate_shifted(x, alpha, beta), relaxed(x, alpha, beta), rtol=1e-12, atol=1e-12)


def test_the_gradients_of_the_displacements_are_the_finite_differences_of_the_relaxed_form() -> None:
    x, alpha, beta, grad = case()
    layer = with_displacements(alpha, beta)
    layer(x).backward(grad)
    step = 1e-5  # within a cell, equation 3 is linear in alpha and in beta: central differences are exact but for rounding
    for parameter, name in ((layer.alpha, "alpha"), (layer.beta, "beta")):
        for c in range(4):
            values = []
            for sign in (1, -1):
                moved = {"alpha": alpha.clone(), "beta": beta.clone()}
                moved[name][c] += sign * step
                values.append(float((relaxed(x, moved["alpha"], moved["beta"]) * grad).sum()))
            assert parameter.grad is not None
            assert float(parameter.grad[c]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6, abs=1e-8)


def test_the_gradient_of_the_input_is_the_finite_difference_of_the_shift_itself() -> None:
    x, alpha, beta, grad = case()
    layer = with_displacements(alpha, beta)
    x.requires_grad_()
    layer(x).backward(grad)
    assert x.grad is not None
    rounded = [d.round().to(torch.int64) for d in (alpha, beta)]
    for place in ((0, 0, 0, 0), (1, 1, 2, 3), (0, 2, 4, 5), (1, 3, 1, 1)):
        one = torch.zeros_like(x)
        one[place] = 1.0  # the shift is linear: its response to a unit pixel is the difference
        assert float(x.grad[place]) == float((take_shifted(one, *rounded, 5, 6) * grad).sum())


def test_autograd_differentiates_the_relaxed_form_as_finite_differences_do() -> None:
    x, alpha, beta, _ = case()
    inputs = [t.clone().requires_grad_() for t in (x, alpha, beta)]
    assert torch.autograd.gradcheck(interpolate_shifted, inputs)


def with_displacements(alpha: Tensor, beta: Tensor) -> shift_layers.SparseShift:
    layer = shift_layers.SparseShift(len(alpha), 0, learned=True).double()
    with torch.no_grad():
        layer.alpha.copy_(alpha)
        layer.beta.copy_(beta)
    return layer


def small() -> Graph:
    """1x1 convolutions and two learned shifts, which alone look at neighbours."""
    b = Builder("digits")
    x = b.input((1, 1, 8, 8))
    c = 1
    for i in range(2):
        x = b.add(f"relu{i}", ReLU(), b.add(f"bn{i}", BatchNorm2d(24), b.add(f"conv{i}", Conv2d(c, 24, 1), x)))
        x, c = b.add(f"shift{i}", SparseShift(24, 12, learned=True), x), 24
    x = b.add("relu", ReLU(), b.add("bn", BatchNorm2d(24), b.add("conv", Conv2d(24, 24, 1), x)))
    return b.build(b.add("fc", Linear(24 * 4, 10), b.add("flatten", Flatten(), b.add("pool", AdaptiveAvgPool2d(2), x))))


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """600 handwritten digits of 8 x 8 pixels in [-1, 1]."""
    data = load_digits()
    return torch.tensor(data.images[:600], dtype=torch.float32).unsqueeze(1) / 8 - 1, torch.tensor(data.target[:600])


def learnt(digits: tuple[Tensor, Tensor], **options: float | int) -> Network:
    module = to_module(small(), seed=0)
    fit(module, *digits, epochs=8, batch_size=30, lr=0.05, seed=0, **options)  # type: ignore[arg-type]
    return module


@pytest.mark.parametrize("order", [1, 2])
def test_more_of_the_channels_stay_the_larger_lambda_is(order: int, digits: tuple[Tensor, Tensor]) -> None:
    modules = {strength: learnt(digits, shift_penalty=strength, penalty_order=order) for strength in (0.0, 0.01, 0.1)}
    sparsity = [shift_sparsity(module) for module in modules.values()]
    # Uniform in [-1, 1], both displacements of a channel round to zero with probability 1/4; unpenalised, they wander off.
    assert sparsity[0] < 0.3
    assert sparsity == sorted(sparsity)
    assert sparsity[2] > 0.8
    moved = {strength: sum(abs(layer.alpha.round()).sum() for layer in sparse_shifts(module)) for strength, module in modules.items()}
    assert moved[0.1] < moved[0.0]


def test_what_is_truncated_costs_nothing_once_deployed(digits: tuple[Tensor, Tensor]) -> None:
    module = learnt(digits, shift_penalty=0.03, penalty_order=1)
    right = accuracy(module, *digits)
    graph, state = deploy(small(), module.state_dict())
    deployed = to_module(graph)
    deployed.load_state_dict(state)
    assert accuracy(deployed, *digits) == right > 0.6  # chance is 0.1
    moved = sum(layer.channels - layer.unmoved_channels() for layer in sparse_shifts(module))
    assert sum(graph.counts(node).movement_elems for node in graph) == 2 * moved * 64


@pytest.mark.parametrize("after", [0, 5, 40])  # of eight epochs of five steps
def test_displacements_are_frozen_after_the_step_that_was_given(after: int, digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits[0][:100], digits[1][:100]

    def run(epochs: int, freeze_after: int | None) -> Network:
        module = to_module(small(), seed=0)
        fit(module, images, labels, epochs=epochs, batch_size=20, lr=0.05, seed=0, freeze_shifts_after=freeze_after)
        return module

    frozen = run(8, after)
    assert all(not layer.learned for layer in sparse_shifts(frozen))
    assert not [name for name, _ in frozen.named_parameters() if "alpha" in name or "beta" in name]
    if after == 0:
        start = freeze_shifts(to_module(small(), seed=0))
        assert all(torch.equal(a.alpha, b.alpha) for a, b in zip(sparse_shifts(frozen), sparse_shifts(start), strict=True))
    if after == 40:  # the last step
        end = freeze_shifts(run(8, None))
        assert all(torch.equal(a.beta, b.beta) for a, b in zip(sparse_shifts(frozen), sparse_shifts(end), strict=True))


def test_training_goes_on_after_the_freeze(digits: tuple[Tensor, Tensor]) -> None:
    module = to_module(small(), seed=0)
    losses = fit(module, *digits, epochs=6, batch_size=30, lr=0.05, seed=0, shift_penalty=0.01, freeze_shifts_after=40)
    assert losses[-1] < losses[2] < losses[0]
    with pytest.raises(LawError, match="freeze_shifts_after must be a number of steps from 0 on, but got -1"):
        fit(module, *digits, epochs=1, batch_size=30, lr=0.05, seed=0, freeze_shifts_after=-1)


@pytest.mark.parametrize("inplace", [False, True])
def test_a_frozen_layer_computes_what_the_loop_does_for_any_displacement(inplace: bool) -> None:
    x = torch.randn((2, 5, 4, 3), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alpha, beta = (0, 1, -2, 7, 0), (0, 0, 3, -1, 0)
    layer = shift_layers.FixedShift(alpha, beta, inplace)
    expected = relaxed(x, torch.tensor(alpha).double(), torch.tensor(beta).double())
    given = x.clone()
    found = layer(given)
    assert torch.equal(found, expected)
    assert (found.data_ptr() == given.data_ptr()) == inplace
    assert torch.equal(given, expected if inplace else x)


def test_a_frozen_layer_hands_on_gradients_even_in_place() -> None:
    x = torch.randn((1, 3, 4, 4), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(shift_layers.FixedShift((0, 1, -1), (0, 2, 0), inplace=True), (x,))


def test_a_fixed_shift_moves_by_what_was_loaded_into_it() -> None:
    layer = shift_layers.SparseShift(4, 1)
    layer.load_state_dict({"alpha": torch.tensor([0, 0, 1, 0]), "beta": torch.tensor([0, 0, 0, -1])})
    x = torch.randn((1, 4, 3, 3))
    assert torch.equal(layer(x), take_shifted(x, layer.alpha, layer.beta, 3, 3))
    assert list(layer.state_dict()) == ["alpha", "beta"]
