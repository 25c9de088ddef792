"""ZiCo: how large and how steady the gradients of the weights are over batches (Li et al., ICLR 2023), on noise."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace.errors import LawError
from archspace.ir.ops import Shape
from archspace.pytorch.proxies.working import WEIGHTED, check_shape, finite, generator_of, noise, one_tensor, working_copy

NAME = "zico"
BATCHES = 4  # the authors' code takes two, where one near-equal pair of gradients outweighs a layer


def zico(module: nn.Module, input_shape: Shape, seed: int = 0) -> float:
    """sum_l log sum_w E[|g_w|] / sqrt(Var[|g_w|]) over `BATCHES` batches of noise; more is better. input_shape: (n, c, h, w), n >= 2.

    ZiCo's definition in section 3 of the paper: l are the convolutions and linear layers, w their weights, g the gradient of the cross
    entropy by w on one batch. **The data are random**: images of noise and uniform labels, where the paper takes training data. Gradients
    whose variance is zero are left out, as in the authors' code (which divides by the deviation of g itself, not of |g|).
    Raises LawError for a network that returns no (n, classes) and for one without weights that get a gradient.
    """
    check_shape(NAME, input_shape, least_batch=2)
    network = working_copy(module)
    weights = list(dict.fromkeys(layer.weight for layer in network.modules() if isinstance(layer, WEIGHTED)))
    if not weights:
        raise LawError(f"{NAME}: the network must have convolutions or linear layers, but has none. Use another proxy.")
    generator = generator_of(seed)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    seen = [_gradients(network, weights, noise(input_shape, generator), generator) for _ in range(BATCHES)]
    total = 0.0
    for of_layer in zip(*seen, strict=True):
        ratio = steadiness(torch.stack([g for g in of_layer if g is not None])) if of_layer[0] is not None else 0.0
        total += log(ratio) if ratio > 0 else 0.0
    return finite(NAME, total, "gradients must be finite. Give another seed")


def steadiness(gradients: Tensor) -> float:
    """sum_w E[|g_w|] / sqrt(Var[|g_w|]) of one layer, the variance that of the batches themselves. gradients: (batches, ...)."""
    sizes = gradients.abs().flatten(1)
    deviation, mean = torch.std_mean(sizes, dim=0, correction=0)
    moving = deviation > 0
    return float((mean[moving].double() / deviation[moving].double()).sum())


def _gradients(network: nn.Module, weights: list[Tensor], images: Tensor, generator: torch.Generator) -> tuple[Tensor | None, ...]:
    logits = one_tensor(NAME, network(images))
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise LawError(f"{NAME}: the network must return (n, classes), but returned {tuple(logits.shape)}. Build it with a classifier.")
    labels = torch.randint(logits.shape[1], (len(images),), generator=generator)
    return torch.autograd.grad(functional.cross_entropy(logits, labels), weights, allow_unused=True)
