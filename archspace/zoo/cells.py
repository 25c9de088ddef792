"""Networks of searched cells: NASNet-A, PNASNet-5 and DARTS. A cell is a literal table, and one function builds them all.

NASNet-A: Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition" (CVPR 2018), figure 4; 4 @ 1056 (mobile).
PNASNet-5: Liu et al., "Progressive Neural Architecture Search" (ECCV 2018), figure 1; mobile: 54 filters, N = 3.
DARTS: Liu et al., "DARTS: Differentiable Architecture Search" (ICLR 2019), figures 4 and 5; ImageNet (mobile): 48 channels, 14 cells.

Left open by the papers, and chosen here as in the authors' published code:
- A separable convolution is ReLU, depthwise, pointwise, batch norm, all of it twice (once for the dilated ones of DARTS).
- NASNet and PNASNet begin with an unpadded 3x3 convolution at stride 2 and two reduction cells of a quarter and half of the filters
  (fractions are cut: 13 and 27 of PNASNet's 54); DARTS begins with three 3x3 convolutions at stride 2.
- A cell brings both inputs to its channels by ReLU, 1x1 convolution, batch norm. Where the older input is larger, two 1x1 convolutions at
  stride 2 give half of the channels each. The second should start one pixel further: that view costs nothing and is left out here, as the
  vocabulary has no crop. The first stem cell reads the image's convolution itself as its older input.
- The older input is the output before the last. (The code of NASNet's large model takes one more back after a reduction: same shapes.)
- PNASNet's reduction is its one cell at stride 2, and counts among the N = 3 of a stage: `repeats` are the cells after it, 3, 2, 2.
- Auxiliary heads are left out; the mean over a window counts the padding.

DARTS is printed with two complexities: 574 M and 4.7 M in the paper (ICLR 2019, table 3), 595 M and 4.9 M in later papers that cite its
preprint (SSL table 5). The authors' published cell and network (DARTS_V2, 48 channels, 14 cells) have 529.9 M and 4.72 M:
the parameters are the paper's, the multiply-adds of either are not met (7.7 % and 10.9 % below), as others who counted that code report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, AvgPool2d, BatchNorm2d, Concat, Conv2d, MaxPool2d, ReLU
from archspace.zoo.blocks import classifier, conv_bn
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family


@dataclass(frozen=True, slots=True)
class Cell:
    """Steps and the states that are concatenated. State 0 is the older input, 1 the newer, 2 the sum of the first step, and so on.

    A step adds two operations on two states: (operation, state, operation, state).
    """

    steps: tuple[tuple[str, int, str, int], ...]
    concat: tuple[int, ...]


PNASNET_5_CELL = Cell(  # PNASNet, figure 1
    (
        ("sep_5x5", 0, "max_3x3", 0),
        ("sep_7x7", 1, "max_3x3", 1),
        ("sep_5x5", 1, "sep_3x3", 1),
        ("sep_3x3", 4, "max_3x3", 1),
        ("sep_3x3", 0, "skip", 1),
    ),
    (2, 3, 4, 5, 6),
)

# name -> (normal cell, reduction cell)
CELLS: dict[str, tuple[Cell, Cell]] = {
    "nasnet_a": (  # NASNet, figure 4
        Cell(
            (
                ("sep_5x5", 1, "sep_3x3", 0),
                ("sep_5x5", 0, "sep_3x3", 0),
                ("avg_3x3", 1, "skip", 0),
                ("avg_3x3", 0, "avg_3x3", 0),
                ("sep_3x3", 1, "skip", 1),
            ),
            (0, 2, 3, 4, 5, 6),
        ),
        Cell(
            (
                ("sep_5x5", 1, "sep_7x7", 0),
                ("max_3x3", 1, "sep_7x7", 0),
                ("avg_3x3", 1, "sep_5x5", 0),
                ("skip", 3, "avg_3x3", 2),
                ("sep_3x3", 2, "max_3x3", 1),
            ),
            (3, 4, 5, 6),
        ),
    ),
    "pnasnet_5": (PNASNET_5_CELL, PNASNET_5_CELL),
    "darts_v1": (  # DARTS, first order: the authors' published genotype DARTS_V1
        Cell(
            (
                ("sep_3x3", 1, "sep_3x3", 0),
                ("skip", 0, "sep_3x3", 1),
                ("skip", 0, "sep_3x3", 1),
                ("sep_3x3", 0, "skip", 2),
            ),
            (2, 3, 4, 5),
        ),
        Cell(
            (
                ("max_3x3", 0, "max_3x3", 1),
                ("skip", 2, "max_3x3", 0),
                ("max_3x3", 0, "skip", 2),
                ("skip", 2, "avg_3x3", 0),
            ),
            (2, 3, 4, 5),
        ),
    ),
    "darts_v2": (  # DARTS, second order, figures 4 and 5
        Cell(
            (
                ("sep_3x3", 0, "sep_3x3", 1),
                ("sep_3x3", 0, "sep_3x3", 1),
                ("sep_3x3", 1, "skip", 0),
                ("skip", 0, "dil_3x3", 2),
            ),
            (2, 3, 4, 5),
        ),
        Cell(
            (
                ("max_3x3", 0, "max_3x3", 1),
                ("skip", 2, "max_3x3", 1),
                ("max_3x3", 0, "skip", 2),
                ("skip", 2, "max_3x3", 1),
            ),
            (2, 3, 4, 5),
        ),
    ),
}

# What the families share but for its defaults.
CELL_HELP = "the table of cells: " + ", ".join(CELLS)
REPEATS_HELP = "normal cells per stage; a reduction cell stands in front of every stage but the first"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellNetworkConfig(NetworkConfig):
    """The knobs of a network of cells: NASNet-A's, 4 @ 1056."""

    cell: str = knob("nasnet_a", CELL_HELP, choices=tuple(CELLS))
    channels: int = knob(44, "channels of each operation in the first stage; each next stage doubles them", at_least=1)
    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    stage_channels: tuple[int, ...] | None = knob(None, "channels of each operation per stage at width 1, instead of doubling", at_least=1)
    repeats: tuple[int, ...] = knob((4, 4, 4), REPEATS_HELP, at_least=1, at_most=1000)
    stem_channels: int = knob(32, "output channels of the first convolution at width 1", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PNASNetConfig(CellNetworkConfig):
    """The knobs of a network of cells, with PNASNet-5's defaults."""

    cell: str = knob("pnasnet_5", CELL_HELP, choices=tuple(CELLS))
    channels: int = knob(54, "channels of each operation in the first stage; each next stage doubles them", at_least=1)
    repeats: tuple[int, ...] = knob((3, 2, 2), REPEATS_HELP, at_least=1, at_most=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class DARTSConfig(CellNetworkConfig):
    """The knobs of a network of cells, with DARTS' defaults."""

    cell: str = knob("darts_v2", CELL_HELP, choices=tuple(CELLS))
    channels: int = knob(48, "channels of each operation in the first stage; each next stage doubles them", at_least=1)
    stem_channels: int = knob(48, "output channels of the second and third convolution at width 1; the first has half", at_least=1)


def relu_conv_bn(b: Builder, name: str, x: Value, channels: int, *, stride: int = 1) -> Value:
    """ReLU, 1x1 convolution, batch norm."""
    with b.scope(name):
        return conv_bn(b, "pw", b.add("act", ReLU(), x), channels, stride=stride)


def separable(b: Builder, name: str, x: Value, channels: int, stride: int, *, kernel_size: int, dilation: int = 1) -> Value:
    """ReLU, depthwise, pointwise, batch norm: twice, and once where it is dilated. The stride is the first depthwise one's."""
    for i in range(1 if dilation > 1 else 2):
        with b.scope(f"{name}{i}"):
            c, step, padding = x.channels, stride if i == 0 else 1, kernel_size // 2 * dilation
            x = b.add("act", ReLU(), x)
            x = b.add("dw", Conv2d(c, c, kernel_size, stride=step, padding=padding, dilation=dilation, groups=c), x)
            x = b.add("pw", Conv2d(c, channels, 1), x)
            x = b.add("bn", BatchNorm2d(channels), x)
    return x


def pool(b: Builder, name: str, x: Value, channels: int, stride: int, *, kind: type[MaxPool2d | AvgPool2d]) -> Value:
    """A 3x3 pool, and a 1x1 convolution with batch norm where the channels differ."""
    x = b.add(name, kind(3, stride=stride, padding=1), x)
    return x if x.channels == channels else conv_bn(b, f"{name}_fit", x, channels)


def skip(b: Builder, name: str, x: Value, channels: int, stride: int) -> Value:
    """The state itself where it fits, else ReLU, 1x1 convolution, batch norm."""
    return x if stride == 1 and x.channels == channels else relu_conv_bn(b, name, x, channels, stride=stride)


OPERATIONS: dict[str, Callable[[Builder, str, Value, int, int], Value]] = {
    "sep_3x3": partial(separable, kernel_size=3),
    "sep_5x5": partial(separable, kernel_size=5),
    "sep_7x7": partial(separable, kernel_size=7),
    "dil_3x3": partial(separable, kernel_size=3, dilation=2),
    "max_3x3": partial(pool, kind=MaxPool2d),
    "avg_3x3": partial(pool, kind=AvgPool2d),
    "skip": skip,
}


def factorized_reduction(b: Builder, name: str, x: Value, channels: int) -> Value:
    """Half the resolution: ReLU, two 1x1 convolutions at stride 2 that give half of the channels each, concat, batch norm."""
    with b.scope(name):
        x = b.add("act", ReLU(), x)
        first = b.add("pw1", Conv2d(x.channels, channels // 2, 1, stride=2), x)
        second = b.add("pw2", Conv2d(x.channels, channels - channels // 2, 1, stride=2), x)
        return b.add("bn", BatchNorm2d(channels), b.add("concat", Concat(), first, second))


def cell(b: Builder, name: str, table: Cell, older: Value | None, newer: Value, channels: int, stride: int) -> Value:
    """The block `name`: the table on two inputs. Operations on the inputs take the stride. Without `older`, `newer` stands in as it is."""
    with b.block(name):
        if older is None:
            first = newer
        elif older.shape[2:] != newer.shape[2:]:
            first = factorized_reduction(b, "older", older, channels)
        else:
            first = relu_conv_bn(b, "older", older, channels)
        states = [first, relu_conv_bn(b, "newer", newer, channels)]
        for i, (left, left_state, right, right_state) in enumerate(table.steps):
            with b.scope(f"step{i}"):
                x = OPERATIONS[left](b, "left", states[left_state], channels, stride if left_state < 2 else 1)
                y = OPERATIONS[right](b, "right", states[right_state], channels, stride if right_state < 2 else 1)
                states.append(b.add("add", Add(), x, y))
        return b.add("concat", Concat(), *[states[i] for i in table.concat])


def stage_channels(family: str, cfg: CellNetworkConfig) -> list[int]:
    """Channels of each operation per stage. Raises LawError where the halves and quarters of the stem would be empty."""
    n = len(cfg.repeats)
    doubled: tuple[int, ...] = tuple([cfg.channels * 2**i for i in range(n)])
    given = per_stage(family, "stage_channels", cfg.stage_channels or doubled, n)
    channels = [int(c * cfg.width) for c in given]
    if min(channels) < 4:
        raise LawError(
            f"{family}: each operation must have at least 4 channels, which its stem and its reductions split, "
            f"but got {min(channels)} = {min(given)} * {cfg.width:g}. Use width {4 / min(given):g} or more."
        )
    return channels


def cell_stages(cfg: CellNetworkConfig, b: Builder, channels: list[int], older: Value, newer: Value) -> Value:
    """The stages: a reduction cell at stride 2 in front of all but the first, then the normal cells."""
    normal, reduction = CELLS[cfg.cell]
    for stage, (c, repeats) in enumerate(zip(channels, cfg.repeats, strict=True), start=1):
        tables = [(normal, 1)] * repeats if stage == 1 else [(reduction, 2), *[(normal, 1)] * repeats]
        for i, (table, stride) in enumerate(tables):
            older, newer = newer, cell(b, f"stage{stage}.cell{i}", table, older, newer, c, stride)
    return newer


def build_nasnet(family: str, cfg: CellNetworkConfig, b: Builder) -> Graph:
    """A convolution and two reduction cells, the stages, ReLU, global pool, dropout, classifier (NASNet, figure 2)."""
    channels = stage_channels(family, cfg)
    reduction = CELLS[cfg.cell][1]
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem.conv"):
        stem = max(1, int(cfg.stem_channels * cfg.width))
        x = b.add("conv", Conv2d(3, stem, 3, stride=2), x)
        x = b.add("bn", BatchNorm2d(stem), x)
    quarter = cell(b, "stem.cell0", reduction, None, x, channels[0] // 4, 2)
    half = cell(b, "stem.cell1", reduction, x, quarter, channels[0] // 2, 2)
    x = cell_stages(cfg, b, channels, quarter, half)
    with b.block("last"):
        x = b.add("act", ReLU(), x)
    return b.build(classifier(b, x, cfg.num_classes, dropout=0.5))


def build_darts(cfg: DARTSConfig, b: Builder) -> Graph:
    """Three convolutions, the stages, global pool, classifier."""
    channels = stage_channels("darts", cfg)
    stem = max(2, int(cfg.stem_channels * cfg.width))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, stem // 2, 3, stride=2, act=ReLU())
        older = conv_bn(b, "conv2", x, stem, 3, stride=2)
        newer = conv_bn(b, "conv3", b.add("act", ReLU(), older), stem, 3, stride=2)
    return b.build(classifier(b, cell_stages(cfg, b, channels, older, newer), cfg.num_classes))


FAMILIES = {
    "nasnet_a": Family(
        CellNetworkConfig,
        partial(build_nasnet, "nasnet_a"),
        "NASNet-A (CVPR 2018): searched normal and reduction cells",
        32,
        {"nasnet_a_mobile": {}},
    ),
    "pnasnet_5": Family(
        PNASNetConfig,
        partial(build_nasnet, "pnasnet_5"),
        "PNASNet-5 (ECCV 2018): one searched cell for both strides",
        32,
        {"pnasnet_5_mobile": {}},
    ),
    "darts": Family(
        DARTSConfig,
        build_darts,
        "DARTS (ICLR 2019): cells found by gradient descent",
        32,
        {"darts_v2": {"cell": "darts_v2"}},
    ),
}
