"""Blocks that several families share. Each states its structure once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    ReLU,
    Sigmoid,
)

SE_PLACEMENTS = ("none", "output", "expansion")
SE_HELP = "squeeze-and-excitation with channels / r hidden ones in every unit"


def conv_bn(
    b: Builder,
    name: str,
    x: Value,
    out_channels: int,
    kernel_size: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    act: Op | None = None,
) -> Value:
    """Convolution, batch norm and, where given, an activation: `name`.conv, .bn, .act. Padding keeps the size at stride 1."""
    with b.scope(name):
        conv = Conv2d(x.channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, groups=groups)
        x = b.add("conv", conv, x)
        x = b.add("bn", BatchNorm2d(out_channels), x)
        return b.add("act", act, x) if act is not None else x


def depthwise_bn(b: Builder, name: str, x: Value, kernel_size: int = 3, *, stride: int = 1, act: Op | None = None) -> Value:
    """A depthwise convolution with batch norm."""
    return conv_bn(b, name, x, x.channels, kernel_size, stride=stride, groups=x.channels, act=act)


def stem(b: Builder, x: Value, out_channels: int | tuple[int, ...]) -> Value:
    """3x3 convolutions, the first at stride 2, and a 3x3 max pool at stride 2, as the block `stem`: a quarter of the resolution."""
    with b.block("stem"):
        for i, c in enumerate(out_channels if isinstance(out_channels, tuple) else (out_channels,), start=1):
            x = conv_bn(b, f"conv{i}", x, c, 3, stride=2 if i == 1 else 1, act=ReLU())
        return b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)


def pooled_shortcut(b: Builder, x: Value, y: Value) -> Value:
    """A unit at stride 2 that keeps its input: 3x3 average pool, concatenation with `y`, ReLU (ShuffleNet v1, figure 2 c)."""
    shortcut = b.add("pool", AvgPool2d(3, stride=2, padding=1), x)
    return b.add("act", ReLU(), b.add("concat", Concat(), shortcut, y))


def computed_channels(place: str, out_channels: int, x: Value) -> int:
    """What a unit with a pooled shortcut computes itself: its output without its input. Raises LawError when nothing is left."""
    if out_channels <= x.channels:
        raise LawError(
            f"{place}: a stage must have more channels than its input, which its first unit keeps by concatenation, "
            f"but got {out_channels} after {x.channels}. Use stage_channels above {x.channels}, or a larger width."
        )
    return out_channels - x.channels


def inverted_bottleneck(
    b: Builder,
    x: Value,
    out_channels: int,
    expanded_channels: int | None,
    spatial: Callable[[Value], Value],
    *,
    act: Op,
    se: PlacedSE,
) -> Value:
    """Expand (not at all for None), look at neighbours, project without activation (MobileNetV2, figure 4; SSL, figures 4 and 6)."""
    y = x if expanded_channels is None else conv_bn(b, "expand", x, expanded_channels, act=act)
    y = spatial(y)
    y = squeeze_excite(b, "se", y, se.at("expansion"))
    y = conv_bn(b, "project", y, out_channels)
    return squeeze_excite(b, "se", y, se.at("output"))


def classifier(b: Builder, x: Value, num_classes: int, dropout: float = 0.0) -> Value:
    """Global average pool, flatten, dropout where asked, fully connected layer, as the block `head`."""
    with b.block("head"):
        x = b.add("pool", AdaptiveAvgPool2d(1), x)
        x = b.add("flatten", Flatten(1), x)
        if dropout:
            x = b.add("dropout", Dropout(dropout), x)
        return b.add("fc", Linear(x.channels, num_classes), x)


def multiple_of(value: float, factor: int) -> int:
    """The nearest multiple of `factor`, at least one of it; ties go up.

    >>> multiple_of(100 / 4, 2), multiple_of(34, 4), multiple_of(1, 8)
    (26, 36, 8)
    """
    return factor * max(1, int(value / factor + 0.5))


def stage_multiples(needs: Sequence[int]) -> tuple[int, ...]:
    """What each stage's channels must be a multiple of where a stage of units needs a multiple of `needs`: the next stage reads them too.

    >>> stage_multiples((3, 3, 3)), stage_multiples((2, 4, 3))
    ((3, 3, 3), (4, 12, 3))
    """
    return tuple(lcm(*pair) for pair in zip(needs, (*needs[1:], 1), strict=True))


@dataclass(frozen=True, slots=True)
class PlacedSE:
    """Whether, by how much and where an inverted bottleneck has squeeze-and-excitation."""

    reduction: int | None
    placement: str

    def at(self, place: str) -> int | None:
        """The reduction at a place; None where there is none."""
        return self.reduction if place == self.placement else None


class ReductionError(LawError):
    """A squeeze-and-excitation without a hidden channel; `largest` is the largest reduction at its place."""

    def __init__(self, message: str, largest: int) -> None:
        super().__init__(message)
        self.largest = largest


def squeeze_excite(
    b: Builder, name: str, x: Value, reduction: int | None, *, of_channels: int | None = None, gate: Op | None = None
) -> Value:
    """Squeeze-and-excitation (Hu et al., CVPR 2018, figure 2): each channel scaled by what a two-layer net makes of all channels' means.

    pool -> fc1 (to channels / `reduction`) -> ReLU -> fc2 (back) -> sigmoid, or `gate` -> multiply. Both layers are 1x1 convolutions with
    bias. The channels that are reduced are those of `x`, or `of_channels`. Without a reduction, `x` as it is. Raises LawError for a
    reduction above the channels.
    """
    if reduction is None:
        return x
    channels = of_channels or x.channels
    hidden_channels = channels // reduction
    if not hidden_channels:
        raise ReductionError(
            f"{b.place}{name}: squeeze-and-excitation must keep a hidden channel, so its reduction must be at most its channels, "
            f"but got se_reduction={reduction}, channels={channels}.",
            channels,
        )
    with b.scope(name):
        s = b.add("pool", AdaptiveAvgPool2d(1), x)
        s = b.add("fc1", Conv2d(x.channels, hidden_channels, 1, bias=True), s)
        s = b.add("act", ReLU(), s)
        s = b.add("fc2", Conv2d(hidden_channels, x.channels, 1, bias=True), s)
        s = b.add("gate", gate or Sigmoid(), s)
        return b.add("scale", Multiply(), x, s)
