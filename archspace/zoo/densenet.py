"""DenseNet, the light DenseNet of the ShuffleNet v2 paper, CondenseNet: every layer reads all layers before it.

densenet: Huang et al., "Densely Connected Convolutional Networks" (CVPR 2017), table 1, fully specified. 161 takes growth rate 48 and a
stem of 96 channels, as the authors' published models do.

densenet_light: ShuffleNet v2 (ECCV 2018), section 4 and table 8, says that stages 2 to 4 of its table 5 consist of dense blocks, with
channels adjusted to the target complexity. Chosen here: table 5's units (4, 8, 4) become dense layers; every stage begins with DenseNet's
transition (half of the channels, 2x2 average pool); one growth rate k in all stages, as in DenseNet. k = 10, 22, 32 and 43 are the whole
numbers that come nearest to the published 42, 142, 295 and 519 M (within 4 %); 2x has table 5's conv5 of 2048 channels.

condensenet: Huang et al., "CondenseNet: An Efficient DenseNet using Learned Group Convolutions" (CVPR 2018), the ImageNet models of 74
layers, with groups G equal to the condensation factor C. The graph is what is deployed after pruning: an index layer, the 1x1 group
convolution, a shuffle, the 3x3 group convolution; half of the features reach the classifier. The index layer copies as many channels as it
reads, in an order that training finds: here a shuffle, which moves just as much. The published 529 and 274 M are met to the digit by the
authors' own counter, which adds one operation per output of ReLU, per input of average pooling and per bias of the classifier;
multiply-adds of convolutions and FC alone lie 2.3 and 4.5 % below.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from archspace.errors import LawError, nearest_divisors
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
)
from archspace.zoo.blocks import classifier, conv_bn, multiple_of, stem
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# depth: (growth rate, stem channels, dense layers per block).
DEPTHS = {
    121: (32, 64, (6, 12, 24, 16)),  # DenseNet, table 1
    161: (48, 96, (6, 12, 36, 24)),  # the authors' published models
    169: (32, 64, (6, 12, 32, 32)),  # DenseNet, table 1
    201: (32, 64, (6, 12, 48, 32)),  # DenseNet, table 1
}
CONDENSENET_BLOCKS = ((4, 8), (6, 16), (8, 32), (10, 64), (8, 128))  # (layers, growth rate) per block: the authors' code


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseNetConfig(NetworkConfig):
    """The knobs of DenseNet."""

    depth: int = knob(121, "layers: 121, 161, 169 or 201", at_least=1)
    width: float = knob(1.0, "multiplier of the growth rate and of the stem's channels", above=0, at_most=100)
    growth_rate: int | None = knob(None, "channels k that each dense layer adds, instead of the depth's", at_least=1)
    repeats: tuple[int, ...] | None = knob(None, "dense layers per block, instead of the depth's", at_least=1, at_most=1000)
    stem_channels: int | None = knob(None, "output channels of the stem at width 1, instead of the depth's", at_least=1)
    bottleneck: int = knob(4, "outputs of a dense layer's 1x1 convolution, in growth rates", at_least=1, at_most=1000)
    compression: float = knob(0.5, "share theta of the channels that a transition keeps", above=0, at_most=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseNetLightConfig(NetworkConfig):
    """The knobs of the DenseNet in ShuffleNet v2's skeleton."""

    width: float = knob(1.0, "multiplier of the growth rates", above=0, at_most=100)
    growth_rate: int | tuple[int, ...] = knob(22, "channels that each dense layer adds at width 1, one or per stage", at_least=1)
    repeats: tuple[int, ...] = knob((4, 8, 4), "dense layers per stage", at_least=1, at_most=1000)
    stem_channels: int = knob(24, "output channels of conv1", at_least=1)
    conv5_channels: int = knob(1024, "output channels of conv5", at_least=1)
    bottleneck: int = knob(4, "outputs of a dense layer's 1x1 convolution, in growth rates", at_least=1, at_most=1000)
    compression: float = knob(0.5, "share of the channels that a transition keeps", above=0, at_most=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CondenseNetConfig(NetworkConfig):
    """The knobs of CondenseNet."""

    groups: int = knob(4, "groups G of all convolutions, and condensation factor C", alias="g", at_least=1)
    width: float = knob(1.0, "multiplier of the growth rates", above=0, at_most=100)
    repeats: tuple[int, ...] = knob(tuple(row[0] for row in CONDENSENET_BLOCKS), "dense layers per block", at_least=1, at_most=1000)
    growth_rate: int | tuple[int, ...] = knob(
        tuple(row[1] for row in CONDENSENET_BLOCKS), "channels that each dense layer adds at width 1, one or per block", at_least=1
    )
    bottleneck: int = knob(4, "outputs of a dense layer's 1x1 convolution, in growth rates", at_least=1, at_most=1000)
    classifier_share: float = knob(0.5, "share of the features that the pruned classifier reads", above=0, at_most=1)


def scaled(channels: float) -> int:
    """The nearest whole number of channels, at least one."""
    return multiple_of(channels, 1)


def bn_act(b: Builder, x: Value) -> Value:
    """Batch norm and ReLU: .bn, .act."""
    return b.add("act", ReLU(), b.add("bn", BatchNorm2d(x.channels), x))


def bn_act_conv(b: Builder, name: str, x: Value, out_channels: int, kernel_size: int = 1, *, groups: int = 1) -> Value:
    """DenseNet's composite function H: `name`.bn, .act, .conv."""
    with b.scope(name):
        x = bn_act(b, x)
        return b.add("conv", Conv2d(x.channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups), x)


def dense_layer(b: Builder, x: Value, growth_rate: int, bottleneck: int, *, groups: int = 1) -> Value:
    """1x1 and 3x3 convolution, concatenated to the input; with `groups`, CondenseNet's index layer and shuffle around the 1x1."""
    y = b.add("index", ChannelShuffle(groups), x) if groups > 1 else x
    y = bn_act_conv(b, "conv1", y, bottleneck * growth_rate, groups=groups)
    if groups > 1:
        y = b.add("shuffle", ChannelShuffle(groups), y)
    y = bn_act_conv(b, "conv2", y, growth_rate, 3, groups=groups)
    return b.add("concat", Concat(), x, y)


def dense_block(b: Builder, stage: str, x: Value, layers: int, growth_rate: int, bottleneck: int, *, groups: int = 1) -> Value:
    """`layers` dense layers, each a building block."""
    for i in range(layers):
        with b.block(f"{stage}.unit{i}"):
            x = dense_layer(b, x, growth_rate, bottleneck, groups=groups)
    return x


def transition(b: Builder, name: str, x: Value, compression: float) -> Value:
    """DenseNet's transition: batch norm, ReLU, 1x1 convolution to the kept share of the channels, 2x2 average pool."""
    with b.block(name):
        x = bn_act_conv(b, "conv", x, max(1, int(x.channels * compression)))
        return b.add("pool", AvgPool2d(2, stride=2), x)


def last_norm(b: Builder, x: Value) -> Value:
    """Batch norm and ReLU after the last dense block."""
    with b.block("norm"):
        return bn_act(b, x)


def build_densenet(cfg: DenseNetConfig, b: Builder) -> Graph:
    """Table 1: convolution, max pool, four dense blocks with transitions between them, global pool, FC."""
    if cfg.depth not in DEPTHS:
        raise LawError(f"densenet: depth must be one of {', '.join(map(str, DEPTHS))}, but got {cfg.depth}")
    growth_rate, stem_channels, blocks = DEPTHS[cfg.depth]
    growth_rate = scaled((cfg.growth_rate or growth_rate) * cfg.width)
    repeats = per_stage("densenet", "repeats", cfg.repeats or blocks, 4)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, scaled((cfg.stem_channels or stem_channels) * cfg.width), 7, stride=2, act=ReLU())
        x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
    for stage, n in enumerate(repeats, start=1):
        if stage > 1:
            x = transition(b, f"stage{stage}.transition", x, cfg.compression)
        x = dense_block(b, f"stage{stage}", x, n, growth_rate, cfg.bottleneck)
    return b.build(classifier(b, last_norm(b, x), cfg.num_classes))


