"""Readings of what treats each element alone: activations, arithmetic, comparisons; and of reductions."""

from __future__ import annotations

from math import isclose

from archspace.ir.ops import (
    ELU,
    GELU,
    AdaptiveAvgPool2d,
    Add,
    Flatten,
    Hardsigmoid,
    LeakyReLU,
    LogSoftmax,
    Multiply,
    Op,
    Pointwise,
    PReLU,
    Reduce,
    ReLU,
    ReLU6,
    Softmax,
)
from archspace.onnx.calls import SAME, Call, Plan, Rule, Step, X, Y, Z, axis_of, row, short


def elementwise(op: Op) -> Rule:
    """A node that is always this op on its first input."""
    return lambda call: row(op)


def function(name: str, tensors: int = 1) -> Rule:
    """A node that is this function of so many tensors."""
    return lambda call: Plan((Step(Pointwise(name), (X, Y, Z)[:tensors]),), (0,))


def hard_sigmoid(call: Call) -> Plan | None:
    """HardSigmoid: max(0, min(1, alpha x + beta)); alpha 1/6 and beta 1/2 are torch's, others are three maps."""
    alpha, beta = call.attrs.get("alpha", 0.2), call.attrs.get("beta", 0.5)
    if isclose(alpha, 1 / 6, rel_tol=1e-5) and beta == 0.5:
        return row(Hardsigmoid())
    return row(Pointwise("mul", (alpha,)), Pointwise("add", (beta,)), Pointwise("clamp", (0.0, 1.0)))


def leaky_relu(call: Call) -> Plan | None:
    """LeakyRelu."""
    return row(LeakyReLU(short(call.attrs.get("alpha", 0.01))))


def elu(call: Call) -> Plan | None:
    """Elu."""
    return row(ELU(short(call.attrs.get("alpha", 1.0))))


def celu(call: Call) -> Plan | None:
    """Celu."""
    return row(Pointwise("celu", (short(call.attrs.get("alpha", 1.0)),)))


def thresholded_relu(call: Call) -> Plan | None:
    """ThresholdedRelu: x above alpha, else 0."""
    return row(Pointwise("threshold", (short(call.attrs.get("alpha", 1.0)), 0.0)))


def prelu(call: Call) -> Plan | None:
    """PRelu with one slope, or one per channel."""
    slopes, shape = call.shape(1), call.shape()
    count = max(slopes, default=1)
    per_channel = len(slopes) == len(shape) - 1 and slopes[:1] == shape[1:2] and set(slopes[1:]) <= {1}
    return row(PReLU(count)) if call.is_weight(1) and (count == 1 or per_channel) else None


def gelu(call: Call) -> Plan | None:
    """Gelu, exact or by a hyperbolic tangent."""
    return row(GELU(call.attrs.get("approximate", "none")))


def fast_gelu(call: Call) -> Plan | None:
    """FastGelu of ONNX Runtime, without its bias."""
    return None if call.given(1) is not None else row(GELU("tanh"))


def softmax(call: Call) -> Plan | None:
    """Softmax along one axis."""
    return row(Softmax(call.attrs.get("axis", -1)))


def log_softmax(call: Call) -> Plan | None:
    """LogSoftmax along one axis."""
    return row(LogSoftmax(call.attrs.get("axis", -1)))


def clip(call: Call) -> Plan | None:
    """Clip: ReLU from 0 on, ReLU6 between 0 and 6, else a clamp whose bounds are known."""
    low, high = call.scalar(1), call.scalar(2)
    if (low is None and call.given(1) is not None) or (high is None and call.given(2) is not None):
        return None
    if low == 0 and (high is None or high == 6):
        return row(ReLU() if high is None else ReLU6())
    if low is None and high is None:
        return SAME
    return row(Pointwise("clamp", (low,) if high is None else (low, high)))


def add(call: Call) -> Plan | None:
    """Add: of two tensors, or of a number."""
    return _commutative(call, Add(), "add", 0)


def multiply(call: Call) -> Plan | None:
    """Mul: of two tensors, or by a number."""
    return _commutative(call, Multiply(), "mul", 1)


