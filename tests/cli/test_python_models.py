"""MODEL in Python: files and packages on the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archspace.cli import main
from archspace.cli.python_models import input_shape, is_python
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
        super().__init__()

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
        ("Wide", "needs width: int, groups: int. Write a function"),
        ("make_number", "must make a torch.nn.Module, but makes int"),
        ("number", "must be a torch.nn.Module, or make one, but is of type int"),
        ("fail", "its constructor must run, but raised ValueError in line 25 (no weights today)"),
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


def test_options_are_refused(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", f"{net}:Net@width=2"]) == 2
    assert "a network in Python takes no options, but got width" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_a_missing_package_says_what_to_install(package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed, also where it is
    assert main(["analyze", f"{package}:resnet50"]) == 2
    message = (
        f"archspace: {package}:resnet50: this needs the package '{package}', which is not installed. Install it: pip install {package}\n"
    )
    assert capsys.readouterr().err == message


def test_sizes_and_shapes() -> None:
    assert [input_shape(size) for size in ("32", "48x64", "1x48x64", "3x4x5x6")] == [(3, 32, 32), (3, 48, 64), (1, 48, 64), (3, 4, 5, 6)]
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
