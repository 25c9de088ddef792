"""from_export: programs of torch.export, from memory and from files."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archspace import Graph, build, from_export, from_torch, to_module
from archspace.cli import main
from archspace.errors import FileError
from archspace.pytorch import save_module

X = torch.zeros(2, 3, 16, 16)


class Net(nn.Module):
    """Blocks, a buffer, a parameter that is added, an attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(*[nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)) for _ in range(2)])
        self.place = nn.Parameter(torch.zeros(1, 8, 1, 1))
        self.register_buffer("mask", torch.ones(8, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.stem(x)) + self.place
        x = x * self.mask
        tokens = x.flatten(2).transpose(1, 2)
        mixed, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return mixed.mean(1)


def same(a: Graph, b: Graph) -> None:
    assert [(node.op, node.inputs, node.shape) for node in a] == [(node.op, node.inputs, node.shape) for node in b]
    assert [(node.name, node.block) for node in a] == [(node.name, node.block) for node in b]


@pytest.fixture(scope="module")
def program() -> torch.export.ExportedProgram:
    return torch.export.export(Net().eval(), (X,))


def test_a_program_is_the_graph_of_its_module(program: torch.export.ExportedProgram) -> None:
    same(from_export(program), from_torch(Net(), X))


def test_a_file_is_the_graph_of_its_program(program: torch.export.ExportedProgram, tmp_path: Path) -> None:
    torch.export.save(program, tmp_path / "net.pt2")
    graph = from_export(tmp_path / "net.pt2")
    same(graph, from_export(program))
    assert graph.name == "net"


def test_sizes_that_may_vary_have_those_of_the_example(tmp_path: Path) -> None:
    batch = torch.export.Dim("batch")
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()
    torch.export.save(torch.export.export(module, (X,), dynamic_shapes=({0: batch},)), tmp_path / "net.pt2")
    same(from_export(tmp_path / "net.pt2"), from_torch(module, X))


def test_regions_under_autocast_and_without_gradients_are_followed() -> None:
    class Regions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                x = self.first(x)
            with torch.autocast("cpu", enabled=False):
                return self.second(x)

    graph = from_export(torch.export.export(Regions().eval(), (X,)))
    assert [node.name for node in graph] == ["x", "first", "second"]


def test_the_command_line_reads_the_graph_that_archspace_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = build("squeezenet", input=(64, 64))
    save_module(to_module(graph), graph, tmp_path / "net.pt2")
    assert main(["analyze", str(tmp_path / "net.pt2"), "--convention", "paper"]) == 0
    assert main(["analyze", "squeezenet", "--input", "64", "--convention", "paper"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_the_command_line_reads_programs_of_others(
    program: torch.export.ExportedProgram, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.export.save(program, tmp_path / "net.pt2")
    assert main(["lint", str(tmp_path / "net.pt2")]) in (0, 1)
    assert main(["analyze", str(tmp_path / "net.pt2"), "--arg", "width=2"]) == 2
    assert "a stored network takes no --arg" in capsys.readouterr().err


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("trapped",)


def test_a_pickle_in_a_program_is_never_loaded(
    program: torch.export.ExportedProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.export.save(program, "net.pt2")
    trap = io.BytesIO()
    torch.save(Trap(), trap)
    with zipfile.ZipFile("net.pt2") as whole, zipfile.ZipFile("trap.pt2", "w") as other:
        for name in whole.namelist():
            other.writestr(name, trap.getvalue() if name.endswith("sample_inputs/model.pt") else whole.read(name))
    with pytest.raises(FileError, match=r"sample_inputs/model\.pt in it is a pickle of something else\. A pickle is never loaded"):
        from_export("trap.pt2")
    assert not Path("trapped").exists()


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("constants", {"path_name": "opaque_obj_0", "use_pickle": False}),  # torch unpickles it for its name
        ("weights", {"path_name": "weight_0", "use_pickle": True}),  # listed twice, once as a pickle
    ],
)
def test_no_table_hides_a_pickle(program: torch.export.ExportedProgram, tmp_path: Path, table: str, row: dict[str, object]) -> None:
    torch.export.save(program, tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "net.pt2") as whole, zipfile.ZipFile(tmp_path / "trap.pt2", "w") as other:
        target = f"net/data/{table}/{row['path_name']}"
        for name in whole.namelist():
            data = whole.read(name)
            if name.endswith(f"data/{table}/model_{table}_config.json"):
                rows = json.loads(data)
                rows["config"]["trap"] = row
                data = json.dumps(rows).encode()
            if name != target:
                other.writestr(name, data)
        other.writestr(target, pickle.dumps(Trap()))
    with pytest.raises(FileError, match="A pickle is never loaded"):
        from_export(tmp_path / "trap.pt2")
    assert not Path("trapped").exists()


def test_other_files_are_told_in_one_line(program: torch.export.ExportedProgram, tmp_path: Path) -> None:
    torch.export.save(program, tmp_path / "net.pt2")
    whole = (tmp_path / "net.pt2").read_bytes()
    (tmp_path / "cut.pt2").write_bytes(whole[: len(whole) // 2])
    torch.save(Net().state_dict(), tmp_path / "state.pt2")
    (tmp_path / "text.pt2").write_text("no program")
    for name, message in {
        "missing.pt2": "there is no such file",
        "cut.pt2": "is an archive that torch.export.save writes, but this is none",
        "state.pt2": "holds a program of torch.export.save, but this archive holds none",
        "text.pt2": "is an archive that torch.export.save writes, but this is none",
    }.items():
        with pytest.raises(FileError, match=message):
            from_export(tmp_path / name)
