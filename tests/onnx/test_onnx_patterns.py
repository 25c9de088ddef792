"""Patterns: what exporters write in several operators is read as the one op that it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archspace.analysis import analyze
from archspace.ir import Graph
from archspace.ir.graph import describe
from archspace.ir.ops import Input
from archspace.onnx import from_onnx

IMAGE = (2, 8, 6, 5)


class Sheet:
    """A file that is written call by call: `sheet.Relu("x")` appends a node and gives its output's name."""

    def __init__(self, *shapes: tuple[int, ...], opset: int = 17) -> None:
        self.inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip("xyz", shapes, strict=False)]
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.opset = opset

    def __getattr__(self, kind: str) -> Callable[..., str]:
        def call(*given: Any, name: str = "", **attrs: Any) -> str:
            names = [one if isinstance(one, str) else self.tensor(one) for one in given]
            self.nodes.append(helper.make_node(kind, names, [f"t{len(self.nodes)}"], name=name, **attrs))
            return f"t{len(self.nodes) - 1}"

        return call

    def tensor(self, value: Any, name: str = "") -> str:
        array = np.asarray(value, np.int64 if isinstance(value, list) else np.float32)
        self.tensors.append(numpy_helper.from_array(array, name or f"c{len(self.tensors)}"))
        return self.tensors[-1].name

    def weight(self, name: str, *shape: int) -> str:
        return self.tensor(np.ones(shape), name)

    def graph(self, path: Path, *outputs: str) -> Graph:
        said = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "sheet", self.inputs, said, self.tensors)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8), path / "sheet.onnx")
        return from_onnx(path / "sheet.onnx", strict=True)


def ops_of(graph: Graph) -> list[str]:
    return [describe(node.op) for node in graph if not isinstance(node.op, Input)]


def gelu_halved_first(s: Sheet) -> str:
    return s.Mul(s.Mul("x", 0.5), s.Add(s.Erf(s.Div("x", 2**0.5)), 1.0))


def gelu_halved_last(s: Sheet) -> str:
    return s.Mul(s.Mul("x", s.Add(1.0, s.Erf(s.Mul("x", 0.5**0.5)))), 0.5)


def gelu_by_tanh(s: Sheet) -> str:
    inner = s.Mul(s.Add("x", s.Mul(s.Pow("x", 3.0), 0.044715)), (2 / np.pi) ** 0.5)
    return s.Mul(s.Mul(0.5, "x"), s.Add(s.Tanh(inner), 1.0))


def hard_swish(s: Sheet) -> str:
    return s.Div(s.Mul("x", s.Clip(s.Add("x", 3.0), 0.0, 6.0)), 6.0)


def hard_swish_by_hard_sigmoid(s: Sheet) -> str:
    return s.Mul("x", s.HardSigmoid("x", alpha=1 / 6, beta=0.5))


def sigmoid_by_exp(s: Sheet) -> str:
    return s.Reciprocal(s.Add(s.Exp(s.Neg("x")), 1.0))


SPELLINGS = {
    "GELU": [gelu_halved_first, gelu_halved_last],
    "GELU[approximate=tanh]": [gelu_by_tanh],
    "Hardswish": [hard_swish, hard_swish_by_hard_sigmoid],
    "Hardsigmoid": [lambda s: s.Div(s.Clip(s.Add("x", 3.0), 0.0, 6.0), 6.0)],
    "SiLU": [lambda s: s.Mul("x", s.Sigmoid("x")), lambda s: s.Mul(s.Sigmoid("x"), "x"), lambda s: s.Mul("x", sigmoid_by_exp(s))],
    "Mish": [lambda s: s.Mul("x", s.Tanh(s.Softplus("x")))],
    "Sigmoid": [sigmoid_by_exp],
    "GLU[dim=1]": [lambda s: s.Mul(s.Slice("x", [0], [4], [1]), s.Sigmoid(s.Slice("x", [4], [8], [1])))],
}


@pytest.mark.parametrize(("op", "spell"), [(op, spell) for op, spells in SPELLINGS.items() for spell in spells])
def test_arithmetic_that_comes_to_an_activation_is_the_activation(op: str, spell: Callable[[Sheet], str], tmp_path: Path) -> None:
    sheet = Sheet(IMAGE)
    assert ops_of(sheet.graph(tmp_path, spell(sheet))) == [op]


def test_arithmetic_that_comes_to_something_else_stays(tmp_path: Path) -> None:
    sheet = Sheet(IMAGE)
    quick = sheet.Mul("x", sheet.Sigmoid(sheet.Mul("x", 1.702)))
    assert ops_of(sheet.graph(tmp_path, quick)) == ["Pointwise[function=mul, arguments=(1.7020000219345093,)]", "Sigmoid", "Multiply"]


def test_a_part_that_others_read_keeps_the_spelling(tmp_path: Path) -> None:
    sheet = Sheet(IMAGE)
    gate = sheet.Sigmoid("x")
    assert ops_of(sheet.graph(tmp_path, sheet.Mul("x", gate), gate)) == ["Sigmoid", "Multiply"]


def test_a_channel_shuffle_is_one_op(tmp_path: Path) -> None:
    sheet = Sheet(IMAGE)
    turned = sheet.Transpose(sheet.Reshape("x", [2, 4, 2, 6, 5]), perm=[0, 2, 1, 3, 4])
    assert ops_of(sheet.graph(tmp_path, sheet.Reshape(turned, [2, 8, 6, 5]))) == ["ChannelShuffle[groups=4]"]


