"""Code of the kinds that only networks from elsewhere have. `written` joins this table to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import nn

from archspace.ir import ops
from archspace.ir.ops import Op, Shape
from archspace.pytorch.code.layout import Code
from archspace.pytorch.code.pieces import REQUIRED, Expression, Layer, Slot, Writing, function, layer, refused, sliced
from archspace.pytorch.lowered import Lowered

SIGNS: dict[str, str] = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
# What nn.LSTM, nn.GRU and nn.RNN take, which their signatures do not say, and the defaults: torch.nn.RNNBase.
RECURRENT: dict[str, int | bool | str | type] = {
    "input_size": REQUIRED,
    "hidden_size": REQUIRED,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "bidirectional": False,
    "proj_size": 0,
    "nonlinearity": "tanh",
}


def recurrent(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Layer:
    """The constructor call of a recurrent layer."""
    words = [word for word in RECURRENT if hasattr(op, word)]
    slots = tuple([Slot(word, getattr(op, word), RECURRENT[word]) for word in words])
    return Layer(type(op).__name__, slots, type(cast(nn.Module, lowered)))


def pointwise(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """x + y and x * 2 as such; any other function by its name."""
    op = cast(ops.Pointwise, op)
    sign = SIGNS.get(op.function, "")
    if not sign or len(shapes) + len(op.arguments) != 2:
        return function(op, lowered, shapes)
    slots = tuple([Slot("value", value) for value in op.arguments])
    form = sign if not slots else f"{op.function} number"
    return Expression(form, slots, lambda inputs, values: f" {sign} ".join([*inputs, *values]))


def slice_along(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """x[:, 1:7:2] without the ends that say nothing."""
    op = cast(ops.Slice, op)
    size = shapes[0][op.dim]
    begins, ends, steps = op.start > 0, op.stop < size, op.step != 1
    given = (("start", op.start, begins), ("stop", op.stop, ends), ("step", op.step, steps))
    slots = tuple([Slot(word, value) for word, value, is_needed in given if is_needed])

    def write(inputs: Sequence[str], values: Sequence[str]) -> Code:
        left = iter(values)
        bounds = [next(left) if is_needed else "" for _, _, is_needed in given]
        return f"{inputs[0]}[{_indexed(op.dim, sliced(bounds[: 2 + steps]))}]"

    return Expression(f"slice {op.dim} {begins:d}{ends:d}{steps:d}", slots, write)


def select(op: Op, lowered: Lowered, shapes: tuple[Shape, ...]) -> Expression:
    """x[:, 0]."""
    op = cast(ops.Select, op)
    slots = (Slot("index", op.index),)
    return Expression(f"select {op.dim}", slots, lambda inputs, values: f"{inputs[0]}[{_indexed(op.dim, values[0])}]")


def _indexed(dim: int, index: str) -> str:
    """An index of one axis, the others whole."""
    return f"{':, ' * dim}{index}" if dim >= 0 else f"..., {index}{', :' * (-dim - 1)}"


FURTHER_CODE: dict[type[Op], Writing] = {
    ops.AdaptivePoolNd: layer,
    ops.BatchNormNd: layer,
    ops.ConvNd: layer,
    ops.ConvTransposeNd: layer,
    ops.Copy: function,
    ops.DynamicConv2d: function,
    ops.ELU: layer,
    ops.Einsum: function,
    ops.Embedding: layer,
    ops.Expand: function,
    ops.FinalState: refused,
    ops.Flip: function,
    ops.Fold: layer,
    ops.GLU: layer,
    ops.GRU: recurrent,
    ops.GroupNorm: layer,
    ops.Index: refused,
    ops.InstanceNorm: layer,
    ops.Interpolate: function,
    ops.LSTM: recurrent,
    ops.LayerNorm: layer,
    ops.LeakyReLU: layer,
    ops.LogSoftmax: layer,
    ops.MatMul: function,
    ops.Mish: layer,
    ops.Overwrite: refused,
    ops.PReLU: layer,
    ops.PadNd: function,
    ops.Permute: function,
    ops.PixelShuffle: layer,
    ops.PixelUnshuffle: layer,
    ops.Pointwise: pointwise,
    ops.PoolNd: layer,
    ops.RMSNorm: layer,
    ops.RNN: recurrent,
    ops.Reduce: function,
    ops.Repeat: function,
    ops.Roll: function,
    ops.ScaledDotProductAttention: function,
    ops.Scan: function,
    ops.Select: select,
    ops.Slice: slice_along,
    ops.Stack: function,
    ops.Tanh: layer,
    ops.Unfold: layer,
}
