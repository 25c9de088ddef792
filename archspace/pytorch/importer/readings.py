"""Readings: what a call of ATen is in the vocabulary of ops, by its arguments and shapes. The table of them is `aten`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archspace.ir.ops import (
    GELU,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    IntPair,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Shape,
    Softmax,
)


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that no input has a part in: a parameter, a buffer, a constant, or what is computed of them. `names` are the parameters."""

    shape: Shape
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an overload: its arguments by the names of its schema, the shapes of the activations among them, and its output's.

    An argument that is a tensor stands as its `Weight`, or as ACTIVATION.
    """

    args: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    out: Shape

    @property
    def is_flowing(self) -> bool:
        """Whether the first argument is an activation."""
        return next(iter(self.args.values()), None) is ACTIVATION


ACTIVATION = object()


@dataclass(frozen=True, slots=True)
class Parts:
    """Several outputs, each an op on the same input."""

    ops: tuple[Op, ...]


# What a call is: ops in a row (none: its output is its input), several outputs, or None where the vocabulary has no word for it.
Reading = tuple[Op, ...] | Parts | None
Rule = Callable[[Call], Reading]


def same(call: Call) -> Reading:
    """A call that returns its input's elements in its input's shape."""
    return () if call.shapes[0] == call.out else None


def elementwise(op: Op) -> Rule:
    """A call that is always this op."""
    return lambda call: (op,)


def conv2d(call: Call) -> Reading:
    """aten.conv2d and aten.convolution. weight: (out_channels, in_channels / groups, kh, kw); padding in pixels, or 'same' or 'valid'."""
    a, weight = call.args, call.args["weight"]
    if not isinstance(weight, Weight) or len(weight.shape) != 4 or a.get("transposed") or not _is_weight(a["bias"]):
        return None
    out, per_group, kh, kw = weight.shape
    stride, dilation, padding = _pair(a["stride"]), _pair(a["dilation"]), a["padding"]
    before: tuple[Op, ...] = ()
    if padding == "same":
        (dh, dw) = _two(dilation)
        total_h, total_w = dh * (kh - 1), dw * (kw - 1)
        padding = (total_h // 2, total_w // 2)
        if total_h % 2 or total_w % 2:  # torch puts the odd pixel at the end
            before, padding = (Pad((total_w // 2, total_w - total_w // 2, total_h // 2, total_h - total_h // 2)),), (0, 0)
    elif padding == "valid":
        padding = (0, 0)
    conv = Conv2d(
        per_group * a["groups"],
        out,
        _pair((kh, kw)),
        stride=stride,
        padding=_pair(padding),
        dilation=dilation,
        groups=a["groups"],
        bias=a["bias"] is not None,
    )
    return (*before, conv)


def linear(call: Call) -> Reading:
    """aten.linear. weight: (out_features, in_features)."""
    weight, bias = call.args["weight"], call.args["bias"]
    if not isinstance(weight, Weight) or len(weight.shape) != 2 or not _is_weight(bias):
        return None
    return (Linear(weight.shape[1], weight.shape[0], bias=bias is not None),)


def batch_norm(call: Call) -> Reading:
    """aten.batch_norm with running statistics, weight and bias. Without them it is another op."""
    a = call.args
    vectors = [a[name] for name in ("weight", "bias", "running_mean", "running_var")]
    if a["training"] or not all(isinstance(vector, Weight) for vector in vectors):
        return None
    return (BatchNorm2d(vectors[0].shape[0], eps=a["eps"], momentum=a["momentum"]),)


def max_pool2d(call: Call) -> Reading:
    """aten.max_pool2d; no stride means the kernel's size."""
    a = call.args
    if _pair(a["dilation"]) != 1:
        return None
    kernel = _pair(a["kernel_size"])
    return (MaxPool2d(kernel, _pair(a["stride"]) if a["stride"] else kernel, _pair(a["padding"]), a["ceil_mode"]),)


def avg_pool2d(call: Call) -> Reading:
    """aten.avg_pool2d; whether padding counts makes no difference where there is none."""
    a = call.args
    if a["divisor_override"] is not None:
        return None
    kernel, padding = _pair(a["kernel_size"]), _pair(a["padding"])
    stride = _pair(a["stride"]) if a["stride"] else kernel
    return (AvgPool2d(kernel, stride, padding, a["ceil_mode"], count_include_pad=a["count_include_pad"] or padding == 0),)


def adaptive_avg_pool2d(call: Call) -> Reading:
    """aten.adaptive_avg_pool2d."""
    return (AdaptiveAvgPool2d(_pair(call.out[2:])),)


def mean(call: Call) -> Reading:
    """aten.mean.dim over height and width: global average pooling, flattened unless `keepdim`."""
    if len(call.shapes[0]) != 4 or sorted(dim % 4 for dim in call.args["dim"] or ()) != [2, 3] or call.args["dtype"] is not None:
        return None
    return (AdaptiveAvgPool2d(1),) if call.args["keepdim"] else (AdaptiveAvgPool2d(1), Flatten(1))


