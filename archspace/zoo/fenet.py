"""FE-Net. Chen et al., "All You Need is a Few Shifts" (CVPR 2019), table 4, figures 3 and 4.

Underspecified there, and chosen here:
- Width multiplies every channel count without rounding to multiples (the fraction is cut): at 1.375 the last is 1897, and the published
  563 M and 5.9 M follow. At 1.0 the structure of table 4 gives 299.7 M (published 301 M) and 3.52 M parameters (published 3.7 M): with 1520
  instead of its 1380 last channels both would be met (301.6 M, 3.70 M), so tables 4 and 5 do not agree there.
- The published parameters leave the displacements out (section 3 calls them negligible), and so does `learned_shifts=False`: the
  displacements are constants of the deployed network. `learned_shifts=True` makes them two parameters per expanded channel.
- Split and concat are done in place (section 4.3), so they are views here and cost nothing.
- The depthwise variant of table 6 puts a 3x3 depthwise convolution with batch norm where the sparse shift was; IB-Pool keeps its pool.
- Squeeze-and-excitation stands in every unit, in the stem's as in the first FE-block's; by how much it reduces is not said: by 8, which
  meets table 7 in both placements of figure 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, AvgPool2d, ChannelSlice, Concat, ReLU
from archspace.zoo.blocks import SE_HELP, SE_PLACEMENTS, PlacedSE, classifier, conv_bn, inverted_bottleneck
from archspace.zoo.config import knob, per_stage
from archspace.zoo.family import Family
from archspace.zoo.shifts import SHIFT_HELP, SHIFTS, SPARSITY_HELP, ShiftConfig, shifted, sparsities

# (output channels, units n, stride) of the five FE-blocks (table 4).
FE_BLOCKS = ((64, 3, 2), (128, 4, 2), (128, 4, 1), (256, 4, 2), (256, 3, 1))
STEM_CHANNELS, POOL_CHANNELS, LAST_CHANNELS = 16, 32, 1380  # table 4
STEM_EXPANSION, POOL_EXPANSION = 4, 5  # table 4, the rows IB-SSL and IB-Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class FENetConfig(ShiftConfig):
    """The knobs of FE-Net."""

    shift: str = knob("sparse", SHIFT_HELP, choices=SHIFTS)
    shift_sparsity: float | tuple[float, ...] = knob(0.6, f"{SPARSITY_HELP} (table 8: 0.6 at 1.0x)", at_least=0, at_most=1)
    expansion: int | tuple[int, ...] = knob(6, "expansion t of the FE-blocks' units, one or per block", at_least=1)
    repeats: tuple[int, ...] = knob(tuple(row[1] for row in FE_BLOCKS), "units n per FE-block", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per FE-block at width 1, instead of table 4's", at_least=1)
    se_reduction: int | None = knob(None, SE_HELP, at_least=1)
    se_placement: str | tuple[str, ...] = knob(
        "output", "squeeze-and-excitation on a unit's output (figure 6a), expansion (6b) or none; one or per block", choices=SE_PLACEMENTS
    )


def scaled(channels: int, width: float) -> int:
    """The paper's own rounding: the fraction is cut."""
    return max(1, int(channels * width))


def ib_unit(
    b: Builder,
    x: Value,
    out_channels: int,
    cfg: FENetConfig,
    rest: Iterator[float],
    *,
    expansion: int,
    kernel_size: int,
    se: PlacedSE,
    pool: bool = False,
    residual: bool = False,
) -> Value:
    """Figure 4: IB-SSL (a), Res-IB-SSL (b) with `residual`, IB-Pool (c) with `pool`. A shift takes the next sparsity of `rest`."""

    def spatial(y: Value) -> Value:
        return b.add("pool", AvgPool2d(2, stride=2), y) if pool else shifted(b, y, cfg, kernel_size=kernel_size, sparsity=next(rest))

    y = inverted_bottleneck(b, x, out_channels, x.channels * expansion, spatial, act=ReLU(), se=se)
    return b.add("add", Add(), x, y) if residual else y


def fe_block(
    b: Builder,
    stage: str,
    x: Value,
    out_channels: int,
    cfg: FENetConfig,
    rest: Iterator[float],
    *,
    units: int,
    stride: int,
    expansion: int,
    kernel_size: int,
    se: PlacedSE,
) -> Value:
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
            kept = b.add("keep", ChannelSlice(part, channels, copies=False), x)
            active = ib_unit(b, active, part, cfg, rest, expansion=expansion, kernel_size=kernel_size, se=se, residual=True)
            x = b.add("concat", Concat(copies=False), active, kept)
    with b.block(f"{stage}.unit{units - 1}"):
        return ib_unit(b, x, out_channels, cfg, rest, expansion=expansion, kernel_size=kernel_size, se=se, pool=stride == 2)


def build(cfg: FENetConfig, b: Builder) -> Graph:
    """Table 4: convolution, IB-SSL, IB-Pool, five FE-blocks, convolution, global pool, dropout, classifier."""
    n = len(FE_BLOCKS)
    given = per_stage("fenet", "stage_channels", cfg.stage_channels or tuple(row[0] for row in FE_BLOCKS), n)
    channels = [scaled(c, cfg.width) for c in given]
    repeats = per_stage("fenet", "repeats", cfg.repeats, n)
    expansions = per_stage("fenet", "expansion", cfg.expansion, n)
    kernels = per_stage("fenet", "shift_kernel", cfg.shift_kernel, n)
    placements = [PlacedSE(cfg.se_reduction, place) for place in per_stage("fenet", "se_placement", cfg.se_placement, n)]
    pooled = sum(stride == 2 for _, _, stride in FE_BLOCKS)  # FE-blocks whose last unit pools instead of shifting
    rest = iter(sparsities("fenet", cfg, 1 + sum(repeats) - pooled))
    stem = scaled(STEM_CHANNELS, cfg.width)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem.conv1"):
        x = conv_bn(b, "conv", x, stem, 3, stride=2)
    with b.block("stem.ib_ssl"):
        x = ib_unit(b, x, stem, cfg, rest, expansion=STEM_EXPANSION, kernel_size=kernels[0], se=placements[0])
    with b.block("stem.ib_pool"):
        pooled_channels = scaled(POOL_CHANNELS, cfg.width)
        x = ib_unit(b, x, pooled_channels, cfg, rest, expansion=POOL_EXPANSION, kernel_size=kernels[0], se=placements[0], pool=True)
    rows = zip(channels, repeats, expansions, kernels, placements, FE_BLOCKS, strict=True)
    for i, (out_channels, units, t, kernel, se, (_, _, stride)) in enumerate(rows, start=1):
        x = fe_block(b, f"stage{i}", x, out_channels, cfg, rest, units=units, stride=stride, expansion=t, kernel_size=kernel, se=se)
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
            "fenet_1x_dw": {"width": 1.0, "shift": "depthwise"},
            "fenet_1.375x_dw": {"width": 1.375, "shift": "depthwise"},
            "fenet_1.375x_se_v1": {"width": 1.375, "shift_sparsity": 0.777, "se_reduction": 8, "se_placement": "output"},
            "fenet_1.375x_se_v2": {"width": 1.375, "shift_sparsity": 0.802, "se_reduction": 8, "se_placement": "expansion"},
        },
    ),
}
