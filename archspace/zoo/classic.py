"""The classic networks that the ShuffleNet papers compare with: VGG, AlexNet, GoogLeNet and SqueezeNet.

- VGG: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015), table 1, A, B, D, E.
  The 15.3 G of ShuffleNet v1 table 6 are its convolutions alone (15.35 G): the convention `conv`.
- AlexNet: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks" (NIPS 2012), figure 2, as on two GPUs:
  convolutions 2, 4 and 5 have two groups. Its first map of 55x55 pixels follows from 227 pixels without padding or from 224 with two; here
  it is the latter. The tower of "One weird trick for parallelizing convolutional neural networks" (2014) is `alexnet_2014`.
- GoogLeNet: Szegedy et al., "Going Deeper with Convolutions" (CVPR 2015), table 1, without its auxiliary heads. The table's operations sum
  to 1502 M, and ShuffleNet v1 prints 1500 M; but the table has 34 M for the first convolution, whose 7x7x3x64 weights at 112x112 make
  118 M. The structure has 1.58 G. `batch_norm` and `large_kernel=3` make the variant that torchvision ships. Its max
  pools are padded by one pixel here; Caffe's and torchvision's round up instead, which is the same on even maps.
- SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size" (2016), table 1 and
  section 5; version 1.1 from the authors' repository. Input of 227 pixels, as released: it gives the 111x111 of table 1 after conv1.

Local response normalisation is left out: it has no weights and makes no multiply-adds. VGG and AlexNet pool to the map that their first
fully connected layer was made for, as torchvision does: at 224 pixels that changes nothing, at others they still run. A convolution
has a bias where no batch norm follows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import AdaptiveAvgPool2d, Add, Concat, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU
from archspace.units import format_size
from archspace.zoo.blocks import classifier, conv_bn, multiple_of
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family


def conv_relu(
    b: Builder,
    name: str,
    x: Value,
    out_channels: int,
    kernel_size: int = 1,
    *,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    batch_norm: bool = False,
) -> Value:
    """Convolution with bias and ReLU; with `batch_norm`, `conv_bn` instead. Padding keeps the size at stride 1 unless given."""
    if batch_norm:
        return conv_bn(b, name, x, out_channels, kernel_size, stride=stride, groups=groups, act=ReLU())
    padding = kernel_size // 2 if padding is None else padding
    with b.scope(name):
        conv = Conv2d(x.channels, out_channels, kernel_size, stride=stride, padding=padding, groups=groups, bias=True)
        return b.add("act", ReLU(), b.add("conv", conv, x))


def fc_head(b: Builder, x: Value, pooled: int, hidden: tuple[int, ...], num_classes: int) -> Value:
    """Pool to `pooled` x `pooled`, hidden fully connected layers with ReLU and dropout, and the last layer, as the block `head`."""
    with b.block("head"):
        x = b.add("pool", AdaptiveAvgPool2d(pooled), x)
        x = b.add("flatten", Flatten(1), x)
        for i, features in enumerate(hidden, start=1):
            x = b.add(f"fc{i}", Linear(x.channels, features), x)
            x = b.add(f"act{i}", ReLU(), x)
            x = b.add(f"dropout{i}", Dropout(0.5), x)
        return b.add("fc", Linear(x.channels, num_classes), x)


# VGG ------------------------------------------------------------------------------------------------------------------------------

VGG_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # table 1: A, B, D, E
VGG_CHANNELS = (64, 128, 256, 512, 512)  # table 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VGGConfig(NetworkConfig):
    """The knobs of VGG."""

    depth: int = knob(16, "layers with weights: 11, 13, 16 or 19", at_least=1)
    width: float = knob(1.0, "channel multiplier of every stage", above=0, at_most=100)
    repeats: tuple[int, ...] | None = knob(None, "convolutions per stage, instead of the depth's", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob(VGG_CHANNELS, "output channels per stage at width 1", at_least=1)
    hidden: tuple[int, ...] = knob((4096, 4096), "features of the hidden fully connected layers", at_least=1)
    batch_norm: bool = knob(False, "batch norm after every convolution, which the paper had not")


def build_vgg(cfg: VGGConfig, b: Builder) -> Graph:
    """Table 1: five stages of 3x3 convolutions, each with a max pool behind it, and three fully connected layers."""
    if cfg.depth not in VGG_DEPTHS:
        raise LawError(f"vgg: depth must be one of {', '.join(map(str, VGG_DEPTHS))}, but got {cfg.depth}")
    repeats = per_stage("vgg", "repeats", cfg.repeats or VGG_DEPTHS[cfg.depth], 5)
    channels = per_stage("vgg", "stage_channels", cfg.stage_channels, 5)
    x = b.input((cfg.batch, 3, *cfg.input))
    for stage, (units, c) in enumerate(zip(repeats, channels, strict=True), start=1):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = conv_relu(b, "conv", x, multiple_of(c * cfg.width, 1), 3, batch_norm=cfg.batch_norm)
        with b.block(f"stage{stage}.pool"):
            x = b.add("maxpool", MaxPool2d(2, stride=2), x)
    return b.build(fc_head(b, x, 7, cfg.hidden, cfg.num_classes))


# AlexNet --------------------------------------------------------------------------------------------------------------------------

ALEXNET_KERNELS = (11, 5, 3, 3, 3)
ALEXNET_GROUPED = (2, 4, 5)  # the convolutions whose two halves do not see each other (figure 2)
ALEXNET_POOLED = (1, 2, 5)  # the convolutions with a max pool behind them
ALEXNET_LEAST_INPUT = 63  # 63 -> 15 (conv1) -> 7 -> 3 -> 1 (pools)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlexNetConfig(NetworkConfig):
    """The knobs of AlexNet."""

    groups: int = knob(2, "groups of convolutions 2, 4 and 5: the GPUs of the paper", alias="g", at_least=1)
    width: float = knob(1.0, "channel multiplier of every convolution", above=0, at_most=100)
    repeats: tuple[int, ...] = knob((1, 1, 1, 1, 1), "convolutions per stage; the paper has one in each", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((96, 256, 384, 384, 256), "output channels per stage at width 1", at_least=1)
    hidden: tuple[int, ...] = knob((4096, 4096), "features of the hidden fully connected layers", at_least=1)


def build_alexnet(cfg: AlexNetConfig, b: Builder) -> Graph:
    """Figure 2: five convolutions, overlapping max pools, three fully connected layers."""
    if min(cfg.input) < ALEXNET_LEAST_INPUT:
        raise LawError(
            f"alexnet: the input must be at least {ALEXNET_LEAST_INPUT} pixels, so that its last pool has a window, "
            f"but got {format_size(*cfg.input)}. Smallest input: {ALEXNET_LEAST_INPUT}."
        )
    repeats = per_stage("alexnet", "repeats", cfg.repeats, 5)
    given = per_stage("alexnet", "stage_channels", cfg.stage_channels, 5)
    channels = given if cfg.width == 1 else tuple(multiple_of(c * cfg.width, cfg.groups) for c in given)
    x = b.input((cfg.batch, 3, *cfg.input))
    for stage, (units, c, kernel) in enumerate(zip(repeats, channels, ALEXNET_KERNELS, strict=True), start=1):
        groups = cfg.groups if stage in ALEXNET_GROUPED else 1
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                first = stage == 1 and i == 0
                x = conv_relu(b, "conv", x, c, kernel, stride=4 if first else 1, padding=2 if first else None, groups=groups)
        if stage in ALEXNET_POOLED:
            with b.block(f"stage{stage}.pool"):
                x = b.add("maxpool", MaxPool2d(3, stride=2), x)
    return b.build(fc_head(b, x, 6, cfg.hidden, cfg.num_classes))


# GoogLeNet ------------------------------------------------------------------------------------------------------------------------

# stage: rows of table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
INCEPTIONS = {
    3: ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    4: (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    5: ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogLeNetConfig(NetworkConfig):
    """The knobs of GoogLeNet."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    repeats: tuple[int, ...] = knob(
        (2, 5, 2), "modules per stage: the table's first ones, and its last again where there are more", at_least=1, at_most=1000
    )
    batch_norm: bool = knob(False, "batch norm after every convolution, which the paper had not")
    large_kernel: int = knob(5, "kernel of the branch that the paper gives 5x5 (torchvision: 3)", at_least=1, at_most=99, odd=True)


