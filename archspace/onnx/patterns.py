"""Patterns: what several operators of a file spell together: channel shuffle, biases, activations, normalisations, attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isclose, prod, sqrt

from archspace.ir.ops import (
    Add,
    ChannelShuffle,
    Flatten,
    GroupNorm,
    Input,
    InstanceNorm,
    LayerNorm,
    Linear,
    MatMul,
    Multiply,
    Op,
    Parameter,
    Permute,
    Pointwise,
    Reduce,
    Reshape,
    RMSNorm,
    ScaledDotProductAttention,
    Shape,
    Softmax,
)
from archspace.onnx.activations import activation_of
from archspace.onnx.assemble import Assembled, Pending

RETURNED = -1  # the user of what the network returns


class Draft:
    """Nodes that are being replaced: `users` says who reads each, RETURNED among them."""

    def __init__(self, assembled: Assembled) -> None:
        self.nodes: list[Pending | None] = list(assembled.pending)
        self.users: list[set[int]] = [set() for _ in self.nodes]
        for i, one in enumerate(assembled.pending):
            for source in one.inputs:
                self.users[source].add(i)
        for i in assembled.outputs:
            self.users[i].add(RETURNED)

    def __getitem__(self, i: int) -> Pending:
        one = self.nodes[i]
        assert one is not None
        return one

    def made_by(self, i: int, kind: type[Op]) -> Pending | None:
        """Node i, if it is of a kind and nobody but one node reads it."""
        one = self[i]
        return one if isinstance(one.op, kind) and len(self.users[i]) == 1 and RETURNED not in self.users[i] else None

    def pointwise(self, i: int, *functions: str) -> Pending | None:
        """Node i, if it is one of these functions and nobody but one node reads it."""
        one = self.made_by(i, Pointwise)
        return one if one is not None and isinstance(one.op, Pointwise) and one.op.function in functions else None

    def put(self, i: int, one: Pending) -> None:
        """Replace node i; what nobody reads any more goes."""
        old = self.nodes[i]
        self.nodes[i] = one
        for source in one.inputs:
            self.users[source].add(i)
        for source in set(old.inputs if old is not None else ()) - set(one.inputs):
            self._leave(source, i)

    def _leave(self, i: int, user: int) -> None:
        self.users[i].discard(user)
        one = self.nodes[i]
        if not self.users[i] and one is not None and not isinstance(one.op, Input):
            self.nodes[i] = None
            for source in set(one.inputs):
                self._leave(source, i)


Pattern = Callable[[Draft, int], Pending | None]  # what node i is together with some before it; None where it is nothing else


def fuse(assembled: Assembled) -> Assembled:
    """The same network with every pattern as the one op that it spells."""
    draft = Draft(assembled)
    for i in range(len(draft.nodes)):
        found = True
        while found and draft.nodes[i] is not None:
            made = next((one for pattern in PATTERNS.get(type(draft[i].op), ()) if (one := pattern(draft, i)) is not None), None)
            found = made is not None
            if made is not None:
                draft.put(i, made)
    kept = [i for i, one in enumerate(draft.nodes) if one is not None]
    place = {i: at for at, i in enumerate(kept)}
    nodes = tuple([replace(draft[i], inputs=tuple([place[source] for source in draft[i].inputs])) for i in kept])
    return Assembled(nodes, tuple([place[i] for i in assembled.outputs]), assembled.sizes)


def channel_shuffle(draft: Draft, i: int) -> Pending | None:
    """(n, c, h, w) -> (n, g, c / g, h, w), axes 1 and 2 swapped, and back."""
    last = draft[i]
    swap = draft.made_by(last.inputs[0], Permute)
    view = None if swap is None else draft.made_by(swap.inputs[0], Reshape)
    if swap is None or view is None or swap.op != Permute((0, 2, 1, 3, 4)):
        return None
    source, grouped = draft[view.inputs[0]].shape, view.shape
    if len(source) != 4 or grouped != (source[0], grouped[1], source[1] // grouped[1], *source[2:]) or last.shape != source:
        return None
    return replace(last, op=ChannelShuffle(grouped[1]), inputs=view.inputs, is_side=False)


def bias(draft: Draft, i: int) -> Pending | None:
    """A vector of weights added to a linear layer's output, or to a layer norm's."""
    one = draft[i]
    for x, p in (one.inputs, one.inputs[::-1]):
        layer, vector = draft[x], draft[p]
        if not isinstance(vector.op, Parameter) or len(draft.users[x]) != 1 or layer.shape != one.shape:
            continue
        weights = layer.weights | vector.weights
        if isinstance(layer.op, Linear) and not layer.op.bias and vector.shape == (layer.op.out_features,):
            return replace(layer, op=replace(layer.op, bias=True), weights=weights)
        if isinstance(layer.op, LayerNorm) and layer.op.affine and not layer.op.bias and _squeezed(vector.shape) == _squeezed(
            layer.op.normalized_shape
        ):
            return replace(layer, op=replace(layer.op, bias=True), weights=weights, place=one.place, call=one.call)
    return None


def scale(draft: Draft, i: int) -> Pending | None:
    """A vector of weights that multiplies a normalisation's output."""
    one = draft[i]
    for x, p in (one.inputs, one.inputs[::-1]):
        layer, vector = draft[x], draft[p]
        if not isinstance(vector.op, Parameter) or not isinstance(layer.op, LayerNorm | RMSNorm) or layer.op.affine:
            continue
        if len(draft.users[x]) == 1 and layer.shape == one.shape and _squeezed(vector.shape) == _squeezed(layer.op.normalized_shape):
            return replace(one, op=replace(layer.op, affine=True), inputs=layer.inputs, weights=vector.weights)
    return None


