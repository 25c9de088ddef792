"""The kinds that no network of the zoo has: loaded when named, shapes and counts by their laws, JSON and back, laws stated in one line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from further_examples import BUILT, IMAGE, REFUSED, Example, label, single_op

from archspace.errors import FileError, LawError
from archspace.ir import Builder, Counts, ops
from archspace.ir.ops import FURTHER, KINDS, OPS, Op, Shape
from archspace.ir.serde import from_dict, to_dict, to_json


def count(op: Op, *shapes: Shape) -> Counts:
    return op.counts(shapes, op.out_shape(*shapes))


def test_every_further_kind_has_an_example() -> None:
    assert {type(op).__name__ for op, _ in (*BUILT, *REFUSED)} - set(KINDS) == set(FURTHER)


def test_the_vocabulary_loads_a_further_kind_only_when_it_is_named() -> None:
    code = (
        "import sys, archspace; from archspace.ir.ops import OPS\n"
        "assert 'LSTM' in OPS and 'archspace.ir.ops.recurrent' not in sys.modules\n"
        "report = archspace.analyze(archspace.build('shufflenet_v2')); report.to_dict('stage'); report.to_dict('block')\n"
        "loaded = {name.rpartition('.')[2] for name in sys.modules if name.startswith('archspace.ir')}\n"
        "assert not loaded & {'matmul', 'recurrent', 'arrange', 'normalisation', 'pooling_nd'}\n"
        "assert OPS['LSTM'].__name__ == 'LSTM' and 'archspace.ir.ops.recurrent' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_vocabulary_is_a_mapping_of_all_kinds_in_order() -> None:
    assert list(OPS) == sorted({*KINDS, *FURTHER})
    assert len(OPS) == len(KINDS) + len(FURTHER)
    assert "Conv4d" not in OPS
    assert ops.LSTM is OPS["LSTM"]


def test_an_unknown_name_is_no_attribute_of_the_vocabulary() -> None:
    with pytest.raises(AttributeError, match=r"module 'archspace\.ir\.ops' has no attribute 'Conv4d'"):
        _ = ops.Conv4d


@pytest.mark.parametrize("example", [*BUILT, *REFUSED], ids=label)
def test_a_graph_of_a_further_kind_survives_json(example: Example) -> None:
    graph = single_op(*example)
    assert from_dict(json.loads(to_json(graph))) == graph


def test_what_json_has_no_number_for_is_written_as_a_word() -> None:
    graph = single_op(ops.PadNd((1, 1), value=float("-inf")), ((2, 3),))
    assert to_dict(graph)["nodes"][1]["attrs"] == {"padding": [1, 1], "value": "-inf"}


def test_a_field_of_the_wrong_type_in_json_is_named() -> None:
    data = to_dict(single_op(ops.Pointwise("add", (1,)), (IMAGE,)))
    data["nodes"][1]["attrs"]["arguments"] = [[1]]
    with pytest.raises(FileError, match=r"op: arguments must be a list of numbers and words, but is \[\[1\]\]"):
        from_dict(data)


def test_a_tensor_of_the_networks_own_has_parameters_and_is_counted_where_it_is_read() -> None:
    b = Builder("vit")
    x = b.input((2, 4, 8))
    position = b.add("pos_embed", ops.Parameter((1, 4, 8)))
    graph = b.build(b.add("add", ops.Add(), x, position))
    assert graph.counts(graph["pos_embed"]) == Counts(params=32)
    assert graph.counts(graph["add"]) == Counts(in_elems=2 * 32 + 32, out_elems=2 * 32, elementwise_elems=5 * 32)
    assert ops.Parameter((), learned=False).counts((), ()) == Counts()


def test_a_transposed_convolution_multiplies_by_its_input_positions() -> None:
    op = ops.ConvTransposeNd(6, 8, (3, 3), (2, 2), (1, 1), groups=2)
    assert op.out_shape((1, 6, 5, 7)) == (1, 8, 9, 13)  # (5 - 1) * 2 - 2 + 2 + 1, (7 - 1) * 2 - 2 + 2 + 1
    assert count(op, (1, 6, 5, 7)).madds == 5 * 7 * 6 * (8 // 2) * 9


def test_a_depthwise_convolution_along_one_axis_is_element_wise() -> None:
    counts = count(ops.ConvNd(6, 6, (3,), padding=(1,), groups=6), (2, 6, 10))
    assert counts.elementwise_elems == counts.mem_elems == 120 + 6 * 3 + 120
    assert counts.madds == 120 * 3


def test_attention_counts_both_products_and_reads_each_tensor_once() -> None:
    q, k, v, mask = (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7), (4, 6)
    counts = count(ops.ScaledDotProductAttention(), q, k, v, mask)
    assert counts.madds == 2 * 3 * (4 * 6 * 5 + 4 * 6 * 7)
    assert counts.in_elems == 120 + 180 + 252 + 24
    assert counts.out_elems == counts.acts == 2 * 3 * 4 * 7


def test_grouped_queries_share_the_heads_of_keys_and_values() -> None:
    counts = count(ops.ScaledDotProductAttention(enable_gqa=True), (2, 6, 4, 5), (2, 3, 6, 5), (2, 3, 6, 5))
    assert counts.madds == 2 * 6 * (4 * 6 * 5 + 4 * 6 * 5)
    assert counts.in_elems == 2 * 6 * 20 + 2 * (2 * 3 * 30)


def test_a_matrix_product_is_as_deep_as_the_axis_that_it_sums() -> None:
    counts = count(ops.MatMul(), (2, 3, 4, 5), (5, 7))
    assert counts == Counts(madds=2 * 3 * 4 * 7 * 5, acts=168, in_elems=120 + 35, out_elems=168)


def test_an_einsum_without_a_shared_sum_only_multiplies() -> None:
    assert count(ops.Einsum("i,j->ij"), (7,), (5,)) == Counts(in_elems=12, out_elems=35, elementwise_elems=47)
    assert count(ops.Einsum("ij,jk->ik"), (2, 3), (3, 5)) == Counts(madds=30, acts=10, in_elems=6 + 15, out_elems=10)


def test_a_bidirectional_lstm_with_projection_has_the_weights_of_its_equations() -> None:
    # Per layer and direction: 4 gates of 7 units over the input and a state of 3, a projection 7 -> 3, two biases per gate.
    first, second = 4 * 7 * (5 + 3) + 3 * 7, 4 * 7 * (2 * 3 + 3) + 3 * 7
    counts = count(ops.LSTM(5, 7, 2, bidirectional=True, proj_size=3), (4, 2, 5))
    assert counts.madds == 4 * 2 * 2 * (first + second)
    assert counts.params == counts.weight_elems == 2 * (first + second) + 2 * 2 * 2 * 28


def test_initial_states_are_read_too() -> None:
    assert count(ops.GRU(5, 7), (4, 2, 5), (1, 2, 7)).in_elems == 40 + 14


def test_an_embedding_reads_the_rows_that_are_asked_for() -> None:
    counts = count(ops.Embedding(1000, 5), (2, 3))
    assert counts == Counts(params=5000, in_elems=6 + 30, out_elems=30, movement_elems=66)


def test_views_and_final_states_cost_nothing() -> None:
    for op in (ops.Permute((0, 2, 3, 1)), ops.Slice(2, 1, 7, 2), ops.Select(1, 0), ops.Expand((-1, -1, 8, 8)), ops.Reshape((64,), True)):
        assert count(op, IMAGE) == Counts()
    assert count(ops.FinalState(2, 7), (4, 2, 7)) == Counts()


def test_copies_move_what_they_read_and_write() -> None:
    n = 2 * 6 * 64
    assert count(ops.Copy(), IMAGE) == Counts(in_elems=n, out_elems=n, movement_elems=2 * n)
    assert count(ops.Repeat((1, 1, 2, 3)), IMAGE) == Counts(in_elems=n, out_elems=6 * n, movement_elems=7 * n)
    assert count(ops.Index((2, 3)), IMAGE, (3,)) == Counts(in_elems=6, out_elems=6, movement_elems=12)


def test_a_norm_reads_its_map_and_its_vectors() -> None:
    n = 2 * 6 * 64
    assert count(ops.LayerNorm((8, 8)), IMAGE) == Counts(
        params=128, in_elems=n, weight_elems=128, out_elems=n, elementwise_elems=2 * n + 128
    )
    assert count(ops.BatchNormNd(6, affine=False), IMAGE).weight_elems == 2 * 6  # the running mean and variance
    assert count(ops.RMSNorm((8,)), IMAGE).params == 8
    assert count(ops.LayerNorm((8,), bias=False), IMAGE).params == 8


def test_a_reduction_of_all_axes_gives_a_scalar() -> None:
    assert ops.Reduce("sum", ()).out_shape(IMAGE) == ()
    assert ops.Reduce("sum", (), keepdim=True).out_shape(IMAGE) == (1, 1, 1, 1)


def test_tensors_of_different_rank_broadcast_from_the_last_axis() -> None:
    assert ops.Add().out_shape(IMAGE, (8,)) == ops.Multiply().out_shape((6, 1, 1), IMAGE) == IMAGE
    assert ops.Pointwise("where").out_shape((8, 1), (8,), (6, 1, 1)) == (6, 8, 8)


LAWS: tuple[tuple[Op, tuple[Shape, ...], str], ...] = (
    (ops.Parameter((3,)), ((3,),), "Parameter takes no inputs, but got 1"),
    (ops.ConvNd(6, 8, (3, 3)), (IMAGE,), "ConvNd: kernel_size must have 1 or 3 axes, but got (3, 3). Use Conv2d for 2."),
    (ops.ConvNd(6, 8, (3,), (1, 1)), ((2, 6, 9),), "ConvNd: stride must have as many axes as the kernel, 1, but got (1, 1)"),
    (ops.ConvNd(6, 8, (3,)), (IMAGE,), f"ConvNd takes an input (batch, channels, and 1 more axes), but got shape {IMAGE}"),
    (ops.ConvNd(6, 8, (3,), groups=4), ((2, 6, 9),),
     "groups must divide in_channels, but got groups=4, in_channels=6. Divisors near 4: 3, 6."),
    (ops.ConvTransposeNd(6, 8, (3,), output_padding=(1,)), ((2, 6, 9),),
     "ConvTransposeNd: 0 <= padding and 0 <= output_padding < max(stride, dilation) must hold, "
     "but got padding=0, output_padding=1, stride=1, dilation=1"),
    (ops.MatMul(), ((2, 3), (4, 5)), "MatMul: the inputs must be (..., m, k) and (..., k, n), but got (2, 3) and (4, 5)"),
    (ops.Einsum("ij,jk->ik"), ((2, 3), (4, 5)),
     "Einsum: axes of one letter must be equally long, but got 'ij,jk->ik', inputs (2, 3) and (4, 5)"),
    (ops.Einsum("ij->ik"), ((2, 3),), "Einsum: the output must name axes of the inputs, each once, but got 'ij->ik'"),
    (ops.Einsum("i2->i"), ((2, 3),), "Einsum: the equation must be letters and '...' like 'bij,bjk->bik', but got 'i2->i'"),
    (ops.ScaledDotProductAttention(), (IMAGE,), "ScaledDotProductAttention takes q, k, v and perhaps a mask, but got 1 inputs"),
    (ops.LSTM(5, 7), ((4, 2, 6),), "LSTM takes an input (seq, batch, input_size=5), but got shape (4, 2, 6)"),
    (ops.LSTM(5, 7), ((4, 2, 5), (1, 2, 7)), "LSTM takes one input, or 3 with its initial states, but got 2"),
    (ops.GRU(5, 7), ((4, 2, 5), (1, 2, 6)),
     "GRU: an initial state must be (directions * num_layers, batch, size) = (1, 2, 7), but got (1, 2, 6)"),
    (ops.LSTM(5, 7, proj_size=7), ((4, 2, 5),), "LSTM: 0 <= proj_size < hidden_size must hold, but got proj_size=7, hidden_size=7"),
    (ops.RNN(5, 7, nonlinearity="gelu"), ((4, 2, 5),), "RNN: nonlinearity must be one of tanh, relu, but got 'gelu'"),
    (ops.LayerNorm((6,)), (IMAGE,),
     f"LayerNorm: normalized_shape must be the input's last axes, but got normalized_shape=(6,), input shape {IMAGE}"),
    (ops.GroupNorm(4, 6), (IMAGE,),
     "GroupNorm: num_groups must divide num_channels, but got num_groups=4, num_channels=6. Divisors near 4: 3, 6."),
    (ops.GLU(1), ((2, 5),), "GLU: the axis must have an even number of elements, but got dim=1, input shape (2, 5)"),
    (ops.PReLU(4), (IMAGE,), "PReLU: num_parameters must be 1 or the channels, but got 4, channels 6"),
    (ops.Pointwise("sinn"), (IMAGE,), "unknown function of Pointwise 'sinn'. Did you mean 'sin'?"),
    (ops.Pointwise("maximum"), (IMAGE,), "Pointwise: maximum takes 2 inputs, but got 1"),
    (ops.Reduce("mean", (4,)), (IMAGE,), f"Reduce: dims must be an axis of the input, but got dims=4, input shape {IMAGE}"),
    (ops.Reduce("argmax", (1, 2)), (IMAGE,),
     f"Reduce: the dims of argmax must be one axis or (), but got dims=(1, 2), input shape {IMAGE}"),
    (ops.Permute((0, 1, 2)), (IMAGE,),
     f"Permute: dims must name every axis of the input once, but got dims=(0, 1, 2), input shape {IMAGE}"),
    (ops.Slice(1, 2, 7), (IMAGE,),
     f"Slice: 0 <= start < stop <= size must hold, but got start=2, stop=7, dim=1, input shape {IMAGE}"),
    (ops.Select(1, 6), (IMAGE,), f"Select: index must be a position along dim, but got index=6, dim=1, input shape {IMAGE}"),
    (ops.Expand((2, 12, 8, 8)), (IMAGE,),
     f"Expand: shape may change axes of one element and add axes in front, but got shape=(2, 12, 8, 8), input {IMAGE}"),
    (ops.Reshape((5,), folds_batch=True), (IMAGE,),
     f"Reshape: prod(shape) must divide the number of elements, but got shape=(5,), input shape {IMAGE}"),
    (ops.Stack(), (IMAGE, (2, 6)), f"Stack takes inputs of one shape, but got {IMAGE} and (2, 6)"),
    (ops.PixelShuffle(4), (IMAGE,), "PixelShuffle: upscale_factor^2 must divide the channels, but got upscale_factor=4, channels=6"),
    (ops.Fold((8, 8), 2), ((2, 24, 16),), "Fold takes an input (batch, channels * 4, 49), but got shape (2, 24, 16)"),
    (ops.PadNd((8, 0), "reflect"), (IMAGE,), "PadNd: reflect padding must fit its axis of 8, but got padding=(8, 0)"),
    (ops.PadNd((-8, 0)), (IMAGE,), f"PadNd: padding must leave some output, but got padding=(-8, 0), input shape {IMAGE}"),
    (ops.Interpolate((4,), mode="linear"), (IMAGE,), f"Interpolate: mode linear takes 3 axes, but got {IMAGE}"),
    (ops.Interpolate(), (IMAGE,),
     f"Interpolate: size or scale_factor must be given, for all axes or each, but got size=(), scale_factor=(), input shape {IMAGE}"),
    (ops.PoolNd("avg", (3,), dilation=(2,)), ((2, 6, 9),), "PoolNd: dilation must be 1 unless kind is max, but got dilation=2, kind 'avg'"),
    (ops.AdaptivePoolNd("lp", (1,)), ((2, 6, 9),), "AdaptivePoolNd: kind must be one of max, avg, but got 'lp'"),
    (ops.Index((2,)), (), "Index takes at least one input, but got none"),
)  # fmt: skip


@pytest.mark.parametrize(("op", "shapes", "message"), LAWS, ids=label)
def test_a_broken_law_is_stated_with_its_values(op: Op, shapes: tuple[Shape, ...], message: str) -> None:
    with pytest.raises(LawError) as caught:
        op.out_shape(*shapes)
    assert str(caught.value) == message
