"""IGCV2 and IGCV3-D: a dense convolution as a product of sparse ones, interleaved by channel permutations.

igcv2: Xie et al., "IGCV2: Interleaved Structured Sparse Convolutional Neural Networks" (CVPR 2018): a depthwise 3x3 and 1x1 group
convolutions with permutations between them multiply to one dense kernel, hence no activation inside the block. The ImageNet network is
underspecified. Chosen here: MobileNet v1 (with which the paper compares) with 1.5 times its channels, but for the 1024 features before the
classifier; each pointwise convolution replaced by group convolutions of 8 and of 4 groups (the ShuffleNet v2 paper, section 4, names
"4 or 8"). Channels go to the nearest multiple of the groups. The 1.5 and the order of the groups are fitted to the published 46, 156 and
564 M (met within 4 %); other pairs, such as 1.84 and 8 and 8 groups, fit as well, so the numbers do not confirm the structure.

igcv3_d: Sun et al., "IGCV3: Interleaved Low-Rank Group Convolutions for Efficient Deep Neural Networks" (BMVC 2018). MobileNet v2's
stages with about twice the blocks, two groups in both pointwise convolutions, a permutation after each, ReLU6 after the depthwise one
alone; expansion 1 keeps its convolution. Channels are rounded as in the authors' code: to the nearest whole number, odd ones up by one.
1.0x has 313 M where 318 M are published. Chosen here:
- The code scales the width of a stage's first expansion twice and adds one to the last channels; here the expansion is the paper's sixfold
  one and the last channels are 1280 * width. At 1.0x both are the same.
- 0.7x cannot be the channel multiplier: 0.7 gives 175 M where the paper prints 210 M. The authors' repository reads it as the share of
  the parameters: the multiplier 0.8 leaves 0.69 of those before the classifier and has 219.7 M (0.78 would have 211 M).
- 1.4x is the channel multiplier: 590 M and 6.0 M parameters (621 M and 6.3 M in the authors' code) where SSL table 5 prints 610 M and
  7.2 M. Others who built it print 6.015 M. The same happens to MobileNet v2 at 1.4 (6.9 M printed, 6.1 M in its code).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, ChannelShuffle, ReLU, ReLU6
from archspace.zoo.blocks import classifier, conv_bn, depthwise_bn, multiple_of
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family
from archspace.zoo.mobilenet import V1_STAGES, V2_STAGES

IGCV2_STAGES = tuple(channels * 3 // 2 for channels, _, _ in V1_STAGES)
IGCV3_D_REPEATS = (1, 4, 6, 8, 6, 6, 1)  # the authors' code


@dataclass(frozen=True, slots=True, kw_only=True)
class IGCV2Config(NetworkConfig):
    """The knobs of IGCV2."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    groups: int | tuple[int, ...] = knob((8, 4), "groups of each 1x1 convolution of a block; as many convolutions as numbers", at_least=1)
    repeats: tuple[int, ...] = knob(tuple(row[1] for row in V1_STAGES), "blocks per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(
        None, "output channels per stage at width 1, instead of 1.5 times MobileNet's", at_least=1
    )
    stem_channels: int = knob(48, "output channels of the first convolution at width 1", at_least=1)
    feature_channels: int = knob(1024, "output channels of the last block at width 1", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IGCV3Config(NetworkConfig):
    """The knobs of IGCV3-D."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    groups: int | tuple[int, ...] = knob(2, "groups of the expanding and of the projecting convolution: one number or two", at_least=1)
    expansion: int | tuple[int, ...] = knob(6, "expansion t, one or per stage (the first stage keeps 1 unless it has its own)", at_least=1)
    repeats: tuple[int, ...] = knob(IGCV3_D_REPEATS, "blocks per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of MobileNet v2's", at_least=1)
    last_channels: int | None = knob(None, "output channels of the last convolution, instead of max(1280, 1280 * width)", at_least=1)


def sparse_product(b: Builder, x: Value, channels: int, groups: tuple[int, ...], *, stride: int, out_channels: int) -> Value:
    """Depthwise 3x3, then 1x1 group convolutions to `channels`, the last to `out_channels`, shuffled in between; ReLU at the end alone."""
    x = depthwise_bn(b, "dw", x, stride=stride)
    for i, g in enumerate(groups, start=1):
        if i > 1 and groups[i - 2] > 1:
            x = b.add(f"shuffle{i - 1}", ChannelShuffle(groups[i - 2]), x)
        is_last = i == len(groups)
        x = conv_bn(b, f"pw{i}", x, out_channels if is_last else channels, groups=g, act=ReLU() if is_last else None)
    return x


def common_multiple(family: str, groups: tuple[int, ...], channels: float) -> int:
    """What channels are rounded to so that all groups divide them. Raises LawError where that is more than the narrowest stage has."""
    factor = lcm(*groups)
    if factor > channels:
        raise LawError(
            f"{family}: groups must divide the channels, which go to multiples of their least common multiple, "
            f"but got groups={groups}, whose multiple {factor} is more than the narrowest stage's {channels:g} channels. "
            f"Use groups with a multiple of at most {int(channels)}, or a larger width."
        )
    return factor


def build_igcv2(cfg: IGCV2Config, b: Builder) -> Graph:
    """MobileNet v1's 13 separable convolutions, their pointwise halves as interleaved group convolutions."""
    groups = cfg.groups if isinstance(cfg.groups, tuple) else (cfg.groups,)
    given = per_stage("igcv2", "stage_channels", cfg.stage_channels or IGCV2_STAGES, len(V1_STAGES))
    factor = common_multiple("igcv2", groups, min(given) * cfg.width)
    as_given = cfg.stage_channels is not None and cfg.width == 1
    channels = [c if as_given else multiple_of(c * cfg.width, factor) for c in given]
    repeats = per_stage("igcv2", "repeats", cfg.repeats, len(V1_STAGES))
    features = multiple_of(cfg.feature_channels * cfg.width, factor)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, multiple_of(cfg.stem_channels * cfg.width, factor), 3, stride=2, act=ReLU())
    for stage, (c, units, (_, _, stride)) in enumerate(zip(channels, repeats, V1_STAGES, strict=True), start=1):
        for i in range(units):
            out_channels = features if stage == len(V1_STAGES) and i == units - 1 else c
            with b.block(f"stage{stage}.unit{i}"):
                x = sparse_product(b, x, c, groups, stride=stride if i == 0 else 1, out_channels=out_channels)
    return b.build(classifier(b, x, cfg.num_classes))


