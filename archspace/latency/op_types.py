"""Op types: what a latency profile prices apart, and what is priced like something coarser where a profile does not tell them apart."""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import MappingProxyType

from archspace.ir.ops import (
    FURTHER,
    KINDS,
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm2d,
    ChannelGather,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    FixedShift,
    Flatten,
    GroupedShift,
    Input,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    Opaque,
    Pad,
    Parameter,
    Reshape,
    Softmax,
    SparseShift,
)

# Op type -> the coarser one whose coefficients it takes in a profile that has none for it; "" ends the way: then it is "default".
COARSER: Mapping[str, str] = MappingProxyType(
    {
        "dense": "",
        "pointwise": "dense",  # 1x1 convolutions of one group: a matrix product without gathering patches
        "grouped": "",
        "grouped_pointwise": "grouped",
        "depthwise": "",
        "linear": "",
        "matmul": "linear",  # two feature maps
        "attention": "matmul",  # fused: scores that never reach memory
        "vector": "linear",  # a linear layer of one row, which reads its weights once
        "recurrent": "linear",
        "pool": "",
        "max_pool": "pool",
        "global_pool": "pool",
        "elementwise": "",
        "activation": "elementwise",  # a comparison or two an element
        "hard_activation": "activation",  # hard sigmoid and hard swish: several steps where nothing fuses them
        "transcendental": "activation",  # exponentials
        "gelu": "transcendental",
        "batch_norm": "elementwise",
        "norm": "elementwise",  # statistics first
        "softmax": "elementwise",
        "movement": "",
        "concat": "movement",
        "shuffle": "movement",
        "gather": "shuffle",
        "shift": "movement",
        "layout": "movement",  # a tensor rearranged for the convolutions of a blocked layout
        # What only runtimes that are followed launch by launch tell apart: `autocast`, `inductor`.
        "dense_last": "dense",  # on a tensor whose channels lie innermost
        "pointwise_last": "pointwise",
        "grouped_last": "grouped",
        "depthwise_last": "depthwise",
        "attention_masked": "attention",
        "matmul_full": "matmul",  # in float32 among narrower ones
        "cast": "elementwise",  # from one width to another
        "scattered": "movement",  # read across the order of its tensor, one element at a time
        "table": "scattered",  # computed with values of a table of parameters
        "opaque": "",
    }
)
OP_TYPE_NAMES = tuple(COARSER)
DEFAULT, OPAQUE = "default", "opaque"

ACTIVATION_TYPES = {"GELU": "gelu", "Hardsigmoid": "hard_activation", "Hardswish": "hard_activation"} | dict.fromkeys(
    ("Sigmoid", "SiLU"), "transcendental"
)

# Op kind -> its op type. A convolution's depends on its groups and its kernel.
OP_TYPES: Mapping[type[Op], str] = MappingProxyType(
    {
        **{kind: ACTIVATION_TYPES.get(name, "activation") for name, kind in KINDS.items() if issubclass(kind, Activation)},
        Linear: "linear",
        AvgPool2d: "pool",
        MaxPool2d: "max_pool",
        AdaptiveAvgPool2d: "global_pool",
        **dict.fromkeys((Add, Dropout, Multiply), "elementwise"),
        BatchNorm2d: "batch_norm",
        Softmax: "softmax",
        Concat: "concat",
        ChannelShuffle: "shuffle",
        ChannelGather: "gather",
        **dict.fromkeys((FixedShift, GroupedShift, SparseShift), "shift"),
        **dict.fromkeys((ChannelSlice, Flatten, Input, Pad, Parameter, Reshape), "movement"),
        Opaque: "opaque",
    }
)


def op_type(op: Op) -> str:
    """The key of its coefficients.

    >>> op_type(Conv2d(8, 8, 3, groups=8)), op_type(Conv2d(8, 8, 1, groups=2)), op_type(Conv2d(8, 8, 1)), op_type(Add())
    ('depthwise', 'grouped_pointwise', 'pointwise', 'elementwise')
    """
    if isinstance(op, Conv2d):
        is_pointwise = op.kernel_size == 1 or op.kernel_size == (1, 1)
        if op.groups > 1:
            return "depthwise" if op.is_depthwise else "grouped_pointwise" if is_pointwise else "grouped"
        return "pointwise" if is_pointwise else "dense"
    if type(op).__name__ in FURTHER:
        from archspace.latency.fusion_further import further_op_type

        return further_op_type(op)
    return OP_TYPES[type(op)]


def priced_as(name: str, priced: Container[str]) -> str:
    """The type itself, else the nearest coarser one that is priced, else "default".

    >>> priced_as("pointwise", {"dense"}), priced_as("attention", {"linear"}), priced_as("shift", {"dense"})
    ('dense', 'linear', 'default')
    """
    while name:
        if name in priced:
            return name
        name = COARSER[name]
    return DEFAULT
