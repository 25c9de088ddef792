"""The ATen table's overloads that take positions together or make new ones: pooling, reduction, interpolation."""

from __future__ import annotations

import pytest
import torch
from aten_cases import (
    MASK,
    SEQUENCE,
    VOLUME,
    Case,
    X,
    assert_becomes_its_ops,
    assert_computes_the_same,
    assert_counts_what_torch_counts,
    assert_is_opaque,
    aten,
    call,
    numbers,
    routed,
)
from torch.nn import functional as f

from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    AdaptivePoolNd,
    AvgPool2d,
    Flatten,
    Interpolate,
    MaxPool2d,
    Pointwise,
    PoolNd,
    Reduce,
)
from archspace.pytorch.importer.aten import POOLING

TINY = X[:1, :2, :2, :3]  # few enough to multiply all
TO_DOUBLE = Pointwise("to", ("float64",))

POOLS: dict[str, Case] = {
    "_adaptive_avg_pool2d.default": call(lambda x: aten._adaptive_avg_pool2d.default(x, [3, 5]), AdaptiveAvgPool2d((3, 5))),
    "_adaptive_avg_pool3d.default": call(
        lambda x: aten._adaptive_avg_pool3d.default(x, [2, 3, 5]), AdaptivePoolNd("avg", (2, 3, 5)), inputs=(VOLUME,)
    ),
    "adaptive_avg_pool1d.default": call(lambda x: f.adaptive_avg_pool1d(x, 5), AdaptivePoolNd("avg", (5,)), inputs=(SEQUENCE,)),
    "adaptive_avg_pool2d.default": call(lambda x: f.adaptive_avg_pool2d(x, (3, None)), AdaptiveAvgPool2d((3, 10))),
    "adaptive_avg_pool3d.default": call(
        lambda x: f.adaptive_avg_pool3d(x, (None, 3, 5)), AdaptivePoolNd("avg", (4, 3, 5)), inputs=(VOLUME,)
    ),
    "adaptive_max_pool1d.default": call(lambda x: f.adaptive_max_pool1d(x, 5), AdaptivePoolNd("max", (5,)), inputs=(SEQUENCE,)),
    "adaptive_max_pool2d.default": call(lambda x: f.adaptive_max_pool2d(x, 2), AdaptivePoolNd("max", (2, 2))),
    "adaptive_max_pool3d.default": call(lambda x: f.adaptive_max_pool3d(x, (2, 3, 5)), AdaptivePoolNd("max", (2, 3, 5)), inputs=(VOLUME,)),
    "avg_pool1d.default": call(lambda x: f.avg_pool1d(x, 3, 2, 1), PoolNd("avg", (3,), (2,), (1,)), inputs=(SEQUENCE,)),
    "avg_pool2d.default": call(lambda x: f.avg_pool2d(x, (2, 5)), AvgPool2d((2, 5), (2, 5))),
    "avg_pool2d.default, without the padding": call(
        lambda x: f.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    ),
    "avg_pool3d.default": call(lambda x: f.avg_pool3d(x, 2, (1, 2, 2)), PoolNd("avg", (2, 2, 2), (1, 2, 2), (0, 0, 0)), inputs=(VOLUME,)),
    "max_pool1d.default": call(lambda x: f.max_pool1d(x, 3, dilation=2), PoolNd("max", (3,), (3,), (0,), (2,)), inputs=(SEQUENCE,)),
    "max_pool2d.default": call(lambda x: f.max_pool2d(x, 3, 2, 1, ceil_mode=True), MaxPool2d(3, 2, 1, ceil_mode=True)),
    "max_pool2d.default, dilated": call(lambda x: f.max_pool2d(x, 2, 1, dilation=2), PoolNd("max", (2, 2), (1, 1), (0, 0), (2, 2))),
    "max_pool2d_with_indices.default": call(lambda x: aten.max_pool2d_with_indices.default(x, [2, 3])[0], MaxPool2d((2, 3), (2, 3))),
    "max_pool3d.default": call(
        lambda x: f.max_pool3d(x, 2, 1), PoolNd("max", (2, 2, 2), (1, 1, 1), (0, 0, 0), (1, 1, 1)), inputs=(VOLUME,)
    ),
    "max_pool3d_with_indices.default": call(
        lambda x: aten.max_pool3d_with_indices.default(x, [2, 2, 2])[0],
        PoolNd("max", (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1)),
        inputs=(VOLUME,),
    ),
}

