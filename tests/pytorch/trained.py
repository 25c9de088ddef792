"""Modules as training leaves them: batch norms whose every vector is random, displacements away from their start."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archspace.ir import Graph
from archspace.pytorch import Network, to_module
from archspace.pytorch.layers import SparseShift


def trained(graph: Graph, seed: int = 0, reach: float = 1.5) -> Network:
    """The graph's module in eval mode: weights as they start, random batch norms, learned shifts uniform in [-reach, reach]."""
    module = to_module(graph, seed=seed)
    generator = torch.Generator().manual_seed(seed)

    def fill(tensor: Tensor, low: float, high: float) -> None:
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, SparseShift) and layer.learned:
                fill(layer.alpha, -reach, reach)
                fill(layer.beta, -reach, reach)
            if isinstance(layer, nn.BatchNorm2d):
                fill(layer.weight, 0.7, 1.3)
                fill(layer.bias, -0.3, 0.3)
                fill(layer.running_mean, -0.3, 0.3)
                fill(layer.running_var, 0.5, 2.0)
    return module.eval()
