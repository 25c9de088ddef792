"""A base install has click, rich and networkx alone: verbs that need more say what, in one line, and write nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

V1 = Path(__file__).parents[2] / "spaces" / "shufflenet_v1.toml"


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("optuna", ["search", str(V1), "--trials", "3"], "search"),
        ("pandas", ["search", str(V1), "--trials", "3"], "search"),
        ("plotly", ["search", str(V1), "--trials", "3"], "search"),
        ("torch", ["search", str(V1), "--trials", "3", "--verify", "2"], "torch"),
        ("fvcore", ["search", str(V1), "--trials", "3", "--verify", "2"], "torch"),
        ("optuna", ["improve", "shufflenet_v1"], "search"),
        ("plotly", ["latency", "fenet", "--device", "sd810", "-o", "page.html"], "search"),
        ("plotly", ["experiment", "g1", "--quick", "-o", "page.html"], "search"),
        ("torch", ["experiment", "g1"], "torch"),
        ("torch", ["build", "resnet18", "--check"], "torch"),
        ("torch", ["measure", "resnet18"], "torch"),
        ("onnxruntime", ["measure", "resnet18", "--backend", "onnxruntime"], "measure"),
        ("scipy", ["search", str(V1), "--trials", "3", "--sampler", "gp"], "all"),
    ],
)
def test_a_missing_package_is_one_line(package: str, words: list[str], extra: str, tmp_path: Path) -> None:
    block = f"""
import importlib.util, sys
sys.modules[{package!r}] = None
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {package!r} else find(name, *rest)
from archspace.cli import main
sys.exit(main({words!r}))
"""
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"archspace: this needs the package {package!r}, which is not installed.")
    assert f"extra {extra!r}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