def test_a_layer_norm_of_old_opsets_is_one_op_with_its_parameters(tmp_path: Path) -> None:
    sheet = Sheet((2, 7, 8))
    centred = sheet.Sub("x", sheet.ReduceMean("x", axes=[-1]))
    root = sheet.Sqrt(sheet.Add(sheet.ReduceMean(sheet.Pow(centred, 2.0), axes=[-1]), 1e-6))
    scaled = sheet.Mul(sheet.Div(centred, root), sheet.weight("norm.weight", 8))
    graph = sheet.graph(tmp_path, sheet.Add(scaled, sheet.weight("norm.bias", 8)))
    assert ops_of(graph) == ["LayerNorm[normalized_shape=(8,), eps=1e-06]"]
    assert analyze(graph).totals.params == 16


def test_a_root_mean_square_norm_is_one_op(tmp_path: Path) -> None:
    sheet = Sheet((2, 7, 8))
    root = sheet.Sqrt(sheet.Add(sheet.ReduceMean(sheet.Mul("x", "x"), axes=[-1]), 1e-6))
    graph = sheet.graph(tmp_path, sheet.Mul(sheet.weight("w", 8), sheet.Mul("x", sheet.Reciprocal(root))))
    assert ops_of(graph) == ["RMSNorm[normalized_shape=(8,), eps=1e-06]"]
    assert analyze(graph).totals.params == 8


def test_a_group_norm_by_an_instance_norm_is_one_op(tmp_path: Path) -> None:
    sheet = Sheet(IMAGE)
    normed = sheet.InstanceNormalization(sheet.Reshape("x", [0, 2, -1]), np.ones(2), np.zeros(2))
    scaled = sheet.Mul(sheet.Reshape(normed, [2, 8, 6, 5]), sheet.weight("w", 8, 1, 1))
    graph = sheet.graph(tmp_path, sheet.Add(scaled, sheet.weight("b", 8, 1, 1)))
    assert ops_of(graph) == ["GroupNorm[num_groups=2, num_channels=8]"]
    assert analyze(graph).totals.params == 16


def test_a_bias_belongs_to_the_matrix_before_it(tmp_path: Path) -> None:
    sheet = Sheet((2, 7, 8))
    graph = sheet.graph(tmp_path, sheet.Add(sheet.weight("b", 3), sheet.MatMul("x", sheet.weight("w", 8, 3))))
    assert ops_of(graph) == ["Linear[in_features=8, out_features=3]"]
    assert analyze(graph).totals.params == 27


HEADS = (2, 4, 6, 16)  # so that 1 / sqrt(size) is 1/4


def test_attention_whose_operands_are_scaled_each_is_one_op(tmp_path: Path) -> None:
    sheet = Sheet(HEADS, HEADS, HEADS)
    keys = sheet.Mul(sheet.Transpose("y", perm=[0, 1, 3, 2]), 0.5)
    scores = sheet.Add(sheet.MatMul(sheet.Mul("x", 0.5), keys), sheet.weight("mask", 6, 6))
    graph = sheet.graph(tmp_path, sheet.MatMul(sheet.Softmax(scores, axis=-1), "z"))
    assert ops_of(graph) == ["Parameter[shape=(6, 6)]", "ScaledDotProductAttention"]
    assert [graph.nodes[i].name for i in graph.nodes[-1].inputs] == ["x", "y", "z", "mask"]
    assert analyze(graph).totals.madds == 2 * 4 * 6 * 6 * 16 * 2


def test_attention_by_hand_writes_its_scores_and_stays(tmp_path: Path) -> None:
    sheet = Sheet(HEADS, HEADS, HEADS)
    scores = sheet.Mul(sheet.MatMul("x", sheet.Transpose("y", perm=[0, 1, 3, 2])), 0.25)
    graph = sheet.graph(tmp_path, sheet.MatMul(sheet.Softmax(scores, axis=-1), "z"))
    assert [type(node.op).__name__ for node in graph][3:] == ["Permute", "MatMul", "Pointwise", "Softmax", "MatMul"]
    assert analyze(graph).totals.madds == 2 * 4 * 6 * 6 * 16 * 2


def test_another_scale_than_attentions_is_not_attention(tmp_path: Path) -> None:
    sheet = Sheet(HEADS, HEADS, HEADS)
    scores = sheet.MatMul(sheet.Mul("x", 0.5), sheet.Mul(sheet.Transpose("y", perm=[0, 1, 3, 2]), 0.6))
    graph = sheet.graph(tmp_path, sheet.MatMul(sheet.Softmax(scores, axis=-1), "z"))
    assert "ScaledDotProductAttention" not in ops_of(graph)


def test_views_that_undo_each_other_are_gone(tmp_path: Path) -> None:
    sheet = Sheet((2, 3, 4))
    turned = sheet.Transpose(sheet.Transpose("x", perm=[2, 0, 1]), perm=[1, 2, 0])
    graph = sheet.graph(tmp_path, sheet.Relu(sheet.Reshape(sheet.Reshape(turned, [2, 12]), [2, 3, 4])))
    assert ops_of(graph) == ["ReLU"]


def test_one_position_of_an_axis_is_a_selection(tmp_path: Path) -> None:
    sheet = Sheet((2, 3, 4))
    graph = sheet.graph(tmp_path, sheet.Squeeze(sheet.Slice("x", [1], [2], [1]), [1]))
    assert ops_of(graph) == ["Select[dim=1, index=1]"]
