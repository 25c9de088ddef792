"""Provenance, reuse and receptive fields of the kinds that no network of the zoo has, against brute force: one channel or one row of
pixels is moved in the built op, and what moves with it must be what the rules name."""

from __future__ import annotations

import pytest
import torch
from further_examples import (
    ACTIVATIONS,
    ARRANGEMENTS,
    CONVOLUTIONS,
    EINSUMS,
    IMAGE,
    NORMALISATIONS,
    POINTWISES,
    POOLS,
    PRODUCTS,
    RECURRENT,
    REDUCTIONS,
    RESIZES,
    Example,
    label,
    single_op,
)
from torch import Tensor, nn

from archspace.analysis.dead import live_channels
from archspace.analysis.provenance import bits, channels_of, everything, influence, rule_of
from archspace.analysis.receptive_field import receptive_fields
from archspace.analysis.reuse import carried
from archspace.ir import Builder, ops
from archspace.pytorch import to_module

# What moves with every change of its inputs; of steps and comparisons no change is certain.
SMOOTH: tuple[Example, ...] = (
    *CONVOLUTIONS, *PRODUCTS, *RECURRENT, *NORMALISATIONS, *ACTIVATIONS, *ARRANGEMENTS, *RESIZES, *POOLS, *EINSUMS,
    *(example for example in REDUCTIONS if example[0].function in ("mean", "sum", "logsumexp")),
    *(example for example in POINTWISES if example[0].function in ("add", "mul", "lerp", "addcmul")),
)  # fmt: skip


def built(example: Example) -> nn.Module:
    """The op in double precision with positive weights, so that nothing cancels."""
    module = to_module(single_op(*example), seed=0).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(parameter.abs() + 0.1)
    return module


def inputs_of(example: Example) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5 for shape in example[1]]


def moved(example: Example, source: int, axis: int) -> list[list[bool]]:
    """[c][p]: whether channel c (axis 1) of the output moves with position p of `axis` of an input."""
    module, inputs = built(example), inputs_of(example)
    generator = torch.Generator().manual_seed(2)
    found: list[list[bool]] = []
    with torch.no_grad():
        before = module(*inputs)
        for p in range(inputs[source].shape[axis] if inputs[source].dim() > axis else 1):
            shift = torch.zeros_like(inputs[source])
            part = shift.select(axis, p) if shift.dim() > axis else shift
            part += torch.rand(part.shape, generator=generator, dtype=torch.float64) + 0.1
            after = module(*[x + shift if i == source else x for i, x in enumerate(inputs)])
            changed = (before != after) & ~(before.isnan() & after.isnan())
            by_channel = changed.transpose(0, 1).flatten(1).any(1) if changed.dim() > 1 else changed.any().reshape(1)
            found.append(by_channel.tolist())
    return [list(column) for column in zip(*found, strict=True)]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
@pytest.mark.parametrize("example", SMOOTH, ids=label)
def test_influence_names_the_channels_that_move_and_no_others_unless_it_cannot_tell(example: Example) -> None:
    graph = single_op(*example)
    cannot_tell = rule_of(type(example[0])) is everything
    for source in range(len(example[1])):
        rows = influence(graph, source)[-1]
        assert rows is not None
        named = [set(bits(row)) for row in rows]
        real = [{c for c, yes in enumerate(row) if yes} for row in moved(example, source, 1)]
        assert len(named) == len(real) == channels_of(graph["op"].shape)
        assert all(a >= b for a, b in zip(named, real, strict=True))
        conservative = cannot_tell or all(row == rows[0] for row in rows)
        assert conservative or named == real


@pytest.mark.parametrize("example", [example for example in (*ARRANGEMENTS, *ACTIVATIONS) if len(example[1]) == 1], ids=label)
def test_live_channels_are_those_that_move_the_output(example: Example) -> None:
    graph = single_op(*example)
    real = {c for row in moved(example, 0, 1) for c, yes in enumerate(row) if yes}
    assert set(bits(live_channels(graph)[0])) >= real
    if isinstance(example[0], ops.Slice | ops.Select | ops.Flip):
        assert set(bits(live_channels(graph)[0])) == real


