"""The stacks that the four guidelines were timed on. Ma et al., "ShuffleNet V2" (ECCV 2018), section 2, tables 1 to 4, appendix figure 1.

A stack is ten equal blocks at 56x56 and nothing else: its input has its own channels, there is neither stem nor classifier. Within a table
all stacks of a platform and a scale have about the same multiply-adds; what differs is what the guideline is about. A member's name holds
the channels that are built: row (90, 180) x2 is `guideline1_180x360`. Rows of both platforms that ask for the same stack share a member.

Underspecified there, and chosen here:
- Tables 1 to 3 are convolutions alone: the text names no other layer, and without bias `mem_elems` is equations 1 and 2 to the last
  element. The runtime fused what may have followed. `relu` and `batch_norm` put either behind every convolution.
- Table 2 prints 180 channels for 8 groups at x1 on ARM, which 8 does not divide: 184 here, the nearest multiple (ties up).
- Table 3's other structures have c / sqrt(fragments) channels, to the nearest integer. Parallel branches read the same input and are
  added. Figure 1 is not readable in the text at hand, and no other account of it that was found says how they join; but concatenated
  branches of c / fragments channels would have the same multiply-adds at the same c, and the paper says that the channels are adjusted.
- Table 4's c is the outer width of ResNet's 1:4 bottleneck: 0.55 G multiply-adds at 128. As the inner width it would take 8.7 G, at 1436
  batches/s 12.5 T/s where the GTX 1080 Ti does 5.65 (its 1x1 convolutions alone: 5.9 T/s, so that no fast 3x3 algorithm helps).
  Without a bottleneck it would take 5.65 G, 8.1 T/s; Winograd's 3x3 could almost halve that, but such a stack contains table 1's
  (128, 128), which runs at 1480 batches/s, and could not reach the printed 1782 (ARM: 5.3 and 5.4 images/s).
- A batch is one image on both platforms: eight, as in the paper's figure 1, would be 12.2 T/s for the (128, 128) of table 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

from archspace.errors import LawError, nearest_divisors
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, Conv2d, ReLU
from archspace.zoo.blocks import conv_bn, multiple_of
from archspace.zoo.config import FamilyConfig, knob
from archspace.zoo.family import Family

# structure: (fragments, side by side?) of appendix figure 1.
STRUCTURES = {"1-fragment": (1, False), "2-fragment-series": (2, False), "4-fragment-series": (4, False)}
STRUCTURES |= {"2-fragment-parallel": (2, True), "4-fragment-parallel": (4, True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig(FamilyConfig):
    """The knobs of every stack. There is no classifier, hence no number of classes."""

    input: tuple[int, int] = knob((56, 56), "input height and width in pixels", at_least=1)
    repeats: int = knob(10, "blocks in the stack", at_least=1, at_most=1000)
    width: float = knob(1.0, "channel multiplier: x1, x2 and x4 of the tables", alias="scale", above=0, at_most=100)
    relu: bool = knob(False, "a ReLU behind every convolution")
    batch_norm: bool = knob(False, "a batch norm behind every convolution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guideline1Config(StackConfig):
    """The knobs of table 1's stacks."""

    c1: int = knob(128, "channels between the blocks, at width 1", at_least=1)
    c2: int = knob(128, "channels inside the blocks, at width 1", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guideline2Config(StackConfig):
    """The knobs of table 2's stacks."""

    channels: int = knob(128, "channels of every convolution, at width 1", alias="c", at_least=1)
    groups: int = knob(1, "groups of every convolution", alias="g", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guideline3Config(StackConfig):
    """The knobs of table 3's stacks."""

    channels: int = knob(128, "channels of the 1-fragment that the structure replaces, at width 1", alias="c", at_least=1)
    structure: str = knob("1-fragment", "convolutions per block, and how they are arranged", choices=tuple(STRUCTURES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guideline4Config(StackConfig):
    """The knobs of table 4's stacks."""

    channels: int = knob(128, "channels between the blocks, at width 1", alias="c", at_least=1)
    bottleneck: int = knob(4, "outer channels per channel of the 3x3 convolution (ResNet's 1:4)", at_least=1)
    relu: bool = knob(True, "a ReLU behind every convolution, the last one's behind the shortcut")
    shortcut: bool = knob(True, "the block's input added to its output")


def conv(b: Builder, name: str, x: Value, out_channels: int, cfg: StackConfig, kernel_size: int = 1, *, groups: int = 1) -> Value:
    """A convolution with the batch norm and the ReLU that the config asks for: `name`.conv, .bn, .act."""
    act = ReLU() if cfg.relu else None
    if cfg.batch_norm:
        return conv_bn(b, name, x, out_channels, kernel_size, groups=groups, act=act)
    with b.scope(name):
        x = b.add("conv", Conv2d(x.channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups), x)
        return b.add("act", act, x) if act is not None else x


def stack(b: Builder, cfg: StackConfig, channels: int, unit: Callable[[Value], Value]) -> Graph:
    """`unit`, which keeps the shape, repeated on an input of `channels`."""
    x = b.input((cfg.batch, channels, *cfg.input))
    for i in range(cfg.repeats):
        with b.block(f"stage1.unit{i}"):
            x = unit(x)
    return b.build(x)


def build_guideline1(cfg: Guideline1Config, b: Builder) -> Graph:
    """Table 1: each block is a 1x1 convolution from c1 to c2 channels and one back."""
    c1, c2 = (multiple_of(c * cfg.width, 1) for c in (cfg.c1, cfg.c2))
    return stack(b, cfg, c1, lambda x: conv(b, "conv2", conv(b, "conv1", x, c2, cfg), c1, cfg))


def build_guideline2(cfg: Guideline2Config, b: Builder) -> Graph:
    """Table 2: each block is one 1x1 convolution in groups. At widths other than 1, channels go to the nearest multiple of the groups.

    Raises LawError where the groups do not divide the channels.
    """
    g = cfg.groups
    c = cfg.channels if cfg.width == 1 else multiple_of(cfg.channels * cfg.width, g)
    if c % g:
        near = ", ".join(str(n) for n in (c // g * g, c // g * g + g) if n)
        raise LawError(
            f"guideline2: groups must divide channels, but got groups={g}, channels={c}. "
            f"Channels near {c}: {near}. Groups near {g}: {nearest_divisors(c, g)}."
        )
    return stack(b, cfg, c, lambda x: conv(b, "conv1", x, c, cfg, groups=g))


def build_guideline3(cfg: Guideline3Config, b: Builder) -> Graph:
    """Table 3: each block is 1, 2 or 4 convolutions of 1x1, one behind the other, or side by side and added."""
    fragments, parallel = STRUCTURES[cfg.structure]
    c = multiple_of(cfg.channels * cfg.width / sqrt(fragments), 1)

    def unit(x: Value) -> Value:
        y = conv(b, "conv1", x, c, cfg)
        for i in range(2, fragments + 1):
            z = conv(b, f"conv{i}", x if parallel else y, c, cfg)
            y = b.add(f"add{i}", Add(), y, z) if parallel else z
        return y

    return stack(b, cfg, c, unit)


def build_guideline4(cfg: Guideline4Config, b: Builder) -> Graph:
    """Table 4: each block is ResNet's bottleneck of 1x1, 3x3 and 1x1, with or without its ReLUs and its shortcut."""
    c = multiple_of(cfg.channels * cfg.width, 1)
    inner = multiple_of(c / cfg.bottleneck, 1)

    def unit(x: Value) -> Value:
        y = conv(b, "conv1", x, inner, cfg)
        y = conv(b, "conv2", y, inner, cfg, 3)
        if not cfg.shortcut:
            return conv(b, "conv3", y, c, cfg)
        y = b.add("add", Add(), conv(b, "conv3", y, c, replace(cfg, relu=False)), x)
        return b.add("act", ReLU(), y) if cfg.relu else y

    return stack(b, cfg, c, unit)


SCALES = (1, 2, 4)  # tables 1 and 2
RATIOS = ((128, 128), (90, 180), (52, 312), (36, 432), (32, 32), (22, 44), (13, 78), (9, 108))  # (c1, c2) of table 1: GPU, then ARM
GROUPS = ((1, 128), (2, 180), (4, 256), (8, 360), (1, 64), (2, 90), (4, 128), (8, 180))  # (groups, channels) of table 2: GPU, then ARM
FRAGMENT_CHANNELS = (64, 128, 256, 512)  # table 3: GPU from 128, ARM to 256
BOTTLENECK_CHANNELS = (32, 64, 128)  # table 4: both platforms
# end of the name: (relu, shortcut) of table 4.
VARIANTS = {"": (True, True), "_no_shortcut": (True, False), "_no_relu": (False, True), "_no_relu_no_shortcut": (False, False)}


FAMILIES = {
    "guideline1": Family(
        Guideline1Config,
        build_guideline1,
        "ShuffleNet v2's stacks for guideline 1 (ECCV 2018, table 1): the ratio of a convolution's input and output channels",
        1,
        {f"guideline1_{s * c1}x{s * c2}": {"c1": s * c1, "c2": s * c2} for c1, c2 in RATIOS for s in SCALES},
    ),
    "guideline2": Family(
        Guideline2Config,
        build_guideline2,
        "ShuffleNet v2's stacks for guideline 2 (ECCV 2018, table 2): groups of pointwise convolutions",
        1,
        {
            f"guideline2_{channels}_g{g}": {"channels": channels, "groups": g}
            for g, c in GROUPS
            for channels in (multiple_of(s * c, g) for s in SCALES)
        },
    ),
    "guideline3": Family(
        Guideline3Config,
        build_guideline3,
        "ShuffleNet v2's stacks for guideline 3 (ECCV 2018, table 3): fragments per block",
        1,
        {f"guideline3_{c}_{name}": {"channels": c, "structure": name} for name in STRUCTURES for c in FRAGMENT_CHANNELS},
    ),
    "guideline4": Family(
        Guideline4Config,
        build_guideline4,
        "ShuffleNet v2's stacks for guideline 4 (ECCV 2018, table 4): ReLU and shortcut of a bottleneck",
        1,
        {
            f"guideline4_{c}{words}": {"channels": c, "relu": relu, "shortcut": shortcut}
            for words, (relu, shortcut) in VARIANTS.items()
            for c in BOTTLENECK_CHANNELS
        },
    ),
}
