"""The shift layers against slow loops written from the SSL paper's equations."""

from __future__ import annotations

from itertools import product
from math import floor

import pytest
import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.ir import ops
from archspace.pytorch.layers import ChannelShuffle, GroupedShift, SparseShift, freeze_shifts, shift_penalty, shift_sparsity


def pixel(image: Tensor, i: int, j: int) -> float:
    """I(i, j): i horizontal, j vertical, zero outside."""
    height, width = image.shape
    return float(image[j, i]) if 0 <= i < width and 0 <= j < height else 0.0


def equation_5(x: Tensor, alpha: list[float], beta: list[float]) -> Tensor:
    """O(c, i, j) = I(c, i + round(alpha), j + round(beta)). Equation 1 where the displacements are integers."""
    out = torch.zeros_like(x)
    for n, c, j, i in product(*map(range, x.shape)):
        out[n, c, j, i] = pixel(x[n, c], i + round(alpha[c]), j + round(beta[c]))
    return out


def equation_6(x: Tensor, alpha: list[float], beta: list[float], grad: Tensor) -> tuple[Tensor, Tensor]:
    """dL/dalpha and dL/dbeta: the sum over the four nearest integer points, Sign(0) = -1."""

    def sign(value: float) -> int:
        return 1 if value > 0 else -1

    d_alpha, d_beta = torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros(x.shape[1], dtype=x.dtype)
    for b, c, j, i in product(*map(range, x.shape)):
        u, v = i + alpha[c], j + beta[c]
        for n, m in product((floor(u), floor(u) + 1), (floor(v), floor(v) + 1)):
            value = pixel(x[b, c], n, m) * float(grad[b, c, j, i])
            d_alpha[c] += value * (1 - abs(v - m)) * sign(n - u)
            d_beta[c] += value * (1 - abs(u - n)) * sign(m - v)
    return d_alpha, d_beta


def equation_7(alpha: list[float], beta: list[float], grad: Tensor) -> Tensor:
    """dL/dI(c, i, j) = dL/dO(c, i - round(alpha), j - round(beta))."""
    return equation_5(grad, [-round(a) for a in alpha], [-round(b) for b in beta])


def learned(alpha: list[float], beta: list[float]) -> SparseShift:
    layer = SparseShift(len(alpha), 0, learned=True).double()
    with torch.no_grad():
        layer.alpha.copy_(torch.tensor(alpha, dtype=torch.float64))
        layer.beta.copy_(torch.tensor(beta, dtype=torch.float64))
    return layer


def random_case(seed: int, reach: float) -> tuple[Tensor, list[float], list[float]]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((2, 5, 4, 3), dtype=torch.float64, generator=generator)
    alpha, beta = ((torch.rand((2, 5), dtype=torch.float64, generator=generator) * 2 - 1) * reach).tolist()
    return x, alpha, beta


# On a 4 x 3 image a reach of 0.9 stays near, 2.5 reaches over the edges, 7 leaves most of the image.
CASES = [random_case(seed, reach) for seed, reach in enumerate((0.9, 2.5, 7.0))]
WHOLE = (CASES[0][0], [0.0, 1.0, -2.0, 3.0, -5.0], [0.0, -1.0, 2.0, -3.0, 1.0])
HALVES = (CASES[1][0], [0.5, 1.5, -0.5, -2.5, 0.0], [-1.5, 0.0, 2.5, 0.5, -0.5])


