"""MobileNet v1 and v2.

v1: Howard et al., "MobileNets" (arXiv 1704.04861), table 1; the width multiplies every channel count.
v2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), table 2. Channels go to the nearest multiple of
8 that loses at most 10 %, the last convolution is never narrower than 1280: the authors' published code, not the paper, says so.

ShuffleNet v2's table 8 has re-implementations of v2 without saying how they round: 39 M at 0.15x, where the code above has 30.6 M.
`reimplemented` is the simplest rule found that meets all six within 3 %: the nearest whole number of channels, 16 at least in the first
block. It is fitted to them. SE in v1 reduces by 16, as its authors' (Hu et al., CVPR 2018): 569.2 M and 4.72 M, printed as 572 and 4.7 M.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, ReLU, ReLU6
from archspace.zoo.blocks import (
    SE_HELP,
    SE_PLACEMENTS,
    PlacedSE,
    classifier,
    conv_bn,
    depthwise_bn,
    inverted_bottleneck,
    multiple_of,
    squeeze_excite,
)
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# (output channels, units, stride of the first) per stage, at width 1.
V1_STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))  # MobileNets, table 1, by resolution
V2_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))  # MobileNetV2, table 2

V2_WIDTHS = (0.15, 0.35, 0.4, 0.5, 0.6, 0.75, 1.0, 1.3, 1.4)  # MobileNetV2 and its code; ShuffleNet v2, table 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV1Config(NetworkConfig):
    """The knobs of MobileNet v1."""

    width: float = knob(1.0, "channel multiplier alpha of every layer", above=0, at_most=100)
    repeats: tuple[int, ...] = knob(tuple(row[1] for row in V1_STAGES), "separable convolutions per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 1's", at_least=1)
    kernel_size: int | tuple[int, ...] = knob(3, "kernel of the depthwise convolutions (odd), one or per stage", at_least=1, odd=True)
    se_reduction: int | None = knob(None, SE_HELP, at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV2Config(NetworkConfig):
    """The knobs of MobileNet v2."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    expansion: int | tuple[int, ...] = knob(6, "expansion t, one or per stage (the first stage keeps 1 unless it has its own)", at_least=1)
    repeats: tuple[int, ...] = knob(tuple(row[1] for row in V2_STAGES), "blocks per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 2's", at_least=1)
    last_channels: int | None = knob(None, "output channels of the last convolution, instead of max(1280, 1280 * width)", at_least=1)
    reimplemented: bool = knob(False, "channels as in ShuffleNet v2's re-implementation: the nearest whole number, 16 in the first block")
    kernel_size: int | tuple[int, ...] = knob(3, "kernel of the depthwise convolutions (odd), one or per stage", at_least=1, odd=True)
    se_reduction: int | None = knob(None, SE_HELP, at_least=1)
    se_placement: str | tuple[str, ...] = knob(
        "expansion", "squeeze-and-excitation on a block's output, expansion or none; one or per stage", choices=SE_PLACEMENTS
    )


def build_v1(cfg: MobileNetV1Config, b: Builder) -> Graph:
    """A 3x3 convolution and 13 depthwise separable ones."""
    given = per_stage("mobilenet_v1", "stage_channels", cfg.stage_channels or tuple(row[0] for row in V1_STAGES), len(V1_STAGES))
    channels = [max(1, int(c * cfg.width)) for c in given]
    repeats = per_stage("mobilenet_v1", "repeats", cfg.repeats, len(V1_STAGES))
    kernels = per_stage("mobilenet_v1", "kernel_size", cfg.kernel_size, len(V1_STAGES))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, max(1, int(32 * cfg.width)), 3, stride=2, act=ReLU())
    rows = zip(channels, repeats, kernels, V1_STAGES, strict=True)
    for stage, (out_channels, units, kernel, (_, _, stride)) in enumerate(rows, start=1):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = depthwise_bn(b, "dw", x, kernel, stride=stride if i == 0 else 1, act=ReLU())
                x = conv_bn(b, "pw", x, out_channels, act=ReLU())
                x = squeeze_excite(b, "se", x, cfg.se_reduction)
    return b.build(classifier(b, x, cfg.num_classes))


def rounded(channels: float) -> int:
    """The nearest multiple of 8, one more where that loses over 10 % (the authors' published code).

    >>> rounded(24 * 0.75), rounded(16 * 0.35)
    (24, 8)
    """
    value = multiple_of(channels, 8)
    return value + 8 if value < 0.9 * channels else value