def inception(b: Builder, x: Value, row: tuple[int, ...], cfg: GoogLeNetConfig) -> Value:
    """Figure 2 (b): 1x1, reduced 3x3, reduced 5x5 and projected max pool side by side. `row`: the six channel numbers of table 1."""
    c1, r3, c3, r5, c5, proj = (multiple_of(c * cfg.width, 1) for c in row)
    bn = cfg.batch_norm
    one = conv_relu(b, "one", x, c1, batch_norm=bn)
    three = conv_relu(b, "three", conv_relu(b, "three_reduce", x, r3, batch_norm=bn), c3, 3, batch_norm=bn)
    five = conv_relu(b, "five", conv_relu(b, "five_reduce", x, r5, batch_norm=bn), c5, cfg.large_kernel, batch_norm=bn)
    pooled = conv_relu(b, "pool_proj", b.add("maxpool", MaxPool2d(3, stride=1, padding=1), x), proj, batch_norm=bn)
    return b.add("concat", Concat(), one, three, five, pooled)


def build_googlenet(cfg: GoogLeNetConfig, b: Builder) -> Graph:
    """Table 1: convolutions, nine inception modules in three stages with max pools between, global pool, FC."""
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_relu(b, "conv1", x, multiple_of(64 * cfg.width, 1), 7, stride=2, batch_norm=cfg.batch_norm)
        x = b.add("pool1", MaxPool2d(3, stride=2, padding=1), x)
        x = conv_relu(b, "conv2_reduce", x, multiple_of(64 * cfg.width, 1), batch_norm=cfg.batch_norm)
        x = conv_relu(b, "conv2", x, multiple_of(192 * cfg.width, 1), 3, batch_norm=cfg.batch_norm)
        x = b.add("pool2", MaxPool2d(3, stride=2, padding=1), x)
    repeats = per_stage("googlenet", "repeats", cfg.repeats, len(INCEPTIONS))
    for (stage, rows), units in zip(INCEPTIONS.items(), repeats, strict=True):
        if stage > 3:
            with b.block(f"stage{stage}.pool"):
                x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = inception(b, x, rows[min(i, len(rows) - 1)], cfg)
    return b.build(classifier(b, x, cfg.num_classes, dropout=0.4))


