"""ZiCo against its definition, weight by weight."""

from __future__ import annotations

from math import log
from statistics import mean, pstdev

import pytest
import torch
from torch import nn
from torch.nn import functional

from archspace.errors import LawError
from archspace.pytorch.proxies.working import generator_of, noise
from archspace.pytorch.proxies.zico import BATCHES, steadiness, zico

SHAPE = (3, 2, 2, 2)


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))


def test_a_layers_part_is_the_sum_of_means_over_deviations() -> None:
    # |g| of the first weight over two batches: 1 and 3, mean 2, deviation 1; of the second 2 and 6: 4 and 2; the third does not vary.
    gradients = torch.tensor([[1.0, -2.0, 5.0], [-3.0, 6.0, 5.0]])
    assert steadiness(gradients) == 2 / 1 + 4 / 2


def test_zico_is_its_definition_weight_by_weight() -> None:
    module, generator = small(), generator_of(2)
    sizes: list[list[list[float]]] = [[], []]  # [layer][batch][weight]
    for _ in range(BATCHES):
        x = noise(SHAPE, generator)
        labels = torch.randint(4, (3,), generator=generator)
        found = torch.autograd.grad(functional.cross_entropy(module(x), labels), [module[0].weight, module[3].weight])
        for layer, gradient in zip(sizes, found, strict=True):
            layer.append(gradient.abs().flatten().tolist())
    expected = sum(log(sum(mean(each) / pstdev(each) for each in zip(*layer, strict=True) if pstdev(each) > 0)) for layer in sizes)
    assert zico(small(), SHAPE, 2) == pytest.approx(expected, rel=1e-5)


def test_a_network_that_is_no_classifier_is_refused() -> None:
    with pytest.raises(LawError, match=r"must return \(n, classes\), but returned \(3, 3, 2, 2\)"):
        zico(small()[:1], SHAPE)


def test_a_network_without_weights_is_refused() -> None:
    with pytest.raises(LawError, match="must have convolutions or linear layers"):
        zico(nn.Sequential(nn.Flatten()), SHAPE)
