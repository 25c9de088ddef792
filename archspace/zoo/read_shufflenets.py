"""The options of a ShuffleNet v1 or v2, read off a graph whose nodes may have any names. Whether they are right, rebuilding says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from archspace.ir.ops import Add, ChannelShuffle, Concat, ReLU
from archspace.zoo import shufflenet_v1, shufflenet_v2
from archspace.zoo.read_layers import Layer, Read, alike, common_options, layer_at, need, reduction_of

Options = dict[str, Any]


def read_v1(found: Read) -> Iterator[Options]:
    """Candidates for ShuffleNet v1: by its width where table 1's channels are met, then by its channels."""
    first, *rest = found.layers
    need(first.kernel_size == 3 and first.op.groups == 1, "its first convolution must be a dense 3x3 one")
    units = list(_v1_units(rest, set(found.places(Concat)), found))
    need(bool(units), "it has no units")
    stages: list[list[_V1Unit]] = []
    for unit in units:
        if not stages or unit.stride == 2 or unit.out != stages[-1][-1].out:
            stages.append([])
        stages[-1].append(unit)
    groups = [stage[0].groups for stage in stages]
    options: Options = {
        **common_options(found, ReLU),
        "groups": alike(groups),
        "strides": tuple([stage[0].stride for stage in stages]),
        "repeats": tuple([len(stage) for stage in stages]),
        "kernel_size": alike([stage[0].kernel_size for stage in stages]),
        "shuffle": bool(found.places(ChannelShuffle)) or all(g == 1 for g in groups),
        "stem_channels": first.op.out_channels,
    }
    if found.gates:
        options["se_reduction"] = reduction_of([(gate.channels, gate.hidden) for gate in found.gates])
    fits = [b for b in (4, *range(1, 17)) if all(_bottleneck(unit, b) for unit in units)]
    need(bool(fits), "its bottlenecks are not in one ratio")
    options["bottleneck"] = fits[0]
    channels = tuple([stage[0].out for stage in stages])
    if groups[0] in shufflenet_v1.STAGE2_CHANNELS and len(set(groups)) == 1:
        for digits in (2, 4):
            width = round(channels[0] / shufflenet_v1.STAGE2_CHANNELS[groups[0]], digits)
            if width > 0:
                yield {**options, "width": width, "stem_channels": None}
                yield {**options, "width": width}
    yield {**options, "stage_channels": channels}


class _V1Unit:
    """One unit: stride, groups, kernel, bottleneck and output channels."""

    def __init__(self, pw1: Layer, dw: Layer, pw2: Layer, out: int) -> None:
        self.stride, self.kernel_size, self.groups = dw.stride, dw.kernel_size, pw2.op.groups
        self.hidden, self.out = pw1.op.out_channels, out


def _v1_units(layers: Sequence[Layer], concats: set[int], found: Read) -> Iterator[_V1Unit]:
    i = 0
    while i < len(layers):
        pw1, dw, pw2 = (layer_at(layers, i + k) for k in range(3))
        i += 3
        need(pw1.is_pointwise and dw.is_depthwise and pw2.is_pointwise, "its units must be of 1x1, depthwise and 1x1 convolutions")
        has_projection = i < len(layers) and (i + 1 == len(layers) or not layers[i + 1].is_depthwise)
        i += has_projection
        stop = layers[i].place if i < len(layers) else len(found.graph.nodes)
        joined = [k for k in range(dw.place, stop) if k in concats]
        yield _V1Unit(pw1, dw, pw2, found.graph.nodes[joined[0]].shape[1] if joined else pw2.op.out_channels)


def _bottleneck(unit: _V1Unit, ratio: int) -> bool:
    return shufflenet_v1.bottleneck_channels(unit.out, ratio, unit.groups) == unit.hidden


