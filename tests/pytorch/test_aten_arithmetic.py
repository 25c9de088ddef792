"""The ATen table's overloads that compute element by element: arithmetic, comparison, logic, conversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from aten_cases import (
    MASK,
    POSITIVE,
    Case,
    X,
    Y,
    assert_becomes_its_ops,
    assert_computes_the_same,
    assert_counts_what_torch_counts,
    assert_is_opaque,
    aten,
    between,
    call,
    drawn,
    numbers,
    routed,
)

from archspace.ir.ops import Add, Multiply, Op, Pointwise, Scan
from archspace.pytorch.importer.aten import ARITHMETIC

OTHER_MASK = Y > 0
WHOLE, OTHER_WHOLE = numbers(9, 2, 12, 6, 10), numbers(9, 2, 12, 6, 10, seed=1)
NAN = torch.where(X > 1, torch.nan, torch.where(X < -1, torch.inf, X))


def of(function: str, *arguments: Any) -> Op:
    """The function of the elements."""
    return Pointwise(function, arguments)


def with_number(function: Callable[..., Any], number: float, name: str = "", x: torch.Tensor = X) -> Case:
    """A function of a tensor and a number."""
    return call(lambda x: function(x, number), of(name or function.__name__, number), inputs=(x,))


def named(name: str, x: torch.Tensor, *more: torch.Tensor) -> dict[str, Case]:
    """torch's function of that name, which is the op's."""
    return {name: call(getattr(torch, name.partition(".")[0]), of(name.partition(".")[0]), inputs=(x, *more))}


# Overload, and what is special -> a call of it and the ops that it becomes.
CASES: dict[str, Case] = {
    **named("abs.default", X),
    "absolute.default": call(torch.absolute, of("abs")),
    **named("acos.default", between(-1, 1, 3, 4)),
    "add.Scalar": call(lambda x: aten.add.Scalar(x, 0.5, 2), of("add", 1.0)),
    "add.Tensor": call(torch.add, Add(), inputs=(X, Y)),
    "add.Tensor, a number": call(lambda x: x + 1, of("add", 1)),
    "add.Tensor, zero": call(lambda x: torch.neg(x + 0), of("neg")),
    "add.Tensor, twice the other": call(lambda x, y: torch.add(x, y, alpha=2), of("mul", 2), Add(), inputs=(X, Y)),
    "add.Tensor, of a weight": call(lambda x, w: x + w, Add(), weights={"weight": drawn(12, 1, 1)}),
    **named("addcdiv.default", X, Y, POSITIVE),
    **named("addcmul.default", X, Y, POSITIVE),
    "addcmul.default, halved": call(lambda x, y, z: torch.addcmul(x, y, z, value=0.5), of("addcmul", 0.5), inputs=(X, Y, POSITIVE)),
    **named("asin.default", between(-1, 1, 3, 4)),
    **named("atan.default", X),
    **named("atan2.default", X, Y),
    "bitwise_and.Scalar": with_number(torch.bitwise_and, 5, x=WHOLE),
    **named("bitwise_and.Tensor", WHOLE, OTHER_WHOLE),
    **named("bitwise_not.default", MASK),
    "bitwise_or.Scalar": with_number(torch.bitwise_or, 5, x=WHOLE),
    **named("bitwise_or.Tensor", MASK, OTHER_MASK),
    "bitwise_xor.Scalar": with_number(torch.bitwise_xor, 5, x=WHOLE),
    **named("bitwise_xor.Tensor", MASK, OTHER_MASK),
    **named("ceil.default", X),
    **named("cos.default", X),
    **named("cosh.default", X),
    "cumprod.default": call(lambda x: x.cumprod(-1), Scan("cumprod", 3)),
    "cumsum.default": call(lambda x: x.cumsum(1), Scan("cumsum", 1)),
    "cumsum.default, in another type": call(
        lambda x: x.cumsum(1, dtype=torch.float32), of("to", "float32"), Scan("cumsum", 1), inputs=(MASK,)
    ),
    "div.Scalar": call(lambda x: aten.div.Scalar(x, 4), of("div", 4)),
    "div.Tensor": call(torch.div, of("div"), inputs=(X, POSITIVE)),
    "div.Tensor, a number": call(lambda x: x / 8, of("div", 8)),
    "div.Tensor, one": call(lambda x: torch.neg(x / 1), of("neg")),
    "div.Tensor, whole numbers by one": call(lambda x: x / 1, of("to", "float32"), inputs=(WHOLE,)),
    "div.Tensor_mode": call(lambda x, y: torch.div(x, y, rounding_mode="floor"), of("floor_divide"), inputs=(X, POSITIVE)),
    "div.Tensor_mode, towards zero": call(lambda x, y: torch.div(x, y, rounding_mode="trunc"), of("div", "trunc"), inputs=(X, POSITIVE)),
    "div.Tensor_mode, a number towards zero": call(lambda x: torch.div(x, 0.5, rounding_mode="trunc"), of("div", 0.5, "trunc")),
    "divide.Tensor": call(torch.divide, of("div"), inputs=(X, POSITIVE)),
    "divide.Tensor_mode": call(lambda x, y: torch.divide(x, y, rounding_mode="floor"), of("floor_divide"), inputs=(X, POSITIVE)),
    "eq.Scalar": with_number(torch.eq, 3, x=WHOLE),
    **named("eq.Tensor", WHOLE, OTHER_WHOLE),
    **named("erf.default", X),
    **named("exp.default", X),
    **named("exp2.default", X),
    **named("expm1.default", X),
    **named("floor.default", X),
    "floor_divide.Scalar": call(lambda x: aten.floor_divide.Scalar(x, 0.5), of("floor_divide", 0.5), routes=("exported",)),
    "floor_divide.default": call(torch.floor_divide, of("floor_divide"), inputs=(X, POSITIVE)),
    "fmod.Scalar": with_number(torch.fmod, 0.5),
    **named("fmod.Tensor", X, POSITIVE),
    "ge.Scalar": with_number(torch.ge, 0.5),
    **named("ge.Tensor", X, Y),
    "gt.Scalar": with_number(torch.gt, 0.5),
    **named("gt.Tensor", X, Y),
    **named("isinf.default", NAN),
    **named("isnan.default", NAN),
    "le.Scalar": with_number(torch.le, 0.5),
    **named("le.Tensor", X, Y),
    "lerp.Scalar": call(lambda x, y: torch.lerp(x, y, 0.3), of("lerp", 0.3), inputs=(X, Y)),
    **named("lerp.Tensor", X, Y, POSITIVE),
    **named("log.default", POSITIVE),
    **named("log10.default", POSITIVE),
    **named("log1p.default", POSITIVE),
    **named("log2.default", POSITIVE),
    **named("logical_and.default", MASK, OTHER_MASK),
    **named("logical_not.default", MASK),
    **named("logical_or.default", MASK, OTHER_MASK),
    **named("logical_xor.default", MASK, OTHER_MASK),
    "lt.Scalar": with_number(torch.lt, 0.5),
    **named("lt.Tensor", X, Y),
    "masked_fill.Scalar": call(lambda x, m: x.masked_fill(m, -2.0), of("masked_fill", -2.0), inputs=(X, MASK)),
    "masked_fill.Tensor": call(torch.masked_fill, of("masked_fill"), inputs=(X, MASK), weights={"weight": torch.tensor(3.0)}),
    "max.other": call(torch.max, of("maximum"), inputs=(X, Y)),
    **named("maximum.default", X, Y),
    "min.other": call(torch.min, of("minimum"), inputs=(X, Y)),
    **named("minimum.default", X, Y),
    "mul.Scalar": call(lambda x: aten.mul.Scalar(x, 3), of("mul", 3)),
    "mul.Tensor": call(torch.mul, Multiply(), inputs=(X, Y)),
    "mul.Tensor, a number": call(lambda x: 0.5 * x, of("mul", 0.5)),
    "mul.Tensor, one": call(lambda x: torch.neg(x * 1), of("neg")),
    "mul.Tensor, whole numbers by one": call(lambda x: x * 1.0, of("to", "float32"), inputs=(WHOLE,)),
    "multiply.Tensor": call(torch.multiply, Multiply(), inputs=(X, Y)),
    "ne.Scalar": with_number(torch.ne, 3, x=WHOLE),
    **named("ne.Tensor", WHOLE, OTHER_WHOLE),
    **named("neg.default", X),
    "negative.default": call(torch.negative, of("neg")),
    "pow.Scalar": call(lambda x: 2**x, of("exp2")),
    "pow.Tensor_Scalar": call(lambda x: x**3, of("pow", 3)),
    "pow.Tensor_Tensor": call(torch.pow, of("pow"), inputs=(POSITIVE, X)),
    "pow_.Scalar": call(lambda x: (-x).pow_(2), of("neg"), of("pow", 2)),
    "pow_.Tensor": call(lambda x, y: (-x).pow_(y), of("neg"), of("pow"), inputs=(-POSITIVE, X)),
    **named("reciprocal.default", POSITIVE),
    "remainder.Scalar": with_number(torch.remainder, 0.5),
    **named("remainder.Tensor", X, POSITIVE),
    **named("round.default", X),
    **named("rsqrt.default", POSITIVE),
    "rsub.Scalar": call(lambda x: 1 - x, of("rsub", 1)),
    "rsub.Tensor": call(torch.rsub, of("sub"), inputs=(X, Y)),
    **named("sign.default", X),
    **named("sin.default", X),
    **named("sinh.default", X),
    **named("sqrt.default", POSITIVE),
    "square.default": call(torch.square, of("pow", 2), routes=("exported", "recorded")),
    "sub.Scalar": call(lambda x: aten.sub.Scalar(x, 0.5, 2), of("sub", 1.0)),
    "sub.Tensor": call(torch.sub, of("sub"), inputs=(X, Y)),
    "sub.Tensor, a number": call(lambda x: x - 1, of("sub", 1)),
    "sub.Tensor, twice the other": call(lambda x, y: torch.sub(x, y, alpha=2), of("mul", -2), Add(), inputs=(X, Y)),
    "subtract.Tensor": call(torch.subtract, of("sub"), inputs=(X, Y)),
    **named("tan.default", between(-1, 1, 3, 4)),
    "_to_copy.default": call(lambda x: aten._to_copy.default(x, dtype=torch.float16), of("to", "float16")),
    "to.device": call(lambda x: x.to(x.device, torch.float64), of("to", "float64")),
    "to.dtype": call(lambda x: x.to(torch.bool), of("to", "bool")),
    "to.dtype, its own": call(lambda x: torch.neg(x.float()), of("neg")),
    "to.dtype_layout": call(lambda x: aten.to.dtype_layout(x, dtype=torch.int64), of("to", "int64")),
    "to.other": call(aten.to.other, of("to", "int64"), inputs=(X, WHOLE)),
    "true_divide.Tensor": call(torch.true_divide, of("div"), inputs=(X, POSITIVE)),
    **named("trunc.default", X),
    "type_as.default": call(lambda x, y: x.type_as(y), of("to", "int64"), inputs=(X, WHOLE)),
    "where.self": call(torch.where, of("where"), inputs=(MASK, X, Y)),
}

NEG = of("neg")

# Calls that write into what they read: each is what the plain one is, behind what made its tensor.
IN_PLACE: dict[str, Case] = {
    "add_.Scalar": call(lambda x: aten.add_.Scalar(-x, 2), NEG, of("add", 2)),
    "add_.Tensor": call(lambda x, y: (-x).add_(y), NEG, Add(), inputs=(X, Y)),
    "clamp_min_.Tensor": call(lambda x, y: (-x).clamp_min_(y), NEG, of("maximum"), inputs=(X, Y)),
    "div_.Tensor": call(lambda x, y: (-x).div_(y), NEG, of("div"), inputs=(X, POSITIVE)),
    "masked_fill_.Scalar": call(lambda x, m: (-x).masked_fill_(m, 1.0), NEG, of("masked_fill", 1.0), inputs=(X, MASK)),
    "mul_.Tensor": call(lambda x, y: (-x).mul_(y), NEG, Multiply(), inputs=(X, Y)),
    "sub_.Tensor": call(lambda x, y: (-x).sub_(y), NEG, of("sub"), inputs=(X, Y)),
}

# Calls of the same overloads that are something else.
OTHERS: dict[str, Case] = {
    "three to the power of x": call(lambda x: 3**x),
    "what is left of twice the other": call(lambda x, y: torch.rsub(x, y, alpha=2), inputs=(X, Y)),
}


@pytest.mark.parametrize(("key", "route"), routed(CASES | IN_PLACE))
def test_arithmetic_becomes_its_ops(key: str, route: str) -> None:
    assert_becomes_its_ops(key, (CASES | IN_PLACE)[key], route)


@pytest.mark.parametrize("key", CASES)
def test_arithmetic_counts_what_torch_counts(key: str) -> None:
    assert_counts_what_torch_counts(CASES[key])


@pytest.mark.parametrize("key", CASES | IN_PLACE)
def test_arithmetic_built_of_its_ops_computes_the_same(key: str) -> None:
    assert_computes_the_same((CASES | IN_PLACE)[key])


@pytest.mark.parametrize("key", OTHERS)
def test_what_only_looks_like_known_arithmetic_is_opaque(key: str) -> None:
    assert_is_opaque(OTHERS[key])


def test_every_row_of_arithmetic_has_a_case() -> None:
    assert {key.partition(",")[0] for key in CASES} == set(ARITHMETIC)
