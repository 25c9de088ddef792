"""What looks at neighbours in networks of 1x1 convolutions: grouped, sparse and active shifts, or a depthwise convolution instead.

Grouped: Wu et al., "Shift" (CVPR 2018). Active: Jeon and Kim, "Constructing Fast Network through Deconstruction of Convolution" (NeurIPS
2018). Sparse, and the comparison with depthwise convolutions: Chen et al., "All You Need is a Few Shifts" (CVPR 2019), tables 1 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isqrt

from archspace.errors import LawError
from archspace.ir.builder import Builder, Value
from archspace.ir.ops import GroupedShift, SparseShift
from archspace.zoo.blocks import depthwise_bn
from archspace.zoo.config import NetworkConfig, StageCountError, knob
from archspace.zoo.shift_penalty import CURVE, CURVES, sparsity_at

SHIFTS = ("grouped", "sparse", "active", "depthwise", "none")
SHIFT_HELP = "grouped (fixed grid), sparse (SSL), active (all channels, learned), depthwise (a 3x3 convolution instead) or none"
SPARSITY_HELP = "share of channels that a sparse shift leaves in place, one or per shift"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftConfig(NetworkConfig):
    """What all networks of shifts can be asked for."""

    shift: str = knob("grouped", SHIFT_HELP, choices=SHIFTS)
    shift_kernel: int | tuple[int, ...] = knob(3, "grid side of a grouped shift, one or per stage", at_least=1, odd=True)
    shift_sparsity: float | tuple[float, ...] = knob(0.9, SPARSITY_HELP, at_least=0, at_most=1)
    shift_lambda: float | None = knob(
        None,
        "training penalty of a sparse shift, which gives its sparsity by SSL's table 1 (1e-4: 41 to 88 %, by network)",
        at_least=0,
        at_most=1,
    )
    lambda_curve: str = knob(CURVE, "the network and data set of table 1 whose sparsity shift_lambda gives", choices=tuple(CURVES))
    lambda_beyond: bool = knob(False, "a shift_lambda above table 1's 5e-4 continues its last power law")
    learned_shifts: bool = knob(False, "a sparse shift's displacements are learned: two parameters per channel")
    width: float = knob(1.0, "channel multiplier of every layer", above=0, at_most=100)


def sparsities(family: str, cfg: ShiftConfig, shifts: int) -> tuple[float, ...]:
    """The sparsity of each of `shifts` shifts: a single value holds for all, and so does what a penalty gives.

    Raises StageCountError when the number of values is wrong, LawError for a penalty beside a sparsity or for shifts that take none.
    """
    if cfg.shift_lambda is not None:
        return (trained_sparsity(family, cfg),) * shifts
    values = cfg.shift_sparsity if isinstance(cfg.shift_sparsity, tuple) else (cfg.shift_sparsity,)
    values = values * shifts if len(values) == 1 else values
    if len(values) != shifts:
        raise StageCountError(f"{family}: shift_sparsity must have one value or {shifts}, one per shift, but got {len(values)}")
    return values


def trained_sparsity(family: str, cfg: ShiftConfig) -> float:
    """The sparsity that the config's penalty gives. Raises LawError for a penalty beside a sparsity or for shifts that take none."""
    if cfg.shift != "sparse":
        raise LawError(f"{family}: shift_lambda is the penalty of sparse shifts, but got shift={cfg.shift}. Drop it, or give shift=sparse.")
    default = next(f.default for f in fields(cfg) if f.name == "shift_sparsity")
    if cfg.shift_sparsity != default:
        raise LawError(
            f"{family}: the sparsity is given or follows from shift_lambda, but got shift_sparsity={cfg.shift_sparsity} too. Drop one."
        )
    try:
        return sparsity_at(cfg.shift_lambda or 0.0, cfg.lambda_curve, beyond=cfg.lambda_beyond)
    except LawError as error:
        raise error.at(family) from None


def shifted(b: Builder, x: Value, cfg: ShiftConfig, *, kernel_size: int, sparsity: float) -> Value:
    """The shift that the config asks for, as the node `shift`; the depthwise convolution and its batch norm as `dw`."""
    c = x.channels
    if cfg.shift == "none":
        return x
    if cfg.shift == "depthwise":
        return depthwise_bn(b, "dw", x)
    if cfg.shift == "grouped":
        if c < kernel_size**2:
            raise LawError(
                f"{b.place}shift: a grouped shift needs a channel for each cell of its grid, "
                f"but got shift_kernel={kernel_size}, channels={c}. Use shift_kernel {(isqrt(c) - 1) // 2 * 2 + 1} or more channels."
            )
        return b.add("shift", GroupedShift(c, kernel_size), x)
    if cfg.shift == "active":
        return b.add("shift", SparseShift(c, c, learned=True), x)
    return b.add("shift", SparseShift(c, c - int(c * sparsity + 0.5), learned=cfg.learned_shifts), x)
