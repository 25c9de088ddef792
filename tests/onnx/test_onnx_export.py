"""Export: the file says where its nodes come from, and the module stays as it was. What it computes is in test_onnx_zoo."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

import archspace
from archspace.errors import FileError, LawError, MissingPackageError
from archspace.ir import Builder, Graph
from archspace.ir.ops import AvgPool2d, Concat, Conv2d, Embedding, Flatten, Linear, Sigmoid, SparseShift
from archspace.onnx import export_onnx, from_onnx
from archspace.onnx.names import scopes_of
from archspace.pytorch import to_module


def two_ways() -> Graph:
    """Two inputs, two outputs, a shift, and calls of functions under scopes."""
    b = Builder("two_ways")
    x, y = b.input((1, 4, 6, 8), "left"), b.input((1, 4, 6, 8), "right")
    with b.block("unit0"):
        z = b.add("concat", Concat(), x, y)
        z = b.add("shift", SparseShift(8, 4), z)
        gate = b.add("conv", Conv2d(8, 8, 3, padding=1, bias=True), z)
    pooled = b.add("pool", AvgPool2d((6, 8), 1), b.add("gate", Sigmoid(), gate))
    return b.build(b.add("fc", Linear(8, 3), b.add("flatten", Flatten(), pooled)), gate)


def test_the_file_speaks_of_the_graph_and_of_nothing_else(tmp_path: Path) -> None:
    graph = two_ways()
    module = to_module(graph, seed=0).eval()
    export_onnx(module, graph, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert (model.graph.name, model.producer_name) == ("two_ways", "pytorch")
    assert [value.name for value in model.graph.input] == ["left", "right"]
    assert [value.name for value in model.graph.output] == ["fc", "unit0.conv"]
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert {"unit0.concat", "unit0.conv", "gate", "fc"} <= set(names)
    assert {scope for node in model.graph.node for scope in scopes_of(node)[:-1]} <= {
        "unit0", "unit0.concat", "unit0.shift", "unit0.conv", "gate", "pool", "flatten", "fc",
    }  # fmt: skip
    assert str(Path(archspace.__file__).parents[1]).encode() not in (tmp_path / "net.onnx").read_bytes()


def test_the_module_and_the_random_state_stay_as_they_were(tmp_path: Path) -> None:
    graph = archspace.build("resnet_cifar", repeats=(1, 1, 1), input=(16, 16))
    module = to_module(graph, seed=0)
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    code = module.code
    export_onnx(module, graph, tmp_path / "net.onnx")
    assert module.training
    assert module.code == code
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_the_same_module_gives_the_same_file(tmp_path: Path) -> None:
    graph = two_ways()
    module = to_module(graph, seed=0)
    for name in ("a.onnx", "b.onnx"):
        export_onnx(module, graph, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_nothing_is_overwritten_unasked_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    graph = two_ways()
    module = to_module(graph, seed=0)
    path = tmp_path / "net.onnx"
    path.write_text("mine")
    with pytest.raises(FileError, match="exists already"):
        export_onnx(module, graph, path)
    assert path.read_text() == "mine"
    export_onnx(module, graph, path, force=True)
    assert onnx.load(path).graph.name == "two_ways"
    with pytest.raises(FileError, match="must exist"):
        export_onnx(module, graph, tmp_path / "no" / "net.onnx")
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum() > 0 else x


def test_a_module_that_torch_cannot_export_is_told_in_one_line(tmp_path: Path) -> None:
    b = Builder("net")
    graph = b.build(b.add("gate", Sigmoid(), b.input((1, 4))))
    with pytest.raises(LawError, match="net: torch must be able to export the module as ONNX, but raised") as caught:
        export_onnx(Branching(), graph, tmp_path / "net.onnx")
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_inputs_that_are_numbers_of_rows_are_whole_numbers(tmp_path: Path) -> None:
    b = Builder("words")
    graph = b.build(b.add("fc", Linear(4, 2), b.add("table", Embedding(10, 4), b.input((1, 5), "ids"))))
    export_onnx(to_module(graph, seed=0), graph, tmp_path / "net.onnx")
    assert onnx.load(tmp_path / "net.onnx").graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64
    assert archspace.analyze(from_onnx(tmp_path / "net.onnx")).totals.params == archspace.analyze(graph).totals.params == 50


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_names_the_extra(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = two_ways()
    module = to_module(graph, seed=0)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingPackageError, match=f"needs the package '{package}'.*extra 'onnx'"):
        export_onnx(module, graph, tmp_path / "net.onnx")


def test_weights_beyond_two_gigabytes_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    b = Builder("net")
    graph = b.build(b.add("fc", Linear(2**15, 2**15, bias=False), b.input((1, 2**15))))
    with torch.device("meta"):
        module = nn.Linear(2**15, 2**15, bias=False)
    assert 4 * 2**30 > 2**31 - 1  # bytes of its weights, and what a file holds
    with pytest.raises(FileError, match="at most 2147483647 bytes, but the weights are 4294967296"):
        export_onnx(module, graph, tmp_path / "net.onnx")
