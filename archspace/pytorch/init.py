"""How weights start: as the papers' would, from a generator of their own when a seed is given."""

from __future__ import annotations

from math import sqrt

import torch
from torch import nn

from archspace.pytorch.layers import SparseShift


def init_weights(module: nn.Module, seed: int | None = None) -> None:
    """Set every parameter of `module` in place, in the order of `module.modules()`.

    - Conv2d: normal with variance 2 / fan_out (He et al., ICCV 2015, equation 14), bias 0. fan_out is the number of outputs that one
      input pixel reaches: kernel area * out_channels / groups.
    - Linear: normal(0, 0.01), bias 0 (He et al., CVPR 2016, and the ShuffleNets after it).
    - BatchNorm2d: weight 1, bias 0, running mean 0, running variance 1.
    - SparseShift, learned: displacements uniform in [-1, 1].

    With `seed` the result depends on it alone and torch's global random state is neither read nor changed; without, weights come from
    the global state, as those of any torch module do.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            kh, kw = layer.kernel_size
            fan_out = kh * kw * layer.out_channels // layer.groups
            nn.init.normal_(layer.weight, 0.0, sqrt(2 / fan_out), generator=generator)
            _zero(layer.bias)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01, generator=generator)
            _zero(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
        elif isinstance(layer, SparseShift):
            layer.reset_parameters(generator)


def _zero(bias: torch.Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
