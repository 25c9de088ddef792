"""`archspace build -o DIR`: code, .pt2, ONNX, weights and backbones, and that nothing is lost or overwritten."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from archspace import build, load, save, to_module
from archspace.ir import Builder, ops
from archspace.pytorch import code_files, load_module

Archspace = Callable[..., Any]
SMALL = ("shufflenet_v2", "--width", "0.5", "--input", "32", "--num-classes", "4", "--repeats", "1,1,1")
GRAPH = build("shufflenet_v2", width=0.5, input=(32, 32), num_classes=4, repeats=(1, 1, 1))


def weights_file(folder: Path, seed: int = 9) -> Path:
    path = folder / "given.pt"
    torch.save(to_module(GRAPH, seed=seed).state_dict(), path)
    return path


def test_code_is_written_with_its_graph_and_readme(archspace: Archspace, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "net"
    code, out, err = archspace("build", *SMALL, "-o", str(folder), "--code", "--format", "json")
    names = ["model.py", "graph.json", "README.md"]
    assert (code, err) == (0, "".join(f"wrote {folder / name}\n" for name in names))
    assert json.loads(out)["files"] == [str(folder / name) for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert load(folder / "graph.json") == GRAPH
    assert (folder / "model.py").read_text(encoding="utf-8") == code_files(GRAPH)["model.py"]


def test_the_code_runs_alone_in_its_folder_with_the_weights_beside_it(archspace: Archspace, tmp_path: Path) -> None:
    words = ("fenet", "--width", "0.25", "--input", "32", "--num-classes", "4", "--learned-shifts")
    given = to_module(build("fenet", width=0.25, input=(32, 32), num_classes=4, learned_shifts=True), seed=9)
    torch.save(given.state_dict(), tmp_path / "given.pt")
    assert archspace("build", *words, "-o", str(tmp_path / "net"), "--code", "--weights", str(tmp_path / "given.pt")).code == 0
    program = """
import sys
import torch
from model import FENet
model = FENet()
model.load_state_dict(torch.load("weights.pt", weights_only=True))
torch.save(model.eval()(torch.ones(1, 3, 32, 32)), "out.pt")
assert not any(name.startswith("archspace") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "net", env={"PYTHONPATH": "."}, check=True, timeout=120)
    with torch.no_grad():
        assert torch.equal(torch.load(tmp_path / "net" / "out.pt", weights_only=True), given.eval()(torch.ones(1, 3, 32, 32)))


@pytest.mark.slow
def test_code_and_pt2_and_weights_combine(archspace: Archspace, tmp_path: Path) -> None:
    given = weights_file(tmp_path)
    folder = tmp_path / "net"
    code, _, _ = archspace("build", *SMALL, "-o", str(folder), "--code", "--pt2", "--weights", str(given), "--check")
    assert code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "graph.json", "model.pt2", "model.py", "weights.pt"]
    program, graph = load_module(folder / "model.pt2")
    assert graph == GRAPH
    state = torch.load(given, weights_only=True)
    assert torch.equal(program.state_dict()["head.fc.weight"], state["head.fc.weight"])
    assert archspace("build", *SMALL, "-o", str(tmp_path / "again.pt2"), "--pt2", "--weights", str(folder / "model.pt2")).code == 0
    again, _ = load_module(tmp_path / "again.pt2")
    assert torch.equal(again.state_dict()["head.fc.weight"], state["head.fc.weight"])


def test_onnx_goes_through_the_packages_exporter(archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[Any, ...]] = []
    exporter = ModuleType("archspace.onnx")

    def export_onnx(module: Any, graph: Any, path: Any, *, force: bool) -> None:
        called.append((list(module.state_dict()), graph, str(path), force))

    vars(exporter)["export_onnx"] = export_onnx
    monkeypatch.setitem(sys.modules, "archspace.onnx", exporter)
    assert archspace("build", *SMALL, "-o", str(tmp_path / "net"), "--onnx").code == 0
    assert called == [(list(to_module(GRAPH).state_dict()), GRAPH, str(tmp_path / "net" / "model.onnx"), False)]


