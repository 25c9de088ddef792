"""The ONNX table, row by row: each operator alone in a file is the expected ops, and these compute what ONNX's reference computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from archspace.analysis import analyze
from archspace.ir import Graph
from archspace.ir.graph import describe
from archspace.ir.ops import Input
from archspace.onnx import from_onnx
from archspace.onnx.table import ONNX
from archspace.pytorch import to_module

X = np.float32
IMAGE = (2, 4, 6, 5)


def draws(*shape: int) -> np.ndarray[Any, Any]:
    """Numbers around 1, from a generator of their own."""
    return np.random.default_rng(0).normal(1, 0.5, shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """One operator: its inputs (a shape flows, an array is a constant, None is left out), its attributes, what it should become."""

    kind: str
    inputs: Sequence[Any]
    ops: Sequence[str]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 20
    outputs: int = 1
    dtype: int = TensorProto.FLOAT
    computed: bool = True  # False: the ops are not built and compared (weights, types, operators that the reference lacks)

    @property
    def name(self) -> str:
        return f"{self.kind}-{'-'.join(self.attrs)}-{self.opset}"


def one(kind: str, op: str, *shapes: tuple[int, ...], **attrs: Any) -> Case:
    """An operator on tensors that all flow."""
    return Case(kind, shapes or (IMAGE,), [op] if op else [], attrs)


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.int64)


SAME_ELEMENTS = [
    one(kind, f"Pointwise[function={function}]")
    for kind, function in {
        "Abs": "abs",
        "Asin": "asin",
        "Acos": "acos",
        "Atan": "atan",
        "Ceil": "ceil",
        "Cos": "cos",
        "Cosh": "cosh",
        "Erf": "erf",
        "Exp": "exp",
        "Floor": "floor",
        "Log": "log",
        "Neg": "neg",
        "Reciprocal": "reciprocal",
        "Round": "round",
        "Selu": "selu",
        "Sign": "sign",
        "Sin": "sin",
        "Sinh": "sinh",
        "Softplus": "softplus",
        "Softsign": "softsign",
        "Sqrt": "sqrt",
        "Tan": "tan",
    }.items()
]

CASES = [
    *SAME_ELEMENTS,
    *[one(kind, kind if kind != "Relu" else "ReLU") for kind in ("Relu", "Sigmoid", "Tanh", "Mish")],
    one("HardSwish", "Hardswish"),
    one("HardSigmoid", "Hardsigmoid", alpha=1 / 6, beta=0.5),
    Case(
        "HardSigmoid",
        [IMAGE],
        [
            "Pointwise[function=mul, arguments=(0.2,)]",
            "Pointwise[function=add, arguments=(0.5,)]",
            "Pointwise[function=clamp, arguments=(0.0, 1.0)]",
        ],
    ),
    one("LeakyRelu", "LeakyReLU[negative_slope=0.2]", alpha=0.2),
    one("Elu", "ELU[alpha=0.7]", alpha=0.7),
    one("Celu", "Pointwise[function=celu, arguments=(0.7,)]", alpha=0.7),
    one("ThresholdedRelu", "Pointwise[function=threshold, arguments=(0.7, 0.0)]", alpha=0.7),
    one("Gelu", "GELU"),
    one("Gelu", "GELU[approximate=tanh]", approximate="tanh"),
    Case("com.microsoft.Gelu", [IMAGE], ["GELU"], computed=False),
    Case("com.microsoft.FastGelu", [IMAGE], ["GELU[approximate=tanh]"], computed=False),
    one("Softmax", "Softmax[dim=1]", axis=1),
    one("LogSoftmax", "LogSoftmax"),
    one("IsNaN", "Pointwise[function=isnan]"),
    one("IsInf", "Pointwise[function=isinf]"),
    Case("PRelu", [IMAGE, draws(4, 1, 1)], ["PReLU[num_parameters=4]"], computed=False),
    Case("Clip", [IMAGE, X(0)], ["ReLU"]),
    Case("Clip", [IMAGE, X(0), X(6)], ["ReLU6"]),
    Case("Clip", [IMAGE, X(0.5), X(1)], ["Pointwise[function=clamp, arguments=(0.5, 1.0)]"]),
    Case("Clip", [IMAGE, None, X(1)], ["Pointwise[function=clamp, arguments=(None, 1.0)]"]),
    one("Add", "Add", IMAGE, IMAGE),
    one("Add", "Add", IMAGE, (5,)),
    Case("Add", [IMAGE, X(2)], ["Pointwise[function=add, arguments=(2.0,)]"]),
    Case("Add", [X(0), IMAGE], []),
    one("Mul", "Multiply", IMAGE, (2, 4, 1, 1)),
    Case("Mul", [X(3), IMAGE], ["Pointwise[function=mul, arguments=(3.0,)]"]),
    one("Sub", "Pointwise[function=sub]", IMAGE, (6, 5)),
    Case("Sub", [X(3), IMAGE], ["Pointwise[function=rsub, arguments=(3.0,)]"]),
    one("Div", "Pointwise[function=div]", IMAGE, IMAGE),
    Case("Div", [X(1), IMAGE], ["Pointwise[function=reciprocal]"]),
    Case("Div", [IMAGE, X(4)], ["Pointwise[function=div, arguments=(4.0,)]"]),
    Case("Pow", [IMAGE, X(2)], ["Pointwise[function=pow, arguments=(2.0,)]"]),
    Case("Mod", [IMAGE, X(2)], ["Pointwise[function=fmod, arguments=(2.0,)]"], {"fmod": 1}),
    Case("Max", [IMAGE, IMAGE, (5,)], ["Pointwise[function=maximum]"] * 2),
    Case("Min", [IMAGE, IMAGE], ["Pointwise[function=minimum]"]),
    Case("Sum", [IMAGE, IMAGE, IMAGE], ["Add"] * 2),
    Case("Sum", [IMAGE], []),
    *[
        Case(kind, [IMAGE, X(1)], [f"Pointwise[function={word}, arguments=(1.0,)]"])
        for kind, word in {"Equal": "eq", "Greater": "gt", "GreaterOrEqual": "ge", "Less": "lt", "LessOrEqual": "le"}.items()
    ],
    *[
        Case(kind, [IMAGE, IMAGE], [f"Pointwise[function={word}]"], dtype=TensorProto.BOOL)
        for kind, word in {"And": "logical_and", "Or": "logical_or", "Xor": "logical_xor"}.items()
    ],
    *[
        Case(kind, [IMAGE, IMAGE], [f"Pointwise[function={word}]"], dtype=TensorProto.INT32)
        for kind, word in {"BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor"}.items()
    ],
    Case("Not", [IMAGE], ["Pointwise[function=logical_not]"], dtype=TensorProto.BOOL),
    Case("BitwiseNot", [IMAGE], ["Pointwise[function=bitwise_not]"], dtype=TensorProto.INT32),
    Case(
        "Where",
        [np.array([True, False, True, False, True]), IMAGE, IMAGE],
        ["Parameter[shape=(5,), learned=False]", "Pointwise[function=where]"],
        computed=False,
    ),
    Case("Cast", [IMAGE], [], {"to": TensorProto.FLOAT}),
    Case("Cast", [IMAGE], ["Pointwise[function=to]"], {"to": TensorProto.DOUBLE}, computed=False),
    Case("CastLike", [IMAGE, ints(1)], ["Pointwise[function=to]"], computed=False),
    Case("QuantizeLinear", [IMAGE, X(0.1), np.uint8(3)], ["Pointwise[function=to]"], computed=False),
    Case("DequantizeLinear", [IMAGE, X(0.1), np.uint8(3)], ["Pointwise[function=to]"], dtype=TensorProto.UINT8, computed=False),
    Case("Identity", [IMAGE], []),
    Case("Dropout", [IMAGE], []),
    Case("ReduceMean", [IMAGE, ints(2, 3)], ["AdaptiveAvgPool2d"]),
    Case("ReduceMean", [IMAGE], ["AdaptiveAvgPool2d", "Flatten"], {"axes": [2, 3], "keepdims": 0}, opset=17),
    Case("ReduceMean", [IMAGE, ints(-1)], ["Reduce[function=mean, dims=(3,), keepdim=True]"]),
    *[
        Case(kind, [IMAGE, ints(1, 3)], [f"Reduce[function={word}, dims=(1, 3)]"], {"keepdims": 0})
        for kind, word in {
            "ReduceSum": "sum",
            "ReduceMax": "amax",
            "ReduceMin": "amin",
            "ReduceL2": "norm",
            "ReduceLogSumExp": "logsumexp",
        }.items()
    ],
    Case("ReduceSum", [IMAGE], [], {"noop_with_empty_axes": 1}),
    Case("ReduceProd", [IMAGE, ints(2)], ["Reduce[function=prod, dims=(2,), keepdim=True]"]),
    Case("ReduceL1", [IMAGE, ints(2)], ["Pointwise[function=abs]", "Reduce[function=sum, dims=(2,), keepdim=True]"]),
    Case("ReduceSumSquare", [IMAGE, ints(2)], ["Pointwise[function=square]", "Reduce[function=sum, dims=(2,), keepdim=True]"]),
    Case("ReduceLogSum", [IMAGE, ints(2)], ["Reduce[function=sum, dims=(2,), keepdim=True]", "Pointwise[function=log]"]),
    Case("ArgMax", [IMAGE], ["Reduce[function=argmax, dims=(1,), keepdim=True]"], {"axis": 1}),
    Case("ArgMin", [IMAGE], ["Reduce[function=argmin, dims=(3,)]"], {"axis": -1, "keepdims": 0}),
    Case("CumSum", [IMAGE, np.int64(2)], ["Scan[function=cumsum, dim=2]"]),
    Case("Reshape", [IMAGE, ints(0, 4, -1)], ["Flatten[start_dim=2]"]),
    Case("Reshape", [IMAGE, ints(2, 5, 24)], ["Reshape[shape=(5, 24)]"]),
    Case("Reshape", [IMAGE, ints(-1, 5)], ["Reshape[shape=(5,), folds_batch=True]"]),
    Case("Reshape", [IMAGE, ints(*IMAGE)], []),
    Case("Flatten", [IMAGE], ["Flatten"]),
    Case("Squeeze", [(2, 1, 3), ints(1)], ["Flatten"]),
    Case("Unsqueeze", [(2, 3), ints(1)], ["Reshape[shape=(1, 3)]"]),
    Case("Transpose", [IMAGE], ["Permute[dims=(0, 2, 3, 1)]"], {"perm": [0, 2, 3, 1]}),
    Case("Transpose", [(2, 3)], ["Permute[dims=(1, 0)]"]),
    Case("Concat", [IMAGE, IMAGE], ["Concat"], {"axis": 1}),
    Case("Concat", [IMAGE, IMAGE], ["Concat[dim=3]"], {"axis": -1}),
    Case("Split", [IMAGE, ints(1, 3)], ["ChannelSlice[start=0, stop=1]", "ChannelSlice[start=1, stop=4]"], {"axis": 1}, outputs=2),
    Case("Split", [IMAGE], ["Slice[dim=2, start=0, stop=3]", "Slice[dim=2, start=3, stop=6]"], {"axis": 2, "num_outputs": 2}, outputs=2),
    Case("Slice", [IMAGE, ints(1), ints(3), ints(1)], ["ChannelSlice[start=1, stop=3]"]),
    Case(
        "Slice",
        [IMAGE, ints(-5, 0), ints(99, 2), ints(2, 3), ints(2, 1)],
        ["Slice[dim=2, start=1, stop=6, step=2]", "Slice[dim=3, start=0, stop=2]"],
    ),
    Case("Slice", [IMAGE, ints(-1), ints(-99), ints(3), ints(-1)], ["Flip[dims=(3,)]"]),
    Case("Gather", [IMAGE, np.int64(-1)], ["Select[dim=2, index=5]"], {"axis": 2}),
    Case("Gather", [IMAGE, ints(1, 2)], ["ChannelSlice[start=1, stop=3]"], {"axis": 1}),
    Case("Gather", [IMAGE, ints(2, 0, 1)], ["Index[shape=(2, 3, 6, 5)]"], {"axis": 1}, computed=False),
    Case("Gather", [draws(10, 3), (2, 7)], ["Embedding[num_embeddings=10, embedding_dim=3]"], dtype=TensorProto.INT64, computed=False),
    Case("GatherElements", [(2, 3), np.zeros((2, 2), np.int64)], ["Index[shape=(2, 2)]"], {"axis": 1}, computed=False),
    Case("GatherND", [(2, 3), np.zeros((5, 2), np.int64)], ["Index[shape=(5,)]"], computed=False),
    Case("Expand", [(2, 1, 3), ints(2, 4, 3)], ["Expand[shape=(-1, 4, -1)]"]),
    Case("Tile", [(2, 3), ints(1, 2)], ["Repeat[repeats=(1, 2)]"]),
    Case("DepthToSpace", [(1, 8, 2, 3)], ["PixelShuffle[upscale_factor=2]"], {"blocksize": 2, "mode": "CRD"}),
    Case(
        "DepthToSpace",
        [(1, 8, 2, 3)],
        [
            "Reshape[shape=(2, 2, 2, 2, 3)]",
            "Permute[dims=(0, 3, 1, 2, 4, 5)]",
            "Reshape[shape=(8, 2, 3)]",
            "PixelShuffle[upscale_factor=2]",
        ],
        {"blocksize": 2},
    ),
    Case(
        "SpaceToDepth",
        [(1, 2, 4, 6)],
        ["Reshape[shape=(2, 2, 2, 3, 2)]", "Permute[dims=(0, 3, 5, 1, 2, 4)]", "Reshape[shape=(8, 2, 3)]"],
        {"blocksize": 2},
    ),
    Case("Pad", [IMAGE, ints(0, 0, 1, 2, 0, 0, 3, 4)], ["Pad[padding=(2, 4, 1, 3)]"]),
    Case("Pad", [IMAGE, ints(1, 2), X(3), ints(-1)], ["PadNd[padding=(1, 2), value=3.0]"]),
    Case("Pad", [IMAGE, ints(0, 0, 1, 1, 0, 0, 1, 1)], ["PadNd[padding=(1, 1, 1, 1), mode=reflect]"], {"mode": "reflect"}),
    Case(
        "Resize",
        [IMAGE, None, np.array([1, 1, 2, 2], X)],
        ["Interpolate[scale_factor=(2.0, 2.0)]"],
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    Case("Resize", [IMAGE, None, None, ints(2, 4, 9, 7)], ["Interpolate[size=(9, 7), mode=bilinear]"], {"mode": "linear"}),
    Case(
        "Resize",
        [IMAGE, None, None, ints(2, 4, 9, 7)],
        ["Interpolate[size=(9, 7), mode=bilinear, align_corners=True]"],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    Case(
        "MaxPool",
        [IMAGE],
        ["MaxPool2d[kernel_size=3, stride=2, padding=1]"],
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    ),
    Case(
        "MaxPool",
        [IMAGE],
        ["MaxPool2d[kernel_size=3, stride=2, ceil_mode=True]"],
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 0]},
    ),
    Case(
        "MaxPool", [(1, 2, 9)], ["PoolNd[kind=max, kernel_size=(2,), stride=(1,), dilation=(2,)]"], {"kernel_shape": [2], "dilations": [2]}
    ),
    Case("AveragePool", [IMAGE], ["AvgPool2d[kernel_size=2, stride=2]"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    Case(
        "AveragePool",
        [IMAGE],
        ["AvgPool2d[kernel_size=3, stride=1, padding=1, count_include_pad=False]"],
        {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"},
    ),
    Case(
        "AveragePool",
        [(1, 2, 4, 4, 4)],
        ["PoolNd[kind=avg, kernel_size=(2, 2, 2), stride=(2, 2, 2)]"],
        {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]},
    ),
    Case("LpPool", [IMAGE], ["PoolNd[kind=lp, kernel_size=(2, 2), stride=(2, 2)]"], {"kernel_shape": [2, 2], "strides": [2, 2], "p": 2}),
    Case("GlobalAveragePool", [IMAGE], ["AdaptiveAvgPool2d"]),
    Case("GlobalAveragePool", [(2, 3, 5)], ["AdaptivePoolNd[kind=avg, output_size=(1,)]"]),
    Case("GlobalMaxPool", [IMAGE], ["AdaptivePoolNd[kind=max, output_size=(1, 1)]"]),
    Case("MatMul", [(2, 3, 4), (4, 5)], ["MatMul"]),
    Case("MatMul", [(2, 3, 4), (4,)], ["Reshape[shape=(1,), folds_batch=True]", "MatMul", "Reshape[shape=(3,), folds_batch=True]"]),
    Case(
        "Gemm",
        [(2, 3), (4, 3), (4,)],
        ["Permute[dims=(1, 0)]", "MatMul", "Pointwise[function=mul, arguments=(0.5,)]", "Add"],
        {"transB": 1, "alpha": 0.5},
    ),
    Case("Einsum", [(2, 3, 4), (2, 4, 5)], ["Einsum[equation=bij,bjk->bik]"], {"equation": "bij, bjk -> bik"}),
    Case("Attention", [(2, 4, 5, 8), (2, 4, 6, 8), (2, 4, 6, 7)], ["ScaledDotProductAttention"], opset=23),
    Case("Attention", [(2, 4, 5, 8), (2, 2, 6, 8), (2, 2, 6, 8)], ["ScaledDotProductAttention[enable_gqa=True]"], opset=23),
]

WEIGHTED: list[tuple[Case, int]] = [
    (
        Case(
            "Conv",
            [IMAGE, draws(8, 2, 3, 3), draws(8)],
            ["Conv2d[in_channels=4, out_channels=8, kernel_size=3, stride=2, padding=1, groups=2, bias=True]"],
            {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]},
        ),
        2 * 8 * 3 * 3 * 18,
    ),
    (
        Case(
            "Conv",
            [IMAGE, draws(8, 4, 3, 3)],
            ["Pad[padding=(1, 1, 0, 1)]", "Conv2d[in_channels=4, out_channels=8, kernel_size=3, stride=(2, 1)]"],
            {"auto_pad": "SAME_UPPER", "strides": [2, 1], "dilations": [1, 1]},
        ),
        2 * 8 * 3 * 5 * 36,
    ),
    (
        Case(
            "Conv", [(2, 4, 9), draws(6, 4, 3)], ["ConvNd[in_channels=4, out_channels=6, kernel_size=(3,), stride=(2,)]"], {"strides": [2]}
        ),
        2 * 6 * 4 * 12,
    ),
    (Case("Conv", [IMAGE, (8, 4, 1, 1)], ["DynamicConv2d"]), 2 * 8 * 30 * 4),
    (
        Case(
            "ConvTranspose",
            [IMAGE, draws(4, 3, 2, 2), draws(3)],
            ["ConvTransposeNd[in_channels=4, out_channels=3, kernel_size=(2, 2), stride=(2, 2), bias=True]"],
            {"strides": [2, 2]},
        ),
        2 * 30 * 4 * 3 * 4,
    ),
    (Case("Gemm", [(2, 3), draws(4, 3), draws(4)], ["Linear[in_features=3, out_features=4]"], {"transB": 1}), 2 * 12),
    (
        Case("Gemm", [(3, 2), draws(3, 4)], ["Permute[dims=(1, 0)]", "Linear[in_features=3, out_features=4, bias=False]"], {"transA": 1}),
        2 * 12,
    ),
    (Case("MatMul", [(2, 5, 3), draws(3, 4)], ["Linear[in_features=3, out_features=4, bias=False]"]), 10 * 12),
    (Case("BatchNormalization", [IMAGE, *[draws(4)] * 4], ["BatchNorm2d[num_features=4, momentum=0.2]"], {"momentum": 0.8}), 0),
    (Case("BatchNormalization", [(2, 4), *[draws(4)] * 4], ["BatchNormNd[num_features=4, eps=0.001]"], {"epsilon": 1e-3}), 0),
    (Case("LayerNormalization", [IMAGE, draws(6, 5), draws(6, 5)], ["LayerNorm[normalized_shape=(6, 5)]"], {"axis": 2}), 0),
    (Case("RMSNormalization", [IMAGE, draws(5)], ["RMSNorm[normalized_shape=(5,), eps=1e-05]"], opset=23), 0),
    (Case("com.microsoft.SimplifiedLayerNormalization", [IMAGE, draws(5)], ["RMSNorm[normalized_shape=(5,), eps=1e-05]"]), 0),
    (Case("SimplifiedLayerNormalization", [IMAGE, draws(5)], ["RMSNorm[normalized_shape=(5,), eps=1e-05]"]), 0),
    (Case("GroupNormalization", [IMAGE, draws(4), draws(4)], ["GroupNorm[num_groups=2, num_channels=4]"], {"num_groups": 2}, opset=21), 0),
    (Case("InstanceNormalization", [IMAGE, draws(4), draws(4)], ["InstanceNorm[num_features=4, affine=True]"]), 0),
    (
        Case(
            "LSTM",
            [(7, 2, 3), draws(2, 20, 3), draws(2, 20, 5), draws(2, 40)],
            ["LSTM[input_size=3, hidden_size=5, bidirectional=True]", "Reshape[shape=(2, 2, 5)]", "Permute[dims=(0, 2, 1, 3)]"],
            {"hidden_size": 5, "direction": "bidirectional"},
        ),
        14 * 2 * 20 * 8,
    ),
    (
        Case(
            "GRU",
            [(7, 2, 3), draws(1, 15, 3), draws(1, 15, 5)],
            [
                "Flip[dims=(0,)]",
                "GRU[input_size=3, hidden_size=5, bias=False]",
                "Flip[dims=(0,)]",
                "Reshape[shape=(2, 1, 5)]",
                "Permute[dims=(0, 2, 1, 3)]",
            ],
            {"hidden_size": 5, "direction": "reverse"},
        ),
        14 * 15 * 8,
    ),
    (
        Case(
            "RNN",
            [(2, 7, 3), draws(1, 5, 3), draws(1, 5, 5)],
            ["RNN[input_size=3, hidden_size=5, bias=False, batch_first=True]", "Reshape[shape=(7, 1, 5)]"],
            {"hidden_size": 5, "layout": 1},
        ),
        14 * 5 * 8,
    ),
]


def model_of(case: Case) -> onnx.ModelProto:
    """A file of one node."""
    names, flowing, constants = [], [], []
    for i, given in enumerate(case.inputs):
        names.append("" if given is None else f"x{i}")
        if isinstance(given, tuple):
            flowing.append(helper.make_tensor_value_info(names[-1], case.dtype, given))
        elif given is not None:
            constants.append(numpy_helper.from_array(np.asarray(given), names[-1]))
    domain, _, kind = case.kind.rpartition(".")
    outputs = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(kind, names, outputs, domain=domain, **case.attrs)
    shape = case.inputs[0] if isinstance(case.inputs[0], tuple) else None
    said = [
        helper.make_tensor_value_info(name, 0, shape if "." in case.kind or case.kind.startswith("Simplified") else None)
        for name in outputs
    ]
    graph = helper.make_graph([node], "one", flowing, said, constants)
    opsets = [helper.make_opsetid("", case.opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def graph_of(case: Case, path: Path) -> Graph:
    onnx.save(model_of(case), path / "one.onnx")
    return from_onnx(path / "one.onnx", strict=True)


def ops_of(graph: Graph) -> list[str]:
    return [describe(node.op) for node in graph if not isinstance(node.op, Input)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_operator_is_the_expected_ops_which_compute_the_same(case: Case, tmp_path: Path) -> None:
    graph = graph_of(case, tmp_path)
    assert ops_of(graph) == list(case.ops)
    if not case.computed:
        return
    rng = np.random.default_rng(1)
    kind = helper.tensor_dtype_to_np_dtype(case.dtype)
    shapes = [given for given in case.inputs if isinstance(given, tuple)]
    values = [(rng.random(shape) * 0.9 + 0.05 if kind == np.float32 else rng.integers(0, 2, shape)).astype(kind) for shape in shapes]
    names = [value.name for value in model_of(case).graph.input]
    expected = ReferenceEvaluator(model_of(case)).run(None, dict(zip(names, values, strict=True)))
    with torch.no_grad():
        found = to_module(graph).eval()(*map(torch.from_numpy, values))
    for a, b in zip(expected, (found,) if isinstance(found, torch.Tensor) else found, strict=True):
        np.testing.assert_allclose(np.asarray(a, np.float64), b.numpy().astype(np.float64), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("case", "madds"), WEIGHTED, ids=lambda value: value.name if isinstance(value, Case) else "")
def test_an_operator_with_weights_is_the_expected_op_with_its_counts(case: Case, madds: int, tmp_path: Path) -> None:
    graph = graph_of(case, tmp_path)
    assert ops_of(graph)[-len(case.ops) :] == list(case.ops)
    totals = analyze(graph).totals
    constants = case.inputs[1:3] if case.kind == "BatchNormalization" else case.inputs[1:]
    assert totals.params == sum(one.size for one in constants if isinstance(one, np.ndarray))
    assert totals.madds == madds


def test_every_row_of_the_table_has_a_case() -> None:
    assert set(ONNX) == {case.kind for case in CASES} | {case.kind for case, _ in WEIGHTED}
