"""Networks whose stages choose their unit: ShuffleNet v1's or v2's, MobileNet v2's inverted bottleneck, FE-Net's block.

No paper has them. The units are those of the families (figures 2 of ShuffleNet v1, 3 of v2, 4 of MobileNet v2 and of SSL), built by the
families' own functions; around them stand ShuffleNet's conv1 and max pool (`stem_pool=False`: conv1 alone, as in the MobileNets), a last
1x1 convolution as in v2, MobileNet v2 and FE-Net (`last_channels=0`: none, as in v1), global pooling and a classifier. Chosen here:
- A stage of `repeats` units: `v1`, `v2` and `inverted` repeat their unit; `fe` is one FE-block of n units, whose last one changes the
  channels, and pools where the stage's stride is 2.
- A stage's channels go to the nearest multiple of what its unit and the next stage's need: the groups for v1, 2 for v2, 1 for the others.
- Options of a unit that a stage does not have are not looked at. Squeeze-and-excitation stands at the end of a branch of v1 and v2, where
  `se_placement` says in the others; v2 reduces the channels that it convolves.
With one unit in every stage the ops are those of its family: test_mixed holds that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat

from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import MaxPool2d, ReLU
from archspace.zoo import fenet, mobilenet, shufflenet_v1, shufflenet_v2
from archspace.zoo.blocks import SE_PLACEMENTS, PlacedSE, classifier, conv_bn, multiple_of, stage_multiples
from archspace.zoo.config import knob, per_stage
from archspace.zoo.family import Family
from archspace.zoo.shifts import SHIFT_HELP, SHIFTS, SPARSITY_HELP, ShiftConfig, trained_sparsity

V1, V2, INVERTED, FE = "v1", "v2", "inverted", "fe"
UNITS = (V1, V2, INVERTED, FE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedConfig(ShiftConfig):
    """The knobs of mixed networks. Where one value per stage is possible, a single one holds for all."""

    unit: str | tuple[str, ...] = knob((FE, V1, V2, INVERTED), f"unit of the stages, one or per stage: {', '.join(UNITS)}", choices=UNITS)
    strides: tuple[int, ...] = knob((2, 2, 1, 2), "stride of each stage's first unit; one value per stage", at_least=1, at_most=2)
    repeats: tuple[int, ...] = knob((2, 4, 4, 3), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((64, 192, 232, 352), "output channels per stage at width 1", at_least=1)
    stem_channels: int = knob(24, "output channels of conv1", at_least=1)
    stem_pool: bool = knob(True, "a max pool at stride 2 behind conv1")
    last_channels: int = knob(1024, "output channels of the last 1x1 convolution; 0: none", at_least=0)
    kernel_size: int | tuple[int, ...] = knob(3, "v1, v2, inverted: kernel of the depthwise convolutions (odd)", at_least=1, odd=True)
    se_reduction: int | tuple[int, ...] = knob(0, "reduction r of squeeze-and-excitation in every unit; 0: none", at_least=0)
    se_placement: str | tuple[str, ...] = knob("expansion", "inverted, fe: where squeeze-and-excitation stands", choices=SE_PLACEMENTS)
    groups: int | tuple[int, ...] = knob(3, "v1: groups of the pointwise convolutions", alias="g", at_least=1)
    bottleneck: int | tuple[int, ...] = knob(4, "v1: output channels per bottleneck channel", at_least=1)
    shuffle: bool = knob(True, "v1, v2: channel shuffle")
    split_ratio: float | tuple[float, ...] = knob(0.5, "v2: share of channels that is convolved", above=0)
    residual: bool = knob(False, "v2: add what is convolved to its input, in the units that keep the shape")
    expansion: int | tuple[int, ...] = knob(6, "inverted, fe: expansion t", at_least=1)
    shift: str = knob("sparse", f"fe: {SHIFT_HELP}", choices=SHIFTS)
    shift_sparsity: float | tuple[float, ...] = knob(0.6, f"fe: {SPARSITY_HELP.replace('per shift', 'per stage')}", at_least=0, at_most=1)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage as it is built. `place` is its name, `is_first` says that its input is the stem's."""

    place: str
    is_first: bool
    unit: str
    units: int
    stride: int
    channels: int
    kernel_size: int
    se_reduction: int
    se_placement: str
    groups: int
    bottleneck: int
    split_ratio: float
    expansion: int
    shift_kernel: int
    shift_sparsity: float

    @property
    def se(self) -> PlacedSE:
        """Squeeze-and-excitation of an inverted bottleneck."""
        return PlacedSE(self.se_reduction or None, self.se_placement)


