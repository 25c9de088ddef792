"""Readings of the ops with weights: convolution, matrix multiplication, normalisation, embedding, recurrence, attention."""

from __future__ import annotations

from math import isclose, prod, sqrt

from archspace.ir.ops import (
    GRU,
    LSTM,
    RNN,
    Add,
    BatchNorm2d,
    BatchNormNd,
    Conv2d,
    ConvNd,
    ConvTransposeNd,
    DynamicConv2d,
    Einsum,
    Embedding,
    FinalState,
    Flip,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Linear,
    MatMul,
    Op,
    Permute,
    Pointwise,
    Reshape,
    RMSNorm,
    ScaledDotProductAttention,
    Shape,
)
from archspace.onnx.calls import Call, Plan, Step, X, Y, Z, axis_of, pair, row, short, unless
from archspace.onnx.windows import paddings, zeros

RECURRENT: dict[str, type[LSTM | GRU | RNN]] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}


def conv(call: Call) -> Plan | None:
    """Conv. W: (out, in / group, *kernel); pads may differ at the two ends of an axis. A weight that flows is a DynamicConv2d."""
    weight, rank = call.shape(1), len(call.shape(1)) - 2
    if rank < 1 or rank > 3 or len(call.shape()) != rank + 2:
        return None
    strides, dilations = call.attrs.get("strides", [1] * rank), call.attrs.get("dilations", [1] * rank)
    pads = paddings(call.attrs, call.shape()[2:], weight[2:], strides, dilations)
    if pads is None:
        return None
    begin, end = pads
    before = zeros(begin, end)
    padding = (0,) * rank if before else tuple(begin)
    groups = call.attrs.get("group", 1)
    if call.flows(1) or call.flows(2):
        if rank != 2 or before:
            return None
        dynamic = DynamicConv2d(pair(tuple(strides)), pair(padding), pair(tuple(dilations)), groups)
        return Plan((Step(dynamic, (X, Y, Z)[: 3 if call.given(2) else 2]),), (0,))
    bias = call.given(2) is not None
    cin, cout = weight[1] * groups, weight[0]
    layer: Op
    if rank == 2:
        s, p, d = pair(tuple(strides)), pair(padding), pair(tuple(dilations))
        layer = Conv2d(cin, cout, pair(weight[2:]), stride=s, padding=p, dilation=d, groups=groups, bias=bias)
    else:
        layer = ConvNd(cin, cout, weight[2:], unless(1, strides), unless(0, padding), unless(1, dilations), groups=groups, bias=bias)
    return row(*before, layer)


def conv_transpose(call: Call) -> Plan | None:
    """ConvTranspose. W: (in, out / group, *kernel). Fewer pads at the end are output padding."""
    weight, rank = call.shape(1), len(call.shape(1)) - 2
    by_output = "output_shape" in call.attrs or call.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID")
    if not call.is_weight(1) or call.flows(2) or by_output:
        return None
    strides, dilations = unless(1, call.attrs.get("strides", ())), unless(1, call.attrs.get("dilations", ()))
    pads = call.attrs.get("pads", [0] * 2 * rank)
    more = call.attrs.get("output_padding", [0] * rank)
    begin, end = tuple(pads[:rank]), pads[rank:]
    more = unless(0, [m + b - e for m, b, e in zip(more, begin, end, strict=True)])
    groups = call.attrs.get("group", 1)
    bias = call.given(2) is not None
    out_channels = weight[1] * groups
    return row(ConvTransposeNd(weight[0], out_channels, weight[2:], strides, unless(0, begin), dilations, groups, bias, more))


def gemm(call: Call) -> Plan | None:
    """Gemm. alpha A' B' + beta C: Linear where B is a weight, a MatMul of two activations otherwise. The factors scale the weights."""
    a = call.attrs
    swap = Permute((1, 0))
    steps: list[Step] = []
    x, y = X, Y
    if a.get("transA", 0):
        steps.append(Step(swap, (X,)))
        x = len(steps) - 1
    flat_bias = call.given(2) is None or (not call.flows(2) and prod(call.shape(2)) == prod(call.shape(2)[-1:]))
    if call.flows(0) and call.is_weight(1) and flat_bias:
        rows, columns = call.shape(1)
        cin, cout = (columns, rows) if a.get("transB", 0) else (rows, columns)
        if call.given(2) is not None and prod(call.shape(2)) != cout:
            return None
        steps.append(Step(Linear(cin, cout, bias=call.given(2) is not None), (x,)))
        return Plan(tuple(steps), (len(steps) - 1,))
    if a.get("transB", 0):
        steps.append(Step(swap, (Y,)))
        y = len(steps) - 1
    steps.append(Step(MatMul(), (x, y)))
    steps += _scaled(a.get("alpha", 1.0), len(steps) - 1)
    if call.given(2) is not None:
        if a.get("beta", 1.0) != 1:
            return None
        steps.append(Step(Add(), (len(steps) - 1, Z)))
    return Plan(tuple(steps), (len(steps) - 1,))


