"""Whole calls: torch's functions that the dispatcher takes apart before it can be seen, and the overloads that they are."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CONVOLUTIONS = (
    "conv1d.default", "conv2d.default", "conv3d.default", "conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input",
)  # fmt: skip
RECURRENT = ("lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input")

# torch's function -> the overload that it is, and its arguments' names where they are not the overload's.
WHOLE: dict[Callable[..., Any], tuple[str, tuple[str, ...]]] = {
    functional.linear: ("linear.default", ()),
    functional.scaled_dot_product_attention: ("scaled_dot_product_attention.default", ()),
    functional.batch_norm: (
        "batch_norm.default",
        ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    ),
    functional.dropout: ("dropout.default", ("input", "p", "train")),
    functional.instance_norm: (
        "instance_norm.default",
        ("input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps"),
    ),
    functional.rms_norm: ("rms_norm.default", ()),
    functional.pad: ("pad.default", ()),
    functional.rrelu: ("rrelu.default", ("input", "lower", "upper", "training")),
    functional.max_pool1d: (
        "max_pool1d.default",
        ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
    ),
    functional.adaptive_max_pool1d: ("adaptive_max_pool1d.default", ("input", "output_size", "return_indices")),
    torch.avg_pool1d: ("avg_pool1d.default", ()),
    torch.adaptive_avg_pool1d: ("adaptive_avg_pool1d.default", ()),
    torch.bilinear: ("bilinear.default", ()),
    functional.alpha_dropout: ("alpha_dropout.default", ("input", "p", "train")),
    functional.dropout1d: ("feature_dropout.default", ("input", "p", "train")),
    functional.dropout2d: ("feature_dropout.default", ("input", "p", "train")),
    functional.dropout3d: ("feature_dropout.default", ("input", "p", "train")),
    functional.feature_alpha_dropout: ("feature_alpha_dropout.default", ("input", "p", "train")),
    torch.einsum: ("einsum.default", ()),
    torch.matmul: ("matmul.default", ()),
    Tensor.matmul: ("matmul.default", ()),
    Tensor.__matmul__: ("matmul.default", ()),
    **{getattr(torch, name.partition(".")[0]): (name, ()) for name in (*RECURRENT, *CONVOLUTIONS)},
}
DROPOUTS = ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout")
ATTENTION = "aten.scaled_dot_product_attention.default"  # torch's kernels keep the order of the query's axes, which meta does not know
KEEPS = frozenset(f"aten.{name}.default" for name in DROPOUTS)  # in eval mode they return their input

# torch's functions in Python that multiply: called with a mode on they hand themselves to it whole, and their calls within are hidden.
# Their own code, told that no mode is on, is followed.
OPENED: dict[Callable[..., Any], Callable[..., Any]] = {
    one: FunctionType(one.__code__, {**vars(functional), "has_torch_function": lambda _: False}, one.__name__, one.__defaults__)
    for one in (functional.multi_head_attention_forward,)
}
SAME_WORDS = {"training": "train"}  # arguments by name that torch.nn.functional calls otherwise than ATen

# Activations whose results are like their inputs, which their meta kernels, in Python, take milliseconds to say.
ACTIVATIONS = ("elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "softplus")
LIKE_INPUT = frozenset(f"aten.{name}.default" for name in ACTIVATIONS)
LIKE_INPUT_IN_PLACE = frozenset(f"aten.{name}_.default" for name in ACTIVATIONS)
