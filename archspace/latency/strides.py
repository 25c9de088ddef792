"""How tensors lie in memory, in elements: what a permutation leaves behind, and which reshapes need a copy.

An axis of one position keeps its stride, so that what holds for one image of a batch holds for many.
"""

from __future__ import annotations

from functools import lru_cache

from archspace.ir.ops import Expand, Op, Permute, Select, Slice
from archspace.ir.ops.base import Shape, prod

Strides = tuple[int, ...]


@lru_cache(maxsize=4096)
def contiguous(shape: Shape) -> Strides:
    """Row-major.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def dense_like(shape: Shape, strides: Strides) -> Strides:
    """No gaps, axes in the order of `strides`; row-major for a broadcast tensor.

    >>> dense_like((2, 3, 4), (100, 1, 10))
    (12, 1, 3)
    """
    if any(step == 0 and size > 1 for size, step in zip(shape, strides, strict=True)):
        return contiguous(shape)
    dense, step = [0] * len(shape), 1
    for axis in sorted(range(len(shape)), key=lambda i: (strides[i], -i)):
        dense[axis] = step
        step *= shape[axis]
    return tuple(dense)


@lru_cache(maxsize=4096)
def channels_last(shape: Shape) -> Strides:
    """(n, c, *sizes) with the channels innermost."""
    inner = contiguous((shape[0], *shape[2:], shape[1]))
    return (inner[0], 1, *inner[1:-1])


def is_contiguous(shape: Shape, strides: Strides) -> bool:
    """Whether it lies row-major without gaps."""
    return strides == contiguous(shape) or all(
        size == 1 or step == want for size, step, want in zip(shape, strides, contiguous(shape), strict=True)
    )


def is_channels_last(shape: Shape, strides: Strides) -> bool:
    """Whether a map of more than one pixel and channel has its channels innermost."""
    return len(shape) == 4 and shape[1] > 1 and strides[1] == 1 and shape[2] * shape[3] > 1 and strides[3] >= shape[1]


def viewed(shape: Shape, strides: Strides, new: Shape) -> Strides | None:
    """The strides of a reshape that copies nothing; None when it must copy. The rule is torch's (`computeStride`).

    >>> viewed((4, 6), (6, 1), (2, 2, 6)), viewed((4, 6), (1, 4), (24,))
    ((12, 6, 1), None)
    """
    axes = [(size, step) for size, step in zip(shape, strides, strict=True) if size != 1]
    if not axes:
        return contiguous(new)
    found, axis = [0] * len(new), len(new) - 1
    elems, step = 1, axes[-1][1]
    for k in range(len(axes) - 1, -1, -1):
        elems *= axes[k][0]
        if k and axes[k - 1][1] == axes[k][0] * axes[k][1]:
            continue  # the next axis runs on where this one ends
        taken = 1
        while axis >= 0 and (taken < elems or new[axis] == 1):
            found[axis] = taken * step
            taken *= new[axis]
            axis -= 1
        if taken != elems:
            return None
        if k:
            elems, step = 1, axes[k - 1][1]
    return tuple(found)


def strides_of_view(op: Op, out: Shape, shape: Shape, strides: Strides) -> Strides | None:
    """The strides of a view, of shape `out`, of a tensor of `shape`; None for a reshape that must copy."""
    if isinstance(op, Permute):
        return tuple([strides[axis] for axis in op.dims])
    if isinstance(op, Slice):
        axis = op.dim % len(strides)
        return tuple([step * (op.step if i == axis else 1) for i, step in enumerate(strides)])
    if isinstance(op, Select):
        axis = op.dim % len(strides)
        return (*strides[:axis], *strides[axis + 1 :])
    if isinstance(op, Expand):
        added = len(out) - len(shape)
        kept = [step if size == new else 0 for size, step, new in zip(shape, strides, out[added:], strict=True)]
        return (*[0] * added, *kept)
    if prod(out) == prod(shape):
        return viewed(shape, strides, out)
    return strides if len(out) == len(shape) else contiguous(out)