def _scaled(factor: float, source: int) -> list[Step]:
    return [] if factor == 1 else [Step(Pointwise("mul", (factor,)), (source,))]


def matmul(call: Call) -> Plan | None:
    """MatMul. By a matrix of weights it is Linear without bias; vectors get an axis for the while."""
    a, b = call.shape(0), call.shape(1)
    if call.flows(0) and call.is_weight(1) and len(b) == 2:
        return row(Linear(b[0], b[1], bias=False))
    if len(a) < 2 or len(b) < 2:
        return _vector_matmul(call, a, b)
    return Plan((Step(MatMul(), (X, Y)),), (0,))


def _vector_matmul(call: Call, a: Shape, b: Shape) -> Plan | None:
    if call.out is None or not a or not b or not call.out:
        return None
    steps, x, y = [], X, Y
    if len(a) == 1:
        steps.append(Step(Reshape((a[0],), folds_batch=True), (X,)))
        x = len(steps) - 1
    if len(b) == 1:
        steps.append(Step(Reshape((1,), folds_batch=True), (Y,)))
        y = len(steps) - 1
    steps.append(Step(MatMul(), (x, y)))
    steps.append(Step(Reshape(call.out[1:], folds_batch=True), (len(steps) - 1,)))
    return Plan(tuple(steps), (len(steps) - 1,))


def batch_norm(call: Call) -> Plan | None:
    """BatchNormalization by running statistics, which are no parameters. ONNX's momentum is the share that is kept."""
    if call.attrs.get("training_mode", 0) or not all(call.is_weight(i) for i in range(1, 5)):
        return None
    features, eps, momentum = call.shape(1)[0], short(call.attrs.get("epsilon", 1e-5)), round(1 - call.attrs.get("momentum", 0.9), 6)
    kind = BatchNorm2d if len(call.shape()) == 4 else BatchNormNd
    return row(kind(features, eps=eps, momentum=momentum), weights=(1, 2))


def layer_norm(call: Call) -> Plan | None:
    """LayerNormalization over the axes from `axis` on."""
    if call.flows(1) or call.flows(2):
        return None
    shape = call.shape()
    normalized = shape[axis_of(call.attrs.get("axis", -1), len(shape)) :]
    return row(LayerNorm(normalized, eps=short(call.attrs.get("epsilon", 1e-5)), affine=True, bias=call.given(2) is not None))


def rms_norm(call: Call) -> Plan | None:
    """RMSNormalization, and the SimplifiedLayerNormalization of ONNX Runtime."""
    if call.flows(1):
        return None
    shape = call.shape()
    normalized = shape[axis_of(call.attrs.get("axis", -1), len(shape)) :]
    return row(RMSNorm(normalized, eps=short(call.attrs.get("epsilon", 1e-5)), affine=True))


def group_norm(call: Call) -> Plan | None:
    """GroupNormalization, with a scale per channel (opset 21) or per group (before; then nothing of torch's is it)."""
    channels = call.shape()[1]
    if not call.is_weight(1) or not call.is_weight(2) or call.shape(1) != (channels,):
        return None
    return row(GroupNorm(call.attrs["num_groups"], channels, eps=short(call.attrs.get("epsilon", 1e-5))))


def instance_norm(call: Call) -> Plan | None:
    """InstanceNormalization."""
    if not call.is_weight(1) or not call.is_weight(2):
        return None
    return row(InstanceNorm(call.shape()[1], eps=short(call.attrs.get("epsilon", 1e-5)), affine=True))


