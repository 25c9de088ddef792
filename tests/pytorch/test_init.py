"""Where weights start, and that a seed decides it alone."""

from __future__ import annotations

import torch
from torch import nn

from archspace.pytorch import to_module
from archspace.pytorch.init import init_weights
from archspace.zoo import build

SMALL = build("fenet", width=0.25, input=(32, 32), num_classes=10, learned_shifts=True)


def test_convolutions_start_normal_with_variance_two_over_fan_out() -> None:
    # 512 -> 256 channels, 3x3, 4 groups: one input pixel reaches 3 * 3 * 256 / 4 outputs.
    conv = nn.Conv2d(512, 256, 3, groups=4)
    init_weights(conv, seed=0)
    assert conv.bias is not None
    n = conv.weight.numel()
    variance = 2 / (3 * 3 * 256 / 4)
    assert abs(float(conv.weight.detach().var()) / variance - 1) < 4 * (2 / n) ** 0.5  # four standard errors of a normal's variance
    assert not conv.bias.any()


def test_linear_and_batch_norm_start_as_the_papers_do() -> None:
    linear, bn = nn.Linear(1000, 200), nn.BatchNorm2d(8)
    bn.running_mean = torch.ones(8)
    init_weights(nn.Sequential(linear, bn), seed=0)
    assert abs(float(linear.weight.detach().std()) / 0.01 - 1) < 4 / (2 * 200_000) ** 0.5  # four standard errors of a deviation
    assert not linear.bias.any()
    assert bool((bn.weight == 1).all())
    assert not bn.bias.any()
    assert not bn.running_mean.any()


def test_the_same_seed_gives_the_same_weights_whatever_the_global_state() -> None:
    torch.manual_seed(1)
    one = to_module(SMALL, seed=7).state_dict()
    torch.manual_seed(2)
    same, other = to_module(SMALL, seed=7).state_dict(), to_module(SMALL, seed=8).state_dict()
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["head.fc.weight"], other["head.fc.weight"])
    assert not torch.equal(one["stem.ib_ssl.shift.alpha"], other["stem.ib_ssl.shift.alpha"])


def test_building_with_a_seed_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    to_module(SMALL, seed=7)
    assert torch.equal(torch.get_rng_state(), before)


def test_building_without_a_seed_follows_the_global_random_state() -> None:
    weights = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        weights.append(to_module(SMALL).head.fc.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