# SqueezeNet -----------------------------------------------------------------------------------------------------------------------

# version: (kernel and channels of conv1, fire modules behind each of the three max pools).
SQUEEZENETS = {"1.0": (7, 96, (3, 4, 1)), "1.1": (3, 64, (2, 2, 4))}


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezeNetConfig(NetworkConfig):
    """The knobs of SqueezeNet: section 5 of the paper names the metaparameters."""

    input: tuple[int, int] = knob((227, 227), "input height and width in pixels", at_least=1)
    version: str = knob("1.0", "1.0: the paper's; 1.1: smaller conv1 and earlier pools", choices=tuple(SQUEEZENETS))
    width: float = knob(1.0, "channel multiplier of conv1 and of every fire module", above=0, at_most=100)
    repeats: tuple[int, ...] | None = knob(None, "fire modules behind each of the three max pools", at_least=1, at_most=1000)
    expand_channels: int = knob(128, "expand channels of the first fire modules (base_e)", at_least=1)
    expand_step: int = knob(128, "expand channels added every `expand_every` fire modules (incr_e)", at_least=0)
    expand_every: int = knob(2, "fire modules after which the expand channels grow (freq)", at_least=1)
    squeeze_ratio: float = knob(0.125, "squeeze channels per expand channel (SR)", above=0, at_most=1)
    share_3x3: float = knob(0.5, "share of the expand channels with 3x3 kernels (pct_3x3), between 0 and 1", above=0, at_most=1)
    bypass: bool = knob(False, "add the input to every fire module that keeps its channels (simple bypass, figure 2)")