def rounded(channels: float, factor: int) -> int:
    """The nearest whole number, raised to a multiple of the groups (the authors' code, for two groups).

    >>> rounded(24 * 0.7, 2), rounded(32 * 0.7, 2), rounded(16 * 0.7, 2)
    (18, 22, 12)
    """
    return -(-multiple_of(channels, 1) // factor) * factor


def low_rank_block(b: Builder, x: Value, out_channels: int, *, expansion: int, stride: int, groups: tuple[int, ...]) -> Value:
    """Expand in groups, permute, depthwise, project in groups, permute back, add where the shape stays."""
    expand_groups, project_groups = groups
    y = conv_bn(b, "expand", x, x.channels * expansion, groups=expand_groups)
    if expand_groups > 1:
        y = b.add("shuffle1", ChannelShuffle(expand_groups), y)
    y = depthwise_bn(b, "dw", y, stride=stride, act=ReLU6())
    y = conv_bn(b, "project", y, out_channels, groups=project_groups)
    if project_groups > 1:
        y = b.add("shuffle2", ChannelShuffle(out_channels // project_groups), y)
    return b.add("add", Add(), x, y) if x.shape == y.shape else y


def build_igcv3(cfg: IGCV3Config, b: Builder) -> Graph:
    """A convolution, MobileNet v2's seven stages of low-rank group convolution blocks, a last convolution."""
    stages = len(V2_STAGES)
    groups = per_stage("igcv3_d", "groups", cfg.groups, 2)
    given = per_stage("igcv3_d", "stage_channels", cfg.stage_channels or tuple(row[0] for row in V2_STAGES), stages)
    factor = common_multiple("igcv3_d", groups, min(given) * cfg.width)
    as_given = cfg.stage_channels is not None and cfg.width == 1
    channels = [c if as_given else rounded(c * cfg.width, factor) for c in given]
    repeats = per_stage("igcv3_d", "repeats", cfg.repeats, stages)
    expansions = cfg.expansion if isinstance(cfg.expansion, tuple) else (1, *(cfg.expansion,) * (stages - 1))
    expansions = per_stage("igcv3_d", "expansion", expansions, stages)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, rounded(32 * cfg.width, factor), 3, stride=2, act=ReLU6())
    rows = zip(channels, repeats, expansions, V2_STAGES, strict=True)
    for stage, (out_channels, units, expansion, (_, _, stride)) in enumerate(rows, start=1):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = low_rank_block(b, x, out_channels, expansion=expansion, stride=stride if i == 0 else 1, groups=groups)
    with b.block("last"):
        x = conv_bn(b, "pw", x, cfg.last_channels or multiple_of(1280 * max(1.0, cfg.width), 1), act=ReLU6())
    return b.build(classifier(b, x, cfg.num_classes))


FAMILIES = {
    "igcv2": Family(
        IGCV2Config,
        build_igcv2,
        "IGCV2 (CVPR 2018): pointwise convolutions as interleaved group convolutions",
        32,
        {f"igcv2_{w:g}x": {"width": w} for w in (0.25, 0.5, 1.0)},
    ),
    "igcv3_d": Family(
        IGCV3Config,
        build_igcv3,
        "IGCV3-D (BMVC 2018): inverted bottlenecks of interleaved group convolutions",
        32,
        {"igcv3_d_0.7x": {"width": 0.8}, "igcv3_d_1x": {"width": 1.0}, "igcv3_d_1.4x": {"width": 1.4}},
    ),
}