def add(call: Call) -> Reading:
    """aten.add: of two activations, alpha being 1; adding zero is nothing."""
    if call.args["alpha"] != 1:
        return None
    return _binary(call, Add(), 0)


def multiply(call: Call) -> Reading:
    """aten.mul: of two activations; multiplying by one is nothing."""
    return _binary(call, Multiply(), 1)


def _binary(call: Call, op: Op, neutral: int) -> Reading:
    other = call.args["other"]
    if call.is_flowing and other is ACTIVATION:
        return (op,)
    return () if isinstance(other, int | float) and other == neutral else None


def hardtanh(call: Call) -> Reading:
    """aten.hardtanh between 0 and 6."""
    return (ReLU6(),) if (call.args["min_val"], call.args["max_val"]) == (0, 6) else None


def clamp(call: Call) -> Reading:
    """aten.clamp from 0 on, or between 0 and 6."""
    bounds = (call.args["min"], call.args.get("max"))
    if bounds == (0, None):
        return (ReLU(),)
    return (ReLU6(),) if bounds == (0, 6) else None


def gelu(call: Call) -> Reading:
    """aten.gelu, exact; the tanh approximation is another function."""
    return (GELU(),) if call.args["approximate"] == "none" else None


def softmax(call: Call) -> Reading:
    """aten.softmax.int in the input's type."""
    return (Softmax(call.args["dim"]),) if call.args["dtype"] is None else None


def dropout(call: Call) -> Reading:
    """aten.dropout, kept for training where it drops anything."""
    p = call.args["p"]
    return (Dropout(p),) if 0 < p < 1 else ()


def cat(call: Call) -> Reading:
    """aten.cat of activations."""
    tensors = call.args["tensors"]
    return (Concat(call.args["dim"] % len(call.out)),) if all(t is ACTIVATION for t in tensors) else None


def pad(call: Call) -> Reading:
    """aten.pad with zeros, of an image's width or of both its sides."""
    a = call.args
    if a.get("mode", "constant") != "constant" or a["value"] not in (None, 0) or len(a["pad"]) not in (2, 4):
        return None
    left, right, top, bottom = (*a["pad"], 0, 0)[:4]
    return (Pad((left, right, top, bottom)),) if any(a["pad"]) else ()


def reshape(call: Call) -> Reading:
    """Any view: nothing, a flattening of the last axes, or a reshape behind the batch."""
    source, out = call.shapes[0], call.out
    if source == out:
        return ()
    start = len(out) - 1
    if 1 <= start < len(source) and source[:start] == out[:start]:
        return (Flatten(start),)
    return (Reshape(out[1:]),) if source[:1] == out[:1] and len(out) > 1 else None


def narrow(call: Call) -> Reading:
    """aten.narrow along the channels."""
    start, length = call.args["start"], call.args["length"]
    return _slice(call, call.args["dim"], start, start + length)


def slice_(call: Call) -> Reading:
    """aten.slice along the channels, without a step; of a whole axis it is nothing."""
    a = call.args
    if a["step"] != 1:
        return None
    size = call.shapes[0][a["dim"]]
    start, end = a["start"] or 0, size if a["end"] is None else a["end"]
    return _slice(call, a["dim"], max(start + size, 0) if start < 0 else start, min(end + size if end < 0 else end, size))


def _slice(call: Call, dim: int, start: int, stop: int) -> Reading:
    if call.shapes[0] == call.out:
        return ()
    return (ChannelSlice(start, stop),) if dim % len(call.out) == 1 else None


def split(call: Call) -> Reading:
    """aten.split by one size or several, along the channels."""
    a = call.args
    sizes = a.get("split_size", a.get("split_sizes"))
    total = call.shapes[0][a["dim"]]
    if isinstance(sizes, int):
        sizes = [min(sizes, total - start) for start in range(0, total, sizes)]
    return _parts(call, sizes)


def chunk(call: Call) -> Reading:
    """aten.chunk: as many parts as asked, or fewer, all but the last of one size."""
    total = call.shapes[0][call.args["dim"]]
    size = -(-total // call.args["chunks"])
    return _parts(call, [min(size, total - start) for start in range(0, total, size)])


def _parts(call: Call, sizes: list[int]) -> Reading:
    if call.args["dim"] % len(call.shapes[0]) != 1:
        return None
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return Parts(tuple([ChannelSlice(start, start + size) for start, size in zip(starts, sizes, strict=True)]))


def _is_weight(value: Any) -> bool:
    return value is None or isinstance(value, Weight)


def _two(value: IntPair) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _pair(values: Any) -> IntPair:
    """torch's lists of one or two: 3 for [3] and [3, 3]."""
    first, last = (values, values) if isinstance(values, int) else (values[0], values[-1])
    return first if first == last else (first, last)