def build_light(cfg: DenseNetLightConfig, b: Builder) -> Graph:
    """ShuffleNet v2's table 5 with a transition and a dense block as each of stages 2 to 4."""
    growth_rates = per_stage("densenet_light", "growth_rate", cfg.growth_rate, 3)
    repeats = per_stage("densenet_light", "repeats", cfg.repeats, 3)
    x = b.input((cfg.batch, 3, *cfg.input))
    x = stem(b, x, cfg.stem_channels)
    for stage, (growth_rate, n) in enumerate(zip(growth_rates, repeats, strict=True), start=2):
        x = transition(b, f"stage{stage}.transition", x, cfg.compression)
        x = dense_block(b, f"stage{stage}", x, n, scaled(growth_rate * cfg.width), cfg.bottleneck)
    x = last_norm(b, x)
    with b.block("conv5"):
        x = conv_bn(b, "pw", x, cfg.conv5_channels, act=ReLU())
    return b.build(classifier(b, x, cfg.num_classes))


def condensenet_growth_rates(cfg: CondenseNetConfig) -> tuple[int, ...]:
    """The growth rate of each block. Raises LawError when the groups do not divide them."""
    given = per_stage("condensenet", "growth_rate", cfg.growth_rate, len(CONDENSENET_BLOCKS))
    rates = given if cfg.width == 1 else tuple(multiple_of(k * cfg.width, cfg.groups) for k in given)
    common = gcd(*rates)
    if common % cfg.groups:
        raise LawError(
            f"condensenet: groups must divide every growth rate, but got groups={cfg.groups}, growth_rate={rates}. "
            f"Groups near {cfg.groups}: {nearest_divisors(common, cfg.groups)}."
        )
    return rates


