"""Maps of the elements of one to three tensors that broadcast, by torch's names, and sums that run along an axis."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.errors import UnknownNameError
from archspace.ir.ops.base import Counts, LawError, Op, Scalar, Shape, axis_of, broadcast, one_of, prod
from archspace.ir.ops.elementwise import Elementwise

ONE, ONE_OR_TWO, TWO = (1,), (1, 2), (2,)

# Function -> how many tensors it takes, first among its arguments; python values follow.
POINTWISE: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("abs", "neg", "sign", "square", "sqrt", "rsqrt", "reciprocal"), ONE),
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "erf"), ONE),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh"), ONE),
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "isnan", "isinf", "logical_not", "bitwise_not", "to"), ONE),
    **dict.fromkeys(("selu", "celu", "softplus", "softsign", "logsigmoid", "hardshrink", "softshrink", "tanhshrink"), ONE),
    **dict.fromkeys(("threshold", "hardtanh", "rrelu"), ONE),
    **dict.fromkeys(("add", "sub", "rsub", "mul", "div", "pow", "fmod", "remainder", "floor_divide"), ONE_OR_TWO),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "bitwise_and", "bitwise_or", "bitwise_xor"), ONE_OR_TWO),
    **dict.fromkeys(("maximum", "minimum", "atan2", "logical_and", "logical_or", "logical_xor"), TWO),
    "clamp": (1, 2, 3),
    "where": (2, 3),
    "masked_fill": (2, 3),
    "lerp": (2, 3),
    "addcmul": (3,),
    "addcdiv": (3,),
}


@dataclass(frozen=True, slots=True)
class Pointwise(Op):
    """`function` of the elements of tensors that broadcast against each other, then of `arguments`: Pointwise("add", (1,)) is x + 1."""

    function: str
    arguments: tuple[Scalar, ...] = ()

    def out_shape(self, *shapes: Shape) -> Shape:
        if self.function not in POINTWISE:
            raise LawError(str(UnknownNameError("function of Pointwise", self.function, POINTWISE)))
        if len(shapes) not in POINTWISE[self.function]:
            takes = " or ".join(map(str, POINTWISE[self.function]))
            raise LawError(f"Pointwise: {self.function} takes {takes} inputs, but got {len(shapes)}")
        return shapes[0] if len(shapes) == 1 else broadcast(self, shapes)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_in, n_out = sum([prod(shape) for shape in shapes]), prod(out)
        return Counts(in_elems=n_in, out_elems=n_out, elementwise_elems=n_in + n_out)


@dataclass(frozen=True, slots=True)
class Scan(Elementwise):
    """Sums or products that run along `dim`: "cumsum" or "cumprod". As is."""

    function: str
    dim: int

    def out_shape(self, *shapes: Shape) -> Shape:
        one_of(self, "function", self.function, ("cumsum", "cumprod"))
        shape = Elementwise.out_shape(self, *shapes)
        axis_of(self, self.dim, shape)
        return shape
