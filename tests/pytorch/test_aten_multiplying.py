"""The ATen table's overloads that multiply and add: convolution, linear, matmul, attention, recurrence."""

from __future__ import annotations

import pytest
import torch
from aten_cases import (
    SEQUENCE,
    VOLUME,
    Case,
    First,
    X,
    assert_becomes_its_ops,
    assert_computes_the_same,
    assert_counts_what_torch_counts,
    assert_is_opaque,
    aten,
    call,
    drawn,
    layer,
    recorded,
    routed,
)
from torch import nn
from torch.nn import functional as f

from archspace.analysis import total_counts
from archspace.ir.ops import (
    GRU,
    LSTM,
    RNN,
    Add,
    Conv2d,
    ConvNd,
    ConvTransposeNd,
    DynamicConv2d,
    Einsum,
    FinalState,
    Linear,
    MatMul,
    Pad,
    PadNd,
    Pointwise,
    ScaledDotProductAttention,
)
from archspace.pytorch.importer.assemble import graph_of
from archspace.pytorch.importer.aten import MULTIPLYING

A, B, C = drawn(3, 5, 4), drawn(3, 4, 7), drawn(3, 5, 7)  # a, b and c of c + a b
Q, K, V = drawn(2, 4, 5, 8), drawn(2, 4, 7, 8, seed=1), drawn(2, 4, 7, 6, seed=2)
ONE_STATE, CELL = drawn(1, 12, 5), drawn(1, 12, 5, seed=1)
ENDS = "the states that a recurrent layer ends in"


def states(layers: int, size: int, seed: int = 0) -> torch.Tensor:
    """Initial states for a batch of 2."""
    return drawn(layers, 2, size, seed=seed)


