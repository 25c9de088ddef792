"""NASWOT: how differently a network's activations switch on for different images (Mellor et al., ICML 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from archspace.errors import LawError
from archspace.ir.ops import Shape
from archspace.pytorch.proxies.working import check_shape, finite, generator_of, noise, working_copy

NAME = "naswot"

# What counts as an activation, as torch's CPU runs it: the ReLU and what takes its place, all split at zero by the sign of their input.
# Sigmoid, hardsigmoid and tanh are gates and bounds of something else; softmax and GLU compare values with each other.
ACTIVATIONS: frozenset[str] = frozenset(
    (
        "aten::relu",
        "aten::hardtanh",  # ReLU6
        "aten::hardswish",
        "aten::silu",
        "aten::gelu",
        "aten::mish",
        "aten::leaky_relu",
        "aten::_prelu_kernel",
        "aten::elu",  # SELU and CELU too
    )
)
UNITS_AT_ONCE = 1 << 22  # below 2^24, up to which float32 counts exactly in any order


def naswot(module: nn.Module, input_shape: Shape, seed: int = 0) -> float:
    """log|K_H| of the activation codes of a batch of noise; more is better. input_shape: (n, c, h, w), n of at least 2.

    c_i is the binary code of image i: for every activation unit of the network (`ACTIVATIONS`) whether what goes in is positive. Equation 2
    of the paper: K_H[i, j] = N_A - d_H(c_i, c_j), N_A the number of units, d_H the Hamming distance; the score is the logarithm of its
    determinant. As in the authors' code batch norms use the batch's statistics; unlike there, images are noise and dropout is off.
    Raises LawError for a network without activations, and where two images have one code.
    """
    check_shape(NAME, input_shape, least_batch=2)
    with torch.no_grad(), _Kernel() as kernel:
        working_copy(module)(noise(input_shape, generator_of(seed)))
    if kernel.units == 0:
        raise LawError(
            f"{NAME}: the network must have activations that switch at zero ({', '.join(sorted(_plain(a) for a in ACTIVATIONS))}), "
            "but has none. Use another proxy, or give it activations."
        )
    return log_determinant(kernel.hamming())


def log_determinant(kernel: Tensor) -> float:
    """log|K| of a positive definite matrix in float64. Raises LawError for a singular one."""
    sign, value = torch.linalg.slogdet(kernel)
    found = float(value) if float(sign) > 0 else float("-inf")
    return finite(NAME, found, "two of the images must have one code. Give another seed, a smaller batch or a larger network")


def hamming_kernel(codes: Sequence[Tensor]) -> Tensor:
    """K_H of equation 2, float64 (n, n), of codes given layer by layer: boolean (n, units)."""
    kernel = _Kernel()
    for layer in codes:
        kernel.add(layer)
    return kernel.hamming()


class _Kernel(TorchDispatchMode):
    """Collects, while it is entered, the products of the codes of every activation that torch runs: a layer's codes are not kept."""

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.units = 0
        self.both: Tensor | float = 0.0  # units that are on in both images, (n, n)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func._schema.name.removesuffix("_") in ACTIVATIONS and args[0].dim() > 1:
            self.add((args[0] > 0).flatten(1))
        run: Callable[..., Any] = func
        return run(*args, **(kwargs or {}))

    def add(self, codes: Tensor) -> None:
        self.units += codes.shape[1]
        for part in torch.split(codes, UNITS_AT_ONCE, dim=1):
            ones = part.to(torch.float32)
            self.both = self.both + (ones @ ones.T).to(torch.float64)

    def hamming(self) -> Tensor:
        # d_H = on_i + on_j - 2 both_ij
        both = torch.as_tensor(self.both, dtype=torch.float64)
        on = both.diagonal()
        return self.units - (on.unsqueeze(0) + on.unsqueeze(1) - 2 * both)


def _plain(name: str) -> str:
    return {"hardtanh": "relu6", "_prelu_kernel": "prelu"}.get(name.removeprefix("aten::"), name.removeprefix("aten::"))