def _squeezed(shape: Shape) -> Shape:
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


def attention(draft: Draft, i: int) -> Pending | None:
    """softmax(q k^T / sqrt(e) [+ mask]) v, where the exporter says that it was one call, or q and k are scaled each (as torch does)."""
    last = draft[i]
    weights = draft.made_by(last.inputs[0], Softmax)
    if weights is None or not isinstance(weights.op, Softmax) or weights.op.dim not in (-1, len(weights.shape) - 1):
        return None
    at, mask = weights.inputs[0], ()
    masked = draft.made_by(at, Add)
    if masked is not None:
        at = next((j for j in masked.inputs if draft.made_by(j, MatMul) or draft.pointwise(j, "mul", "div")), at)
        mask = tuple([j for j in masked.inputs if j != at])
    at, factor = _unscaled(draft, at)
    scores = draft.made_by(at, MatMul)
    if scores is None:
        return None
    (q, q_factor), (k, k_factor) = (_unscaled(draft, j) for j in scores.inputs)
    size = draft[q].shape[-1]
    one_call = last.place == weights.place == scores.place and last.place.word.startswith("scaled_dot_product")
    if not (one_call or (q_factor != 1 and k_factor != 1)) or not isclose(factor * q_factor * k_factor, 1 / sqrt(size), rel_tol=1e-4):
        return None
    rank = len(draft[k].shape)
    swap = Permute((*range(rank - 2), rank - 1, rank - 2))
    turned = draft[k]
    if turned.op == swap:
        k = turned.inputs[0]
    else:
        # The scores' place is free now: k is there as its transposed view.
        shape = swap.out_shape(turned.shape)
        draft.put(at, replace(scores, op=swap, inputs=(k,), shape=shape, is_side=True))
        k = at
    return replace(last, op=ScaledDotProductAttention(), inputs=(q, k, last.inputs[1], *mask))


def _unscaled(draft: Draft, i: int) -> tuple[int, float]:
    """What node i multiplies by a number, and the number; the node itself and 1 where it does not."""
    one = draft.pointwise(i, "mul", "div")
    if one is None or not isinstance(one.op, Pointwise) or len(one.inputs) != 1:
        return i, 1.0
    number = one.op.arguments[0]
    if isinstance(number, bool) or not isinstance(number, int | float) or not number:
        return i, 1.0
    return one.inputs[0], float(number if one.op.function == "mul" else 1 / number)


def activation(draft: Draft, i: int) -> Pending | None:
    """Arithmetic on one tensor that comes to a known activation."""
    found = activation_of(lambda j: None if draft.nodes[j] is None else draft[j], lambda j: draft.users[j], i)
    return None if found is None else replace(draft[i], op=found[0], inputs=(found[1],))


# One row per kind that a pattern can end in.
PATTERNS: dict[type[Op], tuple[Pattern, ...]] = {
    Add: (bias, group_norm_affine),
    Flatten: (group_norm,),
    MatMul: (attention,),
    Multiply: (scale, normalisation, activation),
    Pointwise: (normalisation, activation),
    Reshape: (channel_shuffle, group_norm),
}
