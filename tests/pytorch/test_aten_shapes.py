"""The ATen table's overloads that view, move and pick elements."""

from __future__ import annotations

import pytest
import torch
from aten_cases import (
    IDS,
    SEQUENCE,
    VOLUME,
    Case,
    X,
    Y,
    assert_becomes_its_ops,
    assert_computes_the_same,
    assert_counts_what_torch_counts,
    assert_is_opaque,
    aten,
    call,
    drawn,
    layer,
    numbers,
    ops_of,
    recorded,
    routed,
)
from torch import Tensor, nn
from torch.nn import functional as f

from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Copy,
    Embedding,
    Expand,
    Flatten,
    Flip,
    Fold,
    Index,
    Overwrite,
    Pad,
    PadNd,
    Permute,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    Repeat,
    Reshape,
    Roll,
    Select,
    Slice,
    Stack,
    Unfold,
)
from archspace.pytorch.importer.assemble import graph_of
from archspace.pytorch.importer.aten import MOVING

NEG = Pointwise("neg")  # behind a call that is nothing, so that there is something
PICKS = "which elements an index picks"
WRITES = "which part of a tensor is written anew"
HALF = X[:, :6]
TURN = Permute((0, 1, 3, 2))


def written(x: Tensor, y: Tensor) -> Tensor:
    """y in the place of the first channels of what was -x."""
    x = -x
    x[:, :6] = y
    return x


def filled(x: Tensor, y: Tensor) -> Tensor:
    """y in the place of all of what was -x."""
    return (-x).copy_(y)


# Overload, and what is special -> a call of it and the ops that it becomes.
VIEWS: dict[str, Case] = {
    "_unsafe_view.default": call(lambda x: aten._unsafe_view.default(x, [2, 720]), Flatten(1)),
    "alias.default": call(lambda x: -aten.alias.default(x), NEG),
    "as_strided_.default": call(
        lambda x: aten.as_strided_.default(x.mean((2, 3), keepdim=True), [2, 12, 1, 1], [12, 1, 12, 12]), AdaptiveAvgPool2d(1)
    ),
    "broadcast_to.default": call(lambda x: torch.broadcast_to(x, (3, 2, 12, 6, 10)), Expand((3, 2, 12, 6, 10))),
    "contiguous.default": call(lambda x: x.mT.contiguous(), TURN, Copy()),
    "detach.default": call(lambda x: -x.detach(), NEG),
    "detach_.default": call(lambda x: (-x).detach_(), NEG),
    "expand.default": call(lambda x: x.mean((2, 3), keepdim=True).expand(2, 12, 3, -1), AdaptiveAvgPool2d(1), Expand((2, 12, 3, 1))),
    "expand.default, to itself": call(lambda x: -x.expand(2, -1, -1, -1), NEG),
    "expand_as.default": call(lambda x, y: x.expand_as(y), Expand((2, 12, 6, 10)), inputs=(X[:, :, :1], Y)),
    "expand_as.default, of a weight": call(
        lambda x, w: torch.maximum(x, w.expand_as(x)), Expand((2, 12, 6, 10)), Pointwise("maximum"), weights={"weight": drawn(12, 1, 1)}
    ),
    "flatten.using_ints": call(lambda x: x.flatten(1), Flatten(1)),
    "flatten.using_ints, the image": call(lambda x: x.flatten(2), Flatten(2)),
    "flatten.using_ints, axes in the middle": call(lambda x: x.flatten(1, 2), Reshape((72, 10))),
    "flatten.using_ints, of turned axes": call(lambda x: x.mT.flatten(2), TURN, Copy(), Flatten(2)),
    "mT.default": call(lambda x: x.mT, TURN),
    "movedim.int": call(lambda x: x.movedim(1, -1), Permute((0, 2, 3, 1))),
    "movedim.intlist": call(lambda x: x.movedim((0, 1), (2, 0)), Permute((1, 2, 0, 3))),
    "moveaxis.int": call(lambda x: torch.moveaxis(x, 3, 1), Permute((0, 3, 1, 2))),
    "moveaxis.intlist": call(lambda x: torch.moveaxis(x, (3, 2), (0, 1)), Permute((3, 2, 0, 1))),
    "narrow.default": call(lambda x: x.narrow(1, 4, 3), ChannelSlice(4, 7)),
    "narrow.default, from the end": call(lambda x: x.narrow(2, -3, 2), Slice(2, 3, 5)),
    "permute.default": call(lambda x: x.permute(0, 2, -1, 1), Permute((0, 2, 3, 1))),
    "permute.default, to itself": call(lambda x: -x.permute(0, 1, 2, 3), NEG),
    "ravel.default": call(lambda x: x.ravel(), Reshape((), folds_batch=True)),
    "reshape.default": call(lambda x: x.reshape(2, 3, -1, 10), Reshape((3, 24, 10))),
    "reshape.default, of turned axes": call(lambda x: x.mT.reshape(2, 12, 60), TURN, Copy(), Flatten(2)),
    "reshape.default, to itself": call(lambda x: -x.reshape(x.shape), NEG),
    "reshape_as.default": call(lambda x, y: x.reshape_as(y), Flatten(2), inputs=(X, drawn(2, 12, 60))),
    "select.int": call(lambda x: x[:, -1], Select(1, 11)),
    "slice.Tensor": call(lambda x: x[:, 2:-3], ChannelSlice(2, 9)),
    "slice.Tensor, of the image": call(lambda x: x[:, :, 1:], Slice(2, 1, 6)),
    "slice.Tensor, every second": call(lambda x: x[:, ::2], Slice(1, 0, 12, 2)),
    "slice.Tensor, of everything": call(lambda x: -aten.slice.Tensor(x, 1, 0, 2**40), NEG),
    "squeeze.default": call(lambda x: x.squeeze(), Flatten(1), inputs=(X[:, :, :1, :1],)),
    "squeeze.dim": call(lambda x: x.squeeze(-1), Flatten(2), inputs=(X[..., :1],)),
    "squeeze.dim, of more than one": call(lambda x: -x.squeeze(1), NEG),
    "squeeze.dims": call(lambda x: x.squeeze((0, 2)), Reshape((10,), folds_batch=True), inputs=(X[:1, :, :1],)),
    "swapaxes.default": call(lambda x: x.swapaxes(0, 1), Permute((1, 0, 2, 3))),
    "swapdims.default": call(lambda x: x.swapdims(1, -1), Permute((0, 3, 2, 1))),
    "t.default": call(lambda x: x.t(), Permute((1, 0)), inputs=(drawn(3, 5),)),
    "transpose.int": call(lambda x: x.transpose(1, -1), Permute((0, 3, 2, 1))),
    "unflatten.int": call(lambda x: x.unflatten(1, (3, -1)), Reshape((3, 4, 6, 10))),
    "unsqueeze.default": call(lambda x: x.unsqueeze(-1), Reshape((12, 6, 10, 1))),
    "unsqueeze.default, in front": call(lambda x: x.unsqueeze(0), Reshape((2, 12, 6, 10), folds_batch=True)),
    "view.default": call(lambda x: x.view(24, 60), Reshape((60,), folds_batch=True)),
    "view_as.default": call(lambda x, y: x.view_as(y), Reshape((6, 2, 60)), inputs=(X, drawn(2, 6, 2, 60))),
}

