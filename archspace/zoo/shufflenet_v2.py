"""ShuffleNet v2. Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design" (ECCV 2018), table 5, figure 3.

Underspecified there, and chosen here: a width between two columns of table 5 takes channels in proportion between theirs, a width beyond
scales the outer column, to the nearest even number; `split_ratio` is c'/c, the share of channels that go through the convolutions (the
paper sets 1/2). The published complexities lie about 1 % above the multiply-adds of convolutions and FC.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import ChannelShuffle, ChannelSlice, Concat, MaxPool2d, ReLU
from archspace.zoo.blocks import classifier, conv_bn, depthwise_bn, multiple_of
from archspace.zoo.config import NetworkConfig, StageCountError, knob, per_stage
from archspace.zoo.family import Family

# width: (stage 2, stage 3, stage 4, conv5) of table 5.
CHANNELS = {0.5: (48, 96, 192, 1024), 1.0: (116, 232, 464, 1024), 1.5: (176, 352, 704, 1024), 2.0: (244, 488, 976, 2048)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleNetV2Config(NetworkConfig):
    """The knobs of ShuffleNet v2."""

    width: float = knob(1.0, "channel multiplier; 0.5, 1, 1.5 and 2 are table 5's columns", above=0, at_most=100)
    split_ratio: float | tuple[float, ...] = knob(0.5, "share of channels that is convolved: one, per stage, or per unit", above=0)
    repeats: tuple[int, ...] = knob((4, 8, 4), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of table 5's", at_least=2)
    stem_channels: int = knob(24, "output channels of conv1", at_least=1)
    conv5_channels: int | None = knob(None, "output channels of conv5, instead of table 5's", at_least=1)
    kernel_size: int = knob(3, "kernel of the depthwise convolutions (odd)", at_least=1)
    shuffle: bool = knob(True, "channel shuffle at the end of each unit")


def stage_channels(cfg: ShuffleNetV2Config) -> tuple[int, ...]:
    """Output channels of stages 2 to 4. Raises LawError for an odd number, which cannot be shuffled in two groups."""
    if cfg.stage_channels is None:
        return tuple(multiple_of(_between_columns(cfg.width, stage), 2) for stage in range(3))
    channels = per_stage("shufflenet_v2", "stage_channels", cfg.stage_channels, 3)
    for c in channels:
        if c % 2:
            raise LawError(f"shufflenet_v2: stage_channels must be even (two branches), but got {c}. Near: {c - 1}, {c + 1}.")
    return channels if cfg.width == 1 else tuple(multiple_of(c * cfg.width, 2) for c in channels)


def _between_columns(width: float, stage: int) -> float:
    """A stage's channels at any width: table 5's at its widths, in proportion between and beyond."""
    widths = list(CHANNELS)
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
    basic = [units - 1 for units in repeats]
    given = cfg.split_ratio if isinstance(cfg.split_ratio, tuple) else (cfg.split_ratio,)
    if len(given) == 1:
        given = given * 3
    if len(given) == 3:
        given = tuple(r for r, units in zip(given, basic, strict=True) for _ in range(units))
    if len(given) != sum(basic):
        raise StageCountError(
            f"shufflenet_v2: split_ratio must have one value, 3 (per stage) or {sum(basic)} (per basic unit), but got {len(given)}"
        )
    rest = iter(given)
    return [[next(rest) for _ in range(units)] for units in basic]


def branch(b: Builder, name: str, x: Value, out_channels: int, kernel_size: int, stride: int) -> Value:
    """Pointwise, depthwise, pointwise: the convolved branch of figure 3 (c) and (d)."""
    with b.scope(name):
        x = conv_bn(b, "pw1", x, out_channels, act=ReLU())
        x = depthwise_bn(b, "dw", x, kernel_size, stride=stride)
        return conv_bn(b, "pw2", x, out_channels, act=ReLU())


def basic_unit(b: Builder, x: Value, cfg: ShuffleNetV2Config, split_ratio: float) -> Value:
    """Figure 3 (c): split, convolve one part, concatenate, shuffle."""
    c = x.channels
    convolved = int(c * split_ratio + 0.5)
    if not 1 <= convolved < c:
        raise LawError(
            "shufflenet_v2: a split must leave channels on both sides, "
            f"but split_ratio={split_ratio:g} of {c} channels convolves {convolved}. "
            f"Use a ratio between {1 / c:.3g} and {(c - 1) / c:.3g}."
        )
    kept = b.add("keep", ChannelSlice(0, c - convolved), x)
    y = branch(b, "branch", b.add("split", ChannelSlice(c - convolved, c), x), convolved, cfg.kernel_size, stride=1)
    return _join(b, kept, y, cfg)


def down_unit(b: Builder, x: Value, out_channels: int, cfg: ShuffleNetV2Config) -> Value:
    """Figure 3 (d): no split, both branches at stride 2, so the channels double."""
    half = out_channels // 2
    with b.scope("shortcut"):
        kept = depthwise_bn(b, "dw", x, cfg.kernel_size, stride=2)
        kept = conv_bn(b, "pw", kept, half, act=ReLU())
    return _join(b, kept, branch(b, "branch", x, out_channels - half, cfg.kernel_size, stride=2), cfg)


def _join(b: Builder, kept: Value, y: Value, cfg: ShuffleNetV2Config) -> Value:
    x = b.add("concat", Concat(), kept, y)
    return b.add("shuffle", ChannelShuffle(2), x) if cfg.shuffle else x


def build(cfg: ShuffleNetV2Config, b: Builder) -> Graph:
    """Table 5: conv1, max pool, three stages, conv5, global pool, FC."""
    if cfg.kernel_size % 2 == 0:
        k = cfg.kernel_size
        raise LawError(f"shufflenet_v2: kernel_size must be odd, but got {k}. Near: {k - 1}, {k + 1}.")
    channels = stage_channels(cfg)
    repeats = per_stage("shufflenet_v2", "repeats", cfg.repeats, 3)
    ratios = split_ratios(cfg, repeats)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, cfg.stem_channels, 3, stride=2, act=ReLU())
        x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
    for stage, (out_channels, stage_ratios) in enumerate(zip(channels, ratios, strict=True), start=2):
        with b.block(f"stage{stage}.unit0"):
            x = down_unit(b, x, out_channels, cfg)
        for i, ratio in enumerate(stage_ratios, start=1):
            with b.block(f"stage{stage}.unit{i}"):
                x = basic_unit(b, x, cfg, ratio)
    with b.block("conv5"):
        x = conv_bn(b, "pw", x, conv5_channels(cfg), act=ReLU())
    return b.build(classifier(b, x, cfg.num_classes))


FAMILIES = {
    "shufflenet_v2": Family(
        ShuffleNetV2Config,
        build,
        "ShuffleNet v2 (ECCV 2018): channel split, equal widths, one shuffle",
        32,
        {f"shufflenet_v2_{w:g}x": {"width": w} for w in (0.5, 1.0, 1.5, 2.0)},
    ),
}
