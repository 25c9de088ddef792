"""ShuffleNet v2. Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design" (ECCV 2018), table 5, figure 3.

Underspecified there, and chosen here: a width between two columns of table 5 takes channels in proportion between theirs, a width beyond
scales the outer column, to the nearest even number; `split_ratio` is c'/c, the share of channels that go through the convolutions (the
paper sets 1/2).

How a first unit (figure 3 d) shares its output between the branches is not said. In the authors' code its shortcut keeps the channels
that it reads (here: at most half), which matters in stage 2 alone: 24 and 92 of 116. So it is here, and table 5 is met: 145.8, 299.0 and
590.8 M, printed as 146, 299 and 591 M (0.5x: 40.5 M, printed as 41). torchvision gives half to each branch (`equal_branches`), which has
about 1 % less.

The hidden channels of squeeze-and-excitation are stated for the 164-layer network: half of the block's, so all of those that its branch
convolves (`se_reduction=1`); the same is taken for 2x + SE. In v2* only the convolved branch has the additional depthwise convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, ChannelShuffle, ChannelSlice, Concat, ReLU
from archspace.zoo.blocks import classifier, conv_bn, depthwise_bn, multiple_of, squeeze_excite, stem
from archspace.zoo.config import NetworkConfig, StageCountError, knob, per_stage
from archspace.zoo.family import Family

# width: (stage 2, stage 3, stage 4, conv5) of table 5.
CHANNELS = {0.5: (48, 96, 192, 1024), 1.0: (116, 232, 464, 1024), 1.5: (176, 352, 704, 1024), 2.0: (244, 488, 976, 2048)}
WIDTHS = tuple(CHANNELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleNetV2Config(NetworkConfig):
    """The knobs of ShuffleNet v2."""

    width: float = knob(1.0, "channel multiplier; 0.5, 1, 1.5 and 2 are table 5's columns", above=0, at_most=100)
    strides: tuple[int, ...] = knob((2, 2, 2), "stride of each stage's first unit; one value per stage", at_least=1, at_most=2)
    split_ratio: float | tuple[float, ...] = knob(0.5, "share of channels that is convolved: one, per stage, or per unit", above=0)
    repeats: tuple[int, ...] = knob((4, 8, 4), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 5's", at_least=2)
    stem_channels: int | tuple[int, ...] = knob(24, "output channels of conv1, or of several 3x3 convolutions", at_least=1)
    conv5_channels: int | None = knob(None, "output channels of conv5, instead of table 5's", at_least=1)
    kernel_size: int | tuple[int, ...] = knob(3, "kernel of the depthwise convolutions (odd), one or per stage", at_least=1, odd=True)
    shuffle: bool = knob(True, "channel shuffle at the end of each unit")
    equal_branches: bool = knob(False, "a first unit's shortcut gives half of the channels, as in torchvision, not as few as it reads")
    residual: bool = knob(False, "add what is convolved to its input, in the units that keep the shape (appendix figure 2a)")
    depthwise_first: bool = knob(False, "one more depthwise convolution in front of each unit's first pointwise one (v2*, section 4)")
    se_reduction: int | tuple[int, ...] | None = knob(
        None, "squeeze-and-excitation with (convolved channels) / r hidden ones, one or per stage; 0: none", at_least=0
    )


def stage_channels(cfg: ShuffleNetV2Config) -> tuple[int, ...]:
    """Output channels of each stage, from stage 2 on. Raises LawError for an odd number, which cannot be shuffled in two groups."""
    n = len(cfg.strides)
    if cfg.stage_channels is None:
        if n != len(CHANNELS[1.0]) - 1:
            raise LawError(f"shufflenet_v2: table 5 has channels for three stages, but got strides for {n}. Give stage_channels as well.")
        return tuple(multiple_of(_between_columns(cfg.width, stage), 2) for stage in range(n))
    channels = per_stage("shufflenet_v2", "stage_channels", cfg.stage_channels, n)
    for c in channels:
        if c % 2:
            raise LawError(f"shufflenet_v2: stage_channels must be even (two branches), but got {c}. Near: {c - 1}, {c + 1}.")
    return channels if cfg.width == 1 else tuple(multiple_of(c * cfg.width, 2) for c in channels)


def _between_columns(width: float, stage: int) -> float:
    """A stage's channels at any width: table 5's at its widths, in proportion between and beyond."""
    widths = WIDTHS
    if width <= widths[0]:
        return CHANNELS[widths[0]][stage] * width / widths[0]
    if width >= widths[-1]:
        return CHANNELS[widths[-1]][stage] * width / widths[-1]
    low, high = next((a, b) for a, b in pairwise(widths) if a <= width <= b)
    share = (width - low) / (high - low)
    return CHANNELS[low][stage] * (1 - share) + CHANNELS[high][stage] * share


def conv5_channels(cfg: ShuffleNetV2Config) -> int:
    """Output channels of conv5: 1024, and 2048 from width 2 on (table 5)."""
    return cfg.conv5_channels or (CHANNELS[2.0][3] if cfg.width >= 2 else CHANNELS[1.0][3])


def split_ratios(cfg: ShuffleNetV2Config, repeats: tuple[int, ...]) -> list[list[float]]:
    """The split ratio of every basic unit (all but the first of each stage). Raises LawError when their number is wrong."""
    n = len(repeats)
    basic = [units - 1 for units in repeats]
    given = cfg.split_ratio if isinstance(cfg.split_ratio, tuple) else (cfg.split_ratio,)
    if len(given) == 1:
        given = given * n
    if len(given) == n:
        given = tuple(r for r, units in zip(given, basic, strict=True) for _ in range(units))
    if len(given) != sum(basic):
        raise StageCountError(
            f"shufflenet_v2: split_ratio must have one value, {n} (per stage) or {sum(basic)} (per basic unit), but got {len(given)}"
        )
    rest = iter(given)
    return [[next(rest) for _ in range(units)] for units in basic]


def branch(
    b: Builder,
    x: Value,
    channels: int,
    out_channels: int,
    cfg: ShuffleNetV2Config,
    kernel_size: int,
    *,
    stride: int,
    residual: bool,
    se_reduction: int,
) -> Value:
    """The convolved branch of figure 3 (c) and (d), with the options of appendix figure 2: squeeze-and-excitation, residual."""
    with b.scope("branch"):
        y = depthwise_bn(b, "dw0", x, kernel_size) if cfg.depthwise_first else x
        y = conv_bn(b, "pw1", y, channels, act=ReLU())
        y = depthwise_bn(b, "dw", y, kernel_size, stride=stride)
        y = conv_bn(b, "pw2", y, out_channels, act=None if residual else ReLU())
        y = squeeze_excite(b, "se", y, se_reduction or None, of_channels=channels)
        return b.add("act", ReLU(), b.add("add", Add(), x, y)) if residual else y


def basic_unit(b: Builder, x: Value, cfg: ShuffleNetV2Config, kernel_size: int, split_ratio: float, se_reduction: int = 0) -> Value:
    """Figure 3 (c): split, convolve one part, concatenate, shuffle. Reductions are those of this unit; 0: none."""
    c = x.channels
    convolved = int(c * split_ratio + 0.5)
    if not 1 <= convolved < c:
        raise LawError(
            "shufflenet_v2: a split must leave channels on both sides, "
            f"but split_ratio={split_ratio:g} of {c} channels convolves {convolved}. "
            f"Use a ratio between {1 / c:.3g} and {(c - 1) / c:.3g}."
        )
    kept = b.add("keep", ChannelSlice(0, c - convolved), x)
    y = b.add("split", ChannelSlice(c - convolved, c), x)
    y = branch(b, y, convolved, convolved, cfg, kernel_size, stride=1, residual=cfg.residual, se_reduction=se_reduction)
    return _join(b, kept, y, cfg)


def first_unit(
    b: Builder, x: Value, out_channels: int, cfg: ShuffleNetV2Config, kernel_size: int, stride: int, se_reduction: int = 0
) -> Value:
    """Figure 3 (d): no split, both branches convolve all channels, so that they double."""
    half = out_channels // 2
    kept_channels = half if cfg.equal_branches else min(half, x.channels)
    with b.scope("shortcut"):
        kept = depthwise_bn(b, "dw", x, kernel_size, stride=stride)
        kept = conv_bn(b, "pw", kept, kept_channels, act=ReLU())
    made = out_channels - kept_channels
    y = branch(b, x, half, made, cfg, kernel_size, stride=stride, residual=False, se_reduction=se_reduction)
    return _join(b, kept, y, cfg)


def _join(b: Builder, kept: Value, y: Value, cfg: ShuffleNetV2Config) -> Value:
    x = b.add("concat", Concat(), kept, y)
    return b.add("shuffle", ChannelShuffle(2), x) if cfg.shuffle else x


def build(cfg: ShuffleNetV2Config, b: Builder) -> Graph:
    """Table 5: conv1, max pool, three stages (as many as there are strides), conv5, global pool, FC."""
    channels = stage_channels(cfg)
    n = len(channels)
    repeats = per_stage("shufflenet_v2", "repeats", cfg.repeats, n)
    kernels = per_stage("shufflenet_v2", "kernel_size", cfg.kernel_size, n)
    ratios = split_ratios(cfg, repeats)
    reductions = per_stage("shufflenet_v2", "se_reduction", cfg.se_reduction or 0, n)
    x = b.input((cfg.batch, 3, *cfg.input))
    x = stem(b, x, cfg.stem_channels)
    rows = zip(channels, ratios, kernels, cfg.strides, reductions, strict=True)
    for stage, (out_channels, stage_ratios, kernel, stride, reduction) in enumerate(rows, start=2):
        with b.block(f"stage{stage}.unit0"):
            x = first_unit(b, x, out_channels, cfg, kernel, stride, reduction)
        for i, ratio in enumerate(stage_ratios, start=1):
            with b.block(f"stage{stage}.unit{i}"):
                x = basic_unit(b, x, cfg, kernel, ratio, reduction)
    with b.block("conv5"):
        x = conv_bn(b, "pw", x, conv5_channels(cfg), act=ReLU())
    return b.build(classifier(b, x, cfg.num_classes))


LARGE_STRIDES = (1, 2, 2, 2)  # appendix table 2: conv3.1, conv4.1 and conv5.1 have a stride of 2

FAMILIES = {
    "shufflenet_v2": Family(
        ShuffleNetV2Config,
        build,
        "ShuffleNet v2 (ECCV 2018): channel split, equal widths, one shuffle",
        32,
        {
            **{f"shufflenet_v2_{w:g}x": {"width": w} for w in WIDTHS},
            **{f"shufflenet_v2_{w:g}x_star": {"width": w, "depthwise_first": True} for w in WIDTHS},
            **{f"shufflenet_v2_{w:g}x_residual": {"width": w, "residual": True} for w in WIDTHS},
            "shufflenet_v2_2x_se": {"width": 2.0, "se_reduction": 1},
            "shufflenet_v2_50": {
                "strides": LARGE_STRIDES,
                "repeats": (3, 4, 6, 3),
                "stage_channels": (244, 488, 976, 1952),
                "stem_channels": 64,
                "conv5_channels": 2048,
            },
            "se_shufflenet_v2_164": {
                "strides": LARGE_STRIDES,
                "repeats": (10, 10, 23, 10),
                "stage_channels": (340, 680, 1360, 2720),
                "stem_channels": (64, 64, 128),
                "conv5_channels": 2048,
                "residual": True,
                "se_reduction": 1,
            },
        },
    ),
}
