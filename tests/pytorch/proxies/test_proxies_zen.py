"""The Zen-score against a direct loop, and the networks that it is taken on."""

from __future__ import annotations

from math import log
from statistics import mean

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace.errors import LawError
from archspace.pytorch import to_module
from archspace.pytorch.proxies.residual import end_before_pooling, remove_residual_links
from archspace.pytorch.proxies.working import generator_of, noise, traced_copy
from archspace.pytorch.proxies.zen import ALPHA, REPEATS, gaussian_weights, zen
from archspace.zoo import build

SHAPE = (4, 3, 8, 8)


def small() -> nn.Sequential:
    torch.manual_seed(0)
    convs = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 3)
    return nn.Sequential(
        convs[0], nn.BatchNorm2d(6), nn.ReLU(), convs[1], nn.BatchNorm2d(5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


def normalised(x: Tensor) -> tuple[Tensor, float]:
    """Batch norm written out, and its sigma: the root of the mean over channels of the unbiased variance."""
    variance, centre = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    n = x.numel() / x.shape[1]
    scaled = (x - centre.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + 1e-5).sqrt()
    return scaled, float((variance * n / (n - 1)).mean().sqrt())


def test_zen_is_algorithm_1_written_out() -> None:
    module, generator = small(), generator_of(5)
    scores = []
    for _ in range(REPEATS):
        gaussian_weights(module, generator)
        x, e = noise(SHAPE, generator), noise(SHAPE, generator)
        maps, scales = [], []
        for image in (x, x + ALPHA * e):
            first, one = normalised(module[0](image).detach())
            second, two = normalised(module[3](first.relu()).detach())
            maps.append(second.relu())
            scales.append((one, two))
        moved = mean(float((a - b).square().sum().sqrt()) for a, b in zip(*maps, strict=True))
        scores.append(log(moved) + log(scales[0][0]) + log(scales[0][1]))
    assert zen(small(), SHAPE, 5) == pytest.approx(mean(scores), rel=1e-4)  # float32, batch norm in another order


def test_without_batch_norm_a_linear_network_moves_as_far_as_its_weights_are_long() -> None:
    # f(x + a e) - f(x) = a W e for 1x1 convolution W of one pixel: nothing but the mean of ||W e|| is left.
    module = nn.Sequential(nn.Conv2d(3, 4, 1))
    generator, scores = generator_of(0), []
    for _ in range(REPEATS):
        gaussian_weights(module, generator)
        _, e = noise((2, 3, 1, 1), generator), noise((2, 3, 1, 1), generator)
        scores.append(log(ALPHA * float(functional.conv2d(e, module[0].weight).detach().flatten(1).norm(dim=1).mean())))
    assert zen(module, (2, 3, 1, 1), 0) == pytest.approx(mean(scores), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "links"),
    [
        ("mobilenet_v2_1x", 10),  # 17 bottlenecks, of which 7 change channels or stride
        ("shufflenet_v1_1x_g3", 13),  # 3 stages of 3, 7 and 3 units that add; their first units concatenate
        ("shufflenet_v2_1x", 0),
        ("resnet50", 16),  # projections go too
        ("mobilenet_v1_1x", 0),
    ],
)
def test_residual_links_are_taken_out_and_nothing_else(name: str, links: int) -> None:
    graph = build(name, input=(32, 32))
    network = traced_copy("zen", to_module(graph, seed=0))
    adds = sum("add" in str(node.target) for node in network.graph.nodes if node.op == "call_function")
    assert remove_residual_links(network) == links == adds
    assert not any("add" in str(node.target) for node in network.graph.nodes if node.op == "call_function")
    end_before_pooling(network)
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 32, 32)).shape[2:] == (1, 1)  # 32 pixels at a stride of 32


def test_the_features_end_before_the_last_pooling() -> None:
    network = traced_copy("zen", small())
    end_before_pooling(network)
    assert network(torch.zeros(SHAPE)).shape == (4, 5, 4, 4)


def test_links_can_be_kept() -> None:
    module = to_module(build("mobilenet_v2", input=(32, 32)), seed=0)
    assert zen(module, SHAPE, 0, with_links=True) != zen(module, SHAPE, 0)


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.BatchNorm2d(4, track_running_stats=False)])
def test_norms_whose_scale_would_be_lost_are_refused(norm: nn.Module) -> None:
    with pytest.raises(LawError, match=f"1: zen needs batch norms .* but this is {type(norm).__name__}"):
        zen(nn.Sequential(nn.Conv2d(3, 4, 1), norm), SHAPE)


def test_values_that_overflow_are_refused() -> None:
    # Each of 30 layers multiplies by about sqrt(3 * 3 * 32 / 2) = 12 and float32 ends at 3e38 = 12^35: 60 are too many.
    layers = [nn.Conv2d(3, 32, 3, padding=1), *(nn.Conv2d(32, 32, 3, padding=1) for _ in range(60))]
    with pytest.raises(LawError, match="must be finite, but is"):
        zen(nn.Sequential(*layers), SHAPE)
