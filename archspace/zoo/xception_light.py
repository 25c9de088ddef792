"""The thin Xception. Li et al., "Light-Head R-CNN: In Defense of Two-Stage Object Detector" (arXiv 1711.07264), its small base network.

Given there: conv1 of 24 channels, max pool, stages of 144, 288 and 576 channels with 4, 8 and 4 units, no pre-activation, 145 M.
Underspecified, and chosen here:
- A unit is a bottleneck with three separable convolutions: ShuffleNet v2, section 4, gives Xception's blocks a receptive field of 7.
- The bottlenecks' channels: 32, 64 and 128. Where the shape changes there is no shortcut (projections alone would cost 19 M).
- The width multiplies every channel count, conv1's included.
- Bottleneck and shortcuts are fitted to the published 40, 145, 305 and 525 M (ShuffleNet v2, table 8), which are met within 2 %.
  Bottlenecks of a quarter of the channels lie 7 % or more above, whatever the shortcut; a fifth with projections fits within 5 % too,
  so the numbers do not confirm the structure.
- As in Xception, nothing stands between the depthwise and the pointwise half of a separable convolution.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, Conv2d, Op, ReLU
from archspace.zoo.blocks import classifier, conv_bn, multiple_of, stem
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class XceptionLightConfig(NetworkConfig):
    """The knobs of the thin Xception."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    repeats: tuple[int, ...] = knob((4, 8, 4), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((144, 288, 576), "output channels per stage at width 1", at_least=1)
    bottleneck_channels: tuple[int, ...] = knob((32, 64, 128), "channels inside the units per stage at width 1", at_least=1)
    stem_channels: int = knob(24, "output channels of conv1 at width 1", at_least=1)
    kernel_size: int = knob(3, "kernel of the depthwise convolutions (odd)", at_least=1, odd=True)


def separable(b: Builder, name: str, x: Value, out_channels: int, kernel_size: int = 3, *, stride: int = 1, act: Op | None = None) -> Value:
    """Xception's separable convolution: depthwise, then pointwise with batch norm and, where given, an activation."""
    with b.scope(name):
        c = x.channels
        x = b.add("dw", Conv2d(c, c, kernel_size, stride=stride, padding=kernel_size // 2, groups=c), x)
        return conv_bn(b, "pw", x, out_channels, act=act)


def unit(b: Builder, x: Value, out_channels: int, bottleneck_channels: int, kernel_size: int, *, stride: int) -> Value:
    """A bottleneck of three separable convolutions, added to its input where the shape stays."""
    y = separable(b, "sep1", x, bottleneck_channels, kernel_size, stride=stride, act=ReLU())
    y = separable(b, "sep2", y, bottleneck_channels, kernel_size, act=ReLU())
    y = separable(b, "sep3", y, out_channels, kernel_size)
    if x.shape == y.shape:
        y = b.add("add", Add(), x, y)
    return b.add("act", ReLU(), y)


def build(cfg: XceptionLightConfig, b: Builder) -> Graph:
    """conv1, max pool, three stages, global pool, FC."""
    k = cfg.kernel_size
    stages = zip(
        per_stage("xception_light", "stage_channels", cfg.stage_channels, 3),
        per_stage("xception_light", "bottleneck_channels", cfg.bottleneck_channels, 3),
        per_stage("xception_light", "repeats", cfg.repeats, 3),
        strict=True,
    )
    x = b.input((cfg.batch, 3, *cfg.input))
    x = stem(b, x, multiple_of(cfg.stem_channels * cfg.width, 1))
    for stage, (channels, inner, units) in enumerate(stages, start=2):
        out_channels, bottleneck_channels = multiple_of(channels * cfg.width, 1), multiple_of(inner * cfg.width, 1)
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = unit(b, x, out_channels, bottleneck_channels, k, stride=2 if i == 0 else 1)
    return b.build(classifier(b, x, cfg.num_classes))


FAMILIES = {
    "xception_light": Family(
        XceptionLightConfig,
        build,
        "The thin Xception of Light-Head R-CNN (2017): bottlenecks of three separable convolutions",
        32,
        {f"xception_light_{w:g}x": {"width": w} for w in (0.5, 1.0, 1.5, 2.0)},
    ),
}
