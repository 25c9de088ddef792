"""The stacks of appendix table 1(b): ten units of a network and nothing else, at the multiply-adds of ShuffleNet v2's with c channels.

Ma et al., "ShuffleNet V2" (ECCV 2018). Given there: ten units are stacked, the others' channels are adjusted until the FLOPs are the same.
Underspecified, and chosen here: the units keep their shape (stride 1), as only those can be stacked so; each is the one of its network
in the zoo (ShuffleNet v1 with three groups, MobileNet v2 with an expansion of 6, the thin Xception's bottleneck of 32 to 144); channels
are those that come nearest to ShuffleNet v2's multiply-adds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, ReLU6
from archspace.zoo import shufflenet_v1, xception_light
from archspace.zoo.blocks import PlacedSE, depthwise_bn, inverted_bottleneck, multiple_of
from archspace.zoo.shufflenet_v2 import ShuffleNetV2Config, basic_unit

REPEATS = 10
GROUPS = 3  # table 8's ShuffleNet v1
XCEPTION_INNER = 32 / 144  # archspace.zoo.xception_light: bottleneck and output channels of its first stage


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: what it makes of a value, and what its channels must be a multiple of."""

    build: Callable[[Builder, Value], Value]
    multiple: int


def _shufflenet_v1(b: Builder, x: Value) -> Value:
    cfg = shufflenet_v1.ShuffleNetV1Config(groups=GROUPS)
    return shufflenet_v1.unit("units", b, x, x.channels, cfg, stride=1, kernel_size=3, groups=GROUPS, first_groups=GROUPS)


def _mobilenet_v2(b: Builder, x: Value) -> Value:
    spatial = partial(depthwise_bn, b, "dw", act=ReLU6())
    y = inverted_bottleneck(b, x, x.channels, 6 * x.channels, spatial, act=ReLU6(), se=PlacedSE(None, "expansion"))
    return b.add("add", Add(), x, y)


UNITS: Mapping[str, Unit] = {
    "shufflenet_v2": Unit(lambda b, x: basic_unit(b, x, ShuffleNetV2Config(), 3, 0.5), 2),
    "shufflenet_v1": Unit(_shufflenet_v1, GROUPS),
    "mobilenet_v2": Unit(_mobilenet_v2, 1),
    "xception_light": Unit(lambda b, x: xception_light.unit(b, x, x.channels, multiple_of(XCEPTION_INNER * x.channels, 1), 3, stride=1), 1),
}


def unit_stack(family: str, channels: int, size: tuple[int, int], *, repeats: int = REPEATS, batch: int = 1) -> Graph:
    """`repeats` units of a network on an input of (batch, channels, *size)."""
    b = Builder(f"{family}_units_{channels}")
    x = b.input((batch, channels, *size))
    for i in range(repeats):
        with b.block(f"stage1.unit{i}"):
            x = UNITS[family].build(b, x)
    return b.build(x)


def equal_channels(family: str, channels: int) -> int:
    """The channels with which a network's unit comes nearest to the multiply-adds of ShuffleNet v2's unit with `channels`.

    >>> equal_channels("shufflenet_v1", 128), equal_channels("mobilenet_v2", 128), equal_channels("xception_light", 128)
    (222, 25, 120)
    """
    wanted = _madds("shufflenet_v2", channels)
    step = UNITS[family].multiple
    c = step
    while _madds(family, c) < wanted:
        c += step
    return min((c, c - step), key=lambda one: abs(_madds(family, one) - wanted) if one else wanted)


def _madds(family: str, channels: int) -> int:
    """Multiply-adds of one unit per pixel."""
    graph = unit_stack(family, channels, (1, 1), repeats=1)
    return sum(graph.counts(node).madds for node in graph)
