"""Readings of what moves or views data: shapes, axes, parts, gathers."""

from __future__ import annotations

from archspace.ir.ops import (
    ChannelSlice,
    Concat,
    Expand,
    Flatten,
    Flip,
    Index,
    Op,
    Permute,
    PixelShuffle,
    Repeat,
    Reshape,
    Scan,
    Select,
    Shape,
    Slice,
)
from archspace.onnx import layers
from archspace.onnx.calls import SAME, Call, Flow, Plan, Step, Weight, X, Y, axis_of, row


def reshape(call: Call) -> Plan | None:
    """Reshape, Flatten, Squeeze, Unsqueeze: nothing, a flattening of the last axes, or a reshape."""
    return None if call.out is None else row(*viewed(call.shape(), call.out))


def viewed(source: Shape, out: Shape) -> tuple[Op, ...]:
    """The ops that give a tensor another shape."""
    if source == out:
        return ()
    start = len(out) - 1
    if 1 <= start < len(source) and source[:start] == out[:start]:
        return (Flatten(start),)
    return (Reshape(out[1:]),) if source[:1] == out[:1] and len(out) > 1 else (Reshape(out[1:], folds_batch=True),)


def transpose(call: Call) -> Plan | None:
    """Transpose; without axes all of them turn round."""
    rank = len(call.shape())
    order = tuple(call.attrs.get("perm", range(rank - 1, -1, -1)))
    return SAME if order == tuple(range(rank)) else row(Permute(order))


def concat(call: Call) -> Plan | None:
    """Concat of what flows and of weights; empty tensors add nothing."""
    parts = tuple([-1 - i for i in range(len(call.inputs)) if 0 not in call.shape(i)])
    return row(source=parts[0]) if len(parts) == 1 else Plan((Step(Concat(axis_of(call.attrs["axis"], len(call.shape()))), parts),), (0,))


def part(shape: Shape, axis: int, start: int, stop: int, step: int = 1) -> tuple[Op, ...]:
    """The ops that take a range of an axis: none for the whole of it."""
    if (start, stop, step) == (0, shape[axis], 1):
        return ()
    if axis == 1 and step == 1:
        return (ChannelSlice(start, stop),)
    return (Slice(axis, start, stop, step),)


def split(call: Call) -> Plan | None:
    """Split along an axis, into the parts that the outputs' shapes say."""
    shape, axis = call.shape(), axis_of(call.attrs.get("axis", 0), len(call.shape()))
    sizes: list[int] = []
    for out in call.outs:
        if out is None:
            return None
        sizes.append(out[axis])
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    steps: list[Step] = []
    outputs: list[int] = []
    for start, size in zip(starts, sizes, strict=True):
        steps += [Step(op) for op in part(shape, axis, start, start + size)]
        outputs.append(len(steps) - 1 if steps else X)
    return Plan(tuple(steps), tuple(outputs))


def slice_(call: Call) -> Plan | None:
    """Slice: ranges of some axes, one op each; a whole axis backwards is a flip."""
    if any(call.unknown(i) for i in range(1, 5)):
        return None
    shape = call.shape()
    starts, ends = call.ints("", 1) or (), call.ints("", 2) or ()
    axes = call.ints("", 3) or tuple(range(len(starts)))
    strides = call.ints("", 4) or (1,) * len(starts)
    ops: list[Op] = []
    for axis, start, end, step in zip([axis_of(axis, len(shape)) for axis in axes], starts, ends, strides, strict=True):
        size = shape[axis]
        if step < 0:
            if (step, len(range(size)[start:end:step])) != (-1, size):
                return None
            ops.append(Flip((axis,)))
            continue
        taken = range(size)[start:end:step]
        ops += part(shape, axis, taken.start, taken.stop, step)
    return row(*ops)


def gather(call: Call) -> Plan | None:
    """Gather: one place of an axis, a range of it, rows of an embedding, or any others by their indices."""
    data, indices, axis = call.given(0), call.given(1), axis_of(call.attrs.get("axis", 0), len(call.shape()))
    if isinstance(data, Weight):
        return layers.gather(call)
    if not isinstance(data, Flow) or call.out is None:
        return None
    value = indices.value if isinstance(indices, Weight) else None
    size = data.shape[axis]
    if value is not None and value.ndim == 0:
        return row(Select(axis, int(value) % size))
    if value is not None and value.ndim == 1:
        places = [int(one) % size for one in value]
        step = places[1] - places[0] if len(places) > 1 else 1
        if step > 0 and places == list(range(places[0], places[-1] + 1, step)):
            return row(*part(data.shape, axis, places[0], places[-1] + 1, step))
    return picked(call)


def picked(call: Call) -> Plan | None:
    """GatherElements, GatherND and other gathers: elements picked by indices."""
    return None if call.out is None else Plan((Step(Index(call.out), (X, Y) if call.flows(1) else (X,)),), (0,))


def expand(call: Call) -> Plan | None:
    """Expand: axes of one element repeated without a copy."""
    if call.out is None:
        return None
    shape = call.shape()
    new = len(call.out) - len(shape)
    kept = [-1 if size == was else size for size, was in zip(call.out[new:], shape, strict=True)]
    return SAME if call.out == shape else row(Expand((*call.out[:new], *kept)))


def tile(call: Call) -> Plan | None:
    """Tile: the tensor repeated along its axes."""
    repeats = call.ints("", 1)
    if repeats is None:
        return None
    return SAME if set(repeats) <= {1} else row(Repeat(repeats))


def cumulative_sum(call: Call) -> Plan | None:
    """CumSum along an axis, in order and with every element itself."""
    axis = call.scalar(1)
    if axis is None or call.attrs.get("exclusive", 0) or call.attrs.get("reverse", 0):
        return None
    return row(Scan("cumsum", int(axis)))


def depth_to_space(call: Call) -> Plan | None:
    """DepthToSpace: a pixel shuffle, with the channels before (CRD) or behind (DCR) the block's positions."""
    _, c, h, w = call.shape()
    b = call.attrs["blocksize"]
    if call.attrs.get("mode", "DCR") == "CRD":
        return row(PixelShuffle(b))
    c //= b * b
    # The same movement on other channels: the views say which.
    return row(Reshape((b, b, c, h, w)), Permute((0, 3, 1, 2, 4, 5)), Reshape((c * b * b, h, w)), PixelShuffle(b))


def space_to_depth(call: Call) -> Plan | None:
    """SpaceToDepth: the positions of a block become channels."""
    _, c, h, w = call.shape()
    b = call.attrs["blocksize"]
    return row(Reshape((c, h // b, b, w // b, b)), Permute((0, 3, 5, 1, 2, 4)), Reshape((c * b * b, h // b, w // b)))
