"""A small member of every family of the zoo, there and back: the file computes what PyTorch computes, and is read as what it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import archspace
from archspace.errors import LawError
from archspace.ir import Graph
from archspace.ir.ops import BatchNorm2d, Conv2d, Dropout, Op
from archspace.onnx import export_onnx, from_onnx
from archspace.pytorch import to_module
from archspace.zoo import ZOO

VARIANTS = {
    "shufflenet_v2": {"se_reduction": 4, "activation": "hardswish"},
    "fenet": {"learned_shifts": True},
    "shiftnet": {"repeats": (1, 1, 1, 1)},
    "mobilenet_v2": {"repeats": (1, 1, 2, 1, 1, 1, 1)},  # a residual sum
    "vgg": {"hidden": (256,)},
    "alexnet": {"hidden": (256,)},
}

# The exporter computes equal parts of a cell once, and spells adaptive pooling to more cells than there are pixels in arithmetic.
REWRITTEN = ("nasnet_a", "pnasnet_5", "darts", "vgg", "alexnet")

# Blocks of which a stem or stage has one or two layers each cannot be told from the scopes alone.
ROUGHER = ("fenet", "as_resnet", "alexnet")


def member(family: str) -> Graph:
    """A member with one unit per stage, where the family has that knob, on a small image."""
    for options in ({"repeats": (1,), "input": (64, 64)}, {"input": (64, 64)}):
        try:
            return archspace.build(family, **{**options, **VARIANTS.get(family, {})})
        except LawError:
            continue
    return archspace.build(family)


def calibrated(graph: Graph) -> nn.Module:
    """The graph's module with running statistics of a batch, so that outputs are of order one, as a trained network's are."""
    module = to_module(graph, seed=0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        module(*[torch.randn((4, *node.shape[1:]), generator=generator) for node in graph.inputs])
    return module.eval()


def difference(graph: Graph, module: nn.Module, path: Path) -> float:
    """The largest difference between what ONNX Runtime and PyTorch compute, in units of the largest output where that exceeds 1."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(2)
    inputs = {node.name: torch.randn(node.shape, generator=generator) for node in graph.inputs}
    with torch.no_grad():
        returned = module(*inputs.values())
    expected = [one.numpy() for one in ((returned,) if isinstance(returned, torch.Tensor) else returned)]
    found = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return max(float(np.abs(a - b).max() / max(1, np.abs(a).max())) for a, b in zip(expected, found, strict=True))


def layers(graph: Graph) -> Counter[Op]:
    """The ops that an exporter keeps: batch norm and its bias are folded into the convolution before, dropout is gone."""
    ops = [replace(node.op, bias=False) if isinstance(node.op, Conv2d) else node.op for node in graph]
    return Counter(type(op).__name__ if not isinstance(op, Conv2d) else op for op in ops if not isinstance(op, BatchNorm2d | Dropout))


def test_the_small_members_have_every_op_kind_of_the_zoo() -> None:
    kinds = {type(node.op) for family in ZOO for node in archspace.build(family)}
    assert kinds <= {type(node.op) for family in ZOO for node in member(family)}


@pytest.mark.slow
@pytest.mark.parametrize("family", ZOO)
def test_a_member_goes_there_and_back(family: str, tmp_path: Path) -> None:
    graph = member(family)
    module = calibrated(graph)
    export_onnx(module, graph, tmp_path / "net.onnx")
    onnx.checker.check_model(tmp_path / "net.onnx", full_check=True)
    assert difference(graph, module, tmp_path / "net.onnx") <= 1e-4

    found = from_onnx(tmp_path / "net.onnx", strict=True)
    assert found.name == graph.name
    assert archspace.analyze(found).totals.madds == archspace.analyze(graph).totals.madds
    assert [node.shape for node in found.inputs] == [node.shape for node in graph.inputs]
    if family not in REWRITTEN:
        assert layers(found) == layers(graph)
    names = {node.name: node for node in graph}
    convolutions = [node for node in found if isinstance(node.op, Conv2d)]
    assert all(isinstance(names[node.name].op, Conv2d) for node in convolutions)
    if family not in ROUGHER:
        assert [node.block for node in convolutions] == [names[node.name].block for node in convolutions]
