"""MODEL as `net.onnx`: every verb takes it, --input and --batch set its sizes, and errors are one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archspace.cli import main

Dims = tuple[int | str, ...]


def net(path: Path, dims: Dims | None, *, pinned: bool = False, kind: str = "Relu") -> str:
    """A file of a 3x3 convolution and another op; `pinned` folds an 8x8 map in two."""
    weights = [numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "conv.weight")]
    nodes = [helper.make_node("Conv", ["x", "conv.weight"], ["a"], pads=[1] * 4), helper.make_node(kind, ["a"], ["y"])]
    if pinned:
        weights.append(numpy_helper.from_array(np.array([1, 2, 128], np.int64), "target"))
        nodes[1] = helper.make_node("Reshape", ["a", "target"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", dims), ("y", None))]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path / "net.onnx")
    return str(path / "net.onnx")


def madds(*words: str, capsys: pytest.CaptureFixture[str]) -> int:
    assert main(["analyze", *words, "--convention", "paper"]) == 0
    return int(capsys.readouterr().out)


AT_8 = 64 * 4 * 27  # multiply-adds of an 8x8 image


@pytest.mark.parametrize(
    ("dims", "words", "expected"),
    [
        ((1, 3, 8, 8), [], AT_8),
        (("n", 3, 8, 8), [], AT_8),
        (("n", 3, 8, 8), ["--batch", "5"], 5 * AT_8),
        (("n", 3, "h", "w"), ["--input", "8"], AT_8),
        (("n", 3, "h", "w"), ["--input", "8x16", "--batch", "2"], 4 * AT_8),
        (("n", 3, "h", "w"), ["--input", "3x16x16"], 4 * AT_8),
        ((1, 3, 8, 8), ["--input", "16", "--batch", "2"], 8 * AT_8),  # fixed in the file, inferred again
        (None, ["--input", "8"], AT_8),
    ],
)
def test_sizes_are_the_files_or_the_options(
    dims: Dims | None, words: list[str], expected: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert madds(net(tmp_path, dims), *words, capsys=capsys) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "FILE", "--format", "json"],
        ["lint", "FILE", "--device", "gtx1080ti", "--fail-on", "never"],
        ["compare", "FILE", "resnet_cifar"],
        ["reuse", "FILE"],
    ],
    ids=lambda words: words[0],
)
def test_every_verb_takes_a_file(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = net(tmp_path, (1, 3, 8, 8))
    assert main([path if word == "FILE" else word for word in words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    if words[0] == "analyze":
        assert json.loads(out)["totals"]["madds"] == AT_8


def test_what_is_not_known_is_said_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", net(tmp_path, (1, 3, 8, 8), kind="Det")]) == 0
    assert "warning: net: 50 % of nodes known (1 of 2); counted as memory access alone: det (Det)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dims", "pinned", "words", "message"),
    [
        (("n", 3, "h", "w"), False, [], "the input 'x' has the open shape n x 3 x h x w: give its sizes"),
        (("n", 3, "h", "w"), False, ["--input", "big"], "--input is a size in pixels"),
        (("n", 3, "h", "w"), False, ["--input", "1x3x8x8"], "the input has the shape n x 3 x h x w, so --input takes 3 sizes"),
        (("n", 3, "h", "w"), False, ["--input", "4x8x8"], "Conv2d: in_channels must equal the input's channels"),
        ((1, 3, 8, 8), True, ["--input", "16"], "Reshape: the number of elements must stay"),
        ((1, 3, 8, 8), False, ["--g", "2"], "a stored network takes no options, but got g"),
    ],
)
def test_sizes_that_do_not_fit_are_one_line(
    dims: Dims, pinned: bool, words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", net(tmp_path, dims, pinned=pinned), *words]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert message in err


@pytest.mark.parametrize("body", [None, b"", b"no network", "half"])
def test_files_that_are_none_are_one_line(body: bytes | str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(net(tmp_path, (1, 3, 8, 8)))
    path.write_bytes(path.read_bytes()[:100] if body == "half" else bytes(body or b"", "utf8") if isinstance(body, str) else body or b"")
    if body is None:
        path.unlink()
    assert main(["analyze", str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith(f"archspace: {path}: ")


def test_a_missing_package_says_what_to_install_and_torch_is_left_alone(tmp_path: Path) -> None:
    path = net(tmp_path, (1, 3, 8, 8))
    code = """
import sys
{}
from archspace.cli import main
code = main(['analyze', sys.argv[1]])
assert 'torch' not in sys.modules
sys.exit(code)
"""
    found = [
        subprocess.run([sys.executable, "-c", code.format(first), path], capture_output=True, text=True, check=False)
        for first in ("", "sys.modules['onnx'] = None")
    ]
    assert [done.returncode for done in found] == [0, 2]
    assert found[1].stderr.startswith("archspace: this needs the package 'onnx', which is not installed.")
    assert "extra 'onnx'" in found[1].stderr