REDUCTIONS: dict[str, Case] = {
    "all.default": call(torch.all, Reduce("all", ()), inputs=(MASK,)),
    "all.dim": call(lambda x: x.all(1), Reduce("all", (1,)), inputs=(MASK,)),
    "all.dims": call(lambda x: torch.all(x, (1, 2)), Reduce("all", (1, 2)), inputs=(MASK,)),
    "amax.default": call(lambda x: x.amax((1, -1)), Reduce("amax", (1, 3))),
    "amin.default": call(lambda x: x.amin(keepdim=True), Reduce("amin", (), keepdim=True)),
    "any.default": call(torch.any, Reduce("any", ()), inputs=(MASK,)),
    "any.dim": call(lambda x: x.any(-1, keepdim=True), Reduce("any", (3,), keepdim=True), inputs=(MASK,)),
    "any.dims": call(lambda x: torch.any(x, (1, 2)), Reduce("any", (1, 2)), inputs=(MASK,)),
    "argmax.default": call(lambda x: x.argmax(1), Reduce("argmax", (1,))),
    "argmin.default": call(lambda x: x.argmin(), Reduce("argmin", ())),
    "linalg_vector_norm.default": call(lambda x: torch.linalg.vector_norm(x, dim=1, keepdim=True), Reduce("norm", (1,), keepdim=True)),
    "logsumexp.default": call(lambda x: x.logsumexp((2, 3)), Reduce("logsumexp", (2, 3))),
    "max.default": call(lambda x: x.max(), Reduce("amax", ())),
    "max.dim": call(lambda x: x.max(1, keepdim=True)[0], Reduce("amax", (1,), keepdim=True)),
    "max.dim, and where": call(lambda x: tuple(x.max(1)), Reduce("amax", (1,)), Reduce("argmax", (1,))),
    "mean.default": call(lambda x: x.mean(), Reduce("mean", ())),
    "mean.dim": call(lambda x: x.mean((-1, -2)), AdaptiveAvgPool2d(1), Flatten(1)),
    "mean.dim, kept": call(lambda x: x.mean((2, 3), keepdim=True), AdaptiveAvgPool2d(1)),
    "mean.dim, of a row": call(lambda x: x.mean(3), Reduce("mean", (3,))),
    "mean.dim, in another type": call(lambda x: x.mean((2, 3), dtype=torch.float64), TO_DOUBLE, Reduce("mean", (2, 3))),
    "min.default": call(lambda x: x.min(), Reduce("amin", ())),
    "min.dim": call(lambda x: x.min(-1)[0], Reduce("amin", (3,))),
    "min.dim, where alone": call(lambda x: x.min(-1)[1], Reduce("argmin", (3,))),
    "norm.ScalarOpt_dim": call(lambda x: aten.norm.ScalarOpt_dim(x, 2, [1]), Reduce("norm", (1,))),
    "prod.default": call(lambda x: x.prod(), Reduce("prod", ()), inputs=(TINY,)),
    "prod.dim_int": call(lambda x: x.prod(1), Reduce("prod", (1,)), inputs=(TINY,)),
    "std.correction": call(lambda x: x.std((1, 2), correction=0), Reduce("std", (1, 2), correction=0)),
    "std.default": call(aten.std.default, Reduce("std", ())),
    "std.dim": call(lambda x: x.std(1, True, True), Reduce("std", (1,), keepdim=True)),
    "std_mean.correction": call(lambda x: torch.std_mean(x, (2, 3), correction=1), Reduce("std", (2, 3)), Reduce("mean", (2, 3))),
    "std_mean.dim": call(lambda x: torch.std_mean(x, (2, 3)), Reduce("std", (2, 3)), Reduce("mean", (2, 3))),
    "sum.default": call(lambda x: x.sum(), Reduce("sum", ()), inputs=(TINY,)),
    "sum.dim_IntList": call(lambda x: x.sum((1, 3), keepdim=True), Reduce("sum", (1, 3), keepdim=True)),
    "sum.dim_IntList, of whole numbers": call(lambda x: x.sum(0), Reduce("sum", (0,)), inputs=(numbers(9, 3, 4),)),
    "sum.dim_IntList, in another type": call(lambda x: x.sum(1, dtype=torch.float64), TO_DOUBLE, Reduce("sum", (1,))),
    "var.correction": call(lambda x: x.var(1, correction=0, keepdim=True), Reduce("var", (1,), keepdim=True, correction=0)),
    "var.default": call(lambda x: x.var(False), Reduce("var", (), correction=0)),
    "var.dim": call(lambda x: x.var((2, 3), False), Reduce("var", (2, 3), correction=0)),
    "var_mean.dim": call(lambda x: torch.var_mean(x, 1, False), Reduce("var", (1,), correction=0), Reduce("mean", (1,))),
    "var_mean.correction": call(lambda x: torch.var_mean(x, 1, correction=0), Reduce("var", (1,), correction=0), Reduce("mean", (1,))),
}