@pytest.mark.parametrize("example", ARRANGEMENTS, ids=label)
def test_a_carried_channel_has_the_very_values_of_the_channel_that_it_is(example: Example) -> None:
    graph, inputs = single_op(*example), inputs_of(example)
    out = built(example)(*inputs)
    for c, (node, channel) in enumerate(carried(graph)[-1]):
        if node < len(inputs):
            assert torch.equal(out[:, c].flatten(), inputs[node][:, channel].flatten())


def test_copies_and_slices_of_channels_carry_them() -> None:
    assert carried(single_op(ops.Copy(), (IMAGE,)))[-1] == tuple((0, c) for c in range(6))
    assert carried(single_op(ops.Slice(1, 1, 6, 3), (IMAGE,)))[-1] == ((0, 1), (0, 4))


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize(
    "example",
    [(op, shapes) for op, shapes in (*CONVOLUTIONS, *NORMALISATIONS, *ACTIVATIONS, *ARRANGEMENTS, *RESIZES, *POOLS) if shapes == (IMAGE,)],
    ids=label,
)
def test_a_local_field_holds_every_pixel_that_moves_a_position(example: Example, axis: int) -> None:
    graph = single_op(*example)
    field = receptive_fields(graph)[-1]
    assert field is not None
    extent = field.h if axis == 2 else field.w
    if extent.stride == 0 or extent.sees_all or getattr(example[0], "mode", "") in ("reflect", "replicate"):
        return  # the whole axis, or repeated borders, which count for none
    module, x = built(example), inputs_of(example)[0]
    with torch.no_grad():
        before = module(x)
        for pixel in range(IMAGE[axis]):
            shift = torch.zeros_like(x)
            shift.select(axis, pixel).add_(torch.rand(1, dtype=torch.float64) + 0.1)
            changed = (before != module(x + shift)) & ~before.isnan()
            positions = changed.transpose(0, axis - 4 + changed.dim()).flatten(1).any(1)
            for i in positions.nonzero().flatten().tolist():
                assert i * extent.stride + extent.low <= pixel <= i * extent.stride + extent.high


@pytest.mark.parametrize(
    ("op", "low", "high", "stride"),
    [
        (ops.PixelUnshuffle(2), 0, 1, 2),
        (ops.PoolNd("max", (3, 3), (2, 2), (1, 1), (2, 1)), -1, 3, 2),
        (ops.Slice(2, 1, 7, 2), 1, 1, 2),
        (ops.PadNd((1, 2, 3, 1), "reflect"), -3, -3, 1),
        (ops.AdaptivePoolNd("avg", (4, 2)), 0, 1, 2),
        (ops.ConvTransposeNd(6, 8, (3, 3), padding=(1, 1)), -1, 1, 1),
        (ops.GroupNorm(3, 6), 0, 0, 1),
        (ops.MatMul(), 0, 7, 0),
    ],
    ids=label,
)
def test_the_vertical_field_of_one_op(op: ops.Op, low: int, high: int, stride: int) -> None:
    shapes = (IMAGE, IMAGE) if isinstance(op, ops.MatMul) else (IMAGE,)
    field = receptive_fields(single_op(op, shapes))[-1]
    assert field is not None
    assert (field.h.low, field.h.high, field.h.stride) == (low, high, stride)


def test_an_upsampled_map_has_the_stride_back_that_a_strided_convolution_took() -> None:
    b = Builder("unet")
    x = b.add("conv", ops.Conv2d(6, 6, 3, stride=2, padding=1), b.input(IMAGE))
    field = receptive_fields(b.build(b.add("up", ops.Interpolate((), (2.0,)), x)))[-1]
    assert field is not None
    # Output o reads input o // 2 of a map whose position i sees pixels 2 i - 1 to 2 i + 1: for o even o - 1 to o + 1, for o odd o - 2 to o.
    assert (field.low, field.high, field.stride, field.aligned) == ((-2, -2), (1, 1), (1, 1), False)
