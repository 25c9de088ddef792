"""What all proxies start from: a copy of the module that may be spoiled, images of noise, and checks that a proxy applies."""

from __future__ import annotations

import copy
from math import isfinite

import torch
from torch import Tensor, fx, nn

from archspace.errors import LawError
from archspace.ir.ops import Shape

WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)  # the layers whose weights proxies look at
BATCH_NORM = nn.modules.batchnorm._BatchNorm
OTHER_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.instancenorm._InstanceNorm)


def working_copy(module: nn.Module) -> nn.Module:
    """A copy in which only batch norms are in training mode: they normalise by the batch, as an untrained network must, and nothing drops
    out or draws a number.
    """
    copied = copy.deepcopy(module).eval()
    for layer in copied.modules():
        if isinstance(layer, BATCH_NORM):
            layer.train()
    return copied


def traced_copy(name: str, module: nn.Module) -> fx.GraphModule:
    """The working copy as a torch.fx.GraphModule, whose calls can be changed. Raises LawError for what torch.fx cannot trace."""
    copied = working_copy(module)
    if isinstance(copied, fx.GraphModule):
        return copied
    try:
        return fx.symbolic_trace(copied)
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise LawError(
            f"{name}: torch.fx must be able to trace the module, but {type(module).__name__} it cannot: {_one_line(error)}. "
            "Give the module that archspace.to_module makes of its graph (archspace.from_torch)."
        ) from None


def generator_of(seed: int) -> torch.Generator:
    """A generator of its own: torch's global random state is neither read nor changed."""
    return torch.Generator().manual_seed(seed)


def noise(shape: Shape, generator: torch.Generator) -> Tensor:
    """Images of independent normal(0, 1) pixels: what stands for data where there is none."""
    return torch.randn(shape, generator=generator)


def check_shape(name: str, shape: Shape, least_batch: int = 1) -> None:
    """Raise LawError unless `shape` is that of a batch of images: (n, c, h, w) with n of at least `least_batch`."""
    if len(shape) != 4 or min(shape) < 1 or shape[0] < least_batch:
        raise LawError(
            f"{name}: the input must be of shape (n, c, h, w), n of at least {least_batch}, but got {tuple(shape)}. "
            "Proxies are defined for networks of images; give a batch."
        )


def one_tensor(name: str, returned: object) -> Tensor:
    """What the network returned, which must be one tensor. Raises LawError."""
    if not isinstance(returned, Tensor):
        raise LawError(f"{name}: the network must return one tensor, but returned {type(returned).__name__}. Build it without features.")
    return returned


def finite(name: str, value: float, why: str) -> float:
    """The value, if it is a number. Raises LawError that says `why` it may not be."""
    if not isfinite(value):
        raise LawError(f"{name}: the value must be finite, but is {value}: {why}.")
    return value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