def test_a_backbone_is_written_with_its_maps_and_takes_a_classifiers_weights(archspace: Archspace, tmp_path: Path) -> None:
    given = weights_file(tmp_path)
    words = ("build", *SMALL, "--features", "-o", str(tmp_path / "net"), "--code", "--weights", str(given))
    code, _, err = archspace(*words)
    assert code == 0
    assert f"{given}: 8 tensors were not needed: conv5.pw.conv.weight, conv5.pw.bn.weight, conv5.pw.bn.bias" in err
    graph = load(tmp_path / "net" / "graph.json")
    assert graph == build("shufflenet_v2", width=0.5, input=(32, 32), num_classes=4, repeats=(1, 1, 1), features=True)
    state = torch.load(tmp_path / "net" / "weights.pt", weights_only=True)
    assert list(state) == list(to_module(graph).state_dict())
    assert torch.equal(state["stem.conv1.conv.weight"], torch.load(given, weights_only=True)["stem.conv1.conv.weight"])
    assert '"num_chs": 192, "reduction": 32' in (tmp_path / "net" / "model.py").read_text(encoding="utf-8")


def test_a_graph_without_stages_by_name_has_a_backbone_too(archspace: Archspace, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    rows = [nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU()]\n"
        "    return nn.Sequential(*rows, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))\n"
    )
    spec = f"{tmp_path / 'net.py'}:net"
    assert archspace("build", spec, "--input", "32", "--features", "-o", str(tmp_path / "out"), "--code").code == 0
    assert [load(tmp_path / "out" / "graph.json").nodes[i].shape for i in load(tmp_path / "out" / "graph.json").outputs] == [
        (1, 8, 16, 16),
        (1, 16, 8, 8),
    ]


# Bad input ------------------------------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten_without_force_and_nothing_written_beside_it(archspace: Archspace, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    words = ("build", *SMALL, "-o", str(tmp_path), "--code")
    code, out, err = archspace(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"archspace: {tmp_path / 'README.md'}: exists already")
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert archspace(*words, "--force").code == 0
    assert (tmp_path / "README.md").read_text() != "mine"


def test_a_failed_check_writes_nothing(archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archspace.pytorch import OracleRow

    monkeypatch.setattr("archspace.pytorch.check", lambda graph, module: (OracleRow("params", 3, 4),))
    assert archspace("build", *SMALL, "-o", str(tmp_path / "net"), "--code", "--check").code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--code",), "--code: a folder to write to is needed. Give one with -o DIR."),
        (("-o", "net.pt2", "--code"), "net.pt2: --code write into a folder, but this is a file. Name a folder with -o."),
        (
            ("-o", "net"),
            "net: a built module is saved as a .pt2 file. Name it so: -o net.pt2; or fill a folder with --code, --pt2, --onnx.",
        ),
        (("-o", "net", "--code", "--weights", "none.pt"), "none.pt: cannot be read: No such file or directory"),
    ],
)
def test_wrong_words_are_one_line_and_write_nothing(
    words: tuple[str, ...], message: str, archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert archspace("build", *SMALL, *words) == (2, "", f"archspace: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_cannot_be_built_is_one_line_and_writes_nothing(archspace: Archspace, tmp_path: Path) -> None:
    b = Builder("picked")
    with b.block("head"):
        x = b.add("pick", ops.Index((2, 3)), b.input((2, 6, 8, 8)))
    save(b.build(x), tmp_path / "graph.json")
    code, out, err = archspace("build", str(tmp_path / "graph.json"), "-o", str(tmp_path / "net"), "--code")
    assert (code, out) == (2, "")
    assert err.startswith("archspace: head.pick: which elements an index picks is not in a graph, so this Index cannot be built.")
    assert err.count("\n") == 1
    assert not (tmp_path / "net").exists()


def test_weights_of_another_network_are_refused_by_their_first_tensors(archspace: Archspace, tmp_path: Path) -> None:
    save(GRAPH, tmp_path / "graph.json")
    torch.save(to_module(build("mobilenet_v1", width=0.25)).state_dict(), tmp_path / "other.pt")
    code, out, err = archspace(
        "build", str(tmp_path / "graph.json"), "-o", str(tmp_path / "net"), "--code", "--weights", str(tmp_path / "other.pt")
    )
    assert (code, out) == (2, "")
    assert err.startswith(
        "archspace: weights must fit by their names or, kind by kind, by the order of their shapes, but stem.conv1.conv.weight is"
    )
    assert not (tmp_path / "net").exists()
