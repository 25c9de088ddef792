"""Stored networks: the same outputs at any batch, the graph inside, and one-line errors."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from archspace.errors import FileError
from archspace.ir import Builder, Graph, ops
from archspace.pytorch import Network, load_module, save_module, to_module
from archspace.zoo import build


def tiny() -> tuple[Network, Graph]:
    b = Builder("tiny", {"family": "hand-made"})
    x = b.add("conv", ops.Conv2d(3, 4, 3), b.input((1, 3, 8, 8)))
    graph = b.build(b.add("drop", ops.Dropout(0.5), b.add("bn", ops.BatchNorm2d(4), x)))
    return to_module(graph, seed=0), graph


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("shufflenet_v1", {"width": 0.25, "repeats": (2, 1, 1)}),
        ("fenet", {"width": 0.25, "repeats": (2, 1, 1, 2, 1), "learned_shifts": True}),
    ],
)
def test_a_saved_network_computes_the_same_at_any_batch_and_brings_its_graph(
    family: str, options: dict[str, object], tmp_path: Path
) -> None:
    graph = build(family, input=(32, 32), num_classes=10, **options)
    module = to_module(graph, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        module(torch.randn((4, 3, 32, 32), generator=generator))  # batch norm statistics other than the start's
    save_module(module, graph, tmp_path / "net.pt2")
    assert module.training
    loaded, same_graph = load_module(tmp_path / "net.pt2")
    assert same_graph == graph
    module.eval()
    for batch in (1, 2, 5):
        x = torch.randn((batch, 3, 32, 32), generator=generator)
        torch.testing.assert_close(loaded(x), module(x), rtol=0, atol=1e-6)


def test_several_inputs_share_the_batch(tmp_path: Path) -> None:
    b = Builder("two")
    total = b.add("total", ops.Add(), b.input((1, 4, 2, 2), "left"), b.input((1, 4, 2, 2), "right"))
    graph = b.build(total)
    save_module(to_module(graph), graph, tmp_path / "net.pt2")
    x = torch.ones(3, 4, 2, 2)
    assert torch.equal(load_module(tmp_path / "net.pt2")[0](x, x), 2 * x)


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "net.pt2"
    target.write_text("mine")
    with pytest.raises(FileError, match="exists already"):
        save_module(*tiny(), target)
    assert target.read_text() == "mine"
    save_module(*tiny(), target, force=True)
    assert load_module(target)[1] == tiny()[1]


def test_unwritable_paths_are_one_line_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileError, match=r"its folder .* must exist"):
        save_module(*tiny(), tmp_path / "no" / "net.pt2")
    with pytest.raises(FileError, match="this is a folder"):
        save_module(*tiny(), tmp_path)

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match=r"net\.pt2: cannot be written: No space left on device$"):
        save_module(*tiny(), tmp_path / "net.pt2")


def test_foreign_missing_and_damaged_files_are_one_line_errors(tmp_path: Path) -> None:
    module, graph = tiny()
    good = tmp_path / "good.pt2"
    save_module(module, graph, good)
    data = good.read_bytes()
    weight = module.conv.weight.detach().numpy().tobytes()
    assert weight in data
    damaged = data.replace(weight, bytes(len(weight)))
    (tmp_path / "text.pt2").write_text("hello")
    (tmp_path / "half.pt2").write_bytes(data[: len(data) // 2])
    (tmp_path / "damaged.pt2").write_bytes(damaged)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "checkpoint.pt2")
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(tmp_path / "gutted.pt2", "w") as gutted:
        for name in source.namelist():
            if "/models/" not in name:
                gutted.writestr(name, source.read(name))
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(tmp_path / "scribbled.pt2", "w") as scribbled:
        for name in source.namelist():
            scribbled.writestr(name, b"{" if name.endswith("extra/graph.json") else source.read(name))
    for name, message in {
        "missing": "cannot be read: No such file",
        "text": "must be a .pt2 file of torch.export, but is not",
        "half": "must be a .pt2 file of torch.export, but is not",
        "damaged": "is damaged: the checksum of .* is wrong",
        "checkpoint": "has no graph inside",
        "gutted": r"must hold a program that this torch \(.*\) can read, but does not",
        "scribbled": "graph.json in it must be JSON",
    }.items():
        with pytest.raises(FileError, match=message) as caught:
            load_module(tmp_path / f"{name}.pt2")
        assert str(caught.value).startswith(f"{tmp_path / name}.pt2: ")
        assert "\n" not in str(caught.value)
