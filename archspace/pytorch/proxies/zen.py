"""Zen-score: how much the last map moves when the image does, in a network of Gaussian weights (Lin et al., ICCV 2021)."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.ir.ops import Shape
from archspace.pytorch.init import init_weights
from archspace.pytorch.proxies.residual import end_before_pooling, remove_residual_links
from archspace.pytorch.proxies.working import (
    BATCH_NORM,
    OTHER_NORMS,
    WEIGHTED,
    check_shape,
    finite,
    generator_of,
    noise,
    one_tensor,
    traced_copy,
)

NAME = "zen"
ALPHA = 0.01  # the authors' mixup_gamma
REPEATS = 4  # the authors' code takes 32, each with other weights and images


def zen(module: nn.Module, input_shape: Shape, seed: int = 0, *, with_links: bool = False) -> float:
    """log E||f(x) - f(x + alpha * e)|| + sum_i log sigma_i, the mean of `REPEATS`; more is better. input_shape: (n, c, h, w), n >= 2.

    Algorithm 1 of the paper: f is the network up to its last pooling without its residual links, its weights, x and e normal(0, 1); the
    norm is Frobenius' (the authors' code sums absolute differences), E the mean over the batch; sigma_i is the root of the mean over
    channels of the i-th batch norm's variance over the batch x (the authors' code reads the running variance of both batches), which adds
    back what batch norms take away. alpha is 0.01, as in the authors' code.
    The module's own weights are not used. `with_links` keeps the residual links, as most other code does. Raises LawError for a network
    with norms other than batch norm, whose scale would be lost, for one that returns several tensors, and where the value is not finite
    (many layers without batch norm).
    """
    check_shape(NAME, input_shape, least_batch=2)
    network = traced_copy(NAME, module)
    _check_norms(network)
    if not with_links:
        remove_residual_links(network)
    end_before_pooling(network)
    scales: list[float] = []
    used = {str(node.target) for node in network.graph.nodes if node.op == "call_module"}
    norms = [layer for name, layer in network.named_modules() if name in used and isinstance(layer, BATCH_NORM)]
    for norm in norms:
        norm.momentum = 1.0  # the running variance is then the last batch's
        norm.register_forward_hook(lambda layer, *_: scales.append(scale_of(layer)))
    generator = generator_of(seed)
    scores = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for _ in range(REPEATS):
            gaussian_weights(network, generator)
            x, e = noise(input_shape, generator), noise(input_shape, generator)
            scales.clear()
            features = one_tensor(NAME, network(x))
            factors = sum(log(scale) if scale > 0 else float("-inf") for scale in scales)
            scores.append(float(log_change(features, one_tensor(NAME, network(x + ALPHA * e)))) + factors)
    return finite(NAME, sum(scores) / REPEATS, "without batch norms values grow too large, and a map may be constant. Use another proxy")


def log_change(one: Tensor, other: Tensor) -> Tensor:
    """log of the mean over the batch of the Frobenius norm of the difference, a scalar. one, other: (n, ...)."""
    moved: Tensor = torch.linalg.vector_norm((one.double() - other.double()).flatten(1), dim=1)
    return moved.mean().log()


def scale_of(norm: nn.Module) -> float:
    """sigma of the batch that a batch norm of momentum 1 has just seen: the root of the mean over channels of the (unbiased) variance."""
    variance = norm.running_var
    assert isinstance(variance, Tensor)
    return float(variance.double().mean().sqrt())


def gaussian_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Convolutions and linear layers normal(0, 1), biases 0, in place; anything else as a network starts."""
    init_weights(network, int(torch.randint(1 << 31, (), generator=generator)))
    for layer in network.modules():
        if isinstance(layer, WEIGHTED):
            nn.init.normal_(layer.weight, generator=generator)


def _check_norms(network: nn.Module) -> None:
    for name, layer in network.named_modules():
        lost = isinstance(layer, BATCH_NORM) and layer.running_var is None
        if lost or isinstance(layer, OTHER_NORMS):
            raise LawError(
                f"{name}: {NAME} needs batch norms with running statistics, by which it adds back the scale that a norm takes away, but "
                f"this is {type(layer).__name__}. Use another proxy."
            )
