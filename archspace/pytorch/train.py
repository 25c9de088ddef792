"""Training: enough to see that a built network learns, the same way each time."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspace.errors import LawError
from archspace.pytorch.layers import freeze_shifts
from archspace.pytorch.layers import shift_penalty as penalty_of


def fit(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    shift_penalty: float = 0.0,
    penalty_order: int = 2,
    freeze_shifts_after: int | None = None,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train in place; returns the mean loss of each epoch.

    SGD with Nesterov momentum 0.9, learning rate falling from `lr` to 0 on a cosine over all steps, cross entropy plus `shift_penalty`
    times the penalty of the learned shifts (lambda of the SSL paper's equation 4; zero leaves it out) of `penalty_order`: 1 as in equation
    4, 2 (squares) as section 5.1 trains. After `freeze_shifts_after` optimizer steps the learned shifts are rounded and stay. images: (n,
    c, h, w), labels: integers (n,). An epoch's batches are as equal as they can be, `batch_size` at most. `progress(epoch, mean_loss)` is
    called after each.
    The result depends on `seed` and the module alone: the order and dropout come from it, torch's global random state stays as it was.
    Raises LawError for values that cannot be trained with, and when the loss stops being finite.
    """
    _check(images, labels, epochs, batch_size)
    if freeze_shifts_after is not None and freeze_shifts_after < 0:
        raise LawError(f"freeze_shifts_after must be a number of steps from 0 on, but got {freeze_shifts_after}")
    device = next(module.parameters()).device
    steps = -(-len(images) // batch_size)
    optimizer = torch.optim.SGD(module.parameters(), lr=lr, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * steps)
    module.train()
    means: list[float] = []
    if freeze_shifts_after == 0:
        freeze_shifts(module)
    step = 0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for epoch in range(1, epochs + 1):
            total = 0.0
            for batch in torch.randperm(len(images)).tensor_split(steps):
                loss = functional.cross_entropy(module(images[batch].to(device)), labels[batch].to(device))
                if shift_penalty:
                    loss = loss + shift_penalty * penalty_of(module, penalty_order).to(device)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                step += 1
                if step == freeze_shifts_after:
                    freeze_shifts(module)
                total += float(loss.detach()) * len(batch)
            means.append(total / len(images))
            if not isfinite(means[-1]):
                raise LawError(f"the loss must stay finite, but is {means[-1]} in epoch {epoch}. Use a learning rate below {lr:g}.")
            if progress is not None:
                progress(epoch, means[-1])
    return means


def accuracy(module: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = 256) -> float:
    """The share of images whose largest output is their label, in eval mode; the module's mode is put back. Raises LawError."""
    _check(images, labels, 1, batch_size)
    device = next(module.parameters()).device
    was_training = module.training
    module.eval()
    right = 0
    with torch.no_grad():
        for x, y in zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True):
            right += int((module(x.to(device)).argmax(1) == y.to(device)).sum())
    module.train(was_training)
    return right / len(images)


def _check(images: Tensor, labels: Tensor, epochs: int, batch_size: int) -> None:
    if len(images) != len(labels) or len(images) == 0:
        raise LawError(f"training needs one label per image, but got {len(images)} images and {len(labels)} labels")
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1:
            raise LawError(f"{name} must be at least 1, but got {value}")
