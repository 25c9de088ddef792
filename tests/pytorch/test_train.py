"""Short trainings on scikit-learn's digits: real images, upscaled to 32 x 32."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.pytorch import accuracy, fit, freeze_shifts, shift_sparsity, to_module
from archspace.pytorch.layers import sparse_shifts
from archspace.pytorch.lower import Network
from archspace.zoo import build


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """320 handwritten digits as (n, 3, 32, 32) in [-1, 1]: the set is 8 x 8 with values 0 to 16."""
    data = load_digits()
    images = torch.tensor(data.images[:320], dtype=torch.float32).unsqueeze(1) / 8 - 1
    images = nn.functional.interpolate(images, size=(32, 32), mode="bilinear").expand(-1, 3, -1, -1)
    return images.contiguous(), torch.tensor(data.target[:320])


def network(family: str, **options: object) -> Network:
    return to_module(build(family, input=(32, 32), num_classes=10, **options), seed=0)


@pytest.mark.parametrize(("family", "width"), [("shufflenet_v1", 0.25), ("shufflenet_v2", 0.5)])
def test_a_shufflenet_learns_digits(family: str, width: float, digits: tuple[Tensor, Tensor]) -> None:
    module = network(family, width=width)
    heard: list[tuple[int, float]] = []
    losses = fit(module, *digits, epochs=8, batch_size=32, lr=0.02, seed=0, progress=lambda *row: heard.append(row))
    assert losses[-1] < 0.5 * losses[0]
    assert accuracy(module, *digits) > 0.7  # chance is 0.1
    assert heard == list(enumerate(losses, start=1))


def test_a_fenet_learns_digits_and_its_displacements(digits: tuple[Tensor, Tensor]) -> None:
    module = network("fenet", width=0.5, learned_shifts=True)
    start = [(layer.alpha.detach().clone(), layer.beta.detach().clone()) for layer in sparse_shifts(module)]
    losses = fit(module, *digits, epochs=5, batch_size=32, lr=0.02, seed=0)
    assert losses[-1] < 0.5 * losses[0]
    assert accuracy(module, *digits) > 0.9
    for layer, (alpha, beta) in zip(sparse_shifts(module), start, strict=True):
        assert not torch.equal(layer.alpha, alpha)
        assert not torch.equal(layer.beta, beta)
    images = digits[0][:16]
    module.eval()
    with torch.no_grad():
        before = module(images)
        freeze_shifts(module)
        assert torch.equal(module(images), before)
    assert module.shift_penalty().item() == 0


def test_a_large_shift_penalty_raises_the_shift_sparsity(digits: tuple[Tensor, Tensor]) -> None:
    sparsity = {}
    for strength in (0.0, 0.1):
        module = network("fenet", width=0.25, learned_shifts=True)
        # Uniform in [-1, 1], a displacement rounds to zero with probability 1/2, both of a channel with 1/4.
        assert 0.2 < shift_sparsity(module) < 0.3
        fit(module, *digits, epochs=3, batch_size=32, lr=0.02, shift_penalty=strength, seed=0)
        sparsity[strength] = shift_sparsity(module)
    assert sparsity[0.0] < 0.3
    assert sparsity[0.1] > 0.5


def test_the_same_seed_trains_the_same_network_whatever_the_global_state(digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits[0][:40], digits[1][:40]
    runs = []
    for seed, global_seed in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        module = network("mobilenet_v2", width=0.35)  # has dropout, which draws as well
        losses = fit(module, images, labels, epochs=2, batch_size=20, lr=0.02, seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        runs.append((losses, module.head.fc.weight.detach()))
    assert runs[0][0] == runs[1][0] != runs[2][0]
    assert torch.equal(runs[0][1], runs[1][1])


def test_the_mean_loss_weighs_every_image_once_and_includes_the_penalty() -> None:
    # With zero weights each class of four has probability 1/4, and at learning rate 0 that stays: the loss is ln 4 for any batching.
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    nn.init.zeros_(module[1].weight)
    nn.init.zeros_(module[1].bias)
    images, labels = torch.randn(7, 1, 2, 2), torch.arange(7) % 4
    assert fit(module, images, labels, epochs=2, batch_size=3, lr=0.0, seed=0) == pytest.approx([1.3862943611] * 2)
    shifted = network("fenet", width=0.25, learned_shifts=True)
    with torch.no_grad():
        penalty = shifted.shift_penalty().item()
    images, labels = torch.randn(4, 3, 32, 32), torch.zeros(4, dtype=torch.int64)
    plain, penalised = (fit(shifted, images, labels, epochs=1, batch_size=4, lr=0.0, shift_penalty=s, seed=0)[0] for s in (0.0, 0.5))
    assert penalised - plain == pytest.approx(0.5 * penalty, rel=1e-5)


def test_accuracy_counts_in_eval_mode_and_puts_the_mode_back() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Identity())
    images = torch.eye(4).view(4, 4, 1, 1)
    module.register_parameter("unused", nn.Parameter(torch.zeros(1)))
    assert accuracy(module, images, torch.tensor([0, 1, 2, 0]), batch_size=3) == 3 / 4
    assert module.training


def test_what_cannot_be_trained_with_is_refused() -> None:
    module, images = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.ones(3, 1, 2, 2)
    with pytest.raises(LawError, match="3 images and 2 labels"):
        fit(module, images, torch.zeros(2, dtype=torch.int64), epochs=1, batch_size=1, lr=0.1, seed=0)
    with pytest.raises(LawError, match="batch_size must be at least 1, but got 0"):
        fit(module, images, torch.zeros(3, dtype=torch.int64), epochs=1, batch_size=0, lr=0.1, seed=0)
    with pytest.raises(LawError, match=r"the loss must stay finite, but is nan in epoch 1\. Use a learning rate below 0.1"):
        fit(module, images * float("nan"), torch.zeros(3, dtype=torch.int64), epochs=1, batch_size=3, lr=0.1, seed=0)