def read_v2(found: Read) -> Iterator[Options]:
    """Candidates for ShuffleNet v2: by its width where table 5's channels are met, then by its channels; with either way to branch."""
    joins = found.places(Concat)
    need(bool(joins), "its units must end in a concatenation")
    cuts = [-1, *joins, len(found.graph.nodes)]
    parts = [[layer for layer in found.layers if a < layer.place < b] for a, b in pairwise(cuts)]
    *units, tail = parts
    need(len(tail) == 1 and tail[0].is_pointwise, "it must end in one 1x1 convolution")
    stem = [layer for layer in units[0] if not layer.is_depthwise and layer.kernel_size == 3]
    units[0] = [layer for layer in units[0] if layer not in stem]
    need(bool(stem), "it must begin with 3x3 convolutions")
    stages: list[list[tuple[int, list[Layer]]]] = []
    for place, layers in zip(joins, units, strict=True):
        pointwise = [layer for layer in layers if layer.is_pointwise]
        depthwise = [layer for layer in layers if layer.is_depthwise]
        need(len(pointwise) in (2, 3) and len(pointwise) + len(depthwise) == len(layers), "a unit is of another form")
        if len(pointwise) == 3:
            stages.append([])
        need(bool(stages), "its first unit must convolve both branches")
        stages[-1].append((found.graph.nodes[place].shape[1], layers))
    options: Options = {
        **common_options(found, ReLU),
        "strides": tuple([max(layer.stride for layer in stage[0][1]) for stage in stages]),
        "repeats": tuple([len(stage) for stage in stages]),
        "kernel_size": alike([next(layer.kernel_size for layer in stage[0][1] if layer.is_depthwise) for stage in stages]),
        "shuffle": bool(found.places(ChannelShuffle)),
        "residual": bool(found.places(Add)),
        "depthwise_first": sum(layer.is_depthwise for layer in stages[0][0][1]) == 3,
        "stem_channels": alike([layer.op.out_channels for layer in stem]) if len(stem) == 1 else tuple([s.op.out_channels for s in stem]),
        "conv5_channels": tail[0].op.out_channels,
        "split_ratio": _split_ratio(stages),
    }
    if found.gates:
        convolved = [next(layer.op.out_channels for layer in layers if layer.is_pointwise) for stage in stages for _, layers in stage[1:]]
        inner = [gate.hidden for gate, is_first in zip(found.gates, _firsts(stages), strict=False) if not is_first]
        need(len(inner) == len(convolved) > 0, "its squeeze-and-excitations must stand in every unit")
        options["se_reduction"] = reduction_of(zip(convolved, inner, strict=True))
    channels = tuple([stage[0][0] for stage in stages])
    widths = [width for width, row in shufflenet_v2.CHANNELS.items() if row[: len(channels)] == channels]
    for equal_branches in (False, True):
        for width in widths:
            yield {**options, "width": width, "equal_branches": equal_branches}
        yield {**options, "stage_channels": channels, "equal_branches": equal_branches}


def _firsts(stages: Sequence[Sequence[tuple[int, list[Layer]]]]) -> list[bool]:
    """Of each unit, whether it is the first of its stage."""
    return [i == 0 for stage in stages for i in range(len(stage))]


def _split_ratio(stages: Sequence[Sequence[tuple[int, list[Layer]]]]) -> float | tuple[float, ...]:
    """c'/c: one value, one per stage, or one per unit that splits."""
    ratios = [[_ratio(channels, layers) for channels, layers in stage[1:]] for stage in stages]
    every = [ratio for stage in ratios for ratio in stage]
    if not every:
        return 0.5
    if len(set(every)) == 1:
        return every[0]
    if all(len(set(stage)) == 1 for stage in ratios):
        return tuple([stage[0] for stage in ratios])
    return tuple(every)


def _ratio(channels: int, layers: Sequence[Layer]) -> float:
    """The share that is convolved, as short as it can be written."""
    convolved = next(layer.op.out_channels for layer in layers if layer.is_pointwise)
    for digits in (2, 3):
        short = round(convolved / channels, digits)
        if int(channels * short + 0.5) == convolved:
            return short
    return convolved / channels