# Overload, and what is special -> a call of it and the ops that it becomes.
CASES: dict[str, Case] = {
    "addmm.default": call(
        lambda x, b, w: torch.addmm(b, x, w),
        Linear(4, 7),
        inputs=(drawn(5, 4),),
        weights={"bias": drawn(7), "weight": drawn(4, 7)},
    ),
    "addmm.default, all computed": call(torch.addmm, MatMul(), Add(), inputs=(C[0], A[0], B[0])),
    "addmm.default, half of it": call(
        lambda c, a, b: torch.addmm(c, a, b, alpha=0.5), MatMul(), Pointwise("mul", (0.5,)), Add(), inputs=(C[0], A[0], B[0])
    ),
    "baddbmm.default": call(torch.baddbmm, MatMul(), Add(), inputs=(C, A, B)),
    "baddbmm.default, scaled": call(
        lambda c, a, b: torch.baddbmm(c, a, b, beta=0, alpha=0.125), MatMul(), Pointwise("mul", (0.125,)), inputs=(C, A, B)
    ),
    "bilinear.default": layer(lambda: nn.Bilinear(5, 4, 3), Einsum("...i,oij,...j->...o"), Add(), inputs=(drawn(2, 5), drawn(2, 4))),
    "bmm.default": call(torch.bmm, MatMul(), inputs=(A, B)),
    "conv1d.default": layer(
        lambda: nn.Conv1d(12, 8, 3, stride=2, padding=1, dilation=2, groups=2),
        ConvNd(12, 8, (3,), (2,), (1,), (2,), groups=2, bias=True),
        inputs=(SEQUENCE,),
    ),
    "conv1d.padding": layer(
        lambda: nn.Conv1d(12, 8, 3, padding="same", bias=False), ConvNd(12, 8, (3,), (1,), (1,), (1,)), inputs=(SEQUENCE,)
    ),
    "conv1d.padding, even": layer(
        lambda: nn.Conv1d(12, 8, 4, padding="same"),
        PadNd((1, 2)),
        ConvNd(12, 8, (4,), (1,), (0,), (1,), bias=True),
        inputs=(SEQUENCE,),
    ),
    "conv2d.default": layer(lambda: nn.Conv2d(12, 8, (3, 2), stride=2, padding=1, groups=4), Conv2d(12, 8, (3, 2), 2, 1, 1, 4, bias=True)),
    "conv2d.default, depthwise": layer(
        lambda: nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=12, bias=False), Conv2d(12, 12, 3, 1, 2, 2, 12)
    ),
    "conv2d.default, by a computed weight": call(
        lambda x, w: f.conv2d(x, w, padding=1, groups=3),
        DynamicConv2d(padding=1, groups=3),
        inputs=(X, drawn(6, 4, 3, 3)),
    ),
    "conv2d.default, by a computed weight and bias": call(
        lambda x, w, b: f.conv2d(x, w, b, stride=(2, 1)),
        DynamicConv2d(stride=(2, 1)),
        inputs=(X, drawn(6, 12, 3, 3), drawn(6)),
    ),
    "conv2d.padding": layer(lambda: nn.Conv2d(12, 8, (3, 5), padding="same"), Conv2d(12, 8, (3, 5), 1, (1, 2), bias=True)),
    "conv2d.padding, even": layer(lambda: nn.Conv2d(12, 8, (2, 3), padding="same", bias=False), Pad((1, 1, 0, 1)), Conv2d(12, 8, (2, 3))),
    "conv2d.padding, valid": layer(lambda: nn.Conv2d(12, 8, 3, stride=2, padding="valid"), Conv2d(12, 8, 3, 2, bias=True)),
    "conv3d.default": layer(
        lambda: nn.Conv3d(12, 8, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), bias=False),
        ConvNd(12, 8, (1, 3, 3), (1, 2, 2), (0, 1, 1), (1, 1, 1)),
        inputs=(VOLUME,),
    ),
    "conv3d.padding": layer(
        lambda: nn.Conv3d(12, 8, 3, padding="same"),
        ConvNd(12, 8, (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), bias=True),
        inputs=(VOLUME,),
    ),
    "conv3d.padding, even": layer(
        lambda: nn.Conv3d(12, 8, (3, 2, 4), padding="same"),
        PadNd((1, 2, 0, 1, 1, 1)),
        ConvNd(12, 8, (3, 2, 4), (1, 1, 1), (0, 0, 0), (1, 1, 1), bias=True),
        inputs=(VOLUME,),
    ),
    "conv_transpose1d.default": layer(
        lambda: nn.ConvTranspose1d(12, 8, 3, stride=2, padding=1, output_padding=1),
        ConvTransposeNd(12, 8, (3,), (2,), (1,), (1,), bias=True, output_padding=(1,)),
        inputs=(SEQUENCE,),
    ),
    "conv_transpose2d.input": layer(
        lambda: nn.ConvTranspose2d(12, 8, (2, 3), stride=2, groups=4, dilation=2, bias=False),
        ConvTransposeNd(12, 8, (2, 3), (2, 2), (0, 0), (2, 2), 4, output_padding=(0, 0)),
    ),
    "conv_transpose3d.input": layer(
        lambda: nn.ConvTranspose3d(12, 8, 2, stride=2),
        ConvTransposeNd(12, 8, (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1), bias=True, output_padding=(0, 0, 0)),
        inputs=(VOLUME,),
    ),
    "convolution.default": call(
        lambda x, w, b: aten.convolution.default(x, w, b, [1, 2], [1, 0], [1, 1], False, [0, 0], 2),
        Conv2d(12, 8, 3, (1, 2), (1, 0), 1, 2, bias=True),
        weights={"weight": drawn(8, 6, 3, 3), "bias": drawn(8)},
    ),
    "convolution.default, transposed": call(
        lambda x, w: aten.convolution.default(x, w, None, [2], [1], [1], True, [1], 3),
        ConvTransposeNd(12, 6, (3,), (2,), (1,), (1,), 3, output_padding=(1,)),
        inputs=(SEQUENCE,),
        weights={"weight": drawn(12, 2, 3)},
    ),
    "einsum.default": call(lambda a, b: torch.einsum("b i k, b k j -> b i j", a, b), Einsum("bik,bkj->bij"), inputs=(A, B)),
    "einsum.default, outer": call(lambda a, b: torch.einsum("bik,bkj->bikj", [a, b]), Einsum("bik,bkj->bikj"), inputs=(A, B)),
    "einsum.default, by weights": call(
        lambda x, w: torch.einsum("nchw,kc->nkhw", x, w), Einsum("nchw,kc->nkhw"), weights={"weight": drawn(5, 12)}
    ),
    "gru.input": layer(
        lambda: First(nn.GRU(12, 5, num_layers=2, bidirectional=True)),
        GRU(12, 5, num_layers=2, bidirectional=True),
        inputs=(drawn(3, 2, 12),),
    ),
    "gru.input, from a state": layer(
        lambda: First(nn.GRU(12, 5, bias=False, batch_first=True)),
        GRU(12, 5, bias=False, batch_first=True),
        inputs=(drawn(2, 3, 12), states(1, 5)),
    ),
    "gru.input, and its last state": layer(
        lambda: nn.GRU(12, 5, num_layers=2), GRU(12, 5, num_layers=2), FinalState(2, 5), inputs=(drawn(3, 2, 12),), refused=ENDS
    ),
    "linear.default": layer(lambda: nn.Linear(10, 7), Linear(10, 7)),
    "linear.default, without bias": layer(lambda: nn.Linear(10, 7, bias=False), Linear(10, 7, bias=False), inputs=(drawn(3, 10),)),
    "lstm.input": layer(
        lambda: First(nn.LSTM(12, 5, num_layers=2, batch_first=True, bidirectional=True)),
        LSTM(12, 5, num_layers=2, batch_first=True, bidirectional=True),
        inputs=(drawn(2, 3, 12),),
    ),
    "lstm.input, projected": layer(
        lambda: First(nn.LSTM(12, 5, bias=False, proj_size=4)), LSTM(12, 5, bias=False, proj_size=4), inputs=(drawn(3, 2, 12),)
    ),
    "lstm.input, and its last states": layer(
        lambda: nn.LSTM(12, 5), LSTM(12, 5), FinalState(1, 5), FinalState(1, 5), inputs=(drawn(3, 2, 12),), refused=ENDS
    ),
    "matmul.default": call(torch.matmul, MatMul(), inputs=(Q, drawn(4, 8, 3))),
    "matmul.default, by a weight": call(torch.matmul, Linear(10, 7, bias=False), weights={"weight": drawn(10, 7)}),
    "matmul.default, of a weight": call(lambda x, w: w @ x, MatMul(), weights={"weight": drawn(7, 6)}),
    "mm.default": call(torch.mm, MatMul(), inputs=(A[0], B[0])),
    "mm.default, by a weight": call(torch.mm, Linear(4, 7, bias=False), inputs=(A[0],), weights={"weight": drawn(4, 7)}),
    "rnn_relu.input": layer(
        lambda: First(nn.RNN(12, 5, nonlinearity="relu")), RNN(12, 5, nonlinearity="relu"), inputs=(drawn(3, 2, 12), states(1, 5))
    ),
    "rnn_tanh.input": layer(
        lambda: First(nn.RNN(12, 5, num_layers=2, batch_first=True)), RNN(12, 5, num_layers=2, batch_first=True), inputs=(drawn(2, 3, 12),)
    ),
    "rnn_tanh.input, and its last state": layer(
        lambda: nn.RNN(12, 5, bidirectional=True),
        RNN(12, 5, bidirectional=True),
        FinalState(2, 5),
        inputs=(drawn(3, 2, 12),),
        refused=ENDS,
    ),
    "scaled_dot_product_attention.default": call(f.scaled_dot_product_attention, ScaledDotProductAttention(), inputs=(Q, K, V)),
    "scaled_dot_product_attention.default, causal": call(
        lambda q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True), ScaledDotProductAttention(is_causal=True), inputs=(K, K, V)
    ),
    "scaled_dot_product_attention.default, masked": call(
        f.scaled_dot_product_attention, ScaledDotProductAttention(), inputs=(Q, K, V, drawn(2, 1, 5, 7))
    ),
    "scaled_dot_product_attention.default, masked by a weight": call(
        f.scaled_dot_product_attention, ScaledDotProductAttention(), inputs=(Q, K, V), weights={"mask": drawn(4, 5, 7)}
    ),
    "scaled_dot_product_attention.default, scaled": call(
        lambda q, k, v: f.scaled_dot_product_attention(q, k, v, scale=0.5), ScaledDotProductAttention(scale=0.5), inputs=(Q, K, V)
    ),
    "scaled_dot_product_attention.default, grouped": call(
        lambda q, k, v: f.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        ScaledDotProductAttention(enable_gqa=True),
        inputs=(Q, K[:, :2], V[:, :2]),
    ),
}