def stages(cfg: MixedConfig) -> list[Stage]:
    """The stages, from stage 1 on. Raises LawError for a wrong number of values."""
    n = len(cfg.strides)
    units, groups = (per_stage("mixed", name, getattr(cfg, name), n) for name in ("unit", "groups"))
    given = per_stage("mixed", "stage_channels", cfg.stage_channels, n)
    needs = [g if unit == V1 else 2 if unit == V2 else 1 for unit, g in zip(units, groups, strict=True)]
    channels = [multiple_of(c * cfg.width, m) for c, m in zip(given, stage_multiples(needs), strict=True)]
    sparsity = cfg.shift_sparsity if cfg.shift_lambda is None or FE not in units else trained_sparsity("mixed", cfg)
    rows = zip(
        units,
        per_stage("mixed", "repeats", cfg.repeats, n),
        cfg.strides,
        channels,
        *(per_stage("mixed", name, getattr(cfg, name), n) for name in ("kernel_size", "se_reduction", "se_placement")),
        groups,
        *(per_stage("mixed", name, getattr(cfg, name), n) for name in ("bottleneck", "split_ratio", "expansion", "shift_kernel")),
        per_stage("mixed", "shift_sparsity", sparsity, n),
        strict=True,
    )
    return [Stage(f"stage{i}", i == 1, *row) for i, row in enumerate(rows, start=1)]


def v1_stage(cfg: MixedConfig, b: Builder, x: Value, s: Stage) -> Value:
    """Units of ShuffleNet v1; the first pointwise convolution behind the stem is dense (its footnote 1)."""
    own = shufflenet_v1.ShuffleNetV1Config(shuffle=cfg.shuffle, se_reduction=s.se_reduction or None)
    for i in range(s.units):
        with b.block(f"{s.place}.unit{i}"):
            x = shufflenet_v1.unit(
                s.place,
                b,
                x,
                s.channels,
                own,
                stride=s.stride if i == 0 else 1,
                kernel_size=s.kernel_size,
                groups=s.groups,
                first_groups=1 if s.is_first and i == 0 else s.groups,
                bottleneck=s.bottleneck,
            )
    return x


def v2_stage(cfg: MixedConfig, b: Builder, x: Value, s: Stage) -> Value:
    """Units of ShuffleNet v2: the first makes the stage's channels, the others split them."""
    own = shufflenet_v2.ShuffleNetV2Config(shuffle=cfg.shuffle, residual=cfg.residual)
    with b.block(f"{s.place}.unit0"):
        x = shufflenet_v2.first_unit(b, x, s.channels, own, s.kernel_size, s.stride, s.se_reduction)
    for i in range(1, s.units):
        with b.block(f"{s.place}.unit{i}"):
            x = shufflenet_v2.basic_unit(b, x, own, s.kernel_size, s.split_ratio, s.se_reduction)
    return x


def inverted_stage(cfg: MixedConfig, b: Builder, x: Value, s: Stage) -> Value:
    """Inverted bottlenecks of MobileNet v2."""
    for i in range(s.units):
        with b.block(f"{s.place}.unit{i}"):
            stride = s.stride if i == 0 else 1
            x = mobilenet.unit(b, x, s.channels, stride=stride, expansion=s.expansion, kernel_size=s.kernel_size, se=s.se)
    return x


def fe_stage(cfg: MixedConfig, b: Builder, x: Value, s: Stage) -> Value:
    """One FE-block of FE-Net."""
    own = fenet.FENetConfig(shift=cfg.shift, learned_shifts=cfg.learned_shifts)
    return fenet.fe_block(
        b,
        s.place,
        x,
        s.channels,
        own,
        repeat(s.shift_sparsity),
        units=s.units,
        stride=s.stride,
        expansion=s.expansion,
        kernel_size=s.shift_kernel,
        se=s.se,
    )


STAGES: dict[str, Callable[[MixedConfig, Builder, Value, Stage], Value]] = {
    V1: v1_stage,
    V2: v2_stage,
    INVERTED: inverted_stage,
    FE: fe_stage,
}


def build(cfg: MixedConfig, b: Builder) -> Graph:
    """conv1, max pool, the stages (as many as there are strides), a last convolution, global pool, FC."""
    plan = stages(cfg)
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, cfg.stem_channels, 3, stride=2, act=ReLU())
        if cfg.stem_pool:
            x = b.add("maxpool", MaxPool2d(3, stride=2, padding=1), x)
    for stage in plan:
        x = STAGES[stage.unit](cfg, b, x, stage)
    if cfg.last_channels:
        with b.block("last"):
            x = conv_bn(b, "pw", x, cfg.last_channels, act=ReLU())
    return b.build(classifier(b, x, cfg.num_classes))


FAMILIES = {
    "mixed": Family(
        MixedConfig,
        build,
        "Mixed (of no paper): each stage chooses ShuffleNet v1's, v2's, MobileNet v2's or FE-Net's unit",
        32,
        {},
    ),
}
