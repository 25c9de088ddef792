"""State dicts from files: every format, and pickles that are not loaded."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archspace.errors import FileError
from archspace.ir import Builder, ops
from archspace.pytorch import read_state, save_module, to_module
from archspace.pytorch.state import SAFETENSORS

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.steps": torch.tensor(4), "b": torch.tensor([True, False])}


class Bomb:
    """An object whose unpickling would be seen."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("went_off"),))


def assert_state(found: dict[str, Tensor], expected: dict[str, Tensor] = STATE) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


def safetensors_bytes(state: dict[str, Tensor]) -> bytes:
    """The format by its description: header length in 8 bytes, JSON header, tensors one after the other."""
    words = {dtype: word for word, dtype in SAFETENSORS.items()}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in state.items():
        data = value.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": words[value.dtype], "shape": list(value.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"epoch": 3, "state_dict": s}, lambda s: {"model": {"state_dict": s}}])
def test_a_state_dict_is_read_and_one_inside_a_checkpoint(wrap: Any, tmp_path: Path) -> None:
    torch.save(wrap(STATE), tmp_path / "net.pth")
    assert_state(read_state(tmp_path / "net.pth"))


@pytest.mark.parametrize("dtype", SAFETENSORS.values(), ids=str)
def test_safetensors_of_every_type_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {"x": torch.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype), "empty": torch.zeros((0, 2), dtype=dtype)}
    (tmp_path / "net.safetensors").write_bytes(safetensors_bytes(state))
    assert_state(read_state(tmp_path / "net.safetensors"), state)


def test_an_exported_programs_weights_are_read(tmp_path: Path) -> None:
    b = Builder("tiny")
    x = b.add("conv", ops.Conv2d(4, 4, 3, bias=True), b.input((1, 4, 8, 8)))
    graph = b.build(b.add("shift", ops.SparseShift(4, 2), b.add("bn", ops.BatchNorm2d(4), x)))
    module = to_module(graph, seed=3)
    save_module(module, graph, tmp_path / "net.pt2")
    assert_state(read_state(tmp_path / "net.pt2"), dict(module.state_dict()))


@pytest.mark.parametrize("value", [Bomb(), {"weight": Bomb()}, nn.Linear(2, 2)], ids=["object", "inside a dict", "module"])
@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))], ids=["torch", "pickle"])
def test_a_pickle_of_anything_else_is_never_loaded(value: Any, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(value, tmp_path / "net.pt")
    with pytest.raises(FileError, match=r"net\.pt: must be a state dict .* is never loaded, since it can run any code \(weights_only\)"):
        read_state(tmp_path / "net.pt")
    assert not (tmp_path / "went_off").exists()


def test_a_pickle_inside_a_pt2_file_is_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save(Bomb(), buffer)
    entry = {"path_name": "weight_0", "is_param": True, "use_pickle": True, "tensor_meta": None}
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as archive:
        archive.writestr("net/data/weights/model_weights_config.json", json.dumps({"config": {"x": entry}}))
        archive.writestr("net/data/weights/weight_0", buffer.getvalue())
    with pytest.raises(FileError, match="never loaded"):
        read_state(tmp_path / "net.pt2")
    assert not (tmp_path / "went_off").exists()


def test_missing_damaged_and_foreign_files_are_one_line_errors(tmp_path: Path) -> None:
    good = safetensors_bytes(STATE)
    torch.save(STATE, tmp_path / "whole.pt")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    (tmp_path / "half.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:300])
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "half.safetensors").write_bytes(good[:-1])
    (tmp_path / "noise.safetensors").write_bytes(b"\xff" * 40)
    (tmp_path / "text.pt2").write_text("hello")
    with zipfile.ZipFile(tmp_path / "other.pt2", "w") as archive:
        archive.writestr("x/y", "z")
    for name, message in {
        "missing.pt": "cannot be read: No such file",
        "empty.pt": "must hold a state dict, tensors by name",
        "half.pt": "must be a",
        "text.pt": "must be a",
        "half.safetensors": "b lies outside the file",
        "noise.safetensors": "must be a whole file of weights",
        "text.pt2": "must be a whole file of weights",
        "other.pt2": "has none inside",
    }.items():
        with pytest.raises(FileError) as caught:
            read_state(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert message in str(caught.value), name
        assert "\n" not in str(caught.value)
