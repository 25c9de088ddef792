"""Lowering of the kinds that only networks from elsewhere have. `lower` joins this table to its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import nn
from torch.nn import functional

from archspace.errors import LawError
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
    PadNd,
    Parameter,
    Permute,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    PoolNd,
    PReLU,
    Recurrent,
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
from archspace.pytorch import functions, recurrent
from archspace.pytorch.lowered import Attribute, Call, Lowered

CONVS: dict[int, type[nn.Module]] = {1: nn.Conv1d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOLS: dict[tuple[str, int], type[nn.Module]] = {
    ("max", 1): nn.MaxPool1d,
    ("max", 2): nn.MaxPool2d,
    ("max", 3): nn.MaxPool3d,
    ("avg", 1): nn.AvgPool1d,
    ("avg", 2): nn.AvgPool2d,
    ("avg", 3): nn.AvgPool3d,
    ("lp", 1): nn.LPPool1d,
    ("lp", 2): nn.LPPool2d,
    ("lp", 3): nn.LPPool3d,
}
ADAPTIVE: dict[tuple[str, int], type[nn.Module]] = {
    ("max", 1): nn.AdaptiveMaxPool1d,
    ("max", 2): nn.AdaptiveMaxPool2d,
    ("max", 3): nn.AdaptiveMaxPool3d,
    ("avg", 1): nn.AdaptiveAvgPool1d,
    ("avg", 2): nn.AdaptiveAvgPool2d,
    ("avg", 3): nn.AdaptiveAvgPool3d,
}
# Functions of Pointwise that are not torch's own.
IN_FUNCTIONAL = (
    "celu",
    "hardshrink",
    "hardtanh",
    "logsigmoid",
    "rrelu",
    "selu",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
)


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of maps of any rank."""

    def _check_input_dim(self, x: torch.Tensor) -> None:  # any will do
        return


class InstanceNormalisation(nn.modules.instancenorm._InstanceNorm):
    """Instance norm of maps of any rank, always by the image's own statistics."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def lower_conv(op: ConvNd | ConvTransposeNd) -> nn.Module:
    """The op's fields are the constructor's."""
    rank = len(op.kernel_size)
    more = {"output_padding": op.output_padding or (0,) * rank} if isinstance(op, ConvTransposeNd) else {}
    _, stride, padding, dilation = (tuple(each) for each in zip(*op.axes(), strict=True))
    make = (TRANSPOSED if isinstance(op, ConvTransposeNd) else CONVS)[rank]
    return make(
        op.in_channels,
        op.out_channels,
        op.kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=op.groups,
        bias=op.bias,
        **more,
    )


def lower_pool(op: PoolNd) -> nn.Module:
    """The op's fields are the constructor's, which are not the same for every kind."""
    kernel, stride, padding, dilation = (tuple(each) for each in zip(*op.axes(), strict=True))
    make = POOLS[op.kind, len(kernel)]
    if op.kind == "lp":
        scalar = len(kernel) == 1  # nn.LPPool1d takes numbers
        return make(2, kernel[0] if scalar else kernel, stride[0] if scalar else stride, ceil_mode=op.ceil_mode)
    if op.kind == "max":
        return make(kernel, stride, padding, dilation, ceil_mode=op.ceil_mode)
    return make(kernel, stride, padding, ceil_mode=op.ceil_mode, count_include_pad=op.count_include_pad)


def lower_recurrent(op: Recurrent) -> nn.Module:
    """The op's fields are the constructor's."""
    fields: dict[str, Any] = {
        "num_layers": op.num_layers,
        "bias": op.bias,
        "batch_first": op.batch_first,
        "bidirectional": op.bidirectional,
    }
    if isinstance(op, LSTM):
        return recurrent.LSTM(op.input_size, op.hidden_size, proj_size=op.proj_size, **fields)
    if isinstance(op, RNN):
        return recurrent.RNN(op.input_size, op.hidden_size, nonlinearity=op.nonlinearity, **fields)
    return recurrent.GRU(op.input_size, op.hidden_size, **fields)


def lower_pointwise(op: Pointwise) -> Call:
    """The function of that name, the arguments behind the tensors, where torch takes them so."""
    name, args = op.function, op.arguments
    if name == "to" and len(args) != 1:
        raise LawError(f"Pointwise: to must name its type to be built, as in arguments=('float16',), but got arguments={args}")
    if name in ("addcmul", "addcdiv"):
        return Call(getattr(torch, name), kwargs={"value": args[0]} if args else {})
    if args and name in ("add", "sub", "div", "to"):
        return Call(getattr(functions, name), args)
    if name == "round" and args:
        return Call(torch.round, kwargs={"decimals": args[0]})
    return Call(getattr(functional if name in IN_FUNCTIONAL else torch, name), args)


def lower_reduce(op: Reduce) -> Call:
    """torch's function of that name; those that take one axis, or all of them only as a whole, refuse what torch cannot."""
    name, dims = op.function, op.dims
    function = torch.linalg.vector_norm if name == "norm" else getattr(torch, name)
    kwargs: dict[str, Any] = {"correction": op.correction} if name in ("var", "std") else {}
    if not dims and not op.keepdim and name != "logsumexp":
        return Call(function, kwargs=kwargs)
    if not dims and name in ("any", "all", "logsumexp", "prod"):
        raise LawError(f"Reduce: {name} over all axes must name them in dims to be built. Give dims.")
    if name in ("prod", "argmax", "argmin"):
        return Call(function, kwargs={"dim": dims[0] if dims else None, "keepdim": op.keepdim})
    return Call(function, kwargs={"dim": dims or (() if name in ("amax", "amin") else None), "keepdim": op.keepdim, **kwargs})


