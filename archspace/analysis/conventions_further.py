"""Conventions on the kinds that only networks from elsewhere have, as `conventions` has them for the others.

The tools' numbers are those on torch's own layers and functions of these kinds: torch's flop counter on the meta device (on a CPU it
does not see attention and recurrent layers), the others on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from archspace.analysis.conventions import Weighing
from archspace.analysis.einsum_flops import fvcore_einsum
from archspace.analysis.rows import Row
from archspace.ir.ops import (
    ELU,
    GRU,
    LSTM,
    RNN,
    AdaptivePoolNd,
    BatchNormNd,
    ConvNd,
    ConvTransposeNd,
    DynamicConv2d,
    Einsum,
    Embedding,
    GroupNorm,
    InstanceNorm,
    Interpolate,
    LayerNorm,
    LeakyReLU,
    MatMul,
    Op,
    PoolNd,
    PReLU,
    Reduce,
    RMSNorm,
    ScaledDotProductAttention,
)


def _madds(row: Row) -> int:
    return row.counts.madds


def _twice_madds(row: Row) -> int:
    return 2 * row.counts.madds


def _first_times_columns(row: Row) -> int:
    """Every element of the first tensor meets every column of the second: the multiply-adds unless the second brings batch axes."""
    first, second = row.input_shapes
    return prod(first) * second[-1]


def _normalised(row: Row) -> int:
    """Five per element with an affine map, four without."""
    return row.counts.out_elems * (5 if row.counts.params else 4)


def _einsum(row: Row) -> int:
    assert isinstance(row.op, Einsum)
    return fvcore_einsum(row.op.equation, row.input_shapes)


def _adaptive_avg_2d(row: Row) -> int:
    op = row.op
    return row.counts.in_elems if isinstance(op, AdaptivePoolNd) and op.kind == "avg" and len(op.output_size) == 2 else 0


def _upsampled_2d(row: Row) -> int:
    """One per element of a nearest, four of a bilinear map; mode "area" is adaptive pooling."""
    assert isinstance(row.op, Interpolate)
    if row.op.mode == "area":
        return row.counts.in_elems if len(row.output_shape) == 4 else 0
    each = {"nearest": 1, "bilinear": 4}.get(row.op.mode, 0) if len(row.output_shape) == 4 else 0
    return each * row.counts.out_elems


def _times_positions(row: Row) -> int:
    """Every parameter once per position of the output."""
    return row.counts.params * row.output_shape[0] * prod(row.output_shape[2:])


def _times_steps(row: Row) -> int:
    """Every parameter once per step of each sequence."""
    return row.counts.params * row.output_shape[0] * row.output_shape[1]


def _per_image(row: Row) -> int:
    """Every parameter once per image."""
    return row.output_shape[0] * row.counts.params


def _out(row: Row) -> int:
    return row.counts.out_elems


def _out_if_affine(row: Row) -> int:
    return row.counts.out_elems if row.counts.params else 0


def _twice_out(row: Row) -> int:
    return 2 * row.counts.out_elems


def _once_or_twice_out(row: Row) -> int:
    """Two per element with an affine map, one without."""
    return row.counts.out_elems * (2 if row.counts.params else 1)


def _twice_or_four_times_out(row: Row) -> int:
    """Four per element with an affine map, two without."""
    return row.counts.out_elems * (4 if row.counts.params else 2)


def _by_output(row: Row) -> int:
    """A transposed convolution by the positions of its output, as if it were none."""
    op = row.op
    assert isinstance(op, ConvTransposeNd)
    return row.counts.out_elems * op.in_channels // op.groups * prod(op.kernel_size)


def _by_output_ungrouped(row: Row) -> int:
    """The same with the weight's first axis for the channels, unless that looks like the output's."""
    op = row.op
    assert isinstance(op, ConvTransposeNd)
    channels = op.out_channels // op.groups if op.out_channels == op.in_channels else op.in_channels
    return row.counts.out_elems * channels * prod(op.kernel_size)


def _madds_and_bias(row: Row) -> int:
    """One more per output element where there is a bias."""
    has_bias = isinstance(row.op, ConvNd | ConvTransposeNd) and row.op.bias
    return row.counts.madds + (row.counts.out_elems if has_bias else 0)


def _avg(row: Row) -> int:
    """One per output element of a mean."""
    op = row.op
    is_mean = op.kind == "avg" if isinstance(op, PoolNd | AdaptivePoolNd) else isinstance(op, Reduce) and op.function == "mean"
    return row.counts.out_elems if is_mean else 0


def _avg_windows(row: Row) -> int:
    """Input and output elements of an adaptive mean."""
    return row.counts.in_elems + row.counts.out_elems if isinstance(row.op, AdaptivePoolNd) and row.op.kind == "avg" else 0


def _twice_in(row: Row) -> int:
    """As a module and as the function in it; not for root mean squares."""
    return 0 if isinstance(row.op, PoolNd) and row.op.kind == "lp" else 2 * row.counts.in_elems


def _bilinear(row: Row) -> int:
    assert isinstance(row.op, Interpolate)
    return 4 * row.counts.out_elems if row.op.mode == "bilinear" else 0


NORMS: tuple[type[Op], ...] = (LayerNorm, GroupNorm, InstanceNorm, BatchNormNd)
RECURRENT: tuple[type[Op], ...] = (LSTM, GRU, RNN)
CONVOLUTIONS: tuple[type[Op], ...] = (ConvNd, ConvTransposeNd, DynamicConv2d)
PRODUCTS: tuple[type[Op], ...] = (MatMul, Einsum, ScaledDotProductAttention, *RECURRENT)

FURTHER_WEIGHINGS: Mapping[str, Mapping[type[Op], Weighing]] = {
    "paper": dict.fromkeys((*CONVOLUTIONS, *PRODUCTS), _madds),
    "conv": dict.fromkeys(CONVOLUTIONS, _madds),
    "torch": dict.fromkeys((*CONVOLUTIONS, *PRODUCTS), _twice_madds),
    "fvcore": {
        **dict.fromkeys(CONVOLUTIONS, _madds),
        MatMul: _first_times_columns,
        Einsum: _einsum,
        **dict.fromkeys((GroupNorm, InstanceNorm, LayerNorm), _normalised),
        BatchNormNd: _once_or_twice_out,
        AdaptivePoolNd: _adaptive_avg_2d,
        Interpolate: _upsampled_2d,
    },
    "torchinfo": {
        **dict.fromkeys((ConvNd, ConvTransposeNd), _times_positions),
        **dict.fromkeys(RECURRENT, _times_steps),
        **dict.fromkeys((*NORMS, RMSNorm, PReLU, Embedding), _per_image),
    },
    "thop": {
        ConvNd: _madds,
        ConvTransposeNd: _by_output,
        **dict.fromkeys((LayerNorm, InstanceNorm, BatchNormNd), _twice_or_four_times_out),
        PReLU: _out,
        PoolNd: _avg,
        AdaptivePoolNd: _avg_windows,
    },
    "ptflops": {
        **dict.fromkeys((ConvNd, ConvTransposeNd), _madds_and_bias),
        MatMul: _first_times_columns,
        **dict.fromkeys((GroupNorm, BatchNormNd), _once_or_twice_out),
        LayerNorm: _out,
        LeakyReLU: _out,
        **dict.fromkeys((ELU, PReLU), _twice_out),
        **dict.fromkeys((PoolNd, AdaptivePoolNd), _twice_in),
    },
    "torchprofile": {
        **dict.fromkeys((ConvNd, DynamicConv2d, MatMul), _madds),
        ConvTransposeNd: _by_output_ungrouped,
        **dict.fromkeys(NORMS, _out_if_affine),
        LeakyReLU: _out,
        **dict.fromkeys((PoolNd, AdaptivePoolNd, Reduce), _avg),
        Interpolate: _bilinear,
    },
}
