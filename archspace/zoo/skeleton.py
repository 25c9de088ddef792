"""Other units in ShuffleNet's skeleton. Zhang et al., "ShuffleNet" (CVPR 2018; arXiv 1707.01083), section 4.2 and tables 1 and 4.

Given there: the skeleton of table 1 with its units replaced and its channels adapted; VGG-like: two 3x3 convolutions, each with batch norm;
ResNet: bottlenecks of 1:4; ResNeXt: cardinality 16 and bottlenecks of 1:2; at 38 M stage 4 has 50, 192 and 192 channels.
`xception_like` there is ShuffleNet with one group. The complexities count the convolutions alone: the convention `conv`.

Underspecified, and chosen here (every complexity that table 4 prints is then met within 4 %):
- Width 1 is twice the channels at 38 M: 100, 384 and 384 in stage 4. What width and arch2 do is ShuffleNet's own rule: 1, 0.5 and 0.25 are
  its widths at 140, 38 and 13 M, and conv1 scales with them (24, 12 and 12 channels; with 24 at 38 M the VGG-like network has 44.1 M).
- Channels that width or arch2 scales go to the nearest multiple of bottleneck x cardinality; given ones must be one.
- VGG-like units have no shortcut, as in VGG. The others project it where shapes differ: without, ResNet has 35.7 M at 38 M.
- The stride sits on a unit's first 3x3 convolution, except in ResNeXt, where it sits on the first 1x1: on the 3x3, ResNeXt's 38 M would
  be 41.4 M. (Keeping it there and pooling the shortcut as ShuffleNet does counts exactly as many multiply-adds as the choice made.)
  On the first 1x1, ResNet would have 36.2 M at 38 M and 37.6 M at 40 M (arch2). Stride and shortcuts are fitted to the printed
  numbers, so these do not confirm the structure.
- Cardinality 16 does not divide 24, the bottleneck of 1:2 in stage 2 at 38 M. Where it does not, members take the largest divisor below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import ReLU
from archspace.zoo.blocks import SE_HELP, classifier, conv_bn, stem
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family
from archspace.zoo.resnet import bottleneck_unit
from archspace.zoo.shufflenet_v1 import ShuffleNetV1Config, stages, stem_channels

# Configs --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SkeletonConfig(NetworkConfig):
    """The knobs of ShuffleNet's skeleton, whatever the unit."""

    width: float = knob(1.0, "channel multiplier s of every stage", above=0, at_most=100)
    repeats: tuple[int, ...] = knob((4, 8, 4), "units per stage", at_least=1, at_most=1000)
    stem_channels: int | None = knob(None, "output channels of conv1, instead of ShuffleNet v1's rule", at_least=1)
    arch2: bool = knob(False, "two units fewer in stage 3, wider (section 4.1.1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class VGGLikeConfig(SkeletonConfig):
    """The knobs of the VGG-like network."""

    stage_channels: tuple[int, ...] = knob((25, 50, 100), "output channels per stage at width 1", at_least=1)
    kernel_size: int = knob(3, "kernel of the convolutions in the units (odd)", at_least=1, odd=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetLikeConfig(SkeletonConfig):
    """The knobs of the ResNet-like network."""

    stage_channels: tuple[int, ...] = knob((96, 192, 384), "output channels per stage at width 1", at_least=1)
    bottleneck: int = knob(4, "output channels per bottleneck channel (the paper's 1:4)", at_least=1, at_most=1000)
    stride_on_3x3: bool = knob(True, "stride on the 3x3 convolution of a unit, not on its first 1x1")
    se_reduction: int | None = knob(None, SE_HELP, at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNeXtLikeConfig(ResNetLikeConfig):
    """The knobs of the ResNeXt-like network."""

    bottleneck: int = knob(2, "output channels per bottleneck channel (the paper's 1:2)", at_least=1, at_most=1000)
    stride_on_3x3: bool = knob(False, "stride on the 3x3 convolution of a unit, not on its first 1x1")
    cardinality: int | tuple[int, ...] = knob(
        16, "groups of the 3x3 convolutions, one number or one per stage", alias="groups", at_least=1, at_most=10_000
    )


# Networks -------------------------------------------------------------------------------------------------------------------------

# (input, output channels, stage from 0, stride) -> output
Unit = Callable[[Value, int, int, int], Value]


def build_skeleton(
    place: str, cfg: SkeletonConfig, b: Builder, stage_channels: tuple[int, ...], multiples: tuple[int, ...], unit: Unit
) -> Graph:
    """Table 1 with another unit: conv1, max pool, three stages of units, global pool, FC.

    `multiples`: what the channels of each stage are rounded to where width or arch2 scales them. `place` stands in front of errors.
    Raises LawError for combinations that cannot exist.
    """
    plan = ShuffleNetV1Config(
        groups=multiples,
        width=cfg.width,
        repeats=cfg.repeats,
        stage_channels=stage_channels,
        stem_channels=cfg.stem_channels,
        arch2=cfg.arch2,
    )
    x = b.input((cfg.batch, 3, *cfg.input))
    x = stem(b, x, stem_channels(plan, 1))
    for stage, (channels, units, _) in enumerate(stages(place, plan, multiples)):
        for i in range(units):
            with b.block(f"stage{stage + 2}.unit{i}"):
                x = unit(x, channels, stage, 2 if i == 0 else 1)
    return b.build(classifier(b, x, cfg.num_classes))


def build_vgg_like(cfg: VGGLikeConfig, b: Builder) -> Graph:
    """Units of two convolutions, each with batch norm and ReLU."""
    k = cfg.kernel_size

    def unit(x: Value, channels: int, stage: int, stride: int) -> Value:
        x = conv_bn(b, "conv1", x, channels, k, stride=stride, act=ReLU())
        return conv_bn(b, "conv2", x, channels, k, act=ReLU())

    return build_skeleton("vgg_like", cfg, b, cfg.stage_channels, (1, 1, 1), unit)


def build_resnet_like(cfg: ResNetLikeConfig, b: Builder) -> Graph:
    """Bottleneck units of 1:4."""
    return build_bottlenecks("resnet_like", cfg, b, (1, 1, 1))


def build_resnext_like(cfg: ResNeXtLikeConfig, b: Builder) -> Graph:
    """Bottleneck units of 1:2 whose 3x3 convolutions have groups."""
    return build_bottlenecks("resnext_like", cfg, b, per_stage("resnext_like", "cardinality", cfg.cardinality, 3))


def build_bottlenecks(place: str, cfg: ResNetLikeConfig, b: Builder, groups: tuple[int, ...]) -> Graph:
    """The skeleton with ResNet's bottlenecks, their 3x3 convolution in `groups` (one number per stage)."""
    multiples = tuple(cfg.bottleneck * g for g in groups)

    def unit(x: Value, channels: int, stage: int, stride: int) -> Value:
        g, multiple = groups[stage], multiples[stage]
        if channels % multiple:
            law, values = ("bottleneck", f"{cfg.bottleneck}") if g == 1 else ("bottleneck x cardinality", f"{cfg.bottleneck} x {g}")
            least = channels // multiple * multiple
            near = f"{least}, {least + multiple}" if least else f"{multiple}"
            raise LawError(
                f"{place}: the channels of stage {stage + 2} must be a multiple of {law} = {values}, but got {channels}. Nearest: {near}."
            )
        inner = channels // cfg.bottleneck
        return bottleneck_unit(
            b,
            x,
            (inner, inner, channels),
            stride=stride,
            groups=g,
            se_reduction=cfg.se_reduction,
            stride_on_3x3=cfg.stride_on_3x3,
        )

    return build_skeleton(place, cfg, b, cfg.stage_channels, multiples, unit)


FAMILIES = {
    "vgg_like": Family(
        VGGLikeConfig,
        build_vgg_like,
        "ShuffleNet's skeleton with units of two 3x3 convolutions (ShuffleNet v1, table 4)",
        32,
        {"vgg_like_140m": {"width": 1.0}, "vgg_like_38m": {"width": 0.5}},
    ),
    "resnet_like": Family(
        ResNetLikeConfig,
        build_resnet_like,
        "ShuffleNet's skeleton with bottlenecks of 1:4 (ShuffleNet v1, table 4)",
        32,
        {
            "resnet_like_140m": {"width": 1.0},
            "resnet_like_38m": {"width": 0.5},
            "resnet_like_13m": {"width": 0.25},
            "resnet_like_40m_arch2": {"width": 0.5, "arch2": True},
            "resnet_like_13m_arch2": {"width": 0.25, "arch2": True},
        },
    ),
    "resnext_like": Family(
        ResNeXtLikeConfig,
        build_resnext_like,
        "ShuffleNet's skeleton with grouped bottlenecks of 1:2 (ShuffleNet v1, table 4)",
        32,
        {
            "resnext_like_140m": {"width": 1.0, "cardinality": 16},
            "resnext_like_38m": {"width": 0.5, "cardinality": (12, 16, 16)},
            "resnext_like_13m": {"width": 0.25, "cardinality": (12, 12, 16)},
            "resnext_like_40m_arch2": {"width": 0.5, "cardinality": 13, "arch2": True},
            "resnext_like_13m_arch2": {"width": 0.25, "cardinality": 13, "arch2": True},
        },
    ),
}
