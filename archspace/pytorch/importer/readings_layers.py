"""Readings of calls that multiply by weights or by each other: convolution, linear, matmul, attention, recurrence, embedding."""

from __future__ import annotations

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
    Embedding,
    FinalState,
    Linear,
    MatMul,
    Op,
    Pad,
    PadNd,
    Pointwise,
    ScaledDotProductAttention,
)
from archspace.pytorch.importer.calls import Call, Fed, Operand, Reading, Results, Rule, as_pair, axes, is_weight


def convolution(call: Call) -> Reading:
    """aten.conv1d/2d/3d and convolution. weight: (out_channels, in_channels / groups, *kernel); padding in pixels, 'same' or 'valid'."""
    a, weight = call.args, call.args["weight"]
    if a.get("transposed"):
        return transposed_convolution(call)
    if not weight.is_weight or not is_weight(a["bias"]):
        return _dynamic_convolution(call)
    out, per_group, *kernel = weight.shape
    rank, groups, bias = len(kernel), a["groups"], a["bias"] is not None
    padding = a["padding"]
    before: tuple[Op, ...] = ()
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(axes(a["dilation"], rank), kernel, strict=True)]
        padding = [total // 2 for total in totals]
        if any(total % 2 for total in totals):  # torch puts the odd pixel at the end
            around = [side for total in reversed(totals) for side in (total // 2, total - total // 2)]
            before = (Pad((around[0], around[1], around[2], around[3])) if rank == 2 else PadNd(tuple(around)),)
            padding = [0]
    elif padding == "valid":
        padding = [0]
    if rank == 2:
        stride, pixels, dilation = (as_pair(value) for value in (a["stride"], padding, a["dilation"]))
        return (*before, Conv2d(per_group * groups, out, as_pair(kernel), stride, pixels, dilation, groups, bias))
    strides, paddings, dilations = (axes(value, rank) for value in (a["stride"], padding, a["dilation"]))
    return (*before, ConvNd(per_group * groups, out, tuple(kernel), strides, paddings, dilations, groups, bias))


def _dynamic_convolution(call: Call) -> Reading:
    """A convolution whose weight is computed from the input, or of constants by such a weight."""
    a = call.args
    if len(a["weight"].shape) != 4 or isinstance(a["padding"], str):
        return None
    stride, padding, dilation = (as_pair(value) for value in (a["stride"], a["padding"], a["dilation"]))
    return Fed((DynamicConv2d(stride, padding, dilation, a["groups"]),), _present(a["input"], a["weight"], a["bias"]))


def transposed_convolution(call: Call) -> Reading:
    """aten.conv_transpose1d/2d/3d and aten.convolution transposed. weight: (in_channels, out_channels / groups, *kernel)."""
    a, weight = call.args, call.args["weight"]
    if not weight.is_weight or not is_weight(a["bias"]):
        return None
    inner, per_group, *kernel = weight.shape
    rank = len(kernel)
    op = ConvTransposeNd(
        inner,
        per_group * a["groups"],
        tuple(kernel),
        stride=axes(a["stride"], rank),
        padding=axes(a["padding"], rank),
        output_padding=axes(a["output_padding"], rank),
        dilation=axes(a["dilation"], rank),
        groups=a["groups"],
        bias=a["bias"] is not None,
    )
    return (op,)


def linear(call: Call) -> Reading:
    """aten.linear. weight: (out_features, in_features). By a weight that is computed from the input it is a matmul."""
    source, weight, bias = call.args["input"], call.args["weight"], call.args["bias"]
    if not weight.is_weight or not is_weight(bias) or len(weight.shape) != 2:
        return None
    return Fed((Linear(weight.shape[1], weight.shape[0], bias=bias is not None),), (source,))


def addmm(call: Call) -> Reading:
    """aten.addmm: x @ weight + bias, weight: (in_features, out_features); else a matmul and what is added."""
    source, weight, bias = call.args["mat1"], call.args["mat2"], call.args["self"]
    is_linear = not source.is_weight and weight.is_weight and bias.is_weight and len(bias.shape) == 1
    if is_linear and call.args["beta"] == call.args["alpha"] == 1:
        inner, outer = weight.shape
        return Fed((Linear(inner, outer, bias=True),), (source,))
    return _added_matmul(call, source, weight)


def matmul(first: str, second: str) -> Rule:
    """aten.mm, bmm and matmul: by weights of two axes a linear layer; else a matmul, whose operands have at least two axes."""

    def rule(call: Call) -> Reading:
        a, b = call.args[first], call.args[second]
        if not a.is_weight and b.is_weight and len(b.shape) == 2 and len(a.shape) > 1:
            inner, outer = b.shape
            return Fed((Linear(inner, outer, bias=False),), (a,))
        return Fed((MatMul(),), (a, b)) if len(a.shape) > 1 and len(b.shape) > 1 else None

    return rule


def baddbmm(call: Call) -> Reading:
    """aten.baddbmm."""
    return _added_matmul(call, call.args["batch1"], call.args["batch2"])


def _added_matmul(call: Call, first: Operand, second: Operand) -> Reading:
    """beta * self + alpha * (first @ second), beta being 0 or 1."""
    a = call.args
    if a["beta"] not in (0, 1):
        return None
    scaled = () if a["alpha"] == 1 else (Pointwise("mul", (a["alpha"],)),)
    added = (Add(),) if a["beta"] else ()
    then = (*[() for _ in scaled], *[(a["self"],) for _ in added])
    return Fed((MatMul(), *scaled, *added), (first, second), then)


def einsum(call: Call) -> Reading:
    """aten.einsum."""
    return Fed((Einsum(call.args["equation"].replace(" ", "")),), call.operands)


def bilinear(call: Call) -> Reading:
    """aten.bilinear: x1^T weight x2 + bias per output. weight: (out_features, in1_features, in2_features)."""
    a = call.args
    added = (a["bias"],) if a["bias"] is not None else ()
    ops = (Einsum("...i,oij,...j->...o"), *[Add() for _ in added])
    return Fed(ops, (a["input1"], a["weight"], a["input2"]), (added,) if added else ())


def attention(call: Call) -> Reading:
    """aten.scaled_dot_product_attention, at inference."""
    a = call.args
    operands = _present(a["query"], a["key"], a["value"], a["attn_mask"])
    usual = a["query"].shape[-1] ** -0.5
    scale = None if a["scale"] is None or abs(a["scale"] - usual) <= 1e-6 * usual else float(a["scale"])
    return Fed((ScaledDotProductAttention(is_causal=a["is_causal"], enable_gqa=a["enable_gqa"], scale=scale),), operands)


def lstm(call: Call) -> Reading:
    """aten.lstm: the sequence, and the last states h and c."""
    a = call.args
    size, kept = a["params"][0].shape[0] // 4, a["params"][1].shape[1]  # by weights that read the input, and the state
    op = LSTM(
        call.source.shape[-1],
        size,
        num_layers=a["num_layers"],
        bias=a["has_biases"],
        batch_first=a["batch_first"],
        bidirectional=a["bidirectional"],
        proj_size=0 if kept == size else kept,
    )
    return _recurrent(call, op, (kept, size))


def gru(call: Call) -> Reading:
    """aten.gru: the sequence, and the last state."""
    a = call.args
    size = a["params"][0].shape[0] // 3
    op = GRU(
        call.source.shape[-1],
        size,
        num_layers=a["num_layers"],
        bias=a["has_biases"],
        batch_first=a["batch_first"],
        bidirectional=a["bidirectional"],
    )
    return _recurrent(call, op, (size,))


def rnn(nonlinearity: str) -> Rule:
    """aten.rnn_tanh and aten.rnn_relu: the sequence, and the last state."""

    def rule(call: Call) -> Reading:
        a = call.args
        size = a["params"][0].shape[0]
        op = RNN(
            call.source.shape[-1],
            size,
            num_layers=a["num_layers"],
            bias=a["has_biases"],
            batch_first=a["batch_first"],
            bidirectional=a["bidirectional"],
            nonlinearity=nonlinearity,
        )
        return _recurrent(call, op, (size,))

    return rule


def _recurrent(call: Call, op: LSTM | GRU | RNN, sizes: tuple[int, ...]) -> Reading:
    states = op.num_layers * (2 if op.bidirectional else 1)
    given = call.args["hx"]
    started = tuple([one for one in (given if isinstance(given, list) else [given]) if not one.is_weight])  # zeros are no input
    return Results(op, (call.args["input"], *started), tuple([FinalState(states, size, op.batch_first) for size in sizes]))


def embedding(call: Call) -> Reading:
    """aten.embedding. weight: (num_embeddings, embedding_dim)."""
    weight, indices = call.args["weight"], call.args["indices"]
    return Fed((Embedding(*weight.shape),), (indices,)) if weight.is_weight else None


def _present(*operands: Operand | None) -> tuple[Operand, ...]:
    return tuple([one for one in operands if one is not None])
