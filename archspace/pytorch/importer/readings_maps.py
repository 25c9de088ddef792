"""Readings of calls that touch each element by itself: normalisation, activations, arithmetic, comparison, conversion."""

from __future__ import annotations

from math import isclose, prod
from typing import Any

from archspace.ir.ops import (
    ELU,
    GELU,
    GLU,
    Add,
    BatchNorm2d,
    BatchNormNd,
    Dropout,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Multiply,
    Op,
    Pointwise,
    PReLU,
    ReLU,
    ReLU6,
    RMSNorm,
    Softmax,
)
from archspace.pytorch.importer.calls import Call, Fed, Operand, Reading, Results, Rule, is_weight

SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)  # alpha and scale: Klambauer et al., NeurIPS 2017, section 2


def elementwise(op: Op) -> Rule:
    """A call that is always this op."""
    return lambda call: (op,)


def same(call: Call) -> Reading:
    """A call that returns its input's elements in its input's shape."""
    return () if call.shape == call.out else None


def laid_out(call: Call) -> Reading:
    """aten.as_strided_: nothing where only axes of one element get other strides, as behind global pooling in channels-last order."""
    result = call.results[0]
    if result is None or call.shape != call.out:
        return None
    strides = zip(call.shape, call.source.datum.stride, result.stride, strict=True)
    return () if all(size == 1 or before == after for size, before, after in strides) else None


def log_sigmoid(call: Call) -> Reading:
    """aten.log_sigmoid and log_sigmoid_forward."""
    return _first(call, Pointwise("logsigmoid"))


def batch_norm(call: Call) -> Reading:
    """aten.batch_norm and native_batch_norm at inference; without running statistics it is an instance norm over the batch, unknown."""
    a = call.args
    if a.get("training") or any(a.get(name) is None for name in ("running_mean", "running_var")):
        return None
    if not all(is_weight(a.get(name)) for name in ("weight", "bias", "running_mean", "running_var")):
        return None
    features, affine = a["running_mean"].shape[0], a["weight"] is not None
    if affine and a["bias"] is not None and len(call.shape) == 4:
        return _first(call, BatchNorm2d(features, eps=a["eps"], momentum=a["momentum"]))
    if affine != (a["bias"] is not None):
        return None
    return _first(call, BatchNormNd(features, eps=a["eps"], momentum=a["momentum"], affine=affine))


def instance_norm(call: Call) -> Reading:
    """aten.instance_norm by the statistics of the image; by running ones it is a batch norm."""
    a = call.args
    if not a["use_input_stats"]:
        return batch_norm(call)
    if not is_weight(a["weight"]) or not is_weight(a["bias"]):
        return None
    return (InstanceNorm(call.shape[1], eps=a["eps"], affine=a["weight"] is not None),)


def layer_norm(call: Call) -> Reading:
    """aten.layer_norm and native_layer_norm."""
    a = call.args
    if not is_weight(a["weight"]) or not is_weight(a["bias"]):
        return None
    op = LayerNorm(tuple(a["normalized_shape"]), eps=a["eps"], affine=a["weight"] is not None, bias=a["bias"] is not None)
    return _first(call, op)


def rms_norm(call: Call) -> Reading:
    """aten.rms_norm and _fused_rms_norm."""
    a = call.args
    return (
        _first(call, RMSNorm(tuple(a["normalized_shape"]), eps=a["eps"], affine=a["weight"] is not None))
        if is_weight(a["weight"])
        else None
    )


def group_norm(call: Call) -> Reading:
    """aten.group_norm and native_group_norm."""
    a = call.args
    if not is_weight(a["weight"]) or not is_weight(a["bias"]):
        return None
    return _first(call, GroupNorm(a.get("num_groups", a.get("group")), call.shape[1], eps=a["eps"], affine=a["weight"] is not None))


def _first(call: Call, op: Op) -> Reading:
    """An op whose call has further results (statistics) that inference does not read."""
    return Results(op, (call.source,), ()) if len(call.results) > 1 else (op,)


def softmax(call: Call) -> Reading:
    """aten.softmax.int and _softmax; in another type it is a conversion first."""
    return _in_type(call, Softmax(call.args["dim"]))


def log_softmax(call: Call) -> Reading:
    """aten.log_softmax.int and _log_softmax."""
    return _in_type(call, LogSoftmax(call.args["dim"]))


def _in_type(call: Call, op: Op) -> Reading:
    dtype = call.args.get("dtype")
    if dtype is None:  # _softmax has it in its result alone
        dtype = call.results[0].dtype if call.results[0] is not None else call.source.datum.dtype
    return (*to(call, dtype), op)


def gelu(call: Call) -> Reading:
    """aten.gelu, exact or by tanh."""
    return (GELU(call.args["approximate"]),)


def hardtanh(call: Call) -> Reading:
    """aten.hardtanh; between 0 and 6 it is relu6."""
    bounds = (call.args["min_val"], call.args["max_val"])
    return (ReLU6(),) if bounds == (0, 6) else (Pointwise("hardtanh", bounds),)


def clamp(call: Call) -> Reading:
    """aten.clamp; from 0 on it is relu, between 0 and 6 relu6; between tensors it reads them, of one alone it is their extremum."""
    low, high = bounds = (call.args.get("min"), call.args.get("max"))
    if isinstance(low, Operand) or isinstance(high, Operand):
        return Fed((Pointwise("minimum" if low is None else "maximum" if high is None else "clamp"),), call.operands)
    if bounds == (0, None):
        return (ReLU(),)
    return (ReLU6(),) if bounds == (0, 6) else (Pointwise("clamp", bounds),)


