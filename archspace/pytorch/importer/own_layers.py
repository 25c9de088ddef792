"""Layers of archspace's own: torch modules whose calls are one op of the vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from archspace.ir.ops import ChannelGather, FixedShift, GroupedShift, Op, SparseShift
from archspace.pytorch import layers

LAYER = "archspace.layer"  # the target of a step that is one of them

# How to make the op of the layer.
LAYERS: dict[type[nn.Module], Callable[[Any], Op]] = {
    layers.ChannelGather: lambda layer: ChannelGather(layer.channels),
    layers.FixedShift: lambda layer: FixedShift(layer.alpha, layer.beta, layer.inplace),
    layers.GroupedShift: lambda layer: GroupedShift(layer.channels, layer.kernel_size),
    layers.SparseShift: lambda layer: SparseShift(layer.channels, layer.moved_channels, layer.learned),
}
