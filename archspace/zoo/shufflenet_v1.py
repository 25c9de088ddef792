"""ShuffleNet v1. Zhang et al., "ShuffleNet: An Extremely Efficient CNN for Mobile Devices" (CVPR 2018), table 1 and figure 2.

Underspecified there, and chosen here:
- Width s scales the stages; how it scales conv1 is not said. 24 channels per octave of s, never under 12, meet the published
  13, 38, 140, 292 and 524 M within 5 % (0.25x at g=8: 12.0 M). Channels go to the nearest multiple of the groups, so do bottlenecks.
- "arch2" removes two units of stage 3 and "widens each feature map"; "shallow" halves the blocks and keeps 40 M at 0.5x. By how
  much is not said: 1.09 and 1.47 meet the published 13 and 40 M within 6 %.
- The paper's complexities count the convolutions alone: the convention `conv` (table 1 is met exactly by it).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, AvgPool2d, ChannelShuffle, Concat, MaxPool2d, ReLU
from archspace.zoo.blocks import classifier, conv_bn, depthwise_bn, multiple_of
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# Output channels of stage 2 by groups; the next stages double them (table 1).
STAGE2_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
ARCH2_WIDENING = 1.09
SHALLOW_WIDENING = 1.47


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleNetV1Config(NetworkConfig):
    """The knobs of ShuffleNet v1."""

    groups: int | tuple[int, ...] = knob(3, "groups of the pointwise convolutions, one or per stage", alias="g", at_least=1)
    width: float = knob(1.0, "channel multiplier s of every stage", above=0, at_most=100)
    repeats: tuple[int, ...] = knob((4, 8, 4), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 1's", at_least=1)
    stem_channels: int | None = knob(None, "output channels of conv1, instead of the rule above", at_least=1)
    bottleneck: int = knob(4, "output channels per bottleneck channel (the paper's 1:4)", at_least=1)
    arch2: bool = knob(False, "two units fewer in stage 3, wider (section 4.1.1)")
    shallow: bool = knob(False, "half the units per stage, wider (table 5)")
    shuffle: bool = knob(True, "channel shuffle after the first pointwise convolution")


def stages(cfg: ShuffleNetV1Config) -> list[tuple[int, int, int]]:
    """(channels, units, groups) of stages 2, 3 and 4. Raises LawError for combinations that cannot exist."""
    if cfg.arch2 and cfg.shallow:
        raise LawError("shufflenet_v1: at most one of arch2 and shallow may be set, but both are. Drop one.")
    repeats = per_stage("shufflenet_v1", "repeats", cfg.repeats, 3)
    groups = per_stage("shufflenet_v1", "groups", cfg.groups, 3)
    widening = 1.0
    if cfg.arch2:
        repeats, widening = (repeats[0], max(1, repeats[1] - 2), repeats[2]), ARCH2_WIDENING
    elif cfg.shallow:
        repeats, widening = (max(1, repeats[0] // 2), max(1, repeats[1] // 2), max(1, repeats[2] // 2)), SHALLOW_WIDENING
    if cfg.stage_channels is not None:
        given = per_stage("shufflenet_v1", "stage_channels", cfg.stage_channels, 3)
        scale = cfg.width * widening
        channels = [c if scale == 1 else multiple_of(c * scale, g) for c, g in zip(given, groups, strict=True)]
        return list(zip(channels, repeats, groups, strict=True))
    rows = []
    for i, (units, g) in enumerate(zip(repeats, groups, strict=True)):
        if g not in STAGE2_CHANNELS:
            raise LawError(
                f"shufflenet_v1: table 1 has channels for groups {', '.join(map(str, STAGE2_CHANNELS))}, but got groups={g}. "
                "Give stage_channels as well."
            )
        rows.append((multiple_of(STAGE2_CHANNELS[g] * cfg.width * widening * 2**i, g), units, g))
    return rows


def stem_channels(cfg: ShuffleNetV1Config, groups: int) -> int:
    """conv1's channels: 24 per octave of the width, at least 12, a multiple of the groups of stage 2."""
    if cfg.stem_channels is not None:
        return cfg.stem_channels
    scaled = 24 * 2.0 ** floor(log2(cfg.width))
    return max(12 // groups * groups, multiple_of(scaled, groups))


def unit(b: Builder, x: Value, out_channels: int, cfg: ShuffleNetV1Config, *, stride: int, groups: int, first_groups: int) -> Value:
    """Figure 2 (b) at stride 1, (c) at stride 2: where the shortcut is pooled and concatenated."""
    branch_channels = out_channels - x.channels if stride == 2 else out_channels
    if branch_channels < 1:
        raise LawError(
            f"shufflenet_v1: a stage must have more channels than its input, which its first unit keeps by concatenation, "
            f"but got {out_channels} after {x.channels}. Use stage_channels above {x.channels}, or a larger width."
        )
    if branch_channels % groups:
        kept = f"{out_channels} - {x.channels} = {branch_channels}" if stride == 2 else f"{branch_channels}"
        least = out_channels - branch_channels % groups
        raise LawError(
            f"shufflenet_v1: groups must divide the channels that a unit computes, but got groups={groups}, channels {kept}. "
            f"Stage channels near {out_channels}: {least}, {least + groups}."
        )
    y = conv_bn(b, "pw1", x, multiple_of(out_channels / cfg.bottleneck, groups), groups=first_groups, act=ReLU())
    if cfg.shuffle and groups > 1:
        y = b.add("shuffle", ChannelShuffle(groups), y)
    y = depthwise_bn(b, "dw", y, stride=stride)
    y = conv_bn(b, "pw2", y, branch_channels, groups=groups)
    if stride == 2:
        shortcut = b.add("pool", AvgPool2d(3, stride=2, padding=1), x)
        return b.add("act", ReLU(), b.add("concat", Concat(), shortcut, y))
    return b.add("act", ReLU(), b.add("add", Add(), x, y))


def build(cfg: ShuffleNetV1Config, b: Builder) -> Graph:
    """Table 1: conv1, max pool, three stages of units, global pool, FC."""
    rows = stages(cfg)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, stem_channels(cfg, rows[0][2]), 3, stride=2, act=ReLU())
        x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
    for stage, (channels, units, groups) in enumerate(rows, start=2):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                # The first pointwise convolution of all stays dense: its input has few channels (footnote 1).
                first_groups = 1 if stage == 2 and i == 0 else groups
                x = unit(b, x, channels, cfg, stride=2 if i == 0 else 1, groups=groups, first_groups=first_groups)
    return b.build(classifier(b, x, cfg.num_classes))


FAMILIES = {
    "shufflenet_v1": Family(
        ShuffleNetV1Config,
        build,
        "ShuffleNet v1 (CVPR 2018): pointwise group convolution and channel shuffle",
        32,
        {
            **{f"shufflenet_v1_{w:g}x_g{g}": {"groups": g, "width": w} for w in (0.25, 0.5, 1.0) for g in (1, 2, 3, 4, 8)},
            **{f"shufflenet_v1_{w:g}x_g3": {"groups": 3, "width": w} for w in (1.5, 2.0)},
            **{f"shufflenet_v1_{w:g}x_arch2_g{g}": {"groups": g, "width": w, "arch2": True} for w in (0.25, 0.5) for g in (1, 2, 3, 4, 8)},
            "shufflenet_v1_0.5x_shallow_g3": {"groups": 3, "width": 0.5, "shallow": True},
        },
    ),
}
