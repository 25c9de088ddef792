"""Legal ops of the kinds that no network of the zoo has, with the shapes that they take. Importable by what `conftest.py` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspace.ir import Builder, Graph, ops
from archspace.ir.ops import POINTWISE, Op, Shape

if TYPE_CHECKING:
    from torch import Tensor

IMAGE = (2, 6, 8, 8)
SEQUENCE = (4, 2, 5)

Example = tuple[Op, tuple[Shape, ...]]

CONVOLUTIONS: tuple[Example, ...] = (
    (ops.ConvNd(6, 8, (3,), (2,), (1,), (1,), groups=2, bias=True), ((2, 6, 9),)),
    (ops.ConvNd(6, 6, (3, 2, 3), padding=(1, 1, 1), dilation=(1, 2, 1), groups=6), ((2, 6, 5, 6, 7),)),
    (ops.ConvTransposeNd(6, 8, (3,), (2,), (1,), groups=2, bias=True, output_padding=(1,)), ((2, 6, 9),)),
    (ops.ConvTransposeNd(6, 8, (3, 2), (2, 3), output_padding=(1, 0)), (IMAGE,)),
    (ops.ConvTransposeNd(6, 6, (3, 2), dilation=(2, 1), groups=6), (IMAGE,)),
    (ops.ConvTransposeNd(6, 8, (3, 2, 2)), ((2, 6, 4, 4, 4),)),
    (ops.DynamicConv2d(2, 1, groups=2), (IMAGE, (4, 3, 3, 3))),
    (ops.DynamicConv2d(1, 0, (2, 1)), (IMAGE, (4, 6, 3, 3), (4,))),
)
PRODUCTS: tuple[Example, ...] = (
    (ops.MatMul(), ((2, 3, 4, 5), (2, 3, 5, 7))),
    (ops.MatMul(), ((2, 3, 4, 5), (5, 7))),
    (ops.MatMul(), ((4, 5), (2, 3, 5, 7))),
    (ops.MatMul(), ((2, 1, 4, 5), (3, 5, 7))),
    (ops.MatMul(), ((2, 4, 5), (2, 5, 7))),
    (ops.MatMul(), ((4, 5), (5, 7))),
    (ops.ScaledDotProductAttention(), ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7))),
    (ops.ScaledDotProductAttention(is_causal=True), ((2, 3, 4, 5),) * 3),
    (ops.ScaledDotProductAttention(), ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7), (4, 6))),
    (ops.ScaledDotProductAttention(), ((3, 4, 5), (3, 6, 5), (3, 6, 7))),
    (ops.ScaledDotProductAttention(enable_gqa=True), ((2, 6, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7))),
)
EINSUMS: tuple[Example, ...] = (
    (ops.Einsum("bhld,bhsd->bhls"), ((2, 3, 4, 5), (2, 3, 6, 5))),
    (ops.Einsum("bhwc,hkc->bhwk"), ((2, 3, 4, 5), (3, 6, 5))),
    (ops.Einsum("...ij,...jk->...ik"), ((4, 1, 2, 3), (7, 3, 5))),
    (ops.Einsum("ij, jk"), ((2, 3), (3, 5))),
    (ops.Einsum("ij,jk->ik"), ((2, 1), (3, 5))),
    (ops.Einsum("ij,kj->"), ((7, 3), (5, 3))),
    (ops.Einsum("ii,ij->j"), ((3, 3), (3, 5))),
    (ops.Einsum("i,j->ij"), ((7,), (5,))),
    (ops.Einsum("i,i->"), ((7,), (7,))),
    (ops.Einsum("nchw->nc"), ((2, 3, 4, 5),)),
    (ops.Einsum("i...->..."), ((2, 3, 4),)),
    (ops.Einsum("ij,jk,kl->il"), ((2, 3), (3, 5), (5, 7))),
    (ops.Einsum("ij,jk,ki->"), ((2, 3), (3, 5), (5, 2))),
    (ops.Einsum("ij,k,jk->i"), ((2, 3), (5,), (3, 5))),
    (ops.Einsum("i,j,k->ijk"), ((2,), (3,), (5,))),
    (ops.Einsum("bn,anm,bm->ba"), ((2, 5), (3, 5, 4), (2, 4))),
    (ops.Einsum("ij,ij,ij->j"), ((2, 3), (2, 3), (2, 3))),
)
RECURRENT: tuple[Example, ...] = (
    (ops.LSTM(5, 7, 2), (SEQUENCE,)),
    (ops.LSTM(5, 7, 2, batch_first=True, bidirectional=True, proj_size=3), (SEQUENCE,)),
    (ops.LSTM(5, 7, bias=False), (SEQUENCE, (1, 2, 7), (1, 2, 7))),
    (ops.GRU(5, 7, 2, bidirectional=True), (SEQUENCE,)),
    (ops.GRU(5, 7), (SEQUENCE, (1, 2, 7))),
    (ops.RNN(5, 7, 2, nonlinearity="relu"), (SEQUENCE,)),
)
NORMALISATIONS: tuple[Example, ...] = (
    (ops.LayerNorm((8,)), (IMAGE,)),
    (ops.LayerNorm((6, 8, 8), bias=False), (IMAGE,)),
    (ops.LayerNorm((8,), affine=False), (IMAGE,)),
    (ops.RMSNorm((8,)), (IMAGE,)),
    (ops.RMSNorm((8, 8), 1e-6, affine=False), (IMAGE,)),
    (ops.GroupNorm(3, 6), (IMAGE,)),
    (ops.GroupNorm(3, 6, affine=False), ((2, 6),)),
    (ops.InstanceNorm(6), (IMAGE,)),
    (ops.InstanceNorm(6, affine=True), ((2, 6, 5),)),
    (ops.BatchNormNd(6), ((2, 6),)),
    (ops.BatchNormNd(6), ((2, 6, 5),)),
    (ops.BatchNormNd(6, affine=False), (IMAGE,)),
    (ops.BatchNormNd(6, eps=1e-3), ((2, 6, 3, 3, 3),)),
)
ACTIVATIONS: tuple[Example, ...] = (
    (ops.Tanh(), (IMAGE,)),
    (ops.Mish(), (IMAGE,)),
    (ops.LeakyReLU(0.2), (IMAGE,)),
    (ops.ELU(0.5), (IMAGE,)),
    (ops.PReLU(6), (IMAGE,)),
    (ops.PReLU(), (IMAGE,)),
    (ops.GELU("tanh"), (IMAGE,)),
    (ops.LogSoftmax(1), (IMAGE,)),
    (ops.LogSoftmax(), (IMAGE,)),
    (ops.GLU(1), (IMAGE,)),
    (ops.GLU(), (IMAGE,)),
    (ops.Scan("cumsum", 1), (IMAGE,)),
    (ops.Scan("cumprod", -1), (IMAGE,)),
)
REDUCTIONS: tuple[Example, ...] = tuple(
    (ops.Reduce(function, dims, keepdim), (IMAGE,))
    for function in ops.REDUCTIONS
    for dims in ((1,), (-2, -1), ())
    for keepdim in (False, True)
    if len(dims) < 2 or ops.REDUCTIONS[function]
    if dims or function not in ("any", "all", "logsumexp", "prod") or (not keepdim and function != "logsumexp")
)
ARRANGEMENTS: tuple[Example, ...] = (
    (ops.Permute((0, 2, 3, 1)), (IMAGE,)),
    (ops.Permute((0, 1, -1, 2)), (IMAGE,)),
    (ops.Slice(2, 1, 7, 2), (IMAGE,)),
    (ops.Slice(-1, 1, 7), (IMAGE,)),
    (ops.Slice(1, 1, 6, 3), (IMAGE,)),
    (ops.Select(1, -1), (IMAGE,)),
    (ops.Select(3, 2), (IMAGE,)),
    (ops.Expand((-1, 6, -1, 8)), ((2, 1, 8, 1),)),
    (ops.Expand((3, -1, 6, 8, 8)), ((1, 6, 8, 1),)),
    (ops.Reshape((3, 64), folds_batch=True), (IMAGE,)),
    (ops.Copy(), (IMAGE,)),
    (ops.Stack(1), (IMAGE, IMAGE)),
    (ops.Stack(-1), (IMAGE, IMAGE, IMAGE)),
    (ops.Roll((1, -2), (2, 3)), (IMAGE,)),
    (ops.Roll((2,), (1,)), (IMAGE,)),
    (ops.Flip((1,)), (IMAGE,)),
    (ops.Flip((-1, 2)), (IMAGE,)),
    (ops.Repeat((1, 2, 2, 3)), (IMAGE,)),
    (ops.Repeat((2, 1, 1, 2, 3)), (IMAGE,)),
    (ops.PixelShuffle(2), ((2, 8, 3, 3),)),
    (ops.PixelUnshuffle(2), (IMAGE,)),
    (ops.Unfold(3, 1, 1, 2), (IMAGE,)),
    (ops.Fold((8, 8), 2, 1, 0, 2), ((2, 24, 16),)),
    (ops.PadNd((1, 2)), ((2, 6, 8),)),
    (ops.PadNd((1, 2, 3, 1), "reflect"), (IMAGE,)),
    (ops.PadNd((1, 2, 2, 1), "circular"), (IMAGE,)),
    (ops.PadNd((1, 2, 2, 1), "replicate"), (IMAGE,)),
    (ops.PadNd((1, -2, 0, 0, 1, 1), value=float("-inf")), (IMAGE,)),
)
RESIZES: tuple[Example, ...] = (
    (ops.Interpolate((5, 7)), (IMAGE,)),
    (ops.Interpolate((), (2.0,)), (IMAGE,)),
    (ops.Interpolate((), (2.0,), "bilinear"), (IMAGE,)),
    (ops.Interpolate((), (3.0, 1.0), "nearest-exact"), (IMAGE,)),
    (ops.Interpolate((), (1.5, 0.7), "bilinear"), (IMAGE,)),
    (ops.Interpolate((16, 16), (), "bilinear", align_corners=True), (IMAGE,)),
    (ops.Interpolate((9,), (), "linear"), ((2, 6, 8),)),
    (ops.Interpolate((), (2.0,), "trilinear"), ((2, 6, 3, 3, 3),)),
    (ops.Interpolate((4, 4), mode="area"), (IMAGE,)),
    (ops.Interpolate((4, 4), mode="bicubic"), (IMAGE,)),
)
POOLS: tuple[Example, ...] = (
    (ops.PoolNd("max", (3,), (2,), (1,)), ((2, 6, 9),)),
    (ops.PoolNd("max", (3, 3), (2, 2), (1, 1), (2, 1), ceil_mode=True), (IMAGE,)),
    (ops.PoolNd("avg", (2, 2, 2), ceil_mode=True, count_include_pad=False), ((2, 6, 5, 5, 5),)),
    (ops.PoolNd("avg", (3,), (1,), (1,)), ((2, 6, 9),)),
    (ops.PoolNd("lp", (3,), (2,)), ((2, 6, 9),)),
    (ops.PoolNd("lp", (2, 3)), (IMAGE,)),
    (ops.AdaptivePoolNd("max", (4, 2)), (IMAGE,)),
    (ops.AdaptivePoolNd("avg", (1, 3)), (IMAGE,)),
    (ops.AdaptivePoolNd("avg", (3,)), ((2, 6, 9),)),
    (ops.AdaptivePoolNd("avg", (1, 1, 1)), ((2, 6, 5, 5, 5),)),
)
LOOKUPS: tuple[Example, ...] = ((ops.Embedding(10, 5), ((2, 3),)),)

# What follows the tensors where a function needs it, by the number of tensors.
ARGUMENTS: dict[tuple[str, int], tuple[int | float | str | None, ...]] = {
    **{(name, 1): (2,) for name in ("add", "sub", "rsub", "mul", "pow", "fmod", "remainder", "floor_divide")},
    **{(name, 1): (1,) for name in ("eq", "ne", "lt", "le", "gt", "ge", "bitwise_and", "bitwise_or", "bitwise_xor")},
    ("add", 2): (3,),
    ("div", 1): (2, "floor"),
    ("clamp", 1): (None, 1.0),
    ("threshold", 1): (0.1, 20),
    ("round", 1): (2,),
    ("to", 1): ("float64",),
    ("where", 2): (0.0,),
    ("masked_fill", 2): (float("-inf"),),
    ("lerp", 2): (0.5,),
    ("addcmul", 3): (0.5,),
}
POINTWISES: tuple[Example, ...] = tuple(
    (ops.Pointwise(name, ARGUMENTS.get((name, count), ())), (IMAGE, (8,), (6, 1, 1))[:count])
    for name, counts in POINTWISE.items()
    for count in counts
    if (name, count) != ("masked_fill", 3)  # its value must be a scalar
)

# What can be built and fed with real numbers, then everything else.
REAL: tuple[Example, ...] = (
    *CONVOLUTIONS, *PRODUCTS, *EINSUMS, *RECURRENT, *NORMALISATIONS, *ACTIVATIONS, *REDUCTIONS, *ARRANGEMENTS, *RESIZES, *POOLS,
)  # fmt: skip
BUILT: tuple[Example, ...] = (*REAL, *POINTWISES, *LOOKUPS)
REFUSED: tuple[Example, ...] = (
    (ops.FinalState(2, 7, batch_first=True), ((4, 2, 5),)),
    (ops.Index((2, 3)), (IMAGE,)),
    (ops.Overwrite(), (IMAGE, IMAGE)),
)


def single_op(op: Op, shapes: tuple[Shape, ...]) -> Graph:
    """The op on inputs of these shapes."""
    b = Builder("single")
    return b.build(b.add("op", op, *[b.input(shape, f"x{i}") for i, shape in enumerate(shapes)]))


def label(value: object) -> str:
    """The name of an example in a test's."""
    return str(value).replace(" ", "")


def tensors(op: Op, shapes: tuple[Shape, ...]) -> list[Tensor]:
    """What the op takes: positive numbers, whole ones and truth values where it must."""
    import torch

    generator = torch.Generator().manual_seed(0)
    drawn = [torch.rand(shape, generator=generator) + 0.5 for shape in shapes]
    function = op.function if isinstance(op, ops.Pointwise) else ""
    if isinstance(op, ops.Embedding) or function.startswith("bitwise"):
        return [(t * 4).long() for t in drawn]
    if function in ("where", "masked_fill"):
        drawn[function == "masked_fill"] = drawn[function == "masked_fill"] > 1
    return drawn