def leaky_relu(call: Call) -> Reading:
    """aten.leaky_relu."""
    return (LeakyReLU(call.args["negative_slope"]),)


def elu(call: Call) -> Reading:
    """aten.elu, which is also selu and celu where its scales are theirs."""
    alpha, scale, inner = (call.args[name] for name in ("alpha", "scale", "input_scale"))
    if (scale, inner) == (1, 1):
        return (ELU(alpha),)
    if scale == 1 and alpha and inner == 1 / alpha:
        return (Pointwise("celu", (alpha,)),)
    return (Pointwise("selu"),) if isclose(alpha, SELU[0]) and isclose(scale, SELU[1]) and inner == 1 else None


def rrelu(call: Call) -> Reading:
    """aten.rrelu and rrelu_with_noise: at inference the slope is the mean."""
    a = call.args
    return None if a["training"] else Fed((LeakyReLU((a["lower"] + a["upper"]) / 2),), (call.source,))


def prelu(call: Call) -> Reading:
    """aten.prelu. weight: (num_parameters,), or as many with axes of one element behind."""
    weight = call.args["weight"]
    return Fed((PReLU(prod(weight.shape)),), (call.source,)) if weight.is_weight else None


def glu(call: Call) -> Reading:
    """aten.glu."""
    return (GLU(call.args["dim"]),)


def dropout(call: Call) -> Reading:
    """aten.dropout, kept for training where it drops anything."""
    p = call.args["p"]
    return (Dropout(p),) if 0 < p < 1 else ()


def add(call: Call) -> Reading:
    """aten.add: of two tensors or a scalar; adding zero is nothing. A tensor that is scaled by alpha on the way is two ops."""
    return _scaled(call, "add", Add())


def subtract(call: Call) -> Reading:
    """aten.sub, as `add`."""
    return _scaled(call, "sub", Pointwise("sub"))


def reversed_subtract(call: Call) -> Reading:
    """aten.rsub: other - self."""
    a = call.args
    if a["alpha"] != 1:
        return None
    return Fed((Pointwise("sub"),), (a["other"], a["self"])) if isinstance(a["other"], Operand) else (Pointwise("rsub", (a["other"],)),)


def _scaled(call: Call, function: str, op: Op) -> Reading:
    first, other, alpha = call.args["self"], call.args["other"], call.args["alpha"]
    if not isinstance(other, Operand):
        return _unchanged(call) if other == 0 else Fed((Pointwise(function, (other * alpha,)),), (first,))
    if alpha == 1:
        return Fed((op,), (first, other))
    return Fed((Pointwise("mul", (alpha if function == "add" else -alpha,)), Add()), (other,), ((first,),))


def multiply(call: Call) -> Reading:
    """aten.mul: of two tensors or a scalar; multiplying by one is nothing."""
    first, other = call.args["self"], call.args["other"]
    if isinstance(other, Operand):
        return Fed((Multiply(),), (first, other))
    return _unchanged(call) if other == 1 else (Pointwise("mul", (other,)),)


def divide(call: Call) -> Reading:
    """aten.div: of two tensors or a scalar, perhaps rounded; dividing by one is nothing."""
    first, other, mode = call.args["self"], call.args["other"], call.args.get("rounding_mode")
    function, rounded = ("floor_divide", ()) if mode == "floor" else ("div", (mode,) if mode else ())
    if isinstance(other, Operand):
        return Fed((Pointwise(function, rounded),), (first, other))
    return _unchanged(call) if other == 1 and mode is None else (Pointwise(function, (other, *rounded)),)


def power(call: Call) -> Reading:
    """aten.pow of a number: of 2 it is exp2; the vocabulary has no word for others."""
    return (Pointwise("exp2"),) if call.args["self"] == 2 else None


def pointwise(function: str, *names: str) -> Rule:
    """A call that is this function of its tensors, followed by the scalars of these names."""

    def rule(call: Call) -> Reading:
        given: list[Any] = [call.args[name] for name in names]
        if any(isinstance(value, Operand) for value in given):
            given = [value for value in given if not isinstance(value, Operand)]
        return Fed((Pointwise(function, tuple(given)),), call.operands)

    return rule


def product(function: str) -> Rule:
    """aten.addcmul and addcdiv: a value other than 1 scales what is added."""
    return lambda call: Fed((Pointwise(function, () if call.args["value"] == 1 else (call.args["value"],)),), call.operands)


def convert(call: Call) -> Reading:
    """aten.to, _to_copy and type_as: nothing where the type is the same already."""
    return Fed(_unchanged(call), (call.source,))


def to(call: Call, dtype: Any) -> tuple[Op, ...]:
    """The conversion of the first tensor to a type, where it is of another."""
    return () if dtype is None or dtype == call.source.datum.dtype else (Pointwise("to", (str(dtype).removeprefix("torch."),)),)


def _unchanged(call: Call) -> tuple[Op, ...]:
    """The first tensor in the result's type: a whole number divided by one is no whole number any more."""
    return to(call, call.results[0].dtype if call.results[0] is not None else None)
