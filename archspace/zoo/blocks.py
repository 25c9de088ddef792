"""Blocks that several families share. Each states its structure once."""

from __future__ import annotations

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    Multiply,
    Op,
    ReLU,
    Sigmoid,
)

SE_PLACEMENTS = ("output", "expansion")
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
        raise LawError(
            f"{b.place}{name}: squeeze-and-excitation must keep a hidden channel, so its reduction must be at most its channels, "
            f"but got se_reduction={reduction}, channels={channels}. Largest here: {channels}."
        )
    with b.scope(name):
        s = b.add("pool", AdaptiveAvgPool2d(1), x)
        s = b.add("fc1", Conv2d(x.channels, hidden_channels, 1, bias=True), s)
        s = b.add("act", ReLU(), s)
        s = b.add("fc2", Conv2d(hidden_channels, x.channels, 1, bias=True), s)
        s = b.add("gate", gate or Sigmoid(), s)
        return b.add("scale", Multiply(), x, s)
