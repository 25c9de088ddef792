"""ResNet. He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), table 1.

Chosen here: the stride of a bottleneck sits on its 3x3 convolution, as in torchvision and most code since (4.09 G multiply-adds at depth
50); `stride_on_3x3=False` puts it on the first 1x1 as the paper does (3.86 G; the paper prints 3.8 G).
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, MaxPool2d, ReLU
from archspace.zoo.blocks import SE_HELP, classifier, conv_bn, squeeze_excite
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# depth: (units per stage, bottleneck units?) of table 1.
DEPTHS = {18: ((2, 2, 2, 2), False), 34: ((3, 4, 6, 3), False), 50: ((3, 4, 6, 3), True)}
DEPTHS |= {101: ((3, 4, 23, 3), True), 152: ((3, 8, 36, 3), True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig(NetworkConfig):
    """The knobs of ResNet."""

    depth: int = knob(50, "layers: 18, 34, 50, 101 or 152", at_least=1)
    width: float = knob(1.0, "channel multiplier of every stage", above=0, at_most=100)
    repeats: tuple[int, ...] | None = knob(None, "units per stage, instead of the depth's", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((64, 128, 256, 512), "channels inside the units per stage at width 1", at_least=1)
    stride_on_3x3: bool = knob(True, "stride on the 3x3 convolution of a bottleneck, not on its first 1x1")
    se_reduction: int | None = knob(None, SE_HELP, at_least=1)


def bottleneck_unit(
    b: Builder,
    x: Value,
    channels: tuple[int, int, int],
    *,
    stride: int,
    groups: int = 1,
    se_reduction: int | None = None,
    shortcut_kernel: int = 1,
    stride_on_3x3: bool = True,
) -> Value:
    """A bottleneck of 1x1, 3x3 in `groups` and 1x1 with these output `channels`, then squeeze-and-excitation where asked.

    The shortcut is projected where shapes differ (He et al. 2016, figure 5 right; ResNeXt and SENet set the options).
    """
    c1, c2, out_channels = channels
    y = conv_bn(b, "conv1", x, c1, stride=1 if stride_on_3x3 else stride, act=ReLU())
    y = conv_bn(b, "conv2", y, c2, 3, stride=stride if stride_on_3x3 else 1, groups=groups, act=ReLU())
    y = conv_bn(b, "conv3", y, out_channels)
    y = squeeze_excite(b, "se", y, se_reduction)
    return _add_shortcut(b, x, y, stride, shortcut_kernel)


def unit(
    b: Builder, x: Value, channels: int, *, stride: int, bottleneck: bool, stride_on_3x3: bool = True, se_reduction: int | None = None
) -> Value:
    """Figure 5: two 3x3 convolutions (left), or a bottleneck with four times the channels (right)."""
    if bottleneck:
        widths = (channels, channels, 4 * channels)
        return bottleneck_unit(b, x, widths, stride=stride, stride_on_3x3=stride_on_3x3, se_reduction=se_reduction)
    y = conv_bn(b, "conv1", x, channels, 3, stride=stride, act=ReLU())
    y = conv_bn(b, "conv2", y, channels, 3)
    y = squeeze_excite(b, "se", y, se_reduction)
    return _add_shortcut(b, x, y, stride)


def _add_shortcut(b: Builder, x: Value, y: Value, stride: int, kernel_size: int = 1) -> Value:
    shortcut = x if x.shape == y.shape else conv_bn(b, "shortcut", x, y.channels, kernel_size, stride=stride)
    return b.add("act", ReLU(), b.add("add", Add(), y, shortcut))


def build(cfg: ResNetConfig, b: Builder) -> Graph:
    """Table 1: conv1, max pool, four stages, global pool, FC."""
    if cfg.depth not in DEPTHS:
        raise LawError(f"resnet: depth must be one of {', '.join(map(str, DEPTHS))}, but got {cfg.depth}")
    table_repeats, bottleneck = DEPTHS[cfg.depth]
    repeats = per_stage("resnet", "repeats", cfg.repeats or table_repeats, 4)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, max(1, int(64 * cfg.width)), 7, stride=2, act=ReLU())
        x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
    given = per_stage("resnet", "stage_channels", cfg.stage_channels, 4)
    for stage, (c, units) in enumerate(zip(given, repeats, strict=True), start=1):
        channels = max(1, int(c * cfg.width))
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                stride = 2 if stage > 1 and i == 0 else 1
                se, on_3x3 = cfg.se_reduction, cfg.stride_on_3x3
                x = unit(b, x, channels, stride=stride, bottleneck=bottleneck, stride_on_3x3=on_3x3, se_reduction=se)
    return b.build(classifier(b, x, cfg.num_classes))


FAMILIES = {
    "resnet": Family(
        ResNetConfig,
        build,
        "ResNet (CVPR 2016): residual units",
        32,
        {
            **{f"resnet{depth}": {"depth": depth} for depth in DEPTHS},
            "resnet50_v1": {"depth": 50, "stride_on_3x3": False},
            "se_resnet50": {"depth": 50, "se_reduction": 16},
        },
    ),
}
