"""What makes the command answer at once: which packages it leaves alone, and that nothing is built or counted over and over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import archspace
from archspace.cli import main
from archspace.ir import Graph
from archspace.ir import builder as builder_module
from archspace.ir.ops import Conv2d
from archspace.zoo import build

HEAVY = ("torch", "optuna", "pandas", "plotly", "numpy", "scipy", "networkx", "fvcore", "sqlalchemy")
ROOT = Path(archspace.__file__).parents[1]


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running `code`."""
    program = f"{code}\nimport sys\nprint('LOADED', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("LOADED ")]
    return set(lines[0].split()[1:])


def run(*words: str) -> str:
    return f"from archspace.cli import main\nassert main({list(words)!r}) == 0"


def test_the_probe_sees_what_is_loaded() -> None:
    assert "networkx" in loaded_after("import networkx")


@pytest.mark.parametrize(
    "code",
    [
        "import archspace",
        "import archspace.cli",
        "import archspace\narchspace.analyze(archspace.build('shufflenet_v1', groups=8)).to_dict()",
        run("analyze", "shufflenet_v1", "--g", "8"),
        run("analyze", "shufflenet_v1", "--g", "8", "--per", "op", "--format", "json"),
        run("analyze", "shufflenet_v2", "--convention", "fvcore"),
        run("compare", "shufflenet_v1@g=3", "shufflenet_v2"),
        run("lint", "shufflenet_v1", "--g", "8", "--device", "gtx1080ti", "--fail-on", "never"),
        run("rule"),
        run("check", "shufflenet_v2", "--max-madds", "150M", "--select", "G1"),
        run("latency", "shufflenet_v2", "--device", "gtx1080ti"),
        run("latency", "shufflenet_v2", "fenet", "--device", "sd810", "--batch", "4", "--format", "json"),
        run("prior", "shufflenet_v2", "fenet"),
        run("devices"),
        run("devices", "gtx1080ti"),
        "import archspace\narchspace.predict(archspace.build('shufflenet_v2'), device='gtx1080ti')\narchspace.devices()",
        run("reuse", "shufflenet_v2"),
        run("space", "spaces/shufflenet_v2.toml", "--samples", "20", "--device", "sd810"),
        run("space", "spaces/fenet.toml", "spaces/mixed.toml", "--samples", "5", "--max-madds", "500M"),
        run("zoo"),
        run("zoo", "shufflenet_v1"),
        run("--help"),
    ],
    ids=lambda code: code.splitlines()[-1][:60],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_after(code) & set(HEAVY) == set()


def test_the_package_alone_needs_nothing_but_the_standard_library() -> None:
    outside = loaded_after("import archspace") - loaded_after("pass") - set(sys.stdlib_module_names)
    assert outside == {"archspace"}


def test_analyze_builds_one_graph_and_counts_each_op_twice_at_most(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    convs = sum(isinstance(node.op, Conv2d) for node in build("shufflenet_v1", groups=8))
    built: list[str] = []
    counted: list[Conv2d] = []
    plain_counts = Conv2d.counts

    def building(name: str, *rest: Any) -> Graph:
        built.append(name)
        return Graph(name, *rest)

    def counting(op: Conv2d, *rest: Any) -> Any:
        counted.append(op)
        return plain_counts(op, *rest)

    monkeypatch.setattr(builder_module, "Graph", building)
    monkeypatch.setattr(Conv2d, "counts", counting)
    assert main(["analyze", "shufflenet_v1", "--g", "8"]) == 0
    assert "138,365,952" in capsys.readouterr().out
    assert built == ["shufflenet_v1"]
    assert convs <= len(counted) <= 2 * convs  # once for the totals, once for the rows per block
