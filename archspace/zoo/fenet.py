"""FE-Net. Chen et al., "All You Need is a Few Shifts" (CVPR 2019), table 4, figures 3 and 4.

Underspecified there, and chosen here:
- Width multiplies every channel count without rounding to multiples (the fraction is cut): at 1.375 the last is 1897, and the published
  563 M and 5.9 M follow. At 1.0 the structure gives 299.7 M (published 301 M) and 3.5 M parameters (published 3.7 M).
- The published parameters leave the displacements out (section 3 calls them negligible), and so does `learned_shifts=False`: the
  displacements are constants of the deployed network. `learned_shifts=True` makes them two parameters per expanded channel.
- Split and concat are done in place (section 4.3), so they are views here and cost nothing.
- The depthwise variant of table 6 puts a 3x3 depthwise convolution with batch norm where the sparse shift was; IB-Pool keeps its pool.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, AvgPool2d, ChannelSlice, Concat, ReLU, SparseShift
from archspace.zoo.blocks import classifier, conv_bn, depthwise_bn
from archspace.zoo.config import NetworkConfig, knob, per_stage
from archspace.zoo.family import Family

# (output channels, units n, stride) of the five FE-blocks (table 4).
FE_BLOCKS = ((64, 3, 2), (128, 4, 2), (128, 4, 1), (256, 4, 2), (256, 3, 1))
STEM_CHANNELS, POOL_CHANNELS, LAST_CHANNELS = 16, 32, 1380  # table 4
STEM_EXPANSION, POOL_EXPANSION = 4, 5  # table 4, the rows IB-SSL and IB-Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class FENetConfig(NetworkConfig):
    """The knobs of FE-Net."""

    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)
    shift_sparsity: float = knob(0.6, "share of channels that a sparse shift leaves in place (0 to 1; table 8: 0.6 at 1.0x)")
    learned_shifts: bool = knob(False, "displacements are learned: two parameters per expanded channel")
    spatial: str = knob("shift", "what looks at neighbours: shift or depthwise (table 6)", choices=("shift", "depthwise"))
    expansion: int | tuple[int, ...] = knob(6, "expansion t of the FE-blocks' units, one or per block", at_least=1)
    repeats: tuple[int, ...] = knob(tuple(row[1] for row in FE_BLOCKS), "units n per FE-block", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per FE-block at width 1, instead of table 4's", at_least=1)


def scaled(channels: int, width: float) -> int:
    """The paper's own rounding: the fraction is cut."""
    return max(1, int(channels * width))


def spatial(b: Builder, x: Value, cfg: FENetConfig) -> Value:
    """The layer that looks at neighbours, on the expanded channels."""
    if cfg.spatial == "depthwise":
        return depthwise_bn(b, "dw", x)
    moved = x.channels - int(x.channels * cfg.shift_sparsity + 0.5)
    return b.add("shift", SparseShift(x.channels, moved, learned=cfg.learned_shifts), x)


def inverted_bottleneck(b: Builder, x: Value, out_channels: int, cfg: FENetConfig, *, expansion: int, pool: bool, residual: bool) -> Value:
    """Figure 4: IB-SSL (a), Res-IB-SSL (b) with `residual`, IB-Pool (c) with `pool`."""
    y = conv_bn(b, "expand", x, x.channels * expansion, act=ReLU())
    y = b.add("pool", AvgPool2d(2, stride=2), y) if pool else spatial(b, y, cfg)
    y = conv_bn(b, "project", y, out_channels)
    return b.add("add", Add(), x, y) if residual else y


def fe_block(b: Builder, stage: str, x: Value, out_channels: int, cfg: FENetConfig, *, units: int, stride: int, expansion: int) -> Value:
    """Figure 3: unit l of n works on 2^(l-1) of 2^(n-1) parts of the channels; the last works on all and changes their number."""
    channels = x.channels
    if channels < 2 ** (units - 1):
        raise LawError(
            f"{stage}: an FE-block of n units splits its input into 2^(n-1) parts, but got n={units}, channels={channels}. "
            f"Use at most {channels.bit_length()} units or a larger width."
        )
    for i in range(units - 1):
        with b.block(f"{stage}.unit{i}"):
            part = channels * 2**i // 2 ** (units - 1)
            active = b.add("split", ChannelSlice(0, part, copies=False), x)
            rest = b.add("keep", ChannelSlice(part, channels, copies=False), x)
            active = inverted_bottleneck(b, active, part, cfg, expansion=expansion, pool=False, residual=True)
            x = b.add("concat", Concat(copies=False), active, rest)
    with b.block(f"{stage}.unit{units - 1}"):
        return inverted_bottleneck(b, x, out_channels, cfg, expansion=expansion, pool=stride == 2, residual=False)


def build(cfg: FENetConfig, b: Builder) -> Graph:
    """Table 4: convolution, IB-SSL, IB-Pool, five FE-blocks, convolution, global pool, dropout, classifier."""
    if not 0 <= cfg.shift_sparsity <= 1:
        raise LawError(f"fenet: shift_sparsity must be between 0 and 1, but got {cfg.shift_sparsity:g}")
    n = len(FE_BLOCKS)
    given = per_stage("fenet", "stage_channels", cfg.stage_channels or tuple(row[0] for row in FE_BLOCKS), n)
    channels = [scaled(c, cfg.width) for c in given]
    repeats = per_stage("fenet", "repeats", cfg.repeats, n)
    expansions = per_stage("fenet", "expansion", cfg.expansion, n)
    stem = scaled(STEM_CHANNELS, cfg.width)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem.conv1"):
        x = conv_bn(b, "conv", x, stem, 3, stride=2)
    with b.block("stem.ib_ssl"):
        x = inverted_bottleneck(b, x, stem, cfg, expansion=STEM_EXPANSION, pool=False, residual=False)
    with b.block("stem.ib_pool"):
        x = inverted_bottleneck(b, x, scaled(POOL_CHANNELS, cfg.width), cfg, expansion=POOL_EXPANSION, pool=True, residual=False)
    for i, (out_channels, units, expansion, (_, _, stride)) in enumerate(
        zip(channels, repeats, expansions, FE_BLOCKS, strict=True), start=1
    ):
        x = fe_block(b, f"stage{i}", x, out_channels, cfg, units=units, stride=stride, expansion=expansion)
    with b.block("last"):
        x = conv_bn(b, "pw", x, scaled(LAST_CHANNELS, cfg.width), act=ReLU())
    return b.build(classifier(b, x, cfg.num_classes, dropout=0.2))


FAMILIES = {
    "fenet": Family(
        FENetConfig,
        build,
        "FE-Net (CVPR 2019): sparse shifts in progressively wider inverted bottlenecks",
        32,
        {
            "fenet_1x": {"width": 1.0, "shift_sparsity": 0.6},
            "fenet_1.375x": {"width": 1.375, "shift_sparsity": 0.695},
            "fenet_1x_dw": {"width": 1.0, "spatial": "depthwise"},
            "fenet_1.375x_dw": {"width": 1.375, "spatial": "depthwise"},
        },
    ),
}
