"""Networks of residual units beside ResNet's own: ResNeXt, SENet and the ResNets for CIFAR.

- ResNeXt: Xie et al., "Aggregated Residual Transformations for Deep Neural Networks" (CVPR 2017), table 1 and figure 3 (c), the grouped
  form. The stride is on the 3x3 convolution, as in the authors' code. With `se_reduction` it is SE-ResNeXt.
- SENet: Hu et al., "Squeeze-and-Excitation Networks" (CVPR 2018; SENet-154 in the version of 2019). SENet-154 is described in words there:
  ResNeXt-152 (64x4d) with SE blocks, half the channels in the first 1x1 of each unit, three 3x3 convolutions for the 7x7 one, 3x3
  projections where the stride is 2, dropout of 0.2. The channels of the three (64, 64, 128) are those of the authors' model. The 20.7 G of
  ShuffleNet v2 table 6 are multiply-adds at 224 pixels; at 320 they would be 42.2 G.
- ResNets for CIFAR: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2: 6n + 2 layers. The paper pads its
  shortcuts with zero channels (option A). Here they are projected (option B), as in the code of ShiftNet's authors, the baseline of the
  sparse shift paper's table 1, which prints 0.86 M parameters at depth 56 (B: 0.856 M; A: 0.853 M). The 81 and 251 M "FLOPs" there count a
  multiply-add as two: the convention `torch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspace.errors import LawError
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.ir.ops import MaxPool2d, ReLU
from archspace.zoo.blocks import classifier, conv_bn, multiple_of
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family
from archspace.zoo.resnet import DEPTHS, bottleneck_unit, unit

BOTTLENECK_DEPTHS = {depth: repeats for depth, (repeats, bottleneck) in DEPTHS.items() if bottleneck}


def units(place: str, depth: int, repeats: tuple[int, ...] | None) -> Iterator[tuple[int, int, int]]:
    """(stage, unit, stride) of every unit of a network of bottlenecks. Raises LawError for a depth without one."""
    if depth not in BOTTLENECK_DEPTHS:
        raise LawError(f"{place}: depth must be one of {', '.join(map(str, BOTTLENECK_DEPTHS))}, but got {depth}")
    per = per_stage(place, "repeats", repeats or BOTTLENECK_DEPTHS[depth], 4)
    return ((stage, i, 2 if stage > 1 and i == 0 else 1) for stage, n in enumerate(per, start=1) for i in range(n))


# ResNeXt --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNeXtConfig(NetworkConfig):
    """The knobs of ResNeXt."""

    depth: int = knob(50, "layers: 50, 101 or 152", at_least=1)
    cardinality: int = knob(32, "groups C of every 3x3 convolution", alias="groups", at_least=1, at_most=10_000)
    group_width: int = knob(4, "channels d per group in the first stage; the next stages double it", at_least=1, at_most=10_000)
    stage_channels: tuple[int, ...] = knob((256, 512, 1024, 2048), "output channels per stage at width 1", at_least=1)
    width: float = knob(1.0, "channel multiplier of every layer; the cardinality stays", above=0, at_most=100)
    repeats: tuple[int, ...] | None = knob(None, "units per stage, instead of the depth's", at_least=1, at_most=1000)
    se_reduction: int | None = knob(None, "reduction r of squeeze-and-excitation in every unit (SE-ResNeXt: 16)", at_least=1)


def build_resnext(cfg: ResNeXtConfig, b: Builder) -> Graph:
    """Table 1: conv1, max pool, four stages of grouped bottlenecks, global pool, FC."""
    plan = units("resnext", cfg.depth, cfg.repeats)
    given = per_stage("resnext", "stage_channels", cfg.stage_channels, 4)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, multiple_of(64 * cfg.width, 1), 7, stride=2, act=ReLU())
        x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
    for stage, i, stride in plan:
        inner = cfg.cardinality * multiple_of(cfg.group_width * cfg.width * 2 ** (stage - 1), 1)
        channels = (inner, inner, multiple_of(given[stage - 1] * cfg.width, 1))
        with b.block(f"stage{stage}.unit{i}"):
            x = bottleneck_unit(b, x, channels, stride=stride, groups=cfg.cardinality, se_reduction=cfg.se_reduction)
    return b.build(classifier(b, x, cfg.num_classes))


# SENet ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SENetConfig(NetworkConfig):
    """The knobs of SENet."""

    depth: int = knob(152, "layers of the ResNeXt underneath: 50, 101 or 152 (SENet-154: 152)", at_least=1)
    cardinality: int = knob(64, "groups C of every 3x3 convolution", alias="groups", at_least=1, at_most=10_000)
    group_width: int = knob(4, "channels d per group in the first stage, even; the next stages double it", at_least=2, at_most=10_000)
    stage_channels: tuple[int, ...] = knob((256, 512, 1024, 2048), "output channels per stage at width 1", at_least=1)
    width: float = knob(1.0, "channel multiplier of every layer; the cardinality stays", above=0, at_most=100)
    repeats: tuple[int, ...] | None = knob(None, "units per stage, instead of the depth's", at_least=1, at_most=1000)
    se_reduction: int = knob(16, "reduction r of squeeze-and-excitation", at_least=1)


def build_senet(cfg: SENetConfig, b: Builder) -> Graph:
    """SENet-154: three 3x3 convolutions, max pool, four stages of grouped bottlenecks with SE, global pool, dropout, FC."""
    if cfg.group_width % 2:
        d = cfg.group_width
        raise LawError(
            f"senet: group_width must be even, because the first 1x1 of a unit has half the channels of its grouped 3x3, but got {d}. "
            f"Nearest: {d - 1}, {d + 1}."
        )
    plan = units("senet", cfg.depth, cfg.repeats)
    given = per_stage("senet", "stage_channels", cfg.stage_channels, 4)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        for name, c, stride in (("conv1", 64, 2), ("conv2", 64, 1), ("conv3", 128, 1)):
            x = conv_bn(b, name, x, multiple_of(c * cfg.width, 1), 3, stride=stride, act=ReLU())
        x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
    for stage, i, stride in plan:
        inner = cfg.cardinality * multiple_of(cfg.group_width * cfg.width * 2 ** (stage - 1), 2)
        channels = (inner // 2, inner, multiple_of(given[stage - 1] * cfg.width, 1))
        with b.block(f"stage{stage}.unit{i}"):
            kernel = 3 if stride == 2 else 1
            x = bottleneck_unit(
                b, x, channels, stride=stride, groups=cfg.cardinality, se_reduction=cfg.se_reduction, shortcut_kernel=kernel
            )
    return b.build(classifier(b, x, cfg.num_classes, dropout=0.2))


# ResNets for CIFAR ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetCifarConfig(NetworkConfig):
    """The knobs of the ResNets for CIFAR."""

    input: tuple[int, int] = knob((32, 32), "input height and width in pixels", at_least=1)
    num_classes: int = knob(10, "outputs of the classifier", at_least=1)
    depth: int = knob(20, "layers 6n + 2: 20, 32, 44, 56, 110", at_least=8, at_most=10_000)
    width: float = knob(1.0, "channel multiplier of every stage", above=0, at_most=100)
    repeats: tuple[int, ...] | None = knob(None, "units per stage, instead of the depth's n", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((16, 32, 64), "output channels per stage at width 1; the stem has the first", at_least=1)


def build_resnet_cifar(cfg: ResNetCifarConfig, b: Builder) -> Graph:
    """Section 4.2: a 3x3 convolution, three stages of n basic units at 32x32, 16x16 and 8x8, global pool, FC."""
    n, rest = divmod(cfg.depth - 2, 6)
    if rest and cfg.repeats is None:
        raise LawError(
            f"resnet_cifar: depth must be 6n + 2 (three stages of n units with two layers), but got {cfg.depth}. "
            f"Nearest: {6 * n + 2}, {6 * n + 8}."
        )
    repeats = per_stage("resnet_cifar", "repeats", cfg.repeats or (n,), 3)
    given = per_stage("resnet_cifar", "stage_channels", cfg.stage_channels, 3)
    channels = [multiple_of(c * cfg.width, 1) for c in given]
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, channels[0], 3, act=ReLU())
    for stage, (c, count) in enumerate(zip(channels, repeats, strict=True), start=1):
        for i in range(count):
            with b.block(f"stage{stage}.unit{i}"):
                x = unit(b, x, c, stride=2 if stage > 1 and i == 0 else 1, bottleneck=False)
    return b.build(classifier(b, x, cfg.num_classes))


FAMILIES = {
    "resnext": Family(
        ResNeXtConfig,
        build_resnext,
        "ResNeXt (CVPR 2017): residual units with grouped 3x3 convolutions",
        32,
        {
            "resnext50_32x4d": {"depth": 50, "cardinality": 32, "group_width": 4},
            "resnext101_32x4d": {"depth": 101, "cardinality": 32, "group_width": 4},
            "resnext101_64x4d": {"depth": 101, "cardinality": 64, "group_width": 4},
            "se_resnext50_32x4d": {"depth": 50, "cardinality": 32, "group_width": 4, "se_reduction": 16},
            "se_resnext101_32x4d": {"depth": 101, "cardinality": 32, "group_width": 4, "se_reduction": 16},
        },
    ),
    "senet": Family(
        SENetConfig,
        build_senet,
        "SENet (CVPR 2018): grouped bottlenecks with squeeze-and-excitation",
        32,
        {"senet154": {"depth": 152}},
    ),
    "resnet_cifar": Family(
        ResNetCifarConfig,
        build_resnet_cifar,
        "ResNet for CIFAR (CVPR 2016): three stages of basic units at 32x32",
        4,
        {f"resnet{depth}_cifar": {"depth": depth} for depth in (20, 32, 44, 56, 110)},
    ),
}
