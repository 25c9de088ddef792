"""Readings of what slides over an image: padding, pooling, resizing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    AdaptivePoolNd,
    AvgPool2d,
    Interpolate,
    MaxPool2d,
    Op,
    Pad,
    PadNd,
    PoolNd,
    Shape,
)
from archspace.onnx.calls import Call, Plan, Rule, Weight, axis_of, pair, row, same, unless

PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}  # ONNX's word -> torch's
RESIZE_MODES = {"nearest": ("nearest",) * 3, "linear": ("linear", "bilinear", "trilinear"), "cubic": ("", "bicubic", "")}  # by axes


def paddings(
    attrs: Mapping[str, Any], sizes: Shape, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]] | None:
    """Pads at the begin and the end of each axis, by `pads` or `auto_pad`. SAME gives ceil(size / stride) windows."""
    rank, how = len(kernel), attrs.get("auto_pad", "NOTSET")
    if how == "NOTSET":
        pads = list(attrs.get("pads", [0] * 2 * rank))
        return pads[:rank], pads[rank:]
    if how == "VALID":
        return [0] * rank, [0] * rank
    if how not in ("SAME_UPPER", "SAME_LOWER"):
        return None
    totals = [
        max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0) for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (small, large) if how == "SAME_UPPER" else (large, small)


def zeros(begin: Sequence[int], end: Sequence[int]) -> tuple[Op, ...]:
    """The padding op that an op without uneven pads needs before it; none where both ends agree."""
    if list(begin) == list(end):
        return ()
    both = [size for pair_ in zip(reversed(begin), reversed(end), strict=True) for size in pair_]
    return (Pad((both[0], both[1], both[2], both[3])),) if len(both) == 4 else (PadNd(tuple(both)),)


def max_pool(call: Call) -> Plan | None:
    """MaxPool. The second output, the positions, has no op."""
    return _pool(call, "max", call.attrs.get("dilations"))


def average_pool(call: Call) -> Plan | None:
    """AveragePool; the padding counts only where it says so."""
    return _pool(call, "avg", call.attrs.get("dilations"))


def lp_pool(call: Call) -> Plan | None:
    """LpPool."""
    return _pool(call, "lp", call.attrs.get("dilations"))


def _pool(call: Call, kind: str, dilation: Sequence[int] | None) -> Plan | None:
    a, sizes = call.attrs, call.shape()[2:]
    kernel = tuple(a["kernel_shape"])
    rank = len(kernel)
    strides, dilations = tuple(a.get("strides", [1] * rank)), tuple(dilation or [1] * rank)
    pads = paddings(a, sizes, kernel, strides, dilations)
    if pads is None or len(sizes) != rank:
        return None
    begin, end = tuple(pads[0]), tuple(pads[1])
    ceil, counts_pads = bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)) or not any((*begin, *end))
    before: tuple[Op, ...] = ()
    if begin != end and kind == "avg" and counts_pads and not ceil:
        before, begin = zeros(begin, end), (0,) * rank
    elif begin != end:
        ceil = True  # windows that stick out at the end see what is there: the shape says whether that is what was asked for
    layer: Op
    if rank == 2 and kind != "lp" and set(dilations) == {1}:
        args = (pair(kernel), pair(strides), pair(begin), ceil)
        layer = MaxPool2d(*args) if kind == "max" else AvgPool2d(*args, count_include_pad=counts_pads)
    else:
        layer = PoolNd(kind, kernel, strides, unless(0, begin), unless(1, dilations), ceil, counts_pads)
    plan = row(*before, layer)
    return Plan(plan.steps, (*plan.outputs, None))


def global_pool(kind: str) -> Rule:
    """GlobalAveragePool and GlobalMaxPool: each map to one number."""

    def rule(call: Call) -> Plan | None:
        rank = len(call.shape()) - 2
        if kind == "avg" and rank == 2:
            return row(AdaptiveAvgPool2d(1))
        return row(AdaptivePoolNd(kind, (1,) * rank)) if 1 <= rank <= 3 else None

    return rule


def pad(call: Call) -> Plan | None:
    """Pad: begins and ends of all axes, or of those that are named."""
    rank, mode = len(call.shape()), call.attrs.get("mode", "constant")
    pads, axes = call.ints("pads", 1), call.ints("axes", 3)
    if pads is None or (axes is None and call.given(3) is not None) or mode not in PAD_MODES:
        return None
    axes = tuple(range(rank)) if axes is None else tuple([axis_of(axis, rank) for axis in axes])
    both = [(0, 0)] * rank
    for axis, begin, end in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        both[axis] = (begin, end)
    value = 0.0 if call.given(2) is None else call.scalar(2)
    if not any(pads):
        return same(call)
    if mode == "constant" and value is None:
        return None
    while both[0] == (0, 0):
        both = both[1:]
    torchs = tuple([size for pair_ in reversed(both) for size in pair_])
    if rank == 4 and mode == "constant" and not value and len(torchs) <= 4 and min(torchs) >= 0:
        left, right, top, bottom = (*torchs, 0, 0)[:4]
        return row(Pad((left, right, top, bottom)))
    return row(PadNd(torchs, PAD_MODES[mode], float(value or 0.0)))


def resize(call: Call) -> Plan | None:
    """Resize of the axes behind the channels, by factors where they are given, else to sizes."""
    shape, out, a = call.shape(), call.out, call.attrs
    axes = len(shape) - 2
    word = RESIZE_MODES.get(a.get("mode", "nearest"), ("",) * 3)[axes - 1] if 1 <= axes <= 3 else ""
    if not word or out is None or out[:2] != shape[:2] or a.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        return None
    align = a.get("coordinate_transformation_mode") == "align_corners"
    if out == shape:
        return same(call)
    scales = call.given(2)
    factors: tuple[float, ...] = ()
    if isinstance(scales, Weight) and scales.value is not None and scales.value.size == len(shape):
        factors = tuple([float(one) for one in scales.value.flatten()])
    by_factor = Interpolate((), factors[-axes:], word, align) if factors else None
    if by_factor is not None and by_factor.out_shape(shape) == out:
        return row(by_factor)
    return row(Interpolate(out[2:], (), word, align))
