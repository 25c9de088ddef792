"""NASWOT against kernels by hand and codes taken one image at a time."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace.errors import LawError
from archspace.pytorch.proxies.naswot import hamming_kernel, log_determinant, naswot
from archspace.pytorch.proxies.working import generator_of, noise

SHAPE = (5, 3, 6, 6)


def test_the_kernel_of_three_codes_is_units_less_hamming_distances() -> None:
    codes = torch.tensor([[1, 0, 1, 1], [1, 1, 0, 1], [0, 0, 0, 1]], dtype=torch.bool)
    # N_A = 4; the first and second differ in units 1 and 2, the first and third in 0 and 2, the second and third in 0 and 1.
    expected = torch.tensor([[4, 2, 2], [2, 4, 2], [2, 2, 4]], dtype=torch.float64)
    assert torch.equal(hamming_kernel([codes]), expected)
    assert torch.equal(hamming_kernel([codes[:, :1], codes[:, 1:]]), expected)  # whatever layer a unit is in
    # Eigenvalues of 2 I + 2 J: 2, 2 and 2 + 2 * 3.
    assert log_determinant(expected) == pytest.approx(log(2 * 2 * 8))


def block(activation: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), activation, nn.Conv2d(4, 2, 1))


def by_loop(codes: Tensor) -> float:
    """log|K_H| entry by entry."""
    kernel = [[float(sum(a == b for a, b in zip(one.tolist(), other.tolist(), strict=True))) for other in codes] for one in codes]
    return float(torch.logdet(torch.tensor(kernel, dtype=torch.float64)))


def test_naswot_is_the_determinant_over_all_pairs_of_images() -> None:
    module = block(nn.ReLU())
    x = noise(SHAPE, generator_of(3))
    conv = module[0](x).detach()
    normed = functional.batch_norm(conv, None, None, training=True)  # by the batch's statistics
    assert naswot(module, SHAPE, 3) == pytest.approx(by_loop((normed > 0).flatten(1)), rel=1e-12)


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(inplace=True), nn.ReLU6(), nn.Hardswish(), nn.SiLU(), nn.GELU(), nn.Mish(), nn.LeakyReLU(), nn.PReLU(), nn.ELU(), nn.SELU()],
    ids=lambda layer: type(layer).__name__,
)
def test_every_activation_that_switches_at_zero_counts_by_the_sign_of_its_input(activation: nn.Module) -> None:
    assert naswot(block(activation), SHAPE) == naswot(block(nn.ReLU()), SHAPE)


class Functional(nn.Module):
    """An activation that is no module."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x)


def test_activations_are_seen_where_torch_runs_them() -> None:
    assert naswot(block(Functional()), SHAPE) == naswot(block(nn.ReLU()), SHAPE)


@pytest.mark.parametrize("gate", [nn.Sigmoid(), nn.Hardsigmoid(), nn.Tanh(), nn.Identity()], ids=lambda layer: type(layer).__name__)
def test_a_network_without_activations_is_refused_and_gates_are_none(gate: nn.Module) -> None:
    with pytest.raises(LawError, match="must have activations that switch at zero"):
        naswot(block(gate), SHAPE)


def test_equal_codes_are_refused() -> None:
    always_on = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU())
    with torch.no_grad():
        always_on[0].weight.zero_()
        always_on[0].bias.fill_(1)
    with pytest.raises(LawError, match="two of the images must have one code"):
        naswot(always_on, SHAPE)


def test_one_image_is_refused() -> None:
    with pytest.raises(LawError, match=r"n of at least 2, but got \(1, 3, 6, 6\)"):
        naswot(block(nn.ReLU()), (1, 3, 6, 6))
