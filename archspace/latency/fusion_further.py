"""Op types of the kinds that only networks from elsewhere have."""

from __future__ import annotations

from archspace.ir.ops import (
    ELU,
    GLU,
    GRU,
    LSTM,
    RNN,
    AdaptivePoolNd,
    BatchNormNd,
    ConvNd,
    ConvTransposeNd,
    Copy,
    DynamicConv2d,
    Einsum,
    Embedding,
    Expand,
    FinalState,
    Flip,
    Fold,
    GroupNorm,
    Index,
    InstanceNorm,
    Interpolate,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MatMul,
    Mish,
    Op,
    Overwrite,
    PadNd,
    Permute,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    PoolNd,
    PReLU,
    Reduce,
    Repeat,
    RMSNorm,
    Roll,
    ScaledDotProductAttention,
    Scan,
    Select,
    Slice,
    Stack,
    Tanh,
    Unfold,
)

# Op kind -> its op type; of convolutions it depends on their groups.
FURTHER_OP_TYPES: dict[type[Op], str] = {
    **dict.fromkeys((ConvNd, ConvTransposeNd, DynamicConv2d), "dense"),
    **dict.fromkeys((MatMul, Einsum), "matmul"),
    ScaledDotProductAttention: "attention",
    **dict.fromkeys((LSTM, GRU, RNN), "recurrent"),
    PoolNd: "pool",
    **dict.fromkeys((AdaptivePoolNd, Reduce), "global_pool"),
    **dict.fromkeys((LeakyReLU, PReLU), "activation"),
    **dict.fromkeys((ELU, GLU, Mish, Tanh), "transcendental"),
    LogSoftmax: "softmax",
    **dict.fromkeys((Pointwise, Scan, Interpolate), "elementwise"),
    BatchNormNd: "batch_norm",
    **dict.fromkeys((GroupNorm, InstanceNorm, LayerNorm, RMSNorm), "norm"),
    Stack: "concat",
    **dict.fromkeys((Copy, Roll, Flip, Repeat, PixelShuffle, PixelUnshuffle, Unfold, Fold, PadNd, Index, Embedding), "movement"),
    **dict.fromkeys((Permute, Slice, Select, Expand, FinalState, Overwrite), "movement"),
}


def further_op_type(op: Op) -> str:
    """The key of its coefficients."""
    if isinstance(op, ConvNd | ConvTransposeNd) and op.groups > 1:
        return "depthwise" if op.is_depthwise else "grouped"
    if isinstance(op, DynamicConv2d) and op.groups > 1:
        return "grouped"
    return FURTHER_OP_TYPES[type(op)]


def further_channels(op: Op, madds: int, out_elems: int) -> tuple[int, int]:
    """Input and output channels per group of an op that multiplies: of a product of tensors, the multiply-adds per output element."""
    if isinstance(op, ConvNd | ConvTransposeNd):
        return op.in_channels // op.groups, op.out_channels // op.groups
    depth = max(1, madds // max(1, out_elems))
    return depth, depth
