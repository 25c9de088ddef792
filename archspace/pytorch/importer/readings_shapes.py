"""Readings of calls that view or move elements: reshape, permute, slice, split, cat, stack, pad, roll, shuffle of pixels, indexing."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from archspace.ir.ops import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Copy,
    Expand,
    Flatten,
    Flip,
    Fold,
    Index,
    Op,
    Pad,
    PadNd,
    Permute,
    PixelShuffle,
    PixelUnshuffle,
    Repeat,
    Reshape,
    Roll,
    Select,
    Shape,
    Slice,
    Stack,
    Unfold,
)
from archspace.pytorch.importer.calls import Call, Fed, Parts, Reading, Rule, as_pair


def reshape(call: Call) -> Reading:
    """Any reshape: a view of the same elements, behind a copy where they do not lie so that they can be viewed."""
    moved = _moves(call)
    view = _view(call)
    return None if view is None else Fed((*((Copy(),) if moved else ()), *view), (call.source,))


def view(call: Call) -> Reading:
    """A reshape that never copies."""
    made = _view(call)
    return None if made is None else Fed(made, (call.source,))


def _view(call: Call) -> tuple[Op, ...] | None:
    """Nothing, a flattening of the last axes, a reshape behind the batch, or one of all axes."""
    source, out = call.shape, call.out
    if source == out:
        return ()
    if not out:
        return None
    return (_reshaped(source, out),)


def _reshaped(source: Shape, out: Shape) -> Op:
    start = len(out) - 1
    is_flat = 1 <= start < len(source) and source[:start] == out[:start]
    return Flatten(start) if is_flat else Reshape(out[1:], folds_batch=source[:1] != out[:1])


def _moves(call: Call) -> bool:
    """Whether the result lies elsewhere than the source."""
    result = call.results[0]
    return result is not None and result.memory != call.source.datum.memory


def contiguous(call: Call) -> Reading:
    """aten.contiguous: a copy where the elements are out of order."""
    return (Copy(),) if _moves(call) else ()


def copy(call: Call) -> Reading:
    """A call that always copies."""
    return (Copy(),)


def permute(call: Call) -> Reading:
    """aten.permute."""
    return _permuted([dim % len(call.shape) for dim in call.args["dims"]])


def transpose(call: Call) -> Reading:
    """aten.transpose, swapaxes, t and mT: two axes change places."""
    a, rank = call.args, len(call.shape)
    first, second = [int(a.get(f"dim{i}", a.get(f"axis{i}", i - 2))) % max(rank, 1) for i in (0, 1)]
    order = list(range(rank))
    if rank > 1:
        order[first], order[second] = second, first
    return _permuted(order)


def movedim(call: Call) -> Reading:
    """aten.movedim."""
    rank = len(call.shape)
    listed = [[one] if isinstance(one, int) else list(one) for one in (call.args["source"], call.args["destination"])]
    sources, places = ([dim % rank for dim in one] for one in listed)
    order = [dim for dim in range(rank) if dim not in sources]
    for place, dim in sorted(zip(places, sources, strict=True)):
        order.insert(place, dim)
    return _permuted(order)


def _permuted(order: list[int]) -> Reading:
    return () if order == list(range(len(order))) else (Permute(tuple(order)),)


def expand(call: Call) -> Reading:
    """aten.expand, expand_as and broadcast_to: axes of one element read as often as asked."""
    return Fed(() if call.shape == call.out else (Expand(call.out),), (call.source,))


def repeat(call: Call) -> Reading:
    """aten.repeat and tile, which leaves the first axes as they are."""
    given = tuple(call.args.get("repeats", call.args.get("dims")))
    return () if call.shape == call.out else (Repeat((1,) * (len(call.shape) - len(given)) + given),)


def repeat_interleave(call: Call) -> Reading:
    """aten.repeat_interleave: each position of an axis, or of all elements in a row, as often as asked."""
    given, times = call.args["dim"], call.args["repeats"]
    flat: tuple[Op, ...] = ()
    shape = call.shape
    if given is None and len(shape) != 1:
        flat, shape = (_reshaped(shape, (prod(shape),)),), (prod(shape),)
    dim = (given or 0) % len(shape)
    spread = (*shape[: dim + 1], times, *shape[dim + 1 :])
    return (*flat, Reshape((*shape[1 : dim + 1], 1, *shape[dim + 1 :])), Expand(spread), Copy(), _reshaped(spread, call.out))


def narrow(call: Call) -> Reading:
    """aten.narrow."""
    start, length = call.args["start"], call.args["length"]
    first = start + call.shape[call.args["dim"]] if start < 0 else start
    return _slice(call, call.args["dim"], first, first + length, 1)


def slice_(call: Call) -> Reading:
    """aten.slice; of a whole axis it is nothing."""
    a = call.args
    size = call.shape[a["dim"]]
    start, end = a["start"] or 0, size if a["end"] is None else a["end"]
    return _slice(call, a["dim"], max(start + size, 0) if start < 0 else start, min(end + size if end < 0 else end, size), a["step"])


def _slice(call: Call, dim: int, start: int, stop: int, step: int) -> Reading:
    if call.shape == call.out:
        return ()
    dim %= len(call.shape)
    return (ChannelSlice(start, stop),) if dim == 1 and step == 1 else (Slice(dim, start, stop, step),)


def select(call: Call) -> Reading:
    """aten.select: one position of an axis, which is gone."""
    rank, index = len(call.shape), call.args["index"]
    dim = call.args["dim"] % rank
    return (Select(dim, index % call.shape[dim]),) if rank > 1 else None


def split(call: Call) -> Reading:
    """aten.split by one size or several, and unsafe_split."""
    a = call.args
    sizes = a.get("split_size", a.get("split_sizes"))
    total = call.shape[a["dim"]]
    if isinstance(sizes, int):
        sizes = [min(sizes, total - start) for start in range(0, total, sizes)]
    return _parts(call, list(sizes))


def chunk(call: Call) -> Reading:
    """aten.chunk: as many parts as asked, or fewer, all but the last of one size."""
    total = call.shape[call.args["dim"]]
    size = -(-total // call.args["chunks"])
    return _parts(call, [min(size, total - start) for start in range(0, total, size)])


def split_at(call: Call) -> Reading:
    """aten.tensor_split at positions, or into sections of which the first are longer by one."""
    a, total = call.args, call.shape[call.args["dim"]]
    cuts = a.get("indices")
    if cuts is None:
        sections = a["sections"]
        cuts = [i * (total // sections) + min(i, total % sections) for i in range(1, sections)]
    ends = [0, *[min(cut + total if cut < 0 else cut, total) for cut in cuts], total]
    return _parts(call, [last - first for first, last in pairwise(ends)])


def _parts(call: Call, sizes: list[int]) -> Reading:
    dim = call.args["dim"] % len(call.shape)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    ends = zip(starts, sizes, strict=True)
    return Parts(tuple([ChannelSlice(at, at + size) if dim == 1 else Slice(dim, at, at + size) for at, size in ends]))


def unbind(call: Call) -> Reading:
    """aten.unbind: every position of an axis."""
    dim = call.args["dim"] % len(call.shape)
    return Parts(tuple([Select(dim, index) for index in range(call.shape[dim])])) if len(call.shape) > 1 else None


def cat(call: Call) -> Reading:
    """aten.cat; empty tensors are left out."""
    tensors = tuple([one for one in call.args["tensors"] if 0 not in one.shape])
    return Fed((Concat(call.args["dim"] % len(call.out)),), tensors)


def stack(call: Call) -> Reading:
    """aten.stack."""
    return Fed((Stack(call.args["dim"] % len(call.out)),), tuple(call.args["tensors"]))


def pad(call: Call) -> Reading:
    """aten.pad and constant_pad_nd: of an image with zeros, or of any axes with any value or mode."""
    a = call.args
    given, mode, value = tuple(a["pad"]), a.get("mode", "constant"), a["value"] or 0
    if not any(given):
        return ()
    if mode == "constant" and value == 0 and len(call.shape) == 4 and len(given) in (2, 4) and min(given) >= 0:
        left, right, top, bottom = (*given, 0, 0)[:4]
        return (Pad((left, right, top, bottom)),)
    return (PadNd(given, mode, float(value)),)


def pad_by(mode: str) -> Rule:
    """aten.reflection_pad and replication_pad."""
    return lambda call: (PadNd(tuple(call.args["padding"]), mode),)


def roll(call: Call) -> Reading:
    """aten.roll along axes."""
    shifts, dims = call.args["shifts"], call.args["dims"]
    return (Roll(tuple(shifts), tuple([dim % len(call.shape) for dim in dims])),) if dims else None


def flip(call: Call) -> Reading:
    """aten.flip."""
    return (Flip(tuple([dim % len(call.shape) for dim in call.args["dims"]])),)


def channel_shuffle(call: Call) -> Reading:
    """aten.channel_shuffle."""
    return (ChannelShuffle(call.args["groups"]),)


def pixel_shuffle(call: Call) -> Reading:
    """aten.pixel_shuffle."""
    return (PixelShuffle(call.args["upscale_factor"]),)


def pixel_unshuffle(call: Call) -> Reading:
    """aten.pixel_unshuffle."""
    return (PixelUnshuffle(call.args["downscale_factor"]),)


def im2col(call: Call) -> Reading:
    """aten.im2col (torch.nn.functional.unfold)."""
    a = call.args
    return (Unfold(*[as_pair(a[name]) for name in ("kernel_size", "dilation", "padding", "stride")]),)


def col2im(call: Call) -> Reading:
    """aten.col2im (torch.nn.functional.fold)."""
    a = call.args
    return (Fold(*[as_pair(a[name]) for name in ("output_size", "kernel_size", "dilation", "padding", "stride")]),)


def index(call: Call) -> Reading:
    """Elements picked by indices: aten.index, index_select, gather and the like."""
    return Fed((Index(call.out),), (call.source, *[one for one in call.operands[1:] if not one.is_weight]))


def written(call: Call) -> Reading:
    """aten.copy_: a copy of what is written, in the place of what was there; of a tensor into itself it is nothing."""
    target, source = call.args["self"], call.args["src"]
    if target.datum.memory == source.datum.memory:
        return Fed((), (source,))
    return Fed((Copy(),) if source.shape == target.shape else (Expand(target.shape), Copy()), (source,))
