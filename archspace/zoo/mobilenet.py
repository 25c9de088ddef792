"""MobileNet v1 and v2.

v1: Howard et al., "MobileNets" (arXiv 1704.04861), table 1; the width multiplies every channel count.
v2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), table 2. Channels go to the nearest multiple of
8 that loses at most 10 %, the last convolution is never narrower than 1280: the authors' published code, not the paper, says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, ReLU, ReLU6
from archspace.zoo.blocks import classifier, conv_bn, depthwise_bn, multiple_of
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# (output channels, units, stride of the first) per stage, at width 1.
V1_STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))  # MobileNets, table 1, by resolution
V2_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))  # MobileNetV2, table 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV1Config(NetworkConfig):
    """The knobs of MobileNet v1."""

    width: float = knob(1.0, "channel multiplier alpha of every layer", above=0, at_most=100)
    repeats: tuple[int, ...] = knob(tuple(row[1] for row in V1_STAGES), "separable convolutions per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 1's", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV2Config(NetworkConfig):
    """The knobs of MobileNet v2."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    expansion: int | tuple[int, ...] = knob(6, "expansion t, one or per stage (the first stage keeps 1 unless it has its own)", at_least=1)
    repeats: tuple[int, ...] = knob(tuple(row[1] for row in V2_STAGES), "blocks per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 2's", at_least=1)
    last_channels: int | None = knob(None, "output channels of the last convolution, instead of max(1280, 1280 * width)", at_least=1)


def build_v1(cfg: MobileNetV1Config, b: Builder) -> Graph:
    """A 3x3 convolution and 13 depthwise separable ones."""
    given = per_stage("mobilenet_v1", "stage_channels", cfg.stage_channels or tuple(row[0] for row in V1_STAGES), len(V1_STAGES))
    channels = [max(1, int(c * cfg.width)) for c in given]
    repeats = per_stage("mobilenet_v1", "repeats", cfg.repeats, len(V1_STAGES))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, max(1, int(32 * cfg.width)), 3, stride=2, act=ReLU())
    for stage, (out_channels, units, (_, _, stride)) in enumerate(zip(channels, repeats, V1_STAGES, strict=True), start=1):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = depthwise_bn(b, "dw", x, stride=stride if i == 0 else 1, act=ReLU())
                x = conv_bn(b, "pw", x, out_channels, act=ReLU())
    return b.build(classifier(b, x, cfg.num_classes))


def rounded(channels: float) -> int:
    """The nearest multiple of 8, one more where that loses over 10 % (the authors' published code).

    >>> rounded(24 * 0.75), rounded(16 * 0.35)
    (24, 8)
    """
    value = multiple_of(channels, 8)
    return value + 8 if value < 0.9 * channels else value


def inverted_bottleneck(b: Builder, x: Value, out_channels: int, *, expansion: int, stride: int) -> Value:
    """Expand, depthwise, project without activation, add where the shape stays (MobileNetV2, figure 4)."""
    y = x if expansion == 1 else conv_bn(b, "expand", x, x.channels * expansion, act=ReLU6())
    y = depthwise_bn(b, "dw", y, stride=stride, act=ReLU6())
    y = conv_bn(b, "project", y, out_channels)
    return b.add("add", Add(), x, y) if x.shape == y.shape else y


def build_v2(cfg: MobileNetV2Config, b: Builder) -> Graph:
    """Table 2: a convolution, seven stages of inverted bottlenecks, a last convolution."""
    given = per_stage("mobilenet_v2", "stage_channels", cfg.stage_channels or tuple(row[0] for row in V2_STAGES), len(V2_STAGES))
    channels = [c if cfg.width == 1 else rounded(c * cfg.width) for c in given]
    repeats = per_stage("mobilenet_v2", "repeats", cfg.repeats, len(V2_STAGES))
    expansions = cfg.expansion if isinstance(cfg.expansion, tuple) else (1, *(cfg.expansion,) * (len(V2_STAGES) - 1))
    expansions = per_stage("mobilenet_v2", "expansion", expansions, len(V2_STAGES))
    last = cfg.last_channels or rounded(1280 * max(1.0, cfg.width))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, rounded(32 * cfg.width), 3, stride=2, act=ReLU6())
    rows = zip(channels, repeats, expansions, V2_STAGES, strict=True)
    for stage, (out_channels, units, expansion, (_, _, stride)) in enumerate(rows, start=1):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = inverted_bottleneck(b, x, out_channels, expansion=expansion, stride=stride if i == 0 else 1)
    with b.block("last"):
        x = conv_bn(b, "pw", x, last, act=ReLU6())
    return b.build(classifier(b, x, cfg.num_classes, dropout=0.2))


FAMILIES = {
    "mobilenet_v1": Family(
        MobileNetV1Config,
        build_v1,
        "MobileNet v1 (2017): depthwise separable convolutions",
        32,
        {f"mobilenet_v1_{w:g}x": {"width": w} for w in (0.25, 0.5, 0.75, 1.0)},
    ),
    "mobilenet_v2": Family(
        MobileNetV2Config,
        build_v2,
        "MobileNet v2 (CVPR 2018): inverted residuals with linear bottlenecks",
        32,
        {
            **{f"mobilenet_v2_{w:g}x": {"width": w} for w in (0.15, 0.6, 1.0, 1.4)},
            "mobilenet_v2_0.75x_192": {"width": 0.75, "input": (192, 192)},
            "mobilenet_v2_0.4x_160": {"width": 0.4, "input": (160, 160)},
        },
    ),
}