@pytest.mark.parametrize(("x", "alpha", "beta"), [*CASES, WHOLE, HALVES])
def test_a_learned_shift_follows_equations_5_6_and_7(x: Tensor, alpha: list[float], beta: list[float]) -> None:
    layer = learned(alpha, beta)
    x = x.clone().requires_grad_()
    grad = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(9))
    out = layer(x)
    out.backward(grad)
    expected_alpha, expected_beta = equation_6(x.detach(), alpha, beta, grad)
    torch.testing.assert_close(out.detach(), equation_5(x.detach(), alpha, beta), rtol=0, atol=0)
    torch.testing.assert_close(layer.alpha.grad, expected_alpha, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.beta.grad, expected_beta, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(x.grad, equation_7(alpha, beta, grad), rtol=0, atol=0)


def test_in_eval_mode_a_learned_shift_only_moves() -> None:
    x, alpha, beta = CASES[1]
    layer = learned(alpha, beta).eval()
    out = layer(x)
    assert not out.requires_grad
    assert torch.equal(out, equation_5(x, alpha, beta))


@pytest.mark.parametrize(("channels", "moved"), [(5, 0), (5, 3), (20, 20), (40, 17)])
def test_a_fixed_sparse_shift_moves_exactly_its_moved_channels(channels: int, moved: int) -> None:
    layer = SparseShift(channels, moved)
    displaced = (layer.alpha != 0) | (layer.beta != 0)
    assert displaced.tolist() == [True] * moved + [False] * (channels - moved)
    assert layer.shift_sparsity() == 1 - moved / channels
    assert list(layer.parameters()) == []
    x = torch.randn((1, channels, 4, 5), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(x), equation_5(x, layer.alpha.tolist(), layer.beta.tolist()))


def test_a_fixed_sparse_shift_takes_the_eight_neighbours_in_turn() -> None:
    layer = SparseShift(16, 16)
    cells = list(zip(layer.alpha.tolist(), layer.beta.tolist(), strict=True))
    assert sorted(cells[:8]) == sorted(cell for cell in product((-1, 0, 1), repeat=2) if cell != (0, 0))
    assert cells[8:] == cells[:8]


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_a_grouped_shift_moves_as_many_channels_as_its_op_says(kernel_size: int) -> None:
    for channels in range(kernel_size**2, 4 * kernel_size**2):
        layer = GroupedShift(channels, kernel_size)
        moved = int(((layer.alpha != 0) | (layer.beta != 0)).sum())
        assert len(layer.alpha) == channels
        assert moved == ops.GroupedShift(channels, kernel_size).moved_channels == channels - channels // kernel_size**2


def test_a_grouped_shift_assigns_the_displacements_of_equation_2() -> None:
    # 18 channels, K = 3: groups of two; group k moves by (k // 3 - 1, k mod 3 - 1). 20 channels: two are left, and move as groups 0 and 1.
    layer = GroupedShift(18)
    assert layer.alpha.tolist() == [c // 2 // 3 - 1 for c in range(18)]
    assert layer.beta.tolist() == [c // 2 % 3 - 1 for c in range(18)]
    assert GroupedShift(20).alpha.tolist()[18:] == [-1, -1]
    assert GroupedShift(20).beta.tolist()[18:] == [-1, 0]
    x = torch.randn((2, 18, 3, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(x), equation_5(x, layer.alpha.tolist(), layer.beta.tolist()))


def test_channel_shuffle_transposes_groups_and_channels() -> None:
    # Six channels in two groups, 0 1 2 | 3 4 5, leave as 0 3 1 4 2 5 (ShuffleNet v1, figure 1c).
    x = torch.arange(6.0).view(1, 6, 1, 1).expand(2, 6, 2, 2)
    assert ChannelShuffle(2)(x)[1, :, 1, 0].tolist() == [0, 3, 1, 4, 2, 5]


def test_the_penalty_is_equation_4_or_its_squares() -> None:
    layer = learned([0.5, -2.0], [0.0, 1.0])
    assert layer.penalty(1).item() == 0.5 + 2 + 0 + 1
    assert layer.penalty(2).item() == 0.25 + 4 + 0 + 1
    both = nn.Sequential(layer, nn.Identity(), learned([3.0], [0.0]), SparseShift(4, 4))
    assert shift_penalty(both, 1).item() == 3.5 + 3
    assert shift_penalty(nn.Identity()).item() == SparseShift(4, 4).penalty().item() == 0
    with pytest.raises(LawError, match=r"order must be 1 .* or 2 .*, but got 3"):
        shift_penalty(both, 3)


def test_learned_displacements_start_uniform_within_one_pixel() -> None:
    layer = SparseShift(4000, 0, learned=True)
    layer.reset_parameters(torch.Generator().manual_seed(0))
    for d in (layer.alpha.detach(), layer.beta.detach()):
        assert -1 <= float(d.min()) < -0.99
        assert 0.99 < float(d.max()) <= 1
        assert abs(float(d.mean())) < 4 * (1 / 3 / 4000) ** 0.5  # four standard errors; uniform on [-1, 1] has variance 1/3
    assert sum(p.numel() for p in layer.parameters()) == 2 * 4000


def test_freezing_keeps_what_eval_mode_computes_and_drops_the_parameters() -> None:
    x, alpha, beta = CASES[1]
    net = nn.Sequential(learned(alpha, beta)).eval()
    before, sparsity = net(x), shift_sparsity(net)
    assert freeze_shifts(net) is net
    assert torch.equal(net(x), before)
    assert shift_sparsity(net) == sparsity
    assert list(net.parameters()) == []
    assert {key: value.dtype for key, value in net.state_dict().items()} == {"0.alpha": torch.int64, "0.beta": torch.int64}
    assert torch.equal(net.train()(x), before)


def test_shift_sparsity_is_the_share_of_channels_that_round_to_zero() -> None:
    # Rounded: (0, 0), (1, 0), (0, 0), (0, -1): two of four stay.
    layer = learned([0.4, 0.6, 0.5, 0.0], [-0.4, 0.0, -0.5, -0.7])
    assert layer.shift_sparsity() == 2 / 4
    assert shift_sparsity(nn.Sequential(layer, SparseShift(4, 1))) == (2 + 3) / 8
    with pytest.raises(LawError, match="needs a sparse shift layer"):
        shift_sparsity(nn.Identity())


def test_real_displacements_loaded_into_a_fixed_layer_are_rounded() -> None:
    source = learned([0.7, -0.7], [1.2, -1.6])
    fixed = SparseShift(2, 2)
    fixed.load_state_dict(source.state_dict())
    assert (fixed.alpha.tolist(), fixed.beta.tolist()) == ([1, -1], [1, -2])
