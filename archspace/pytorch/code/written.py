"""Ops as code: the table CODE says how each kind is written, out of what the table LOWERINGS makes of it."""

from __future__ import annotations

from archspace.ir import ops
from archspace.ir.ops import Op, Shape
from archspace.pytorch.code.pieces import Writing, Written, channel_slice, function, gather, layer, outside, refused, stored
from archspace.pytorch.code.written_further import FURTHER_CODE
from archspace.pytorch.lowered import Lowered

# One row per op kind: how it is written.
CODE: dict[type[Op], Writing] = {
    ops.AdaptiveAvgPool2d: layer,
    ops.Add: function,
    ops.AvgPool2d: layer,
    ops.BatchNorm2d: layer,
    ops.ChannelGather: gather,
    ops.ChannelShuffle: layer,
    ops.ChannelSlice: channel_slice,
    ops.Concat: function,
    ops.Conv2d: layer,
    ops.Dropout: layer,
    ops.FixedShift: layer,
    ops.Flatten: function,
    ops.GELU: layer,
    ops.GroupedShift: layer,
    ops.Hardsigmoid: layer,
    ops.Hardswish: layer,
    ops.Input: outside,
    ops.Linear: layer,
    ops.MaxPool2d: layer,
    ops.Multiply: function,
    ops.Opaque: refused,
    ops.Pad: layer,
    ops.Parameter: stored,
    ops.ReLU: layer,
    ops.ReLU6: layer,
    ops.Reshape: function,
    ops.SiLU: layer,
    ops.Sigmoid: layer,
    ops.Softmax: layer,
    ops.SparseShift: layer,
    **FURTHER_CODE,
}


def written(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Written:
    """How an op is written, given what it is lowered to and the shapes of its inputs.

    An op whose lowering is now a layer, now a call, is written as what it is lowered to.
    """
    return CODE[type(op)](op, lowered, shapes)