MAPS = {1: SEQUENCE, 2: X, 3: VOLUME}
MODES = ("linear", "bilinear", "trilinear")


def resized(rank: int, overload: str, mode: str, corners: tuple[bool, ...] = ()) -> dict[str, Case]:
    """By a factor, whose overload ends in vec, and to a size: `default` is what both are taken apart into."""
    x, sides = MAPS[rank], [7, 8, 9][:rank]
    aligned = bool(corners and corners[0])
    by_list = getattr(aten, overload).vec
    by_size = getattr(aten, overload).default
    return {
        f"{overload}.vec": call(
            lambda x: by_list(x, None, *corners, [1.5] * rank), Interpolate((), (1.5,) * rank, mode, aligned), inputs=(x,)
        ),
        f"{overload}.vec, to a size": call(
            lambda x: by_list(x, sides, *corners, None), Interpolate(tuple(sides), (), mode, aligned), inputs=(x,)
        ),
        f"{overload}.default": call(lambda x: by_size(x, sides, *corners), Interpolate(tuple(sides), (), mode, aligned), inputs=(x,)),
        f"{overload}.default, by factors": call(
            lambda x: by_size(x, [2 * side for side in x.shape[2:]], *corners, *[2.0] * rank),
            Interpolate((), (2.0,) * rank, mode, aligned),
            inputs=(x,),
        ),
    }


INTERPOLATIONS: dict[str, Case] = {
    **{key: one for rank in MAPS for key, one in resized(rank, f"_upsample_nearest_exact{rank}d", "nearest-exact").items()},
    **{key: one for rank in MAPS for key, one in resized(rank, f"upsample_nearest{rank}d", "nearest").items()},
    **{key: one for rank in MAPS for key, one in resized(rank, f"upsample_{MODES[rank - 1]}{rank}d", MODES[rank - 1], (False,)).items()},
    **resized(2, "upsample_bicubic2d", "bicubic", (True,)),
}

CASES = POOLS | REDUCTIONS | INTERPOLATIONS

# Calls of the same overloads that are something else.
OTHERS: dict[str, Case] = {
    "an average by a divisor of its own": call(lambda x: f.avg_pool2d(x, 2, divisor_override=3)),
    "where the largest were": call(lambda x: f.max_pool2d(x, 2, return_indices=True)),
    "a norm of order 1": call(lambda x: torch.linalg.vector_norm(x, 1, dim=1)),
    "a pool of one image alone": call(lambda x: f.max_pool2d(x, 2), inputs=(X[0],)),
}


@pytest.mark.parametrize(("key", "route"), routed(CASES))
def test_a_pool_becomes_its_ops(key: str, route: str) -> None:
    assert_becomes_its_ops(key, CASES[key], route)


@pytest.mark.parametrize("key", CASES)
def test_a_pool_counts_what_torch_counts(key: str) -> None:
    assert_counts_what_torch_counts(CASES[key])


@pytest.mark.parametrize("key", CASES)
def test_a_pool_built_of_its_ops_computes_the_same(key: str) -> None:
    assert_computes_the_same(CASES[key])


@pytest.mark.parametrize("key", OTHERS)
def test_what_only_looks_like_a_known_pool_is_opaque(key: str) -> None:
    assert_is_opaque(OTHERS[key])


def test_every_row_that_pools_has_a_case() -> None:
    assert {key.partition(",")[0] for key in CASES} == set(POOLING)
