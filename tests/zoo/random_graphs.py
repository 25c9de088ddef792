"""Random small graphs for brute force: DAGs of convolutions, shuffles, slices, joins, shifts, pools and gates.

They are made so that no pixel pattern hides a channel from those who look at it numerically: an image keeps three pixels a side, at
most one op of a graph strides and at most two shift, so that nothing is moved out of the image as a whole. Activations that saturate
(ReLU6, hard sigmoid) are left out. Values that nothing reads are left where they are: they are what dead channels come from.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    GELU,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GroupedShift,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    Pad,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    SparseShift,
)

MOST_CHANNELS = 12


def divisors(number: int) -> list[int]:
    """All divisors, ascending."""
    return [d for d in range(1, number + 1) if number % d == 0]


@st.composite
def graphs(draw: st.DrawFn, *, most_nodes: int = 10, gates: bool = True, head: bool = True) -> Graph:
    """A graph of one input (1, c, h, w), c in 1..12, h and w in 5..7, and of two to `most_nodes` steps, two to a block.

    `gates` adds what looks at the whole image: squeeze-and-excitation, spatial attention, softmax over channels. `head` adds, at
    times, a flattened classifier at the end. Outputs are the last value and sometimes another one.
    """
    b = Builder("random")
    x = b.input((1, draw(st.integers(1, MOST_CHANNELS)), draw(st.integers(5, 7)), draw(st.integers(5, 7))))
    values, left = [x], {"stride": 1, "shift": 2}
    kinds = ["conv", "conv", "shuffle", "slice", "concat", "add", "act", "shift", "pool", "pad", "norm", *(["gate"] if gates else [])]
    for i in range(draw(st.integers(2, most_nodes))):
        # Mostly the newest values are read, so that graphs become deep.
        x = values[max(0, len(values) - draw(st.integers(1, 3)))]
        with b.block(f"block{i // 2}"), b.scope(f"step{i}"):
            values.append(STEPS[draw(st.sampled_from(kinds))](draw, b, x, values, left))
    outputs = [values[-1]]
    if len(values) > 2 and draw(st.booleans()):
        outputs.append(values[draw(st.integers(1, len(values) - 2))])
    if head and draw(st.booleans()):
        with b.block("head"):
            flat = b.add("flatten", Flatten(1), outputs[0])
            outputs[0] = b.add("fc", Linear(flat.channels, draw(st.integers(1, 5))), flat) if draw(st.booleans()) else flat
    return b.build(*outputs)


def _step_conv(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    """Dense, grouped or depthwise; 1x1, 3x3 or dilated 3x3; the one that strides, at times."""
    c = x.channels
    groups = draw(st.sampled_from(divisors(c)))
    out_channels = groups * draw(st.integers(1, MOST_CHANNELS // groups))
    kernel, dilation = draw(st.sampled_from([(1, 1), (3, 1), (3, 2)]))
    stride = 2 if left["stride"] and min(x.shape[2:]) >= 5 and draw(st.integers(0, 3)) == 0 else 1
    left["stride"] -= stride - 1
    padding = dilation * (kernel // 2)
    return b.add("conv", Conv2d(c, out_channels, kernel, stride, padding, dilation, groups, bias=draw(st.booleans())), x)


def _step_shuffle(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    return b.add("shuffle", ChannelShuffle(draw(st.sampled_from(divisors(x.channels)))), x)


def _step_slice(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    start = draw(st.integers(0, x.channels - 1))
    return b.add("slice", ChannelSlice(start, draw(st.integers(start + 1, x.channels)), copies=draw(st.booleans())), x)


def _step_concat(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    """Channels joined while they stay few; else a slice."""
    fitting = [v for v in values if v.shape[2:] == x.shape[2:] and v.channels + x.channels <= MOST_CHANNELS]
    if not fitting:
        return _step_slice(draw, b, x, values, left)
    return b.add("concat", Concat(), *draw(st.permutations([x, draw(st.sampled_from(fitting))])))


def _step_add(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    return b.add("add", Add(), x, draw(st.sampled_from([v for v in values if v.shape == x.shape])))


def _step_act(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    return b.add("act", draw(st.sampled_from([ReLU(), SiLU(), GELU(), Dropout(0.5)])), x)


def _step_norm(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    return b.add("bn", BatchNorm2d(x.channels), x)


def _step_shift(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    if not left["shift"]:
        return _step_shuffle(draw, b, x, values, left)
    left["shift"] -= 1
    c = x.channels
    if c >= 9 and draw(st.booleans()):
        return b.add("shift", GroupedShift(c), x)
    return b.add("shift", SparseShift(c, draw(st.integers(0, c))), x)


def _step_pool(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    pools: list[Op] = [MaxPool2d(3, 1, 1), AvgPool2d(3, 1, 1)]
    if left["stride"] and min(x.shape[2:]) >= 5:
        pools += [MaxPool2d(3, 2, 1), AvgPool2d(2, 2, ceil_mode=True)]
    pool = draw(st.sampled_from(pools))
    left["stride"] -= pool.stride - 1
    return b.add("pool", pool, x)


def _step_pad(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    """Zeros on some sides, while the image is small."""
    if max(x.shape[2:]) > 8:
        return _step_norm(draw, b, x, values, left)
    return b.add("pad", Pad(tuple(draw(st.integers(0, 1)) for _ in range(4))), x)


def _step_gate(draw: st.DrawFn, b: Builder, x: Value, values: list[Value], left: dict[str, int]) -> Value:
    """Squeeze-and-excitation, attention by one map, or softmax over the channels.

    Softmax sees differences alone, so channels that are equal (a value concatenated with itself) are told apart by a batch norm.
    """
    kind = draw(st.sampled_from(["excite", "attend", "softmax"]))
    if kind == "softmax":
        return b.add("softmax", Softmax(1), b.add("bn", BatchNorm2d(x.channels), x))
    if kind == "attend":
        gate = b.add("fc", Conv2d(x.channels, 1, 1), x)
    else:
        groups = draw(st.sampled_from(divisors(x.channels)))
        pooled = b.add("pool", AdaptiveAvgPool2d(1), x)
        gate = b.add("fc", Conv2d(x.channels, x.channels, 1, groups=groups, bias=True), pooled)
    return b.add("scale", Multiply(), x, b.add("gate", Sigmoid(), gate))


STEPS: dict[str, Callable[[st.DrawFn, Builder, Value, list[Value], dict[str, int]], Value]] = {
    "act": _step_act,
    "add": _step_add,
    "concat": _step_concat,
    "conv": _step_conv,
    "gate": _step_gate,
    "norm": _step_norm,
    "pad": _step_pad,
    "pool": _step_pool,
    "shift": _step_shift,
    "shuffle": _step_shuffle,
    "slice": _step_slice,
}
