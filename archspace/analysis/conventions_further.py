"""Conventions on the kinds that only networks from elsewhere have, as `conventions` has them for the others.

The tools' numbers are theirs on the module that `archspace.pytorch` builds, on torch's meta device where they take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from archspace.analysis.conventions import Weighing
from archspace.analysis.rows import Row
from archspace.ir.ops import (
    GRU,
    LSTM,
    RNN,
    AdaptivePoolNd,
    BatchNormNd,
    ConvNd,
    ConvTransposeNd,
    DynamicConv2d,
    Einsum,
    GroupNorm,
    InstanceNorm,
    Interpolate,
    LayerNorm,
    MatMul,
    Op,
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


def _batch_normalised(row: Row) -> int:
    """One per element, two with an affine map."""
    return row.counts.out_elems * (2 if row.counts.params else 1)


def _adaptive_avg_2d(row: Row) -> int:
    op = row.op
    return row.counts.in_elems if isinstance(op, AdaptivePoolNd) and op.kind == "avg" and len(op.output_size) == 2 else 0


def _upsampled_2d(row: Row) -> int:
    """One per element of a nearest, four of a bilinear map."""
    assert isinstance(row.op, Interpolate)
    each = {"nearest": 1, "bilinear": 4}.get(row.op.mode, 0) if len(row.output_shape) == 4 else 0
    return each * row.counts.out_elems


CONVOLUTIONS: tuple[type[Op], ...] = (ConvNd, ConvTransposeNd, DynamicConv2d)
PRODUCTS: tuple[type[Op], ...] = (MatMul, Einsum, ScaledDotProductAttention, LSTM, GRU, RNN)

FURTHER_WEIGHINGS: Mapping[str, Mapping[type[Op], Weighing]] = {
    "paper": dict.fromkeys((*CONVOLUTIONS, *PRODUCTS), _madds),
    "conv": dict.fromkeys(CONVOLUTIONS, _madds),
    "torch": dict.fromkeys((*CONVOLUTIONS, *PRODUCTS), _twice_madds),
    "fvcore": {
        **dict.fromkeys(CONVOLUTIONS, _madds),
        MatMul: _first_times_columns,
        **dict.fromkeys((GroupNorm, InstanceNorm, LayerNorm), _normalised),
        BatchNormNd: _batch_normalised,
        AdaptivePoolNd: _adaptive_avg_2d,
        Interpolate: _upsampled_2d,
    },
    "torchinfo": {},
    "thop": {},
    "ptflops": {},
    "torchprofile": {},
}
