"""The weights' side of deployment: batch norms multiplied into the layers before them, and the state of what is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import FixedShift, Parameter
from archspace.pytorch.deploy.folding import Fold


def fold_weights(state: Mapping[str, Tensor], folds: Iterable[Fold]) -> dict[str, Tensor]:
    """The state with each batch norm in the weight and bias of its layers, in order. `state` itself stays as it was.

    y = (x - mean) / sqrt(var + eps) * weight + bias of x = W u + b is (s W) u + (b - mean) s + bias, s = weight / sqrt(var + eps). Computed
    in float64 and rounded once, to the layer's dtype. Raises LawError where the state lacks a tensor or has one of another size.
    """
    folded = dict(state)
    for fold in folds:
        scale, shift = _affine(folded, fold)
        name = f"{fold.producer}.weight"
        weight = _tensor(folded, name, len(fold.channels))
        bias = _tensor(folded, f"{fold.producer}.bias", len(fold.channels)) if f"{fold.producer}.bias" in folded else torch.zeros(1)
        by_channel = scale.view(-1, *[1] * (weight.dim() - 1))
        folded[name] = (weight.double() * by_channel).to(weight.dtype)
        folded[f"{fold.producer}.bias"] = (bias.double() * scale + shift).to(weight.dtype)
    return folded


def state_of(graph: Graph, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What of the state belongs to nodes of the graph or is one; the displacements of a fixed shift are in the graph."""
    names = {node.name for node in graph if not isinstance(node.op, FixedShift)}
    tensors = {node.name for node in graph if isinstance(node.op, Parameter)}
    return {key: tensor for key, tensor in state.items() if key.rpartition(".")[0] in names or key in tensors}


def _affine(state: Mapping[str, Tensor], fold: Fold) -> tuple[Tensor, Tensor]:
    """The scale and shift, in float64, that a batch norm means for each output channel of a layer."""
    channels = torch.tensor(fold.channels)
    least = max(fold.channels) + 1
    keys = ("weight", "bias", "running_mean", "running_var")
    weight, bias, mean, var = (_tensor(state, f"{fold.norm}.{key}", least, exact=False).double()[channels] for key in keys)
    scale = weight / torch.sqrt(var + fold.eps)
    return scale, bias - mean * scale


def _tensor(state: Mapping[str, Tensor], key: str, size: int, *, exact: bool = True) -> Tensor:
    """A tensor of the state with `size` elements (or more) along its first axis. Raises LawError."""
    if key not in state:
        raise LawError(f"the weights must hold {key}, but do not. Give the whole state dict of the graph's module.")
    tensor = state[key].detach().cpu()
    if tensor.dim() == 0 or len(tensor) < size or (exact and len(tensor) != size):
        raise LawError(f"{key}: the weights must fit the graph: {size} channels, but got shape {tuple(tensor.shape)}")
    return tensor
