"""How weights start: as the papers' would, from a generator of their own when a seed is given."""

from __future__ import annotations

from math import prod, sqrt

import torch
from torch import nn

from archspace.pytorch.layers import SparseShift

NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def init_weights(module: nn.Module, seed: int | None = None) -> None:
    """Set every parameter of `module` in place, in the order of `module.modules()`.

    - Convolutions: normal with variance 2 / fan_out (He et al., ICCV 2015, equation 14), bias 0. fan_out is the number of outputs that
      one input pixel reaches: kernel area * out_channels / groups.
    - Linear: normal(0, 0.01), bias 0 (He et al., CVPR 2016, and the ShuffleNets after it).
    - Normalisations: weight 1, bias 0, running mean 0, running variance 1.
    - Recurrent layers: uniform in +-1 / sqrt(hidden_size), as torch's; Embedding: normal(0, 1), as torch's; PReLU: 1/4.
    - Tensors of the network's own (class tokens, position embeddings): normal(0, 0.02), as the ViT's of Touvron et al. (ICML 2021).
    - SparseShift, learned: displacements uniform in [-1, 1].

    With `seed` the result depends on it alone and torch's global random state is neither read nor changed; without, weights come from
    the global state, as those of any torch module do.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.modules.conv._ConvNd):
            fan_out = prod(layer.kernel_size) * layer.out_channels // layer.groups
            nn.init.normal_(layer.weight, 0.0, sqrt(2 / fan_out), generator=generator)
            _zero(layer.bias)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01, generator=generator)
            _zero(layer.bias)
        elif isinstance(layer, NORMALISATIONS):
            layer.reset_parameters()
        elif isinstance(layer, nn.RNNBase):
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -1 / sqrt(layer.hidden_size), 1 / sqrt(layer.hidden_size), generator=generator)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, generator=generator)
        elif isinstance(layer, nn.PReLU):
            nn.init.constant_(layer.weight, 0.25)
        elif isinstance(layer, SparseShift):
            layer.reset_parameters(generator)
        else:
            for parameter in layer.parameters(recurse=False):
                nn.init.normal_(parameter, 0.0, 0.02, generator=generator)


def _zero(bias: torch.Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
