"""ShuffleNet v1. Zhang et al., "ShuffleNet: An Extremely Efficient CNN for Mobile Devices" (CVPR 2018), table 1 and figure 2.

Underspecified there, and chosen here:
- Width s scales the stages; how it scales conv1 is not said. 24 channels per octave of s, never under 12, are what the authors' later code
  has. Stages go to the nearest multiple of the groups, so do bottlenecks; a group of a bottleneck keeps at least four channels, which
  matters at 0.25x with 8 groups alone (13.0 M; with three 12.0 M, printed as 13). Where the groups differ from stage to stage, the channels
  that a stage hands on are a multiple of the next stage's groups as well.
- "arch2" removes two units of stage 3 and "widens each feature map to maintain the overall complexity"; "shallow" halves the blocks and
  keeps 40 M at 0.5x. By how much is not said: 1.05 at 0.25x, 1.1035 at 0.5x (its stage 2, which the next double) and 1.47 meet the
  published 13, 40 and 40 M within 4 %.
- Table 1 counts the convolutions alone: the convention `conv`, by which it is met exactly. Table 5's 292 and 524 M count the classifier
  too.
- Squeeze-and-excitation stands at the end of the branch, before the shortcut joins; its reduction is taken as 16, that of its authors.

ShuffleNet v1-50 is in the appendix of Ma et al., "ShuffleNet V2" (ECCV 2018), table 2. The bottlenecks of 1:4 that it states would make
1.23 G of the printed 2.3 G; 1:2 makes 2.37 G, and is taken here. Its first unit at stride 1 projects the shortcut, as ResNet-50 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import floor, log2

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, ChannelShuffle, ReLU
from archspace.zoo.blocks import (
    SE_HELP,
    classifier,
    computed_channels,
    conv_bn,
    depthwise_bn,
    multiple_of,
    pooled_shortcut,
    squeeze_excite,
    stage_multiples,
    stem,
)
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# Output channels of stage 2 by groups; the next stages double them (table 1).
STAGE2_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
ARCH2_WIDENING = {0.25: 1.05, 0.5: 1.1035}  # by width; in proportion between, constant beyond
SHALLOW_WIDENING = 1.47
LEAST_GROUP = 4  # channels that a group of a bottleneck has at least


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleNetV1Config(NetworkConfig):
    """The knobs of ShuffleNet v1."""

    groups: int | tuple[int, ...] = knob(3, "groups of the pointwise convolutions, one or per stage", alias="g", at_least=1)
    width: float = knob(1.0, "channel multiplier s of every stage", above=0, at_most=100)
    strides: tuple[int, ...] = knob((2, 2, 2), "stride of each stage's first unit; one value per stage", at_least=1, at_most=2)
    repeats: tuple[int, ...] = knob((4, 8, 4), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 1's", at_least=1)
    stem_channels: int | None = knob(None, "output channels of conv1, instead of the rule above", at_least=1)
    bottleneck: int | tuple[int, ...] = knob(4, "output channels per bottleneck channel (the paper's 1:4), one or per stage", at_least=1)
    arch2: bool = knob(False, "two units fewer in stage 3, wider (section 4.1.1)")
    shallow: bool = knob(False, "half the units per stage, wider (table 5)")
    shuffle: bool = knob(True, "channel shuffle after the first pointwise convolution")
    kernel_size: int | tuple[int, ...] = knob(3, "kernel of the depthwise convolutions (odd), one or per stage", at_least=1, odd=True)
    se_reduction: int | None = knob(None, SE_HELP, at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class XceptionLikeConfig(ShuffleNetV1Config):
    """The same knobs; one group."""

    groups: int | tuple[int, ...] = knob(1, "groups of the pointwise convolutions, one or per stage", alias="g", at_least=1)


def stages(family: str, cfg: ShuffleNetV1Config, multiples: tuple[int, ...] | None = None) -> list[tuple[int, int, int]]:
    """(channels, units, groups) of each stage, from stage 2 on. Raises LawError for combinations that cannot exist.

    multiples: what each stage's channels go to where they are scaled, instead of what the groups need.
    """
    if cfg.arch2 and cfg.shallow:
        raise LawError(f"{family}: at most one of arch2 and shallow may be set, but both are. Drop one.")
    n = len(cfg.strides)
    repeats = per_stage(family, "repeats", cfg.repeats, n)
    groups = per_stage(family, "groups", cfg.groups, n)
    multiples = multiples or stage_multiples(groups)
    widening = 1.0
    if cfg.arch2:
        repeats, widening = tuple(max(1, r - 2) if stage == 3 else r for stage, r in enumerate(repeats, start=2)), arch2_widening(cfg.width)
    elif cfg.shallow:
        repeats, widening = tuple(max(1, r // 2) for r in repeats), SHALLOW_WIDENING
    if cfg.stage_channels is not None:
        given = per_stage(family, "stage_channels", cfg.stage_channels, n)
        scale = cfg.width * widening
        channels = [c if scale == 1 else multiple_of(c * scale, m) for c, m in zip(given, multiples, strict=True)]
        return list(zip(channels, repeats, groups, strict=True))
    rows = []
    for i, (units, g, m) in enumerate(zip(repeats, groups, multiples, strict=True)):
        if g not in STAGE2_CHANNELS:
            raise LawError(
                f"{family}: table 1 has channels for groups {', '.join(map(str, STAGE2_CHANNELS))}, but got groups={g}. "
                "Give stage_channels as well."
            )
        stage2 = STAGE2_CHANNELS[g] * cfg.width * widening
        rows.append((multiple_of(stage2, m) * 2**i if cfg.arch2 else multiple_of(stage2 * 2**i, m), units, g))
    return rows


def arch2_widening(width: float) -> float:
    """How much wider arch2 is than table 1 at that width.

    >>> arch2_widening(0.25), arch2_widening(0.375), arch2_widening(1.0)
    (1.05, 1.07675, 1.1035)
    """
    (low, least), (high, most) = ARCH2_WIDENING.items()
    share = min(1.0, max(0.0, (width - low) / (high - low)))
    return least + share * (most - least)


def bottleneck_channels(out_channels: int, bottleneck: int, groups: int) -> int:
    """The nearest multiple of the groups to out / bottleneck; a group has at least four channels.

    >>> bottleneck_channels(240, 4, 3), bottleneck_channels(96, 4, 8)
    (60, 32)
    """
    return max(LEAST_GROUP * groups if groups > 1 else 1, multiple_of(out_channels / bottleneck, groups))


def stem_channels(cfg: ShuffleNetV1Config, groups: int) -> int:
    """conv1's channels: 24 per octave of the width, at least 12, a multiple of the groups of stage 2."""
    if cfg.stem_channels is not None:
        return cfg.stem_channels
    scaled = 24 * 2.0 ** floor(log2(cfg.width))
    return max(12 // groups * groups, multiple_of(scaled, groups))


def unit(
    family: str,
    b: Builder,
    x: Value,
    out_channels: int,
    cfg: ShuffleNetV1Config,
    *,
    stride: int,
    kernel_size: int,
    groups: int,
    first_groups: int,
    bottleneck: int = 4,
) -> Value:
    """Figure 2 (b) at stride 1, (c) at stride 2: where the shortcut is pooled and concatenated."""
    branch_channels = computed_channels(family, out_channels, x) if stride == 2 else out_channels
    if branch_channels % groups:
        kept = f"{out_channels} - {x.channels} = {branch_channels}" if stride == 2 else f"{branch_channels}"
        least = out_channels - branch_channels % groups
        raise LawError(
            f"{family}: groups must divide the channels that a unit computes, but got groups={groups}, channels {kept}. "
            f"Stage channels near {out_channels}: {least}, {least + groups}."
        )
    y = conv_bn(b, "pw1", x, bottleneck_channels(out_channels, bottleneck, groups), groups=first_groups, act=ReLU())
    if cfg.shuffle and groups > 1:
        y = b.add("shuffle", ChannelShuffle(groups), y)
    y = depthwise_bn(b, "dw", y, kernel_size, stride=stride)
    y = conv_bn(b, "pw2", y, branch_channels, groups=groups)
    y = squeeze_excite(b, "se", y, cfg.se_reduction)
    if stride == 2:
        return pooled_shortcut(b, x, y)
    shortcut = x if x.shape == y.shape else conv_bn(b, "shortcut", x, y.channels)
    return b.add("act", ReLU(), b.add("add", Add(), shortcut, y))


def build(family: str, cfg: ShuffleNetV1Config, b: Builder) -> Graph:
    """Table 1: conv1, max pool, three stages of units (as many as there are strides), global pool, FC."""
    rows = stages(family, cfg)
    kernels = per_stage(family, "kernel_size", cfg.kernel_size, len(rows))
    bottlenecks = per_stage(family, "bottleneck", cfg.bottleneck, len(rows))
    x = b.input((cfg.batch, 3, *cfg.input))
    x = stem(b, x, stem_channels(cfg, rows[0][2]))
    for stage, ((channels, units, groups), first, kernel, bottleneck) in enumerate(
        zip(rows, cfg.strides, kernels, bottlenecks, strict=True), start=2
    ):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = unit(
                    family,
                    b,
                    x,
                    channels,
                    cfg,
                    stride=first if i == 0 else 1,
                    kernel_size=kernel,
                    groups=groups,
                    # The first pointwise convolution of all stays dense: its input has few channels (footnote 1).
                    first_groups=1 if stage == 2 and i == 0 else groups,
                    bottleneck=bottleneck,
                )
    return b.build(classifier(b, x, cfg.num_classes))


# ShuffleNet v2, appendix table 2: ShuffleNet v1-50.
LARGE = {
    "groups": 3,
    "stem_channels": 64,
    "strides": (1, 2, 2, 2),
    "repeats": (3, 4, 6, 3),
    "stage_channels": (360, 720, 1440, 2880),
    "bottleneck": 2,
}

FAMILIES = {
    "shufflenet_v1": Family(
        ShuffleNetV1Config,
        partial(build, "shufflenet_v1"),
        "ShuffleNet v1 (CVPR 2018): pointwise group convolution and channel shuffle",
        32,
        {
            **{f"shufflenet_v1_{w:g}x_g{g}": {"groups": g, "width": w} for w in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0) for g in STAGE2_CHANNELS},
            **{f"shufflenet_v1_{w:g}x_arch2_g{g}": {"groups": g, "width": w, "arch2": True} for w in (0.25, 0.5) for g in (1, 2, 3, 4, 8)},
            "shufflenet_v1_0.5x_shallow_g3": {"groups": 3, "width": 0.5, "shallow": True},
            **{
                f"shufflenet_v1_{w:g}x_g{g}_noshuffle": {"groups": g, "width": w, "shuffle": False}
                for w in (0.25, 0.5, 1.0)
                for g in (3, 8)
            },
            **{
                f"shufflenet_v1_{w:g}x_arch2_g{g}_noshuffle": {"groups": g, "width": w, "arch2": True, "shuffle": False}
                for w, g in ((0.25, 3), (0.25, 8), (0.5, 8))  # table 3
            },
            "shufflenet_v1_2x_se_g3": {"groups": 3, "width": 2.0, "se_reduction": 16},
            "shufflenet_v1_50": LARGE,
        },
    ),
    "xception_like": Family(
        XceptionLikeConfig,
        partial(build, "xception_like"),
        "ShuffleNet v1 with one group (section 4.2): the Xception-like unit in ShuffleNet's skeleton",
        32,
        {
            **{f"xception_like_{level}": {"width": w} for level, w in (("140m", 1.0), ("38m", 0.5), ("13m", 0.25))},
            **{f"xception_like_{level}_arch2": {"width": w, "arch2": True} for level, w in (("40m", 0.5), ("13m", 0.25))},
        },
    ),
}