def _commutative(call: Call, op: Op, name: str, neutral: int) -> Plan | None:
    for flowing, other in ((0, 1), (1, 0)):
        number = call.scalar(other) if call.flows(flowing) else None
        if number is not None and call.out == call.shape(flowing):
            return row(source=-1 - flowing) if number == neutral else row(Pointwise(name, (number,)), source=-1 - flowing)
    return Plan((Step(op, (X, Y)),), (0,))


def subtract(call: Call) -> Plan | None:
    """Sub: of two tensors, or with a number on either side."""
    return _ordered(call, "sub", "rsub")


def divide(call: Call) -> Plan | None:
    """Div: of two tensors, or with a number on either side."""
    if call.flows(1) and call.scalar(0) == 1 and call.out == call.shape(1):
        return row(Pointwise("reciprocal"), source=Y)
    return _ordered(call, "div", "")


def power(call: Call) -> Plan | None:
    """Pow: of two tensors, or with a number as the exponent."""
    return _ordered(call, "pow", "")


def modulo(call: Call) -> Plan | None:
    """Mod: the sign of the divisor, or the dividend's with fmod."""
    return _ordered(call, "fmod" if call.attrs.get("fmod", 0) else "remainder", "")


def compare(name: str) -> Rule:
    """A comparison of two tensors, or of a tensor with a number."""
    return lambda call: _ordered(call, name, "")


def _ordered(call: Call, name: str, turned: str) -> Plan:
    number = call.scalar(1)
    if call.flows(0) and number is not None and call.out == call.shape(0):
        neutral = {"sub": 0, "div": 1, "pow": 1}.get(name)
        return SAME if neutral is not None and number == neutral else row(Pointwise(name, (number,)))
    number = call.scalar(0)
    if turned and call.flows(1) and number is not None and call.out == call.shape(1):
        return row(Pointwise(turned, (number,)), source=Y)
    return Plan((Step(Pointwise(name), (X, Y)),), (0,))


def many(op: Op) -> Rule:
    """Max, Min and Sum of any number of tensors: one op for each but the first."""

    def rule(call: Call) -> Plan | None:
        count = len(call.inputs)
        steps = tuple([Step(op, (X if i == 0 else i - 1, -2 - i)) for i in range(count - 1)])
        return Plan(steps, (count - 2 if count > 1 else X,))

    return rule


def where(call: Call) -> Plan | None:
    """Where: masked_fill is where one of the sides is a number."""
    number = call.scalar(1)
    if call.flows(0) and call.flows(2) and number is not None and call.out == call.shape(2):
        return Plan((Step(Pointwise("masked_fill", (number,)), (Z, X)),), (0,))
    return Plan((Step(Pointwise("where"), (X, Y, Z)),), (0,))


def cast(call: Call) -> Plan | None:
    """Cast to another type; to its own it is nothing."""
    tensor = call.given(0)
    return SAME if tensor is not None and tensor.dtype == call.attrs.get("to") else row(Pointwise("to"))


def reduce(name: str, before: str = "", after: str = "") -> Rule:
    """A reduction over the named axes, over all where none is named, between two functions; an image's mean is global average pooling."""

    def rule(call: Call) -> Plan | None:
        rank, axes = len(call.shape()), call.ints("axes", 1)
        if axes is None and call.unknown(1):
            return None
        if not axes and call.attrs.get("noop_with_empty_axes", 0):
            return SAME
        dims = tuple(sorted([axis_of(axis, rank) for axis in axes])) if axes else ()
        keeps = bool(call.attrs.get("keepdims", 1))
        if name == "mean" and rank == 4 and dims == (2, 3):
            return row(AdaptiveAvgPool2d(1)) if keeps else row(AdaptiveAvgPool2d(1), Flatten(1))
        first, last = ([Pointwise(function)] if function else [] for function in (before, after))
        return row(*first, Reduce(name, dims, keepdim=keeps), *last)

    return rule


def arg_reduce(name: str) -> Rule:
    """ArgMax and ArgMin along one axis."""

    def rule(call: Call) -> Plan | None:
        dim = axis_of(call.attrs.get("axis", 0), len(call.shape()))
        return row(Reduce(name, (dim,), keepdim=bool(call.attrs.get("keepdims", 1))))

    return rule
