"""The layers that torch lacks: channel shuffle and gather, grouped shift and the sparse shift of the SSL paper, learned or fixed.

The SSL paper is Chen et al., "All You Need is a Few Shifts" (CVPR 2019). Its i and alpha are horizontal (axis 3 here), its j and
beta vertical (axis 2). Pixels that a displacement fetches from outside the image are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace.errors import LawError


class ChannelShuffle(nn.Module):
    """(groups, c / groups) channels transposed: view, transpose, view (ShuffleNet v1, figure 1c). x: (n, c, h, w), as is."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.reshape(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)

    def extra_repr(self) -> str:
        return f"{self.groups}"


class ChannelGather(nn.Module):
    """Output channel i is channel `channels[i]` of the inputs joined along axis 1.

    torch picks from one tensor only, so several inputs are joined first: faster than a strided copy per input, if not the one movement
    that a kernel of its own would be.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.index = nn.Buffer(torch.tensor(self.channels, dtype=torch.int64), persistent=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        joined = inputs[0] if len(inputs) == 1 else torch.cat(inputs, 1)
        return joined.index_select(1, self.index)

    def extra_repr(self) -> str:
        return f"{len(self.channels)} channels"


def take_shifted(x: Tensor, alpha: Tensor, beta: Tensor, height: int, width: int) -> Tensor:
    """O[c, i, j] = I[c, i + alpha_c, j + beta_c] for the first width x height positions (equation 1), zero outside the image.

    x: (n, c, h, w), alpha and beta: int64 (c,) -> (n, c, height, width). One gather on the flattened image inside a ring of zeros:
    every position outside falls on the ring, and the backward pass is the inverse movement (equation 7).
    """
    n, c, h, w = x.shape
    rows = (torch.arange(1, height + 1, device=x.device) + beta.unsqueeze(1)).clamp(0, h + 1)
    columns = (torch.arange(1, width + 1, device=x.device) + alpha.unsqueeze(1)).clamp(0, w + 1)
    # row * (w + 2) + column as a subtraction: tools that count aten::mul or torch.add would take it for arithmetic on pixels.
    index = torch.sub(columns.unsqueeze(1), rows.unsqueeze(2), alpha=-(w + 2)).flatten(1)
    ringed = functional.pad(x, [1, 1, 1, 1]).flatten(2)
    return ringed.gather(2, index.unsqueeze(0).expand(n, -1, -1)).view(n, c, height, width)


def interpolate_shifted(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Equation 3: each channel shifted by a real displacement, bilinearly between the four nearest integer points.

    x: (n, c, h, w), alpha and beta: real (c,) -> as x. Its gradients by alpha and beta are equation 6; at an integer displacement the
    four points are that integer and the next, which is Sign(0) = -1.
    """
    _, _, h, w = x.shape
    low_alpha, low_beta = torch.floor(alpha).detach(), torch.floor(beta).detach()
    # The four neighbours of all pixels lie in one window that is a pixel larger than the image.
    window = take_shifted(x, low_alpha.to(torch.int64), low_beta.to(torch.int64), h + 1, w + 1)
    share_alpha = (alpha - low_alpha).view(-1, 1, 1)
    share_beta = (beta - low_beta).view(-1, 1, 1)
    rows = window[:, :, :, :-1] + share_alpha * (window[:, :, :, 1:] - window[:, :, :, :-1])
    return rows[:, :, :-1] + share_beta * (rows[:, :, 1:] - rows[:, :, :-1])


