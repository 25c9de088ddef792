"""PVANET. Kim et al., "PVANET: Deep but Lightweight Neural Networks for Real-time Object Detection" (2016), table 1: a detector's backbone.

ShuffleNet v1 trained one at 224 pixels (557 M) and says nothing of its head. The backbone has 511 M; here global pooling and two hidden
layers of 4096, the size in the paper's own detector, make it 534 M. The same layers on the flattened 7x7 map would make it 609 M. The order
of batch norm, ReLU and convolutions in its units, and their strides, are those of tf-pvanet, a port of the authors' model.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, BatchNorm2d, Concat, Conv2d, MaxPool2d, ReLU
from archspace.zoo.blocks import conv_bn, multiple_of
from archspace.zoo.classic import fc_head
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# Stages 2 and 3 of table 1: channels inside a C.ReLU unit.
CRELU_CHANNELS = {2: 24, 3: 48}
# Stages 4 and 5: 1x1; 1x1-3x3 in the first unit and in the others; 1x1-3x3-3x3; pool projection in the first unit.
PVANET_INCEPTIONS = {
    4: (64, (48, 128), (64, 128), (24, 48, 48), 128),
    5: (64, (96, 192), (96, 192), (32, 64, 64), 128),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PVANetConfig(NetworkConfig):
    """The knobs of PVANET."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    repeats: tuple[int, ...] = knob((3, 4, 4, 4), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((64, 128, 256, 384), "output channels per stage at width 1", at_least=1)
    hidden: tuple[int, ...] = knob((4096, 4096), "features of the hidden fully connected layers", at_least=1)


def crelu(b: Builder, x: Value) -> Value:
    """Figure 1: x beside -x, a scale and a shift per channel, ReLU. The minus sign is in the scale of the second half's batch norm."""
    x = b.add("crelu.concat", Concat(), x, x)
    return b.add("crelu.act", ReLU(), b.add("crelu.bn", BatchNorm2d(x.channels), x))


def pre_act(b: Builder, name: str, x: Value) -> Value:
    """Batch norm and ReLU in front of a convolution."""
    return b.add(f"{name}.act", ReLU(), b.add(f"{name}.bn", BatchNorm2d(x.channels), x))


def pvanet_add(b: Builder, x: Value, y: Value, stride: int) -> Value:
    """The shortcut of a unit: projected where shapes differ."""
    shortcut = x if x.shape == y.shape else b.add("proj", Conv2d(x.channels, y.channels, 1, stride=stride, bias=True), x)
    return b.add("add", Add(), shortcut, y)


def crelu_unit(b: Builder, x: Value, channels: int, out_channels: int, *, stride: int, first: bool) -> Value:
    """1x1, 3x3 with C.ReLU, 1x1, pre-activated but for the first unit of all."""
    y = x if first else pre_act(b, "pre", x)
    y = conv_bn(b, "conv1", y, channels, stride=stride, act=ReLU())
    y = b.add("conv2", Conv2d(channels, channels, 3, padding=1), y)
    y = crelu(b, y)
    return pvanet_add(b, x, b.add("conv3", Conv2d(y.channels, out_channels, 1, bias=True), y), stride)


def inception_unit(b: Builder, x: Value, stage: int, out_channels: int, width: float, *, first: bool) -> Value:
    """Figure 2: branches with the receptive fields of 1x1, 3x3 and 5x5, and a pooled one in a stage's first unit, which has stride 2."""
    one, reduced_three, three, five, pool = PVANET_INCEPTIONS[stage]
    stride = 2 if first else 1
    pre = pre_act(b, "pre", x)
    branches = []
    for name, channels in (("one", (one,)), ("three", reduced_three if first else three), ("five", five)):
        y = pre
        for i, c in enumerate(channels):
            y = conv_bn(b, f"{name}{i}", y, multiple_of(c * width, 1), 3 if i else 1, stride=1 if i else stride, act=ReLU())
        branches.append(y)
    if first:
        pooled = b.add("pool.maxpool", MaxPool2d(3, stride=2, padding=1), pre)
        branches.append(conv_bn(b, "pool.proj", pooled, multiple_of(pool * width, 1), act=ReLU()))
    y = b.add("concat", Concat(), *branches)
    return pvanet_add(b, x, b.add("out", Conv2d(y.channels, out_channels, 1, bias=True), y), stride)


def build_pvanet(cfg: PVANetConfig, b: Builder) -> Graph:
    """Table 1 up to conv5_4: a 7x7 convolution with C.ReLU, two stages of C.ReLU units, two of inception units; then the head."""
    repeats = per_stage("pvanet", "repeats", cfg.repeats, 4)
    given = per_stage("pvanet", "stage_channels", cfg.stage_channels, 4)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = b.add("conv1", Conv2d(3, multiple_of(16 * cfg.width, 1), 7, stride=2, padding=3), x)
        x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), crelu(b, x))
    for stage, (units, c) in enumerate(zip(repeats, given, strict=True), start=2):
        out_channels = multiple_of(c * cfg.width, 1)
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                if stage in CRELU_CHANNELS:
                    inner = multiple_of(CRELU_CHANNELS[stage] * cfg.width, 1)
                    stride = 2 if stage > 2 and i == 0 else 1
                    x = crelu_unit(b, x, inner, out_channels, stride=stride, first=stage == 2 and i == 0)
                else:
                    x = inception_unit(b, x, stage, out_channels, cfg.width, first=i == 0)
    with b.block("last"):
        x = pre_act(b, "post", x)
    return b.build(fc_head(b, x, 1, cfg.hidden, cfg.num_classes))


FAMILIES = {
    "pvanet": Family(
        PVANetConfig,
        build_pvanet,
        "PVANET (2016): C.ReLU and inception units, as a classifier",
        32,
        {"pvanet_imagenet": {}},
    ),
}
