"""The op benchmarks of a calibration: single ops, and pairs there and back, at the shapes of networks for 224x224 images.

A convolution that keeps its image's size runs as there, back, there, back, as in a network: what one writes the next one reads. Every
fourth runs alone, which tells what it costs to begin and to end (a change of layout, say).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from archspace.ir import Builder, Graph
from archspace.ir.ops import (
    GELU,
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelGather,
    ChannelShuffle,
    Concat,
    Conv2d,
    Hardswish,
    LayerNorm,
    Linear,
    MatMul,
    MaxPool2d,
    Multiply,
    Op,
    ReLU,
    ReLU6,
    ScaledDotProductAttention,
    Shape,
    Sigmoid,
    SiLU,
    Softmax,
    SparseShift,
)
from archspace.latency.op_types import op_type

# Channels in and out, size of the input map, kernel, stride.
DENSE = (
    (3, 24, 224, 3, 2), (3, 32, 224, 3, 2), (3, 64, 224, 7, 2), (16, 32, 56, 3, 1), (64, 64, 56, 3, 1), (64, 128, 56, 3, 2),
    (128, 128, 28, 3, 1), (256, 256, 14, 3, 1), (512, 512, 7, 3, 1), (32, 32, 28, 5, 1), (128, 32, 14, 3, 1), (192, 48, 28, 3, 1),
    (16, 16, 112, 3, 1), (13, 13, 28, 3, 1), (25, 25, 14, 3, 1), (50, 50, 7, 3, 1), (50, 50, 28, 3, 1),
)  # fmt: skip
# Channels in and out, size of the map.
POINTWISE = (
    (24, 24, 56), (24, 58, 56), (16, 96, 112), (96, 24, 56), (58, 58, 28), (32, 192, 28), (64, 256, 56), (256, 64, 56), (116, 116, 28),
    (116, 116, 14), (144, 32, 28), (232, 232, 14), (232, 232, 7), (384, 64, 14), (512, 512, 14), (464, 464, 7), (464, 1024, 7),
    (960, 160, 7), (1024, 1024, 7), (128, 128, 56), (512, 128, 28), (512, 2048, 7), (50, 122, 14), (30, 90, 28), (61, 61, 14),
)  # fmt: skip
# Channels in and out, size of the map, groups: 1x1.
GROUPED_POINTWISE = (
    (240, 60, 28, 3), (60, 240, 28, 3), (480, 120, 14, 3), (960, 240, 7, 3), (384, 96, 28, 8), (96, 384, 28, 8), (768, 192, 14, 8),
    (192, 768, 14, 8), (200, 50, 28, 2), (136, 272, 28, 4), (72, 144, 56, 2),
)  # fmt: skip
# Channels, size of the map, groups, stride: 3x3.
GROUPED = (
    (128, 56, 32, 1), (256, 28, 32, 1), (512, 14, 32, 1), (48, 28, 4, 1), (96, 14, 8, 1), (256, 28, 16, 2), (160, 14, 40, 1),
    (64, 56, 16, 1), (128, 28, 16, 1), (304, 7, 8, 1),
)  # fmt: skip
# Channels, size of the map, kernel, stride.
DEPTHWISE = (
    (88, 28, 5, 1), (44, 56, 7, 2), (176, 14, 5, 1), (24, 28, 3, 1), (352, 7, 5, 1), (24, 56, 3, 1), (90, 14, 3, 1), (122, 14, 3, 1),
    (30, 56, 3, 1), (58, 28, 3, 1), (58, 56, 3, 2), (116, 14, 3, 1), (232, 14, 3, 2), (232, 7, 3, 1), (96, 112, 3, 2), (144, 56, 3, 1),
    (32, 112, 3, 1), (512, 14, 3, 1), (512, 7, 3, 1), (960, 7, 3, 1), (128, 28, 3, 1), (64, 28, 5, 1), (44, 28, 5, 1), (176, 7, 7, 1),
)  # fmt: skip
LINEAR = ((1024, 1000), (1280, 1000), (2048, 1000), (512, 1000), (512, 128), (240, 15))
ACTIVATIONS: tuple[Activation, ...] = (ReLU(), ReLU6(), Hardswish(), Sigmoid(), SiLU(), GELU())
MAPS = ((24, 112), (116, 28), (512, 14), (464, 7))  # channels, size
SUMS = ((24, 112), (64, 56), (116, 28), (256, 14), (464, 7))
GATES = ((64, 56), (116, 28), (464, 7))  # by one factor a channel
CONCATS = ((24, 24, 56), (58, 58, 28), (116, 116, 14), (232, 232, 7), (256, 32, 28), (512, 64, 14))
SHUFFLES = ((240, 3, 28), (480, 3, 14), (960, 3, 7), (116, 2, 28), (232, 2, 14), (464, 2, 7), (384, 8, 28))  # channels, groups, size
GATHERS = ((240, 240, 14), (480, 120, 14), (64, 128, 28))  # channels, named ones, size
MAX_POOLS = ((24, 112), (64, 112), (192, 28), (60, 28), (12, 112))
AVG_POOLS = ((240, 28), (60, 28), (30, 56), (480, 14))
GLOBAL_POOLS = ((1024, 7), (116, 28), (512, 14))
NORMS = ((24, 112), (116, 28), (464, 7))
SHIFTS = tuple([(c, size, moved) for c, size in ((58, 28), (44, 56), (176, 14), (22, 112)) for moved in (0.1, 0.5, 1.0)])  # and share moved
TOKENS = ((197, 192, 3), (49, 384, 6))  # tokens, width, heads of a small vision transformer


def benchmarks(batch: int = 1, *, thorough: bool = False) -> tuple[Graph, ...]:
    """The graphs of the benchmarks at a batch, each under a name of its own and of one op type; unless `thorough` without every third of
    an op type.
    """
    every = (*_convolutions(batch), *_others(batch))
    if thorough:
        return every
    met: Counter[str] = Counter()
    chosen = []
    for graph in every:
        kind = op_type(graph.nodes[-1].op)
        met[kind] += 1
        if met[kind] % 3:
            chosen.append(graph)
    return tuple(chosen)


def _convolutions(batch: int) -> Iterator[Graph]:
    layers = [
        *[(Conv2d(i, o, k, stride=s, padding=k // 2, bias=True), size) for i, o, size, k, s in DENSE],
        *[(Conv2d(i, o, 1, bias=True), size) for i, o, size in POINTWISE],
        *[(Conv2d(i, o, 1, groups=g, bias=True), size) for i, o, size, g in GROUPED_POINTWISE],
        *[(Conv2d(c, c, 3, stride=s, padding=1, groups=g, bias=True), size) for c, size, g, s in GROUPED],
        *[(Conv2d(c, c, k, stride=s, padding=k // 2, groups=c, bias=True), size) for c, size, k, s in DEPTHWISE],
    ]
    keeping = 0
    for op, size in layers:
        ops = [op]
        if op.stride == 1 and op.in_channels > 3:
            keeping += 1
            if keeping % 4:
                ops = [op, replace(op, in_channels=op.out_channels, out_channels=op.in_channels)] * 2
        b = Builder(f"conv{op.kernel_size}x{op.kernel_size}g{op.groups}_{op.in_channels}_{op.out_channels}_{size}")
        x = b.input((batch, op.in_channels, size, size))
        for i, one in enumerate(ops):
            x = b.add(f"conv{i}", one, x)
        yield b.build(x)


def _others(batch: int) -> Iterator[Graph]:
    def image(channels: int, size: int) -> Shape:
        return batch, channels, size, size

    for features, outputs in LINEAR:
        yield _one(Linear(features, outputs), (batch, features), name=f"linear_{features}_{outputs}")
    for op in ACTIVATIONS:
        for c, size in MAPS:
            yield _one(op, image(c, size))
    for c, size in SUMS:
        yield _one(Add(), image(c, size), image(c, size))
    for c, size in GATES:
        yield _one(Multiply(), image(c, size), image(c, 1))
    for first, second, size in CONCATS:
        yield _one(Concat(), image(first, size), image(second, size))
    for c, groups, size in SHUFFLES:
        yield _one(ChannelShuffle(groups), image(c, size))
    for c, named, size in GATHERS:
        step = next(s for s in range(7, c) if c % s)  # scattered, each channel in turn
        yield _one(ChannelGather(tuple([i * step % c for i in range(named)])), image(c, size), name=f"channelgather_{named}_of_{c}_{size}")
    for c, size in MAX_POOLS:
        yield _one(MaxPool2d(3, stride=2, padding=1), image(c, size))
    for c, size in AVG_POOLS:
        yield _one(AvgPool2d(3, stride=2, padding=1), image(c, size))
    for c, size in GLOBAL_POOLS:
        yield _one(AdaptiveAvgPool2d(1), image(c, size))
    for c, size in NORMS:
        yield _one(BatchNorm2d(c), image(c, size))
    for c, size, moved in SHIFTS:
        yield _one(SparseShift(c, round(c * moved)), image(c, size), name=f"sparseshift_{round(c * moved)}_of_{c}_{size}")
    for tokens, width, heads in TOKENS:
        head = batch, heads, tokens, width // heads
        yield _one(Linear(width, 4 * width), (batch, tokens, width))
        yield _one(LayerNorm((width,)), (batch, tokens, width))
        yield _one(GELU(), (batch, tokens, 4 * width))
        yield _one(Softmax(-1), (batch, heads, tokens, tokens))
        yield _one(MatMul(), (batch, heads, tokens, tokens), head)
        yield _one(ScaledDotProductAttention(), head, head, head)


def _one(op: Op, *shapes: Shape, name: str = "") -> Graph:
    b = Builder(name or f"{type(op).__name__.lower()}_{'_'.join(map(str, shapes[0][1:]))}")
    return b.build(b.add("op", op, *[b.input(shape, name=f"x{i}") for i, shape in enumerate(shapes)]))