def move_channels(x: Tensor, channels: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """`x` with `channels` shifted by (alpha, beta) and the others as they are: only those are gathered, none costs nothing.

    x: (n, c, h, w), the others int64 (m,) -> as x; x itself where m is zero.
    """
    if channels.numel() == 0:
        return x
    _, _, h, w = x.shape
    return x.index_copy(1, channels, take_shifted(x.index_select(1, channels), alpha, beta, h, w))


def grid_displacements(kernel_size: int) -> list[tuple[int, int]]:
    """(alpha, beta) of each cell of a K x K grid in the order of equation 2: alpha = k // K - K // 2, beta = k mod K - K // 2."""
    half = kernel_size // 2
    return [(k // kernel_size - half, k % kernel_size - half) for k in range(kernel_size**2)]


def grouped_displacements(channels: int, kernel_size: int) -> list[tuple[int, int]]:
    """(alpha, beta) per channel of a grouped shift: K^2 groups of channels // K^2, each with its cell of the grid (equation 2).

    As printed, equation 2 takes floor(c / K^2) for the group, which is the group only where groups have K^2 channels; c // (channels
    // K^2) is meant. Channels that are left when K^2 does not divide them move too: one each for the cells but the middle one, in
    order, so that exactly channels // K^2 channels stay (`archspace.ir.ops.GroupedShift.moved_channels`).
    """
    cells = grid_displacements(kernel_size)
    group = channels // kernel_size**2
    return [cell for cell in cells for _ in range(group)] + [cell for cell in cells if cell != (0, 0)][: channels - group * len(cells)]


def sparse_displacements(channels: int, moved_channels: int) -> list[tuple[int, int]]:
    """(alpha, beta) per channel of a fixed sparse shift: the first `moved_channels` take the eight neighbours in turn, the rest stay."""
    neighbours = [cell for cell in grid_displacements(3) if cell != (0, 0)]
    return [neighbours[c % 8] if c < moved_channels else (0, 0) for c in range(channels)]


class GroupedShift(nn.Module):
    """Each channel group shifted by its own fixed displacement (equations 1 and 2). x: (n, channels, h, w), as is."""

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.kernel_size = kernel_size
        alpha, beta = zip(*grouped_displacements(channels, kernel_size), strict=True)
        self.alpha = nn.Buffer(torch.tensor(alpha))
        self.beta = nn.Buffer(torch.tensor(beta))

    def forward(self, x: Tensor) -> Tensor:
        _, _, h, w = x.shape
        return take_shifted(x, self.alpha, self.beta, h, w)

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}"


class SparseShift(nn.Module):
    """A shift of some of the channels (SSL paper, section 4). x: (n, channels, h, w), as is.

    Fixed, `alpha` and `beta` are int64 buffers: `sparse_displacements`. Learned, they are parameters, one each per channel, that start
    uniform in [-1, 1]. Forward always moves by the rounded displacement (equation 5; torch.round, so halves go to the even neighbour).
    Backward while training: equation 6 for alpha and beta, equation 7 for x, by a straight-through term of value zero:
    out = move(x) + (S - S.detach()), S the interpolation of equation 3 on x.detach(). In eval mode only the movement is left.
    """

    def __init__(self, channels: int, moved_channels: int, learned: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.moved_channels = moved_channels
        self.learned = learned
        # No annotations in the class body: torch.jit.script reads them, and as postponed strings it cannot.
        self.alpha: Tensor
        self.beta: Tensor
        if learned:
            self.alpha = nn.Parameter(torch.empty(channels))
            self.beta = nn.Parameter(torch.empty(channels))
            self.reset_parameters()
        else:
            alpha, beta = zip(*sparse_displacements(channels, moved_channels), strict=True)
            self.alpha = nn.Buffer(torch.tensor(alpha))
            self.beta = nn.Buffer(torch.tensor(beta))
        # Which channels a fixed shift moves: follows from the displacements, so it is not in the state dict.
        self.moved = nn.Buffer(self._moved(), persistent=False)

    def _moved(self) -> Tensor:
        if self.learned or self.alpha.is_meta:
            return torch.zeros(0, dtype=torch.int64, device=self.alpha.device)
        return torch.nonzero((self.alpha != 0) | (self.beta != 0)).flatten()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Learned displacements start uniform in [-1, 1]; fixed ones stay."""
        if self.learned:
            nn.init.uniform_(self.alpha, -1, 1, generator=generator)
            nn.init.uniform_(self.beta, -1, 1, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        _, _, h, w = x.shape
        if not self.learned:
            return move_channels(x, self.moved, self.alpha[self.moved], self.beta[self.moved])
        moved = take_shifted(x, torch.round(self.alpha).to(torch.int64), torch.round(self.beta).to(torch.int64), h, w)
        if self.training:
            surrogate = interpolate_shifted(x.detach(), self.alpha, self.beta).to(moved.dtype)
            moved = moved + (surrogate - surrogate.detach())
        return moved

    def penalty(self, order: int = 2) -> Tensor:
        """R(alpha, beta), a scalar: order 1 is ||alpha||_1 + ||beta||_1 (equation 4), order 2 the sum of squares (section 5.1 trains
        with L2). Zero for fixed displacements. Raises LawError for another order.
        """
        if order not in (1, 2):
            raise LawError(f"SparseShift: the penalty's order must be 1 (equation 4) or 2 (section 5.1), but got {order}")
        if not self.learned:
            return torch.zeros((), device=self.alpha.device)
        if order == 1:
            return self.alpha.abs().sum() + self.beta.abs().sum()
        return self.alpha.square().sum() + self.beta.square().sum()

    def freeze(self) -> None:
        """Turn learned displacements into int64 buffers, rounded as in the forward pass: what eval mode computes stays the same."""
        if self.learned:
            alpha, beta = (d.detach().round().to(torch.int64) for d in (self.alpha, self.beta))
            del self.alpha, self.beta  # a name cannot be a parameter and a buffer at once
            self.alpha = nn.Buffer(alpha)
            self.beta = nn.Buffer(beta)
            self.learned = False
            self.moved = nn.Buffer(self._moved(), persistent=False)

    def unmoved_channels(self) -> int:
        """Channels whose rounded displacements are both zero."""
        return int(((self.alpha.detach().round() == 0) & (self.beta.detach().round() == 0)).sum())

    def shift_sparsity(self) -> float:
        """The share of channels that stay in place now (SSL paper, figure 2)."""
        return self.unmoved_channels() / self.channels

    def extra_repr(self) -> str:
        return f"{self.channels}, {self.moved_channels}, learned={self.learned}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # Real displacements loaded into a fixed layer must be rounded: copying into integers would cut them towards zero.
        for key in (f"{prefix}alpha", f"{prefix}beta"):
            if not self.learned and key in state_dict:
                state_dict[key] = state_dict[key].round()
        super()._load_from_state_dict(state_dict, prefix, *args)
        self.moved = nn.Buffer(self._moved(), persistent=False)


class FixedShift(nn.Module):
    """Each channel shifted by integers that never change (equation 1). x: (n, c, h, w), as is.

    Displacements are settings, not state. With `inplace` the moved channels are written into x itself, unless x needs a gradient.
    """

    def __init__(self, alpha: Sequence[int], beta: Sequence[int], inplace: bool = False) -> None:
        super().__init__()
        self.alpha = tuple(alpha)
        self.beta = tuple(beta)
        self.inplace = inplace
        moved = [c for c, steps in enumerate(zip(alpha, beta, strict=True)) if steps != (0, 0)]
        self.moved = nn.Buffer(torch.tensor(moved, dtype=torch.int64), persistent=False)
        self.steps = nn.Buffer(torch.tensor([[d[c] for c in moved] for d in (alpha, beta)], dtype=torch.int64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.inplace or x.requires_grad or self.moved.numel() == 0:
            return move_channels(x, self.moved, self.steps[0], self.steps[1])
        _, _, h, w = x.shape
        return x.index_copy_(1, self.moved, take_shifted(x.index_select(1, self.moved), self.steps[0], self.steps[1], h, w))

    def extra_repr(self) -> str:
        return f"{len(self.alpha)}, moved_channels={self.moved.numel()}, inplace={self.inplace}"


def sparse_shifts(module: nn.Module) -> list[SparseShift]:
    """The sparse shift layers of a module, in order."""
    return [layer for layer in module.modules() if isinstance(layer, SparseShift)]


def shift_penalty(module: nn.Module, order: int = 2) -> Tensor:
    """R(alpha, beta) of equation 4 summed over the module's learned shifts, a scalar; zero when it has none.

    Raises LawError when `order` is neither 1 nor 2.
    """
    total = torch.zeros(())
    for layer in sparse_shifts(module):
        if layer.learned:
            total = total + layer.penalty(order)
    return total


def shift_sparsity(module: nn.Module) -> float:
    """The share of unmoved channels over all sparse shift layers of the module. Raises LawError when it has none."""
    layers = sparse_shifts(module)
    if not layers:
        raise LawError("shift sparsity needs a sparse shift layer, but the module has none. Build one with fenet.")
    return sum(layer.unmoved_channels() for layer in layers) / sum(layer.channels for layer in layers)


def freeze_shifts(module: nn.Module) -> nn.Module:
    """Round every learned shift of the module to integers, in place (section 4.2, Discussion); returns the module.

    In eval mode the outputs stay the same. The displacements are no longer parameters afterwards.
    """
    for layer in sparse_shifts(module):
        layer.freeze()
    return module
