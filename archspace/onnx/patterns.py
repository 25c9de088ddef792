"""Patterns: what several operators of a file spell together. Normalisations are in `norms`, activations in `activations`."""

from __future__ import annotations

from dataclasses import replace
from math import isclose, sqrt

from archspace.ir.ops import (
    GLU,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Flatten,
    LayerNorm,
    Linear,
    MatMul,
    Multiply,
    Op,
    Parameter,
    Permute,
    Pointwise,
    Reshape,
    ScaledDotProductAttention,
    Select,
    Sigmoid,
    Slice,
    Softmax,
    View,
)
from archspace.onnx.activations import activation_of
from archspace.onnx.assemble import Assembled, Pending
from archspace.onnx.draft import Draft, Pattern
from archspace.onnx.norms import group_norm, group_norm_affine, normalisation, scale, squeezed
from archspace.onnx.own import fuse_own_layers


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


def undone(draft: Draft, i: int) -> int | None:
    """A view that undoes the one before it."""
    last = draft[i]
    view = draft[last.inputs[0]]
    if not isinstance(view.op, View) or not view.inputs:
        return None
    source = view.inputs[0]
    if isinstance(last.op, Permute) and isinstance(view.op, Permute):
        return source if tuple([view.op.dims[axis] for axis in last.op.dims]) == tuple(range(len(last.shape))) else None
    shapes_only = isinstance(last.op, Reshape | Flatten) and isinstance(view.op, Reshape | Flatten)
    return source if shapes_only and draft[source].shape == last.shape else None


def select(draft: Draft, i: int) -> Pending | None:
    """One position of an axis, and the axis gone."""
    last = draft[i]
    part = draft.made_by(last.inputs[0], Slice) or draft.made_by(last.inputs[0], ChannelSlice)
    if part is None or not isinstance(part.op, Slice | ChannelSlice):
        return None
    axis = part.op.dim if isinstance(part.op, Slice) else 1
    if part.shape[axis] != 1 or last.shape != part.shape[:axis] + part.shape[axis + 1 :]:
        return None
    return replace(last, op=Select(axis, part.op.start), inputs=part.inputs)


def glu(draft: Draft, i: int) -> Pending | None:
    """The first half of an axis times the sigmoid of the second."""
    last = draft[i]
    for a, b in (last.inputs, last.inputs[::-1]):
        gate = draft.made_by(b, Sigmoid)
        halves = None if gate is None else (draft[a], draft[gate.inputs[0]])
        if halves is None or halves[0].inputs != halves[1].inputs or type(halves[0].op) is not type(halves[1].op):
            continue
        first, second = halves[0].op, halves[1].op
        if not isinstance(first, Slice | ChannelSlice) or not isinstance(second, Slice | ChannelSlice):
            continue
        source = draft[halves[0].inputs[0]].shape
        axis = first.dim if isinstance(first, Slice) else 1
        other = second.dim if isinstance(second, Slice) else 1
        half = source[axis] // 2
        if axis == other and (first.start, first.stop, second.start, second.stop) == (0, half, half, 2 * half) and source[axis] == 2 * half:
            return replace(last, op=GLU(axis), inputs=halves[0].inputs)
    return None


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
        norm = layer.op
        if isinstance(norm, LayerNorm) and norm.affine and not norm.bias and squeezed(vector.shape) == squeezed(norm.normalized_shape):
            return replace(layer, op=replace(norm, bias=True), weights=weights, place=one.place, call=one.call)
    return None


def attention(draft: Draft, i: int) -> Pending | None:
    """softmax(q k^T / sqrt(e) [+ mask]) v, where the exporter says that it was one call, or q and k are scaled each (as torch does)."""
    last = draft[i]
    weights = draft.made_by(last.inputs[0], Softmax)
    if weights is None or not isinstance(weights.op, Softmax) or weights.op.dim not in (-1, len(weights.shape) - 1):
        return None
    at = weights.inputs[0]
    mask: tuple[int, ...] = ()
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
        draft.users[q].add(i)  # before its factor goes
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
    Flatten: (undone, select, group_norm),
    MatMul: (attention,),
    Multiply: (scale, normalisation, glu, activation),
    Pointwise: (normalisation, activation),
    Permute: (undone,),
    Reshape: (undone, select, channel_shuffle, group_norm),
}


def fuse(assembled: Assembled) -> Assembled:
    """The same network with every pattern as the one op that it spells."""
    draft = Draft(assembled)
    fuse_own_layers(draft)
    for i in range(len(draft.nodes)):
        found = True
        while found and draft.nodes[i] is not None:
            made = next((one for pattern in PATTERNS.get(type(draft[i].op), ()) if (one := pattern(draft, i)) is not None), None)
            found = made is not None
            if isinstance(made, int):
                draft.alias(i, made)
            elif made is not None:
                draft.put(i, made)
    kept = [i for i, one in enumerate(draft.nodes) if one is not None]
    place = {i: at for at, i in enumerate(kept)}
    nodes = tuple([replace(draft[i], inputs=tuple([place[source] for source in draft[i].inputs])) for i in kept])
    return Assembled(nodes, tuple([place[i] for i in draft.outputs]), assembled.sizes)