def lower_slice(op: Slice) -> Call:
    """A narrow view; with steps an index along the axis."""
    if op.step == 1:
        return Call(torch.narrow, (op.dim, op.start, op.stop - op.start))
    return Call(functions.strided, (op.dim, op.start, op.stop, op.step))


def lower_interpolate(op: Interpolate) -> Call:
    """torch takes align_corners only where it means something."""
    smooth = op.mode in ("linear", "bilinear", "bicubic", "trilinear")
    kwargs: dict[str, Any] = {"mode": op.mode, **({"align_corners": op.align_corners} if smooth else {})}
    kwargs |= {"size": each(op.size)} if op.size else {"scale_factor": each(op.scale_factor)}
    return Call(functional.interpolate, kwargs=kwargs)


def each(values: tuple[Any, ...]) -> Any:
    """One number for all axes, or one for each."""
    return values[0] if len(values) == 1 else values


def lower_dynamic_conv2d(op: DynamicConv2d) -> Call:
    """The function behind nn.Conv2d."""
    return Call(functional.conv2d, kwargs={"stride": op.stride, "padding": op.padding, "dilation": op.dilation, "groups": op.groups})


def lower_attention(op: ScaledDotProductAttention) -> Call:
    """torch's function."""
    kwargs: dict[str, Any] = {"is_causal": True} if op.is_causal else {}
    return Call(functional.scaled_dot_product_attention, kwargs=kwargs | ({"enable_gqa": True} if op.enable_gqa else {}))


def refuse(op: FinalState | Index) -> NoReturn:
    """What a graph does not hold cannot be built. Raises LawError."""
    missing = {
        "FinalState": "the states that a recurrent layer ends in are not a function of its output",
        "Index": "which elements an index picks is not in a graph",
    }[type(op).__name__]
    raise LawError(f"{missing}, so this {type(op).__name__} cannot be built. Replace the node, or build the graph without it.")


FURTHER_LOWERINGS: dict[type[Op], Callable[[Any], Lowered]] = {
    AdaptivePoolNd: lambda op: ADAPTIVE[op.kind, len(op.output_size)](op.output_size),
    BatchNormNd: lambda op: BatchNorm(op.num_features, eps=op.eps, momentum=op.momentum, affine=op.affine),
    ConvNd: lower_conv,
    ConvTransposeNd: lower_conv,
    Copy: lambda op: Call(torch.clone, kwargs={"memory_format": torch.contiguous_format}),
    DynamicConv2d: lower_dynamic_conv2d,
    ELU: lambda op: nn.ELU(op.alpha),
    Einsum: lambda op: Call(torch.einsum, before=(op.equation,)),
    Embedding: lambda op: nn.Embedding(op.num_embeddings, op.embedding_dim),
    Expand: lambda op: Call(torch.broadcast_to, (op.shape,)),
    FinalState: refuse,
    Flip: lambda op: Call(torch.flip, (op.dims,)),
    Fold: lambda op: nn.Fold(op.output_size, op.kernel_size, dilation=op.dilation, padding=op.padding, stride=op.stride),
    GLU: lambda op: nn.GLU(op.dim),
    GRU: lower_recurrent,
    GroupNorm: lambda op: nn.GroupNorm(op.num_groups, op.num_channels, eps=op.eps, affine=op.affine),
    Index: refuse,
    InstanceNorm: lambda op: InstanceNormalisation(op.num_features, eps=op.eps, affine=op.affine),
    Interpolate: lower_interpolate,
    LSTM: lower_recurrent,
    LayerNorm: lambda op: nn.LayerNorm(op.normalized_shape, eps=op.eps, elementwise_affine=op.affine, bias=op.bias),
    LeakyReLU: lambda op: nn.LeakyReLU(op.negative_slope),
    LogSoftmax: lambda op: nn.LogSoftmax(op.dim),
    MatMul: lambda op: Call(torch.matmul),
    Mish: lambda op: nn.Mish(),
    PReLU: lambda op: nn.PReLU(op.num_parameters),
    PadNd: lambda op: Call(functional.pad, (op.padding,), {"mode": op.mode, **({"value": op.value} if op.mode == "constant" else {})}),
    Parameter: lambda op: Attribute(op.shape, op.learned),
    Permute: lambda op: Call(torch.permute, (op.dims,)),
    PixelShuffle: lambda op: nn.PixelShuffle(op.upscale_factor),
    PixelUnshuffle: lambda op: nn.PixelUnshuffle(op.downscale_factor),
    Pointwise: lower_pointwise,
    PoolNd: lower_pool,
    RMSNorm: lambda op: nn.RMSNorm(op.normalized_shape, eps=op.eps, elementwise_affine=op.affine),
    RNN: lower_recurrent,
    Reduce: lower_reduce,
    Repeat: lambda op: Call(torch.tile, (op.repeats,)),
    Roll: lambda op: Call(torch.roll, (op.shifts, op.dims)),
    ScaledDotProductAttention: lower_attention,
    Scan: lambda op: Call(getattr(torch, op.function), (op.dim,)),
    Select: lambda op: Call(torch.select, (op.dim, op.index)),
    Slice: lower_slice,
    Stack: lambda op: Call(torch.stack, kwargs={"dim": op.dim}, packed=True),
    Tanh: lambda op: nn.Tanh(),
    Unfold: lambda op: nn.Unfold(op.kernel_size, dilation=op.dilation, padding=op.padding, stride=op.stride),
}
