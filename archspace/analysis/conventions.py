"""Conventions: what other tools and papers call "FLOPs", each a literal table from op kind to a weighing of raw counts.

What a table does not list counts as zero there. The tools' own totals on built models are compared to the last digit in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from archspace.analysis.rows import Row
from archspace.errors import UnknownNameError
from archspace.ir.ops import (
    FURTHER,
    GELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    ReLU,
    ReLU6,
    SiLU,
    Softmax,
)

Weighing = Callable[[Row], int]


@dataclass(frozen=True, slots=True)
class Convention:
    """A named weighing: op kind -> how many "FLOPs" a row of that kind is."""

    summary: str
    source: str
    weighings: Mapping[type[Op], Weighing]
    one_image: bool = False  # the tool always runs one image


def _madds(row: Row) -> int:
    return row.counts.madds


def _twice_madds(row: Row) -> int:
    return 2 * row.counts.madds


def _madds_and_bias(row: Row) -> int:
    """One more per output element where there is a bias."""
    has_bias = isinstance(row.op, Conv2d | Linear) and row.op.bias
    return row.counts.madds + (row.counts.out_elems if has_bias else 0)


def _params_per_image(row: Row) -> int:
    """Every parameter once per image, whatever the size of the feature map."""
    return row.output_shape[0] * row.counts.params


def _out(row: Row) -> int:
    return row.counts.out_elems


def _twice_out(row: Row) -> int:
    return 2 * row.counts.out_elems


def _four_times_out(row: Row) -> int:
    return 4 * row.counts.out_elems


def _in(row: Row) -> int:
    return row.counts.in_elems


def _twice_in(row: Row) -> int:
    return 2 * row.counts.in_elems


def _in_and_out(row: Row) -> int:
    return row.counts.in_elems + row.counts.out_elems


def _softmax(row: Row) -> int:
    """n exponentials, n - 1 additions and n divisions per vector of n."""
    assert isinstance(row.op, Softmax)
    n = row.output_shape[row.op.dim]
    return prod(row.output_shape) // n * (3 * n - 1)


CONVENTIONS: dict[str, Convention] = {
    "paper": Convention(
        "multiply-adds of convolution, linear and matrix product",
        "the papers' FLOPs: ShuffleNet v2, footnote 1; MobileNet v2, table 4",
        {Conv2d: _madds, Linear: _madds},
    ),
    "conv": Convention(
        "multiply-adds of convolution alone",
        "ShuffleNet v1, table 1 (met exactly without the FC layer)",
        {Conv2d: _madds},
    ),
    "fvcore": Convention(
        "fvcore.nn.FlopCountAnalysis",
        "fvcore 0.1.5: multiply-adds, two per normalised element, one per element under a global pool",
        {Conv2d: _madds, Linear: _madds, BatchNorm2d: _twice_out, AdaptiveAvgPool2d: _in},
    ),
    "torch": Convention(
        "torch.utils.flop_counter.FlopCounterMode",
        "torch 2.13: a multiply and an add are two",
        {Conv2d: _twice_madds, Linear: _twice_madds},
    ),
    "torchinfo": Convention(
        "torchinfo.summary(...).total_mult_adds",
        "torchinfo 1.8: convolutions by position, the parameters of all other layers once per image",
        {Conv2d: _madds_and_bias, Linear: _params_per_image, BatchNorm2d: _params_per_image},
    ),
    "thop": Convention(
        "thop.profile",
        "thop 0.1.1: four per normalised element, windows of a global pool",
        {
            Conv2d: _madds,
            Linear: _madds,
            BatchNorm2d: _four_times_out,
            AvgPool2d: _out,
            AdaptiveAvgPool2d: _in_and_out,
            Softmax: _softmax,
        },
    ),
    "ptflops": Convention(
        "ptflops.get_model_complexity_info",
        "ptflops 0.7.5, backend pytorch, on one image: ReLU and pools twice, as a module and as the function in it",
        {
            Conv2d: _madds_and_bias,
            Linear: _madds_and_bias,
            BatchNorm2d: _twice_out,
            ReLU: _twice_out,
            ReLU6: _out,
            GELU: _twice_out,
            SiLU: _out,
            Softmax: _out,
            MaxPool2d: _twice_in,
            AvgPool2d: _twice_in,
            AdaptiveAvgPool2d: _twice_in,
        },
        one_image=True,
    ),
    "torchprofile": Convention(
        "torchprofile.profile_macs",
        "torchprofile 0.1: one per normalised, pooled or multiplied element",
        {Conv2d: _madds, Linear: _madds, BatchNorm2d: _out, AvgPool2d: _out, AdaptiveAvgPool2d: _out, Multiply: _out},
    ),
}


def flops(rows: tuple[Row, ...], convention: str) -> int:
    """The total under a named convention. Raises UnknownNameError with near names."""
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    weighings = CONVENTIONS[convention].weighings
    if any(type(row.op).__name__ in FURTHER for row in rows):
        from archspace.analysis.conventions_further import FURTHER_WEIGHINGS

        weighings = {**weighings, **FURTHER_WEIGHINGS[convention]}
    total = sum(weighings[type(row.op)](row) for row in rows if type(row.op) in weighings)
    if not CONVENTIONS[convention].one_image:
        return total
    return total // next((row.input_shapes[0][0] for row in rows if row.input_shapes), 1)
