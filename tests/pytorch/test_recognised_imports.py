"""What is imported from PyTorch or ONNX is recognised as the network of the zoo that it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from archspace.onnx import export_onnx, from_onnx
from archspace.pytorch import from_torch, to_module
from archspace.zoo import build
from archspace.zoo.recognition import recognised

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("shufflenet_v1", {"groups": 8, "width": 0.5, "se_reduction": 8}),
    ("shufflenet_v2", {"width": 0.5, "residual": True, "se_reduction": 1}),
    ("mobilenet_v2", {"width": 0.5, "se_reduction": 4}),
    ("fenet", {"shift_sparsity": 0.7, "se_reduction": 8, "se_placement": "expansion"}),
]


@pytest.mark.parametrize(("family", "options"), NETWORKS)
def test_a_module_is_recognised(family: str, options: dict[str, Any]) -> None:
    graph = build(family, input=(64, 64), **options)
    imported = from_torch(to_module(graph).eval(), torch.zeros(graph.input_shape))
    found = recognised(imported)
    assert imported.config == {}
    assert (found.family, dict(found.options)) == (family, {"input": [64, 64], **options})


@pytest.mark.slow
@pytest.mark.parametrize(("family", "options"), NETWORKS[1::2])
def test_an_onnx_file_is_recognised_though_its_batch_norms_are_folded(family: str, options: dict[str, Any], tmp_path: Path) -> None:
    graph = build(family, input=(64, 64), **options)
    export_onnx(to_module(graph).eval(), graph, tmp_path / "net.onnx")
    found = recognised(from_onnx(tmp_path / "net.onnx"))
    assert (found.family, dict(found.options)) == (family, {"input": [64, 64], **options})