def recurrent(call: Call) -> Plan | None:
    """LSTM, GRU and RNN. Y: (seq, directions, batch, hidden), Y_h and Y_c: (directions, batch, hidden); batch before seq with layout 1."""
    a, hidden = call.attrs, call.attrs["hidden_size"]
    if call.flows(1) or call.flows(2) or call.given(7) is not None or a.get("input_forget", 0) or a.get("clip"):
        return None
    direction, first = a.get("direction", "forward"), bool(a.get("layout", 0))
    two = 2 if direction == "bidirectional" else 1
    has_bias = call.given(3) is not None
    layer = RECURRENT[call.kind](call.shape()[2], hidden, bias=has_bias, batch_first=first, bidirectional=two == 2)
    steps: list[Step] = []
    x = X
    time = 1 if first else 0
    if direction == "reverse":
        steps.append(Step(Flip((time,)), (X,)))
        x = 0
    states = [-1 - i for i in (5, 6)[: len(layer.states)] if call.given(i) is not None]
    if not any(call.flows(-1 - i) for i in states) or len(states) < len(layer.states):
        states = []  # zeros, or another constant that nothing is gained from showing
    steps.append(Step(layer, (x, *states)))
    y = last = len(steps) - 1
    if direction == "reverse":
        steps.append(Step(Flip((time,)), (y,)))
        last = len(steps) - 1
    length, batch = call.shape()[time], call.shape()[1 - time]
    if first:
        steps.append(Step(Reshape((length, two, hidden)), (last,)))
    else:
        steps += [Step(Reshape((batch, two, hidden)), (last,)), Step(Permute((0, 2, 1, 3)), (last + 1,))]
    out = len(steps) - 1
    final: list[Step] = [Step(FinalState(two, hidden, batch_first=first), (y,))]
    if first:
        final.append(Step(Permute((1, 0, 2)), (out + 1,)))
    steps += final
    h = len(steps) - 1
    # The cell's last state has the hidden one's shape; it is another tensor, so another node.
    steps += [Step(step.op, (y,) if i == 0 else (len(steps),)) for i, step in enumerate(final)]
    return Plan(tuple(steps), (out, h, len(steps) - 1)[: 3 if isinstance(layer, LSTM) else 2], weights=(1, 2, 3))


def gather(call: Call) -> Plan | None:
    """Gather of rows of a table of weights by ids that flow: an embedding. (Other gathers are movements.)"""
    if not call.is_weight(0) or not call.flows(1) or len(call.shape()) != 2 or axis_of(call.attrs.get("axis", 0), 2) != 0:
        return None
    return Plan((Step(Embedding(*call.shape()), (Y,)),), (0,), weights=(0,))


def attention(call: Call) -> Plan | None:
    """Attention (opset 23): q, k, v as (batch, heads, length, size), or (batch, length, heads * size) with the heads in attributes."""
    a, rank = call.attrs, len(call.shape())
    if any(call.given(i) is not None for i in range(4, 7)) or a.get("softcap") or a.get("qk_matmul_output_mode"):
        return None
    mask = (-4,) if call.given(3) is not None else ()
    mine, theirs = (call.shape(0)[1], call.shape(1)[1]) if rank == 4 else (int(a["q_num_heads"]), int(a["kv_num_heads"]))
    size = call.shape()[-1] if rank == 4 else call.shape()[-1] // mine
    if not isclose(a.get("scale", 1 / sqrt(size)), 1 / sqrt(size), rel_tol=1e-4):
        return None
    op = ScaledDotProductAttention(bool(a.get("is_causal", 0)), mine != theirs)
    if rank == 4:
        return Plan((Step(op, (X, Y, Z, *mask)),), (0,))
    steps: list[Step] = []
    for i, count in enumerate((mine, theirs, theirs)):
        shape = call.shape(i)
        steps.append(Step(Reshape((shape[1], count, shape[2] // count)), (-1 - i,)))
        steps.append(Step(Permute((0, 2, 1, 3)), (2 * i,)))
    steps.append(Step(op, (1, 3, 5, *mask)))
    steps.append(Step(Permute((0, 2, 1, 3)), (6,)))
    steps.append(Step(Reshape((call.shape()[1], mine * (call.shape(2)[2] // theirs))), (7,)))
    return Plan(tuple(steps), (8,))


def einsum(call: Call) -> Plan | None:
    """Einsum of up to three tensors."""
    steps = (Step(Einsum(call.attrs["equation"].replace(" ", "")), tuple([-1 - i for i in range(len(call.inputs))])),)
    return Plan(steps, (0,))
