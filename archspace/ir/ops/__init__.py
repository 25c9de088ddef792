"""The vocabulary: every op kind, in one table. Kinds that no network of the zoo has are loaded when first named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from archspace.ir.ops.base import IntPair, Op, Scalar, Shape, pair
from archspace.ir.ops.boundary import Input, Opaque, Parameter
from archspace.ir.ops.convolution import Conv2d, Convolution, Linear
from archspace.ir.ops.deployed import ChannelGather, FixedShift
from archspace.ir.ops.elementwise import (
    GELU,
    Activation,
    Add,
    BatchNorm2d,
    Dropout,
    Hardsigmoid,
    Hardswish,
    Multiply,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
)
from archspace.ir.ops.movement import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Flatten,
    GroupedShift,
    Pad,
    Reshape,
    SparseShift,
    View,
)
from archspace.ir.ops.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Pool

if TYPE_CHECKING:
    from archspace.ir.ops.activations import ELU, GLU, LeakyReLU, LogSoftmax, Mish, PReLU, Tanh
    from archspace.ir.ops.arrange import (
        Copy,
        Expand,
        Flip,
        Movement,
        Permute,
        PixelShuffle,
        PixelUnshuffle,
        Repeat,
        Roll,
        Select,
        Slice,
        Stack,
    )
    from archspace.ir.ops.convolution_nd import ConvNd, ConvTransposeNd, DynamicConv2d
    from archspace.ir.ops.einsum import Einsum
    from archspace.ir.ops.lookup import Embedding, Index, Overwrite
    from archspace.ir.ops.matmul import MatMul, ScaledDotProductAttention
    from archspace.ir.ops.normalisation import BatchNormNd, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
    from archspace.ir.ops.pointwise import POINTWISE, Pointwise, Scan
    from archspace.ir.ops.pooling_nd import AdaptivePoolNd, PoolNd
    from archspace.ir.ops.recurrent import GRU, LSTM, RNN, FinalState, Recurrent
    from archspace.ir.ops.reduction import REDUCTIONS, Reduce
    from archspace.ir.ops.resample import Interpolate, PadNd
    from archspace.ir.ops.windows import Fold, Unfold

__all__ = [
    "ELU",
    "FURTHER",
    "GELU",
    "GLU",
    "GRU",
    "KINDS",
    "LSTM",
    "OPS",
    "POINTWISE",
    "REDUCTIONS",
    "RNN",
    "Activation",
    "AdaptiveAvgPool2d",
    "AdaptivePoolNd",
    "Add",
    "AvgPool2d",
    "BatchNorm2d",
    "BatchNormNd",
    "ChannelGather",
    "ChannelShuffle",
    "ChannelSlice",
    "Concat",
    "Conv2d",
    "ConvNd",
    "ConvTransposeNd",
    "Convolution",
    "Copy",
    "Dropout",
    "DynamicConv2d",
    "Einsum",
    "Embedding",
    "Expand",
    "FinalState",
    "FixedShift",
    "Flatten",
    "Flip",
    "Fold",
    "GroupNorm",
    "GroupedShift",
    "Hardsigmoid",
    "Hardswish",
    "Index",
    "Input",
    "InstanceNorm",
    "IntPair",
    "Interpolate",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MatMul",
    "MaxPool2d",
    "Mish",
    "Movement",
    "Multiply",
    "Op",
    "Opaque",
    "Overwrite",
    "PReLU",
    "Pad",
    "PadNd",
    "Parameter",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "Pointwise",
    "Pool",
    "PoolNd",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Recurrent",
    "Reduce",
    "Repeat",
    "Reshape",
    "Roll",
    "Scalar",
    "ScaledDotProductAttention",
    "Scan",
    "Select",
    "Shape",
    "SiLU",
    "Sigmoid",
    "Slice",
    "Softmax",
    "SparseShift",
    "Stack",
    "Tanh",
    "Unfold",
    "View",
    "Vocabulary",
    "pair",
]


class Vocabulary(Mapping[str, type[Op]]):
    """Op kinds by name: those that are loaded, and the module in which each of the others is. Making forty classes takes 30 ms."""

    def __init__(self, loaded: Mapping[str, type[Op]], further: Mapping[str, str]) -> None:
        self._loaded = dict(loaded)
        self._further = further

    def __getitem__(self, name: str) -> type[Op]:
        if name not in self._loaded:
            self._loaded[name] = getattr(import_module(f"{__name__}.{self._further[name]}"), name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in self._further

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._loaded, *self._further}))

    def __len__(self) -> int:
        return len({*self._loaded, *self._further})


# The kinds of the zoo's networks.
KINDS: dict[str, type[Op]] = {
    "AdaptiveAvgPool2d": AdaptiveAvgPool2d,
    "Add": Add,
    "AvgPool2d": AvgPool2d,
    "BatchNorm2d": BatchNorm2d,
    "ChannelGather": ChannelGather,
    "ChannelShuffle": ChannelShuffle,
    "ChannelSlice": ChannelSlice,
    "Concat": Concat,
    "Conv2d": Conv2d,
    "Dropout": Dropout,
    "FixedShift": FixedShift,
    "Flatten": Flatten,
    "GELU": GELU,
    "GroupedShift": GroupedShift,
    "Hardsigmoid": Hardsigmoid,
    "Hardswish": Hardswish,
    "Input": Input,
    "Linear": Linear,
    "MaxPool2d": MaxPool2d,
    "Multiply": Multiply,
    "Opaque": Opaque,
    "Pad": Pad,
    "Parameter": Parameter,
    "ReLU": ReLU,
    "ReLU6": ReLU6,
    "Reshape": Reshape,
    "SiLU": SiLU,
    "Sigmoid": Sigmoid,
    "Softmax": Softmax,
    "SparseShift": SparseShift,
}

# The kinds that only networks from elsewhere have, and the modules that hold them.
FURTHER: dict[str, str] = {
    "AdaptivePoolNd": "pooling_nd",
    "BatchNormNd": "normalisation",
    "ConvNd": "convolution_nd",
    "ConvTransposeNd": "convolution_nd",
    "Copy": "arrange",
    "DynamicConv2d": "convolution_nd",
    "ELU": "activations",
    "Einsum": "einsum",
    "Embedding": "lookup",
    "Expand": "arrange",
    "FinalState": "recurrent",
    "Flip": "arrange",
    "Fold": "windows",
    "GLU": "activations",
    "GRU": "recurrent",
    "GroupNorm": "normalisation",
    "Index": "lookup",
    "InstanceNorm": "normalisation",
    "Interpolate": "resample",
    "LSTM": "recurrent",
    "LayerNorm": "normalisation",
    "LeakyReLU": "activations",
    "LogSoftmax": "activations",
    "MatMul": "matmul",
    "Mish": "activations",
    "Overwrite": "lookup",
    "PReLU": "activations",
    "PadNd": "resample",
    "Permute": "arrange",
    "PixelShuffle": "arrange",
    "PixelUnshuffle": "arrange",
    "Pointwise": "pointwise",
    "PoolNd": "pooling_nd",
    "RMSNorm": "normalisation",
    "RNN": "recurrent",
    "Reduce": "reduction",
    "Repeat": "arrange",
    "Roll": "arrange",
    "ScaledDotProductAttention": "matmul",
    "Scan": "pointwise",
    "Select": "arrange",
    "Slice": "arrange",
    "Stack": "arrange",
    "Tanh": "activations",
    "Unfold": "windows",
}

OPS: Mapping[str, type[Op]] = Vocabulary(KINDS, FURTHER)

# What else those modules offer.
_BESIDE = {"Movement": "arrange", "POINTWISE": "pointwise", "REDUCTIONS": "reduction", "Recurrent": "recurrent"}


def __getattr__(name: str) -> Any:
    module = FURTHER.get(name) or _BESIDE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(f"{__name__}.{module}"), name))