def fire(b: Builder, x: Value, squeeze: int, expand_1x1: int, expand_3x3: int) -> Value:
    """Figure 1: squeeze by 1x1, then expand by 1x1 and 3x3 side by side."""
    s = conv_relu(b, "squeeze", x, squeeze)
    return b.add("concat", Concat(), conv_relu(b, "expand1", s, expand_1x1), conv_relu(b, "expand3", s, expand_3x3, 3))


def build_squeezenet(cfg: SqueezeNetConfig, b: Builder) -> Graph:
    """Table 1: conv1, eight fire modules (fire2 to fire9), a 1x1 convolution to the classes, global pool."""
    kernel, stem_channels, table_repeats = SQUEEZENETS[cfg.version]
    least = 22 + kernel  # 12 pixels after conv1 -> 6 -> 3 -> 1 (pools)
    if min(cfg.input) < least:
        raise LawError(
            f"squeezenet: the input must be at least {least} pixels, so that its last pool has a window, "
            f"but got {format_size(*cfg.input)}. Smallest input: {least}."
        )
    repeats = per_stage("squeezenet", "repeats", cfg.repeats or table_repeats, 3)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_relu(b, "conv1", x, multiple_of(stem_channels * cfg.width, 1), kernel, stride=2, padding=0)
    number = 0  # of fire modules so far
    for stage, units in enumerate(repeats, start=1):
        with b.block(f"stage{stage}.pool"):
            x = b.add("maxpool", MaxPool2d(3, stride=2, ceil_mode=True), x)
        for i in range(units):
            expand = multiple_of((cfg.expand_channels + cfg.expand_step * (number // cfg.expand_every)) * cfg.width, 1)
            wide = multiple_of(expand * cfg.share_3x3, 1)
            if wide >= expand:
                raise LawError(
                    f"squeezenet: fire{number + 2} must keep expand channels for its 1x1 kernels, "
                    f"but share_3x3={cfg.share_3x3:g} of its {expand} gives {wide} to the 3x3. Use a smaller share or more expand channels."
                )
            with b.block(f"stage{stage}.unit{i}"):
                y = fire(b, x, multiple_of(expand * cfg.squeeze_ratio, 1), expand - wide, wide)
                x = b.add("add", Add(), x, y) if cfg.bypass and x.shape == y.shape else y
            number += 1
    with b.block("head"):
        x = b.add("dropout", Dropout(0.5), x)
        x = conv_relu(b, "conv10", x, cfg.num_classes)
        x = b.add("pool", AdaptiveAvgPool2d(1), x)
        return b.build(b.add("flatten", Flatten(1), x))


FAMILIES = {
    "vgg": Family(
        VGGConfig,
        build_vgg,
        "VGG (ICLR 2015): stages of 3x3 convolutions and three fully connected layers",
        32,
        {**{f"vgg_{depth}": {"depth": depth} for depth in VGG_DEPTHS}, "vgg_16_bn": {"depth": 16, "batch_norm": True}},
    ),
    "alexnet": Family(
        AlexNetConfig,
        build_alexnet,
        "AlexNet (NIPS 2012): five convolutions, grouped over two GPUs",
        32,
        {"alexnet_2012": {"groups": 2}, "alexnet_2014": {"groups": 1, "stage_channels": (64, 192, 384, 256, 256)}},
        checks_input=False,
    ),
    "googlenet": Family(
        GoogLeNetConfig,
        build_googlenet,
        "GoogLeNet (CVPR 2015): inception modules",
        32,
        {"inception_v1": {}, "inception_v1_bn": {"batch_norm": True, "large_kernel": 3}},
    ),
    "squeezenet": Family(
        SqueezeNetConfig,
        build_squeezenet,
        "SqueezeNet (2016): fire modules",
        16,
        {f"squeezenet_{version}": {"version": version} for version in SQUEEZENETS},
        checks_input=False,
    ),
}
