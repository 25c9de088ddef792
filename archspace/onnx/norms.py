"""Patterns of normalisations: what LayerNorm, RMSNorm and GroupNorm come to in operators that have none of them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from archspace.ir.ops import GroupNorm, InstanceNorm, LayerNorm, Multiply, Parameter, Pointwise, Reduce, Reshape, RMSNorm, Shape
from archspace.onnx.assemble import Pending
from archspace.onnx.draft import Draft


def scale(draft: Draft, i: int) -> Pending | None:
    """A vector of weights that multiplies a normalisation's output."""
    one = draft[i]
    for x, p in (one.inputs, one.inputs[::-1]):
        layer, vector = draft[x], draft[p]
        if not isinstance(vector.op, Parameter) or not isinstance(layer.op, LayerNorm | RMSNorm) or layer.op.affine:
            continue
        if len(draft.users[x]) == 1 and layer.shape == one.shape and squeezed(vector.shape) == squeezed(layer.op.normalized_shape):
            return replace(one, op=replace(layer.op, affine=True), inputs=layer.inputs, weights=vector.weights)
    return None


def squeezed(shape: Shape) -> Shape:
    """A shape without its axes of one element."""
    return tuple([size for size in shape if size != 1])


def _mean_of(draft: Draft, i: int, shape: Shape) -> tuple[int, Shape] | None:
    """What node i is the mean of over its last axes, kept, and the sizes of those axes."""
    one = draft[i]
    if not isinstance(one.op, Reduce) or one.op.function != "mean" or not one.op.keepdim or not one.op.dims:
        return None
    start = len(shape) - len(one.op.dims)
    return (one.inputs[0], shape[start:]) if one.op.dims == tuple(range(start, len(shape))) else None


def _square_of(draft: Draft, i: int) -> int | None:
    one = draft[i]
    if isinstance(one.op, Multiply):
        return one.inputs[0] if len(set(one.inputs)) == 1 else None
    squares = isinstance(one.op, Pointwise) and (one.op.function == "square" or (one.op.function, one.op.arguments) == ("pow", (2,)))
    return one.inputs[0] if squares else None


def _root_mean_square(draft: Draft, i: int, shape: Shape) -> tuple[int, Shape, float] | None:
    """What node i is sqrt(mean(square) + eps) of, over which axes, with which eps."""
    root = draft[i]
    more = draft.pointwise(root.inputs[0], "add")
    if more is None or not isinstance(more.op, Pointwise) or len(more.inputs) != 1 or not isinstance(more.op.arguments[0], float):
        return None
    mean = _mean_of(draft, more.inputs[0], shape)
    source = None if mean is None else _square_of(draft, mean[0])
    return None if source is None or mean is None else (source, mean[1], float(f"{more.op.arguments[0]:.6g}"))


def normalisation(draft: Draft, i: int) -> Pending | None:
    """x / sqrt(mean(x^2) + eps) is RMSNorm, and LayerNorm where x is less its mean."""
    one = draft[i]
    if len(one.inputs) != 2:
        return None
    found = None
    for x, d in (one.inputs, one.inputs[::-1]) if isinstance(one.op, Multiply) else (one.inputs,):
        divisor = draft[d]
        if isinstance(one.op, Multiply) and isinstance(divisor.op, Pointwise) and divisor.op.function == "reciprocal":
            root = draft.pointwise(divisor.inputs[0], "sqrt")
            found = None if root is None else _root_mean_square(draft, divisor.inputs[0], one.shape)
        elif isinstance(divisor.op, Pointwise) and divisor.op.function == ("rsqrt" if isinstance(one.op, Multiply) else "sqrt"):
            found = _root_mean_square(draft, d, one.shape)
        if found is not None and found[0] == x:
            break
        found = None
    if found is None:
        return None
    x, axes, eps = found
    centred = draft[x]
    if isinstance(centred.op, Pointwise) and centred.op.function == "sub" and len(centred.inputs) == 2:
        mean = _mean_of(draft, centred.inputs[1], centred.shape)
        if mean == (centred.inputs[0], axes):
            return replace(one, op=LayerNorm(axes, eps, affine=False, bias=False), inputs=(centred.inputs[0],))
    return replace(one, op=RMSNorm(axes, eps, affine=False), inputs=(x,))


def group_norm(draft: Draft, i: int) -> Pending | None:
    """(n, c, ...) -> (n, groups, rest), instance norm, and back: a group norm without an affine map."""
    last = draft[i]
    norm = draft.made_by(last.inputs[0], InstanceNorm)
    view = None if norm is None else draft[norm.inputs[0]]
    if norm is None or view is None or not isinstance(view.op, Reshape) or not isinstance(norm.op, InstanceNorm):
        return None
    source = draft[view.inputs[0]].shape
    groups = norm.op.num_features
    if last.shape != source or len(source) < 3 or source[1] % groups or view.shape != (source[0], groups, prod(source[1:]) // groups):
        return None
    return replace(last, op=GroupNorm(groups, source[1], norm.op.eps, affine=False), inputs=view.inputs, is_side=False)


def group_norm_affine(draft: Draft, i: int) -> Pending | None:
    """A factor and a summand per channel behind a group norm without them."""
    one = draft[i]
    for x, shift in (one.inputs, one.inputs[::-1]):
        product = draft.made_by(x, Multiply)
        if product is None or not isinstance(draft[shift].op, Parameter):
            continue
        for y, factor in (product.inputs, product.inputs[::-1]):
            norm = draft.made_by(y, GroupNorm)
            if norm is None or not isinstance(norm.op, GroupNorm) or norm.op.affine or not isinstance(draft[factor].op, Parameter):
                continue
            per_channel = (norm.op.num_channels, *(1,) * (len(one.shape) - 2))
            if draft[factor].shape[-len(per_channel) :] == draft[shift].shape[-len(per_channel) :] == per_channel:
                weights = draft[factor].weights | draft[shift].weights
                return replace(one, op=replace(norm.op, affine=True), inputs=norm.inputs, weights=weights)
    return None
