"""Activations that a file spells out in arithmetic, told by what they come to: exporters write GELU in a dozen ways."""

from __future__ import annotations

from collections.abc import Callable
from math import erf, exp, log1p, sqrt, tanh
from typing import Any

from archspace.ir.ops import GELU, Add, Hardsigmoid, Hardswish, Mish, Multiply, Op, Pointwise, ReLU, ReLU6, Sigmoid, SiLU, Tanh
from archspace.onnx.assemble import Pending

POINTS = tuple([i / 4 + 0.01 for i in range(-20, 21)])
TOLERANCE = 1e-5  # constants in a file have 24 bits; GELU and its approximation differ by 5e-4
MOST_NODES = 10  # the tanh form of GELU takes nine

Map = Callable[..., float]


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def _relu6(x: float) -> float:
    return min(max(x, 0.0), 6.0)


def _gelu_tanh(x: float) -> float:
    return x / 2 * (1 + tanh(sqrt(0.6366197723675814) * (x + 0.044715 * x**3)))


# What an op that stands for a spelling computes.
SPELLED: dict[Op, Map] = {
    GELU(): lambda x: x / 2 * (1 + erf(x / sqrt(2))),
    GELU("tanh"): _gelu_tanh,
    Hardsigmoid(): lambda x: _relu6(x + 3) / 6,
    Hardswish(): lambda x: x * _relu6(x + 3) / 6,
    Mish(): lambda x: x * tanh(log1p(exp(x))),
    ReLU6(): _relu6,
    SiLU(): lambda x: x * _sigmoid(x),
    Sigmoid(): _sigmoid,
    Pointwise("softplus"): lambda x: log1p(exp(x)),
}

# What the parts of a spelling compute: ops by kind, functions of Pointwise by name.
PARTS: dict[type[Op], Map] = {
    Add: lambda a, b: a + b,
    Hardsigmoid: SPELLED[Hardsigmoid()],
    Multiply: lambda a, b: a * b,
    ReLU6: _relu6,
    ReLU: lambda x: max(x, 0.0),
    Sigmoid: _sigmoid,
    Tanh: tanh,
}
FUNCTIONS: dict[str, Map] = {
    "add": lambda a, b: a + b,
    "clamp": lambda x, low, high=None: max(x, -float("inf") if low is None else low) if high is None else min(max(x, low), high),
    "div": lambda a, b: a / b,
    "erf": erf,
    "exp": exp,
    "gt": lambda a, b: a > b,
    "mul": lambda a, b: a * b,
    "neg": lambda x: -x,
    "pow": lambda a, b: a**b,
    "reciprocal": lambda x: 1 / x,
    "rsub": lambda a, b: b - a,
    "softplus": lambda x: log1p(exp(x)),
    "square": lambda x: x * x,
    "sub": lambda a, b: a - b,
    "where": lambda condition, a, b: a if condition else b,
}


def activation_of(node: Callable[[int], Pending | None], users: Callable[[int], set[int]], last: int) -> tuple[Op, int] | None:
    """The activation that node `last` and some before it spell, and what it is of; None where they spell none.

    The part of the network between one tensor and `last` is tried, growing backwards, as long as nobody else reads from within.
    """
    inside: set[int] = set()
    source = last
    while len(inside) < MOST_NODES:
        one = node(source)
        if one is None or _map_of(one.op) is None or (inside and not users(source) <= inside):
            return None
        inside.add(source)
        edge = {i for j in inside for i in _inputs(node(j)) if i not in inside}
        if not edge:
            return None
        source = max(edge)
        first = node(source)
        if len(edge) == 1 and len(inside) > 1 and first is not None and first.shape == one.shape:
            op = _spelled(node, sorted(inside), source)
            if op is not None:
                return op, source
    return None


def _inputs(one: Pending | None) -> tuple[int, ...]:
    return () if one is None else one.inputs


def _map_of(op: Op) -> Map | None:
    if not isinstance(op, Pointwise):
        return PARTS.get(type(op))
    part = FUNCTIONS.get(op.function)
    return None if part is None else lambda *tensors: part(*tensors, *op.arguments)


def _spelled(node: Callable[[int], Pending | None], inside: list[int], source: int) -> Op | None:
    values: list[float] = []
    for point in POINTS:
        value: dict[int, Any] = {source: point}
        for i in inside:
            one = node(i)
            part = None if one is None else _map_of(one.op)
            if one is None or part is None:
                return None
            try:
                value[i] = part(*[value[j] for j in one.inputs])
            except (ArithmeticError, TypeError, ValueError):
                return None
        values.append(value[inside[-1]])
    for op, wanted in SPELLED.items():
        if all(not isinstance(v, complex) and abs(v - wanted(x)) <= TOLERANCE for v, x in zip(values, POINTS, strict=True)):
            return op
    return None