# Calls of the same overloads that are something else.
OTHERS: dict[str, Case] = {
    "a sum that is weighted": call(lambda c, a, b: torch.baddbmm(c, a, b, beta=2), inputs=(C, A, B)),
    "a convolution of one image alone": layer(lambda: nn.Conv2d(12, 8, 3), inputs=(X[0],)),
    "a transposed convolution by a computed weight": call(f.conv_transpose2d, inputs=(X, drawn(12, 4, 2, 2))),
    "a convolution along one axis by a computed weight": call(f.conv1d, inputs=(SEQUENCE, drawn(5, 12, 3))),
    "a product of four": call(lambda a, b: torch.einsum("bij,bjk,bij,bjk->bik", a, b, a, b), inputs=(A, B)),
    "a product with a vector": call(torch.matmul, inputs=(X, drawn(10))),
}


@pytest.mark.parametrize(("key", "route"), routed(CASES))
def test_a_product_becomes_its_ops(key: str, route: str) -> None:
    assert_becomes_its_ops(key, CASES[key], route)


@pytest.mark.parametrize("key", [key for key in CASES if key != "bilinear.default"])
def test_a_product_counts_what_torch_counts(key: str) -> None:
    assert_counts_what_torch_counts(CASES[key])


def test_a_bilinear_layer_which_torch_counts_as_nothing_is_two_products() -> None:
    total = total_counts(graph_of(recorded(CASES["bilinear.default"])))
    assert total.madds == 2 * 3 * 5 * 4 + 2 * 3 * 4  # of 2 rows: 3 x 5 x 4 weights by x1, then 3 x 4 sums by x2
    assert total.params == 3 * 5 * 4 + 3


@pytest.mark.parametrize("key", CASES)
def test_a_product_built_of_its_ops_computes_the_same(key: str) -> None:
    assert_computes_the_same(CASES[key])


@pytest.mark.parametrize("key", OTHERS)
def test_what_only_looks_like_a_known_product_is_opaque(key: str) -> None:
    assert_is_opaque(OTHERS[key])


def test_every_row_that_multiplies_has_a_case() -> None:
    assert {key.partition(",")[0] for key in CASES} == set(MULTIPLYING)