PARTS: dict[str, Case] = {
    "chunk.default": call(lambda x: x.chunk(5, 1)[3], ChannelSlice(9, 12)),
    "chunk.default, of the image": call(lambda x: tuple(x.chunk(2, -1)), Slice(3, 0, 5), Slice(3, 5, 10)),
    "split.Tensor": call(lambda x: x.split(5, dim=1)[2], ChannelSlice(10, 12)),
    "split.sizes": call(lambda x: aten.split.sizes(x, [4, 2], 2)[1], Slice(2, 4, 6)),
    "split_with_sizes.default": call(lambda x: x.split_with_sizes([2, 10], 1)[1], ChannelSlice(2, 12)),
    "tensor_split.indices": call(lambda x: tuple(x.tensor_split((2, -3), 1)), ChannelSlice(0, 2), ChannelSlice(2, 9), ChannelSlice(9, 12)),
    "tensor_split.sections": call(lambda x: tuple(x.tensor_split(4, 2)), *[Slice(2, *at) for at in ((0, 2), (2, 4), (4, 5), (5, 6))]),
    "unbind.int": call(lambda x: x.unbind(1)[3], Select(1, 3)),
    "unsafe_chunk.default": call(lambda x: x.unsafe_chunk(3, 1)[1], ChannelSlice(4, 8)),
    "unsafe_split.Tensor": call(lambda x: x.unsafe_split(7, 1)[1], ChannelSlice(7, 12)),
    "unsafe_split_with_sizes.default": call(lambda x: x.unsafe_split_with_sizes([7, 5], 1)[0], ChannelSlice(0, 7)),
}

