"""Networks of shifts and 1x1 convolutions: ShiftNet, ShiftResNet and AS-ResNet.

ShiftNet, ShiftResNet: Wu et al., "Shift: A Zero FLOP, Zero Parameter Alternative to Spatial Convolutions" (CVPR 2018).
AS-ResNet: Jeon and Kim, "Constructing Fast Network through Deconstruction of Convolution" (NeurIPS 2018).
SSL: Chen et al., "All You Need is a Few Shifts" (CVPR 2019), whose tables 1, 2 and 5 print their complexities.

Underspecified there, and chosen here:
- A CSC unit is 1x1 convolution, shift, 1x1 convolution, an add; the first has `expansion` times its input's channels, as table 2 of SSL
  says (96 in block2_1, whose input has 16). A unit at stride 2 keeps its input by a 3x3 average pool and a concat, the stride is the last
  convolution's: so only three pools remain without shifts (SSL, section 5.2), and the printed complexities are met.
- ShiftNet-B is A with half of the channels, conv1 included, and expansion 1 in the first unit of its last stage: 366.9 M and 1.15 M
  (printed: 371 M, 1.1 M). With A's expansion of 2 there it would be 371.0 M and 1.18 M, 7.5 % above the print; what B has is not said.
- ShiftNet-C is recalled, not looked up: 1, 4, 4 and 3 units of 32 to 256 channels with expansion 1, 0.78 M parameters. That makes
  0.69 M; with 2 in the first units and 3 in the last stage's it is 0.77 M, as here.
- ShiftResNet's FLOPs count a multiply and an add as two (53 M, 166 M: the convention `torch`); with the 100 classes of CIFAR-100, FLOPs and
  parameters are met within 1 %. The authors of ShiftNet have a variant with projected shortcuts and 0.19 M parameters.
- A sparse shift's displacements are constants of the deployed network, not parameters; `learned_shifts=True` makes them two per channel.
- AS-ResNet follows the authors' published prototxt. An active shift moves all channels by learned displacements: two parameters per
  channel, rounded here where the paper interpolates. Convolutions and classifier are 397.6 M (w50) and 726.9 M (w68); SSL prints 404
  and 729 M. Four multiply-adds of interpolation per shifted element would give 404.4 and 736.1 M. A shift at stride 2 is one at stride 1
  in front of a 1x1 convolution that has the stride.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, BatchNorm2d, Conv2d, ReLU
from archspace.zoo.blocks import classifier, computed_channels, conv_bn, pooled_shortcut
from archspace.zoo.config import knob, per_stage
from archspace.zoo.family import Family
from archspace.zoo.shifts import SHIFT_HELP, SHIFTS, ShiftConfig, shifted, sparsities


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftNetConfig(ShiftConfig):
    """The knobs of ShiftNet."""

    shift_kernel: int | tuple[int, ...] = knob((5, 5, 3, 3), "grid side of a grouped shift, one or per stage", at_least=1, odd=True)
    repeats: tuple[int, ...] = knob((5, 6, 7, 3), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((64, 128, 256, 512), "output channels per stage at width 1", at_least=1)
    stem_channels: int = knob(32, "output channels of conv1 at width 1", at_least=1)
    first_expansion: int | tuple[int, ...] = knob((4, 4, 3, 2), "expansion of a stage's first unit, one or per stage", at_least=1)
    expansion: int | tuple[int, ...] = knob((4, 3, 2, 1), "expansion of a stage's other units, one or per stage", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftResNetConfig(ShiftConfig):
    """The knobs of ShiftResNet for CIFAR."""

    input: tuple[int, int] = knob((32, 32), "input height and width in pixels", at_least=1)
    num_classes: int = knob(100, "outputs of the classifier", at_least=1)
    depth: int = knob(20, "6n + 2: n units in each of the three stages", at_least=1)
    repeats: tuple[int, ...] | None = knob(None, "units per stage, instead of the depth's", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] = knob((16, 32, 64), "output channels per stage at width 1; conv1 has the first", at_least=1)
    expansion: int | tuple[int, ...] = knob(6, "channels at the shift per input channel, one or per stage", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ASResNetConfig(ShiftConfig):
    """The knobs of AS-ResNet."""

    shift: str = knob("active", SHIFT_HELP, choices=SHIFTS)
    base_width: int = knob(50, "channels w of conv1 and of the first stage; the next stages double them", at_least=1)
    repeats: tuple[int, ...] = knob((3, 4, 6, 3), "units per stage", at_least=1, at_most=1000)
    stage_channels: tuple[int, ...] | None = knob(None, "output channels per stage at width 1, instead of doubling", at_least=1)


def csc(
    b: Builder, x: Value, out_channels: int, cfg: ShiftConfig, *, stride: int, expansion: int, kernel_size: int, sparsity: float
) -> Value:
    """Convolution, shift, convolution (SSL, section 5.1), added to its input, or joined to the pooled input."""
    branch_channels = computed_channels(b.place[:-1], out_channels, x) if stride == 2 else out_channels
    y = conv_bn(b, "expand", x, x.channels * expansion, act=ReLU())
    y = shifted(b, y, cfg, kernel_size=kernel_size, sparsity=sparsity)
    y = conv_bn(b, "project", y, branch_channels, stride=stride)
    if stride == 1:
        return b.add("act", ReLU(), b.add("add", Add(), x, y))
    return pooled_shortcut(b, x, y)


def scaled(channels: tuple[int, ...], width: float) -> list[int]:
    """The fraction is cut."""
    return [max(1, int(c * width)) for c in channels]


def build_shiftnet(cfg: ShiftNetConfig, b: Builder) -> Graph:
    """A 7x7 convolution and four stages of CSC units, each of which begins at stride 2."""
    n = len(cfg.repeats)
    channels = scaled(per_stage("shiftnet", "stage_channels", cfg.stage_channels, n), cfg.width)
    kernels = per_stage("shiftnet", "shift_kernel", cfg.shift_kernel, n)
    expansions = per_stage("shiftnet", "expansion", cfg.expansion, n)
    firsts = per_stage("shiftnet", "first_expansion", cfg.first_expansion, n)
    sparsity = iter(sparsities("shiftnet", cfg, sum(cfg.repeats)))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, scaled((cfg.stem_channels,), cfg.width)[0], 7, stride=2, act=ReLU())
    rows = zip(channels, cfg.repeats, kernels, firsts, expansions, strict=True)
    for stage, (c, units, kernel, first, expansion) in enumerate(rows, start=1):
        for i in range(units):
            stride, t = (2, first) if i == 0 else (1, expansion)
            with b.block(f"stage{stage}.unit{i}"):
                x = csc(b, x, c, cfg, stride=stride, expansion=t, kernel_size=kernel, sparsity=next(sparsity))
    return b.build(classifier(b, x, cfg.num_classes))


def build_shiftresnet(cfg: ShiftResNetConfig, b: Builder) -> Graph:
    """A 3x3 convolution and three stages of CSC units; the second and the third begin at stride 2."""
    n = (cfg.depth - 2) // 6
    if cfg.repeats is None and (cfg.depth != 6 * n + 2 or n < 1):
        near = f"{6 * n + 2}, {6 * n + 8}" if n >= 1 else "8"
        raise LawError(f"shiftresnet: depth must be 6n + 2 with n of at least 1, but got {cfg.depth}. Nearest: {near}.")
    repeats = per_stage("shiftresnet", "repeats", cfg.repeats or (n, n, n), 3)
    channels = scaled(per_stage("shiftresnet", "stage_channels", cfg.stage_channels, 3), cfg.width)
    kernels = per_stage("shiftresnet", "shift_kernel", cfg.shift_kernel, 3)
    expansions = per_stage("shiftresnet", "expansion", cfg.expansion, 3)
    sparsity = iter(sparsities("shiftresnet", cfg, sum(repeats)))
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem"):
        x = conv_bn(b, "conv1", x, channels[0], 3, act=ReLU())
    for stage, (c, units, kernel, expansion) in enumerate(zip(channels, repeats, kernels, expansions, strict=True), start=1):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                stride = 2 if stage > 1 and i == 0 else 1
                x = csc(b, x, c, cfg, stride=stride, expansion=expansion, kernel_size=kernel, sparsity=next(sparsity))
    return b.build(classifier(b, x, cfg.num_classes))


def bn_relu(b: Builder, name: str, x: Value) -> Value:
    """Batch norm and ReLU in front of a convolution."""
    with b.scope(name):
        return b.add("act", ReLU(), b.add("bn", BatchNorm2d(x.channels), x))


def as_unit(b: Builder, x: Value, out_channels: int, cfg: ShiftConfig, *, stride: int, kernel_size: int, sparsity: float) -> Value:
    """Batch norm, ReLU, 1x1 convolution, twice, the second with a shift; the shortcut is projected where shapes differ."""
    pre = bn_relu(b, "pre", x)
    y = b.add("pw1", Conv2d(x.channels, out_channels, 1), pre)
    y = shifted(b, bn_relu(b, "mid", y), cfg, kernel_size=kernel_size, sparsity=sparsity)
    y = b.add("pw2", Conv2d(out_channels, out_channels, 1, stride=stride), y)
    keeps = stride == 1 and x.channels == out_channels
    shortcut = x if keeps else b.add("shortcut", Conv2d(x.channels, out_channels, 1, stride=stride), pre)
    return b.add("add", Add(), y, shortcut)


def build_as_resnet(cfg: ASResNetConfig, b: Builder) -> Graph:
    """A 3x3 convolution, a unit at its resolution, four stages that begin at stride 2, batch norm and ReLU."""
    n = len(cfg.repeats)
    given = cfg.stage_channels or tuple(cfg.base_width * 2**i for i in range(n))
    channels = scaled(per_stage("as_resnet", "stage_channels", given, n), cfg.width)
    kernels = per_stage("as_resnet", "shift_kernel", cfg.shift_kernel, n)
    sparsity = iter(sparsities("as_resnet", cfg, 1 + sum(cfg.repeats)))
    stem = scaled((cfg.base_width,), cfg.width)[0]
    x = b.input((cfg.batch, 3, *cfg.input))
    with b.block("stem.conv1"):
        x = b.add("conv", Conv2d(3, stem, 3, stride=2, padding=1), x)
    with b.block("stem.unit"):
        x = as_unit(b, x, stem, cfg, stride=1, kernel_size=kernels[0], sparsity=next(sparsity))
    for stage, (c, units, kernel) in enumerate(zip(channels, cfg.repeats, kernels, strict=True), start=1):
        for i in range(units):
            with b.block(f"stage{stage}.unit{i}"):
                x = as_unit(b, x, c, cfg, stride=2 if i == 0 else 1, kernel_size=kernel, sparsity=next(sparsity))
    with b.block("last"):
        x = bn_relu(b, "post", x)
    return b.build(classifier(b, x, cfg.num_classes))


# SSL table 2, CIFAR-100: channels at the shift of each unit of ShiftResNet-20, and how many stay with lambda = 5e-4.
SSL_TABLE_2 = ((96, 82), (96, 84), (96, 92), (96, 96), (192, 146), (192, 164), (192, 189), (384, 316), (384, 319))
# SSL table 1, CIFAR-100: depth -> lambda -> overall shift sparsity.
SSL_TABLE_1: dict[int, dict[str, float | tuple[float, ...]]] = {
    20: {"0": 0.103, "1e-4": 0.412, "4e-4": 0.800, "5e-4": tuple(stay / channels for channels, stay in SSL_TABLE_2)},
    56: {"0": 0.114, "1e-4": 0.738, "4e-4": 0.946, "5e-4": 0.961},
}

SHIFTNET_C = {
    "repeats": (1, 4, 4, 3),
    "stage_channels": (32, 64, 128, 256),
    "stem_channels": 16,
    "expansion": 1,
    "first_expansion": (2, 2, 2, 3),
    "shift_kernel": 3,
}

FAMILIES = {
    "shiftnet": Family(
        ShiftNetConfig,
        build_shiftnet,
        "ShiftNet (CVPR 2018): grouped shifts between 1x1 convolutions",
        32,
        {"shiftnet_a": {"width": 1.0}, "shiftnet_b": {"width": 0.5, "first_expansion": (4, 4, 3, 1)}, "shiftnet_c": SHIFTNET_C},
    ),
    "shiftresnet": Family(
        ShiftResNetConfig,
        build_shiftresnet,
        "ShiftResNet for CIFAR (CVPR 2018): grouped, sparse or no shifts",
        4,
        {
            **{f"shiftresnet_{depth}_grouped": {"depth": depth, "shift": "grouped"} for depth in SSL_TABLE_1},
            **{
                f"shiftresnet_{depth}_ssl_{penalty}": {"depth": depth, "shift": "sparse", "shift_sparsity": sparsity}
                for depth, row in SSL_TABLE_1.items()
                for penalty, sparsity in row.items()
            },
            **{f"shiftresnet_{depth}_1x1": {"depth": depth, "shift": "none"} for depth in SSL_TABLE_1},
        },
    ),
    "as_resnet": Family(
        ASResNetConfig,
        build_as_resnet,
        "AS-ResNet (NeurIPS 2018): active shifts in residual units",
        32,
        {f"as_resnet_w{w}": {"base_width": w} for w in (32, 50, 68)},
    ),
}
