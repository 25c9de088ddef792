"""MODEL in Python: files and packages on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archspace.cli import main
from archspace.cli.python_models import is_python
from archspace.cli.request import input_shape
from archspace.errors import LawError

CODE = """
import torch
from torch import nn
from sizes import WIDTH

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, WIDTH, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, 10))

class Wide(Net):
    def __init__(self, width: int, *, groups: int, bias: bool = True):
        nn.Sequential.__init__(self, nn.Conv2d(width, width, 1, groups=groups, bias=bias))

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.conv(x) if bool((x * x).sum() >= 0) else x

class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 8)
        self.mix = nn.Linear(8, 8, bias=False)

    def forward(self, ids, x):
        return self.mix(self.table(ids) + x)

class Odd(nn.Module):
    def forward(self, x):
        return torch.hypot(x, x)

def make_net():
    return Net().eval()

def make_number():
    return 7

def fail():
    raise ValueError("no weights today")

ready = Net()
number = 3
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "sizes.py").write_text("WIDTH = 8\n")
    (tmp_path / "net.py").write_text(CODE)
    return tmp_path / "net.py"


@pytest.mark.parametrize("name", ["Net", "make_net", "ready"])
def test_a_class_a_function_and_a_module_of_a_file_are_analysed(
    net: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "sizes", raising=False)
    before = sorted(net.parent.iterdir())
    assert main(["analyze", f"{net}:{name}", "--input", "3x20x30", "--batch", "2", "--convention", "paper"]) == 0
    out, err = capsys.readouterr()
    assert int(out) == 2 * (20 * 30 * 8 * 3 * 9 + 8 * 10)
    assert err == f"running the code of {net}\n"
    assert sorted(net.parent.iterdir()) == before  # no bytecode either


def test_what_is_not_known_is_said_on_stderr(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", f"{net}:Odd", "--input", "8"]) == 0
    out, err = capsys.readouterr()
    assert "0 % of nodes known (0 of 1)" in err
    assert "hypot" in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nett", "unknown name in"),
        ("Wide", "needs width: int, groups: int. Give each as --arg width=VALUE"),
        ("make_number", "must make a torch.nn.Module, but makes int"),
        ("number", "must be a torch.nn.Module, or make one, but is of type int"),
        ("fail", "its constructor must run, but raised ValueError in line 42 (no weights today)"),
    ],
)
def test_what_makes_no_module_is_told_in_one_line(net: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", f"{net}:{name}"]) == 2
    running, error = capsys.readouterr().err.splitlines()
    assert running == f"running the code of {net}"
    assert message in error


@pytest.mark.parametrize(
    ("code", "message"), [("x = 1\ny = (\n", "raised SyntaxError in line 2"), ("x = 1\nraise KeyError('k')\n", "KeyError in line 2")]
)
def test_a_file_that_does_not_run_is_told_with_its_line(
    tmp_path: Path, code: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text(code)
    assert main(["analyze", f"{tmp_path}/broken.py:Net"]) == 2
    assert message in capsys.readouterr().err
    assert main(["analyze", f"{tmp_path}/missing.py:Net"]) == 2
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--arg", "width=4", "--arg", "groups=2"], []])
def test_a_constructor_takes_arguments_from_the_command_line_or_the_name(
    net: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{net}:Wide" if words else f"{net}:Wide@width=4,groups=2"
    assert main(["analyze", name, *words, "--input", "4x8x8", "--convention", "paper"]) == 0
    assert int(capsys.readouterr().out) == 4 * 4 // 2 * 8 * 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Wide", "--arg", "width=4"], "its constructor needs groups: int. Give each as --arg groups=VALUE"),
        (["Wide", "--arg", "widht=4"], "unknown argument of"),
        (["Wide", "--arg", "width"], "--arg is KEY=VALUE, an argument of the constructor, but got 'width'"),
        (["ready", "--arg", "width=4"], "this is a module already, which takes no argument, but got width"),
        (["Net", "--input", "3x8x8:complex"], "perhaps with a type, but got '3x8x8:complex'"),
        (["Net", "--input", "8", "--input", "9"], "forward must run on the example inputs"),
        (["Net", "--input", "3x20x30x2"], "forward must run on the example inputs, but raised RuntimeError"),
        (["Branches"], "must not branch on the values of a tensor, but it does, net.py line"),
        (["Odd", "--strict"], "with strict every node must be known"),
    ],
)
def test_what_does_not_fit_a_module_is_told_in_one_line(
    net: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", f"{net}:{words[0]}", *words[1:]]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_branch_on_values_is_followed_on_example_inputs_when_asked(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", f"{net}:Branches", "--trace", "--input", "4x8x8", "--convention", "paper"]) == 0
    assert int(capsys.readouterr().out) == 4 * 4 * 8 * 8


def test_several_inputs_may_have_types_of_their_own(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", f"{net}:Both", "--input", "5:int64", "--input", "5x8:float32", "--batch", "2", "--format", "json"]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert (totals["params"], totals["madds"]) == (10 * 8 + 8 * 8, 2 * 5 * 8 * 8)


@pytest.mark.parametrize("words", [["--arg", "width=2"], ["--trace"], ["--input", "8", "--input", "9"]])
def test_what_is_for_python_alone_is_refused_for_the_zoo(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "shufflenet_v2", *words]) == 2
    assert "in Python" in capsys.readouterr().err


def test_a_file_is_said_to_run_once(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", f"{net}:Net", f"{net}:make_net", "--input", "8"]) == 0
    assert capsys.readouterr().err == f"running the code of {net}\n"


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.safetensors"])
def test_weights_are_no_network_and_no_pickle_is_loaded(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02cos\nabort\n(tR.")  # would end this process
    assert main(["analyze", str(tmp_path / name)]) == 2
    assert "a file of weights is no network, and a pickle is never loaded" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_a_missing_package_says_what_to_install(package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed, also where it is
    assert main(["analyze", f"{package}:resnet50"]) == 2
    message = (
        f"archspace: {package}:resnet50: this needs the package '{package}', which is not installed. Install it: pip install {package}\n"
    )
    assert capsys.readouterr().err == message


def test_sizes_and_shapes() -> None:
    shapes = [(3, 32, 32), (3, 48, 64), (1, 48, 64), (3, 4, 5, 6)]
    assert [input_shape(size) for size in ("32", "48x64", "1x48x64", "3x4x5x6")] == [(shape, "float32") for shape in shapes]
    assert [input_shape(size) for size in ("7:int64", "3x4:float16")] == [((7,), "int64"), ((3, 4), "float16")]
    with pytest.raises(LawError, match="--input is a size"):
        input_shape("3x0")
    assert [is_python(name) for name in ("a/net.py:Net", "timm:x.y_z", "resnet18", "net.py", "C:resnet")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_torch_is_loaded_for_python_models_only() -> None:
    code = "import sys; from archspace.cli import main; main(['analyze', 'resnet18']); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