MOVES: dict[str, Case] = {
    "cat.default": call(lambda x, y: torch.cat([x, y], -1), Concat(3), inputs=(X, Y)),
    "cat.default, with nothing": call(lambda x: torch.cat([x, x[:, :0]], 1), Concat(1)),
    "channel_shuffle.default": call(lambda x: f.channel_shuffle(x, 3), ChannelShuffle(3)),
    "clone.default": call(lambda x: x.clone(), Copy()),
    "col2im.default": layer(
        lambda: nn.Fold((6, 10), 3, padding=1, stride=2), Fold((6, 10), 3, padding=1, stride=2), inputs=(drawn(2, 18, 15),)
    ),
    "concat.default": call(lambda x, y: torch.concat([x, y], 1), Concat(1), inputs=(X, Y)),
    "concatenate.default": call(lambda x, y: torch.concatenate([x, y], 2), Concat(2), inputs=(X, Y)),
    "constant_pad_nd.default": call(lambda x: aten.constant_pad_nd.default(x, [1, 2, 3, 0]), Pad((1, 2, 3, 0))),
    "constant_pad_nd.default, with ones": call(lambda x: aten.constant_pad_nd.default(x, [0, 1], 1.0), PadNd((0, 1), value=1.0)),
    "copy_.default": call(filled, NEG, Copy(), inputs=(X, Y)),
    "copy_.default, of a row": call(filled, NEG, Expand((2, 12, 6, 10)), Copy(), inputs=(X, drawn(10))),
    "copy_.default, into a part": call(written, NEG, ChannelSlice(0, 6), Copy(), Overwrite(), inputs=(X, HALF), refused=WRITES),
    "flip.default": call(lambda x: x.flip(-1, 2), Flip((3, 2))),
    "im2col.default": layer(lambda: nn.Unfold((3, 2), stride=2), Unfold((3, 2), stride=2)),
    "lift_fresh_copy.default": call(lambda x: -aten.lift_fresh_copy.default(x), NEG),
    "native_channel_shuffle.default": call(lambda x: aten.native_channel_shuffle.default(x, 4), ChannelShuffle(4), routes=("exported",)),
    "pad.default": call(lambda x: f.pad(x, (1, 2, 3, 0)), Pad((1, 2, 3, 0))),
    "pad.default, the width": call(lambda x: f.pad(x, (0, 1)), Pad((0, 1, 0, 0))),
    "pad.default, a crop": call(lambda x: f.pad(x, (-1, 2, -2, 0)), PadNd((-1, 2, -2, 0))),
    "pad.default, the channels": call(lambda x: f.pad(x, (0, 0, 0, 0, 1, 2)), PadNd((0, 0, 0, 0, 1, 2))),
    "pad.default, around": call(lambda x: f.pad(x, (1, 2, 0, 3), mode="circular"), PadNd((1, 2, 0, 3), "circular")),
    "pad.default, nothing": call(lambda x: -f.pad(x, (0, 0)), NEG),
    "pixel_shuffle.default": layer(lambda: nn.PixelShuffle(2), PixelShuffle(2)),
    "pixel_unshuffle.default": layer(lambda: nn.PixelUnshuffle(2), PixelUnshuffle(2)),
    "reflection_pad1d.default": call(lambda x: aten.reflection_pad1d.default(x, [1, 2]), PadNd((1, 2), "reflect"), inputs=(SEQUENCE,)),
    "reflection_pad2d.default": call(lambda x: aten.reflection_pad2d.default(x, [1, 2, 3, 0]), PadNd((1, 2, 3, 0), "reflect")),
    "reflection_pad3d.default": call(
        lambda x: aten.reflection_pad3d.default(x, [1, 2, 3, 0, 1, 1]), PadNd((1, 2, 3, 0, 1, 1), "reflect"), inputs=(VOLUME,)
    ),
    "repeat.default": call(lambda x: x.repeat(3, 1, 2, 1, 1), Repeat((3, 1, 2, 1, 1))),
    "repeat.default, once": call(lambda x: -x.repeat(1, 1, 1, 1), NEG),
    "repeat_interleave.self_int": call(
        lambda x: x.repeat_interleave(3, 1), Reshape((12, 1, 6, 10)), Expand((2, 12, 3, 6, 10)), Copy(), Reshape((36, 6, 10))
    ),
    "repeat_interleave.self_int, images": call(
        lambda x: x.repeat_interleave(2, 0),
        Reshape((1, 12, 6, 10)),
        Expand((2, 2, 12, 6, 10)),
        Copy(),
        Reshape((12, 6, 10), folds_batch=True),
    ),
    "repeat_interleave.self_int, of all elements": call(
        lambda x: x.repeat_interleave(2),
        Reshape((), folds_batch=True),
        Reshape((1,)),
        Expand((1440, 2)),
        Copy(),
        Reshape((), folds_batch=True),
    ),
    "replication_pad1d.default": call(
        lambda x: aten.replication_pad1d.default(x, [1, 12]), PadNd((1, 12), "replicate"), inputs=(SEQUENCE,)
    ),
    "replication_pad2d.default": call(lambda x: aten.replication_pad2d.default(x, [1, 2, 3, 0]), PadNd((1, 2, 3, 0), "replicate")),
    "replication_pad3d.default": call(
        lambda x: aten.replication_pad3d.default(x, [1, 2, 3, 0, 1, 1]), PadNd((1, 2, 3, 0, 1, 1), "replicate"), inputs=(VOLUME,)
    ),
    "roll.default": call(lambda x: x.roll((1, -2), (2, -1)), Roll((1, -2), (2, 3))),
    "stack.default": call(lambda x, y: torch.stack([x, y], -1), Stack(4), inputs=(X, Y)),
    "tile.default": call(lambda x: x.tile((2, 3)), Repeat((1, 1, 2, 3))),
}