def scaled(cfg: MobileNetV2Config, channels: int) -> int:
    """The channels at the config's width."""
    return multiple_of(channels * cfg.width, 1) if cfg.reimplemented else rounded(channels * cfg.width)


def unit(b: Builder, x: Value, out_channels: int, *, stride: int, expansion: int, kernel_size: int, se: PlacedSE) -> Value:
    """Figure 4 (d): an inverted bottleneck, added to its input where it keeps the shape; expansion 1 has no first convolution."""
    spatial = partial(depthwise_bn, b, "dw", kernel_size=kernel_size, stride=stride, act=ReLU6())
    expanded = None if expansion == 1 else expansion * x.channels
    y = inverted_bottleneck(b, x, out_channels, expanded, spatial, act=ReLU6(), se=se)
    return b.add("add", Add(), x, y) if x.shape == y.shape else y


def build_v2(cfg: MobileNetV2Config, b: Builder) -> Graph:
    """Table 2: a convolution, seven stages of inverted bottlenecks, a last convolution."""
    given = per_stage("mobilenet_v2", "stage_channels", cfg.stage_channels or tuple(row[0] for row in V2_STAGES), len(V2_STAGES))
    least = given[0] if cfg.reimplemented else 1
    channels = [c if cfg.width == 1 else scaled(cfg, c) for c in given]
    channels[0] = max(channels[0], least)
    repeats = per_stage("mobilenet_v2", "repeats", cfg.repeats, len(V2_STAGES))
    expansions = cfg.expansion if isinstance(cfg.expansion, tuple) else (1, *(cfg.expansion,) * (len(V2_STAGES) - 1))
    expansions = per_stage("mobilenet_v2", "expansion", expansions, len(V2_STAGES))
    kernels = per_stage("mobilenet_v2", "kernel_size", cfg.kernel_size, len(V2_STAGES))
    placements = per_stage("mobilenet_v2", "se_placement", cfg.se_placement, len(V2_STAGES))
    last = cfg.last_channels or (1280 if cfg.width <= 1 else scaled(cfg, 1280))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, scaled(cfg, 32), 3, stride=2, act=ReLU6())
    rows = zip(channels, repeats, expansions, kernels, placements, V2_STAGES, strict=True)
    for stage, (out_channels, units, t, kernel, placement, (_, _, first)) in enumerate(rows, start=1):
        se = PlacedSE(cfg.se_reduction, placement)
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = unit(b, x, out_channels, stride=first if i == 0 else 1, expansion=t, kernel_size=kernel, se=se)
    with b.block("last"):
        x = conv_bn(b, "pw", x, last, act=ReLU6())
    return b.build(classifier(b, x, cfg.num_classes, dropout=0.2))


FAMILIES = {
    "mobilenet_v1": Family(
        MobileNetV1Config,
        build_v1,
        "MobileNet v1 (2017): depthwise separable convolutions",
        32,
        {
            **{f"mobilenet_v1_{w:g}x": {"width": w} for w in (0.25, 0.5, 0.75, 1.0)},
            **{f"mobilenet_v1_1x_{side}": {"width": 1.0, "input": (side, side)} for side in (192, 160, 128)},
            "mobilenet_v1_0.5x_160": {"width": 0.5, "input": (160, 160)},
            "mobilenet_v1_1x_se": {"width": 1.0, "se_reduction": 16},
        },
    ),
    "mobilenet_v2": Family(
        MobileNetV2Config,
        build_v2,
        "MobileNet v2 (CVPR 2018): inverted residuals with linear bottlenecks",
        32,
        {
            **{f"mobilenet_v2_{w:g}x": {"width": w} for w in V2_WIDTHS},
            **{f"mobilenet_v2_{w:g}x_{side}": {"width": w, "input": (side, side)} for w in V2_WIDTHS for side in (192, 160)},
            **{f"mobilenet_v2_{w:g}x_reimpl": {"width": w, "reimplemented": True} for w in (0.15, 0.6, 1.0, 1.4)},
            "mobilenet_v2_0.75x_192_reimpl": {"width": 0.75, "input": (192, 192), "reimplemented": True},
            "mobilenet_v2_0.4x_160_reimpl": {"width": 0.4, "input": (160, 160), "reimplemented": True},
        },
    ),
}