def build_condensenet(cfg: CondenseNetConfig, b: Builder) -> Graph:
    """A 3x3 convolution of stride 2, five dense blocks with 2x2 average pools between them, global pool, pruned FC."""
    rates = condensenet_growth_rates(cfg)
    repeats = per_stage("condensenet", "repeats", cfg.repeats, len(rates))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = b.add("conv1", Conv2d(3, 2 * rates[0], 3, stride=2, padding=1), x)
    for stage, (n, growth_rate) in enumerate(zip(repeats, rates, strict=True), start=1):
        if stage > 1:
            with b.block(f"stage{stage}.transition"):
                x = b.add("pool", AvgPool2d(2, stride=2), x)
        x = dense_block(b, f"stage{stage}", x, n, growth_rate, cfg.bottleneck, groups=cfg.groups)
    x = last_norm(b, x)
    with b.block("head"):
        x = b.add("pool", AdaptiveAvgPool2d(1), x)
        x = b.add("flatten", Flatten(1), x)
        x = b.add("index", ChannelSlice(0, max(1, int(x.channels * cfg.classifier_share))), x)
        return b.build(b.add("fc", Linear(x.channels, cfg.num_classes), x))


FAMILIES = {
    "densenet": Family(
        DenseNetConfig,
        build_densenet,
        "DenseNet (CVPR 2017): every layer reads all before it",
        32,
        {f"densenet{depth}": {"depth": depth} for depth in DEPTHS},
    ),
    "densenet_light": Family(
        DenseNetLightConfig,
        build_light,
        "DenseNet in the skeleton of ShuffleNet v2 (ECCV 2018, table 8)",
        32,
        {
            "densenet_light_0.5x": {"growth_rate": 10},
            "densenet_light_1x": {"growth_rate": 22},
            "densenet_light_1.5x": {"growth_rate": 32},
            "densenet_light_2x": {"growth_rate": 43, "conv5_channels": 2048},
        },
    ),
    "condensenet": Family(
        CondenseNetConfig,
        build_condensenet,
        "CondenseNet (CVPR 2018): dense layers with learned group convolutions, as deployed",
        32,
        {f"condensenet_g{g}": {"groups": g} for g in (4, 8)},
    ),
}