PICKED: dict[str, Case] = {
    "embedding.default": layer(lambda: nn.Embedding(7, 8), Embedding(7, 8), inputs=(IDS,)),
    "gather.default": call(lambda x, i: x.gather(1, i), Index((2, 3, 6, 10)), inputs=(X, numbers(12, 2, 3, 6, 10)), refused=PICKS),
    "index.Tensor": call(lambda x, i: x[:, i], Index((2, 5, 6, 10)), inputs=(X, numbers(12, 5)), refused=PICKS),
    "index.Tensor, by weights": call(lambda x, i: x[:, i], Index((2, 5, 6, 10)), weights={"weight": numbers(12, 5)}, refused=PICKS),
    "index.Tensor, of a weight": call(lambda i, w: w[i], Index((2, 5, 4)), inputs=(IDS,), weights={"weight": drawn(7, 4)}, refused=PICKS),
    "index_select.default": call(lambda x, i: x.index_select(1, i), Index((2, 5, 6, 10)), inputs=(X, numbers(12, 5)), refused=PICKS),
    "take_along_dim.default": call(
        lambda x, i: x.take_along_dim(i, 1),
        Index((2, 3, 6, 10)),
        inputs=(X, numbers(12, 2, 3, 6, 10)),
        refused=PICKS,
        routes=("exported",),
    ),
    "unfold.default": call(lambda x: x.unfold(3, 4, 2), Index((2, 12, 6, 4, 4)), refused=PICKS),
}

CASES = VIEWS | PARTS | MOVES | PICKED

# Several calls that are one op together.
SHUFFLES: dict[str, Case] = {
    "view.default, a shuffle": call(lambda x: x.view(2, 3, 4, 6, 10).transpose(1, 2).reshape(2, 12, 6, 10), ChannelShuffle(3)),
    "permute.default, a shuffle": call(lambda x: x.view(2, 4, 3, 6, 10).permute(0, 2, 1, 3, 4).flatten(1, 2), ChannelShuffle(4)),
    "reshape.default, a shuffle": call(
        lambda x: x.reshape(2, 6, 2, 6, 10).transpose(1, 2).contiguous().view(2, -1, 6, 10), ChannelShuffle(6)
    ),
}

# Calls of the same overloads that are something else.
OTHERS: dict[str, Case] = {
    "other strides in place": call(lambda x: aten.as_strided_.default(-x, [2, 12, 6, 10], [720, 60, 1, 6])),
    "a roll of all elements": call(lambda x: x.roll(3)),
    "a choice of one number": call(lambda x: x[3], inputs=(drawn(10),)),
    "an embedding in a computed table": call(f.embedding, inputs=(IDS, drawn(7, 4))),
    "a shuffle of rows": call(lambda x: f.channel_shuffle(x, 2), inputs=(SEQUENCE,)),
    "pixels of one image alone": call(lambda x: f.pixel_shuffle(x, 2), inputs=(X[0],)),
}


@pytest.mark.parametrize(("key", "route"), routed(CASES | SHUFFLES))
def test_a_move_becomes_its_ops(key: str, route: str) -> None:
    assert_becomes_its_ops(key, (CASES | SHUFFLES)[key], route)


@pytest.mark.parametrize("key", CASES)
def test_a_move_counts_what_torch_counts(key: str) -> None:
    assert_counts_what_torch_counts(CASES[key])


@pytest.mark.parametrize("key", CASES | SHUFFLES)
def test_a_move_built_of_its_ops_computes_the_same(key: str) -> None:
    assert_computes_the_same((CASES | SHUFFLES)[key])


@pytest.mark.parametrize("key", OTHERS)
def test_what_only_looks_like_a_known_move_is_opaque(key: str) -> None:
    assert_is_opaque(OTHERS[key])


def test_a_swap_that_is_no_shuffle_is_a_permutation() -> None:
    case = call(lambda x: x.view(2, 3, 4, 6, 10).transpose(2, 3).reshape(2, 12, 6, 10))
    assert Permute((0, 1, 3, 2, 4)) in ops_of(graph_of(recorded(case)))


def test_every_row_that_views_or_moves_has_a_case() -> None:
    assert {key.partition(",")[0] for key in CASES} == set(MOVING)
