"""Readings of calls that sum over positions or make new ones: pooling, reductions, interpolation."""

from __future__ import annotations

from archspace.ir.ops import AdaptiveAvgPool2d, AdaptivePoolNd, AvgPool2d, Flatten, Interpolate, MaxPool2d, Op, PoolNd, Reduce
from archspace.pytorch.importer.calls import Call, Parts, Reading, Results, Rule, as_pair, axes
from archspace.pytorch.importer.readings_maps import to


def max_pool(call: Call) -> Reading:
    """aten.max_pool1d/2d/3d, with indices or without; no stride means the kernel's size."""
    a = call.args
    rank = _rank(call)
    kernel, stride = axes(a["kernel_size"], rank), axes(a["stride"] or a["kernel_size"], rank)
    padding, dilation = axes(a["padding"], rank), axes(a["dilation"], rank)
    if rank == 2 and len(call.shape) == 4 and dilation == (1, 1):
        return _first(call, MaxPool2d(as_pair(kernel), as_pair(stride), as_pair(padding), a["ceil_mode"]))
    return _first(call, PoolNd("max", kernel, stride, padding, dilation, a["ceil_mode"]))


def avg_pool(call: Call) -> Reading:
    """aten.avg_pool1d/2d/3d; whether padding counts makes no difference where there is none."""
    a = call.args
    if a.get("divisor_override") is not None:
        return None
    rank = _rank(call)
    kernel, stride = axes(a["kernel_size"], rank), axes(a["stride"] or a["kernel_size"], rank)
    padding = axes(a["padding"], rank)
    includes = a["count_include_pad"] or not any(padding)
    if rank == 2 and len(call.shape) == 4:
        return (AvgPool2d(as_pair(kernel), as_pair(stride), as_pair(padding), a["ceil_mode"], count_include_pad=includes),)
    return (PoolNd("avg", kernel, stride, padding, ceil_mode=a["ceil_mode"], count_include_pad=includes),)


def adaptive_avg_pool(call: Call) -> Reading:
    """aten.adaptive_avg_pool1d/2d/3d."""
    size = tuple(call.out[-_rank(call) :])
    return (AdaptiveAvgPool2d(as_pair(size)),) if len(size) == 2 and len(call.shape) == 4 else (AdaptivePoolNd("avg", size),)


def adaptive_max_pool(call: Call) -> Reading:
    """aten.adaptive_max_pool1d/2d/3d, which return indices too."""
    return _first(call, AdaptivePoolNd("max", tuple(call.out[-_rank(call) :])))


def _rank(call: Call) -> int:
    """The axes that a pool works on: as many as its sizes, or behind batch and channels."""
    sizes = call.args.get("kernel_size", call.args.get("output_size"))
    return len(sizes) if isinstance(sizes, list | tuple) and len(sizes) > 1 else len(call.shape) - 2


def _first(call: Call, op: Op) -> Reading:
    """An op whose call returns indices too, which nobody reads."""
    return Results(op, (call.source,), ()) if len(call.results) > 1 else (op,)


def mean(call: Call) -> Reading:
    """aten.mean: over height and width of an image it is global average pooling, flattened unless `keepdim`."""
    dims = _dims(call)
    if len(call.shape) == 4 and dims == (2, 3) and not to(call, call.args.get("dtype")):
        return (AdaptiveAvgPool2d(1),) if call.args.get("keepdim") else (AdaptiveAvgPool2d(1), Flatten(1))
    return reduce("mean")(call)


def reduce(function: str) -> Rule:
    """A call that takes axes together, in another type where one is given."""

    def rule(call: Call) -> Reading:
        return (*to(call, call.args.get("dtype")), _reduce(function, call))

    return rule


def extremum(function: str, position: str) -> Rule:
    """aten.max.dim and min.dim: values and where they are."""
    return lambda call: Parts((_reduce(function, call), _reduce(position, call)))


def spread(function: str) -> Rule:
    """aten.var and std."""
    return lambda call: (_spread(function, call),)


def spread_and_mean(function: str) -> Rule:
    """aten.var_mean and std_mean."""
    return lambda call: Parts((_spread(function, call), _reduce("mean", call)))


def _spread(function: str, call: Call) -> Op:
    given = call.args["correction"] if "correction" in call.args else int(call.args["unbiased"])
    return Reduce(function, _dims(call), bool(call.args.get("keepdim")), 1 if given is None else given)


def norm(call: Call) -> Reading:
    """aten.norm and linalg_vector_norm of order 2, which None is."""
    order = call.args["ord"] if "ord" in call.args else call.args["p"]
    return reduce("norm")(call) if order in (2, None) else None


def _reduce(function: str, call: Call) -> Op:
    return Reduce(function, _dims(call), bool(call.args.get("keepdim")))


def _dims(call: Call) -> tuple[int, ...]:
    given = call.args.get("dim")
    if given is None or given == []:
        return ()
    rank = max(len(call.shape), 1)
    return tuple(sorted([dim % rank for dim in ([given] if isinstance(given, int) else given)]))


def interpolate(mode: str) -> Rule:
    """aten.upsample_*: by a factor where one is given, else to a size."""

    def rule(call: Call) -> Reading:
        a = call.args
        factors = a.get("scale_factors")
        rank = len(call.shape) - 2
        corners = bool(a.get("align_corners"))
        if factors:
            return (Interpolate((), tuple([float(one) for one in factors]), mode, corners),)
        singles = [a.get(name) for name in ("scales_d", "scales_h", "scales_w", "scales")]
        known = tuple([float(one) for one in singles if one is not None])
        if len(known) == rank:
            return (Interpolate((), known, mode, corners),)
        return (Interpolate(tuple(call.out[2:]), (), mode, corners),)

    return rule
