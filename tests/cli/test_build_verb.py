"""`archspace build`: checks, saved files, exit codes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace import build, save
from archspace.analysis import analyze
from archspace.pytorch import OracleRow, load_module

Archspace = Callable[..., Any]
SMALL = ("shufflenet_v1", "--g", "8", "--width", "0.5", "--input", "32", "--num-classes", "10", "--repeats", "1,1,1")
GRAPH = build("shufflenet_v1", groups=8, width=0.5, input=(32, 32), num_classes=10, repeats=(1, 1, 1))


def test_check_compares_parameters_multiply_adds_shapes_and_gradients(archspace: Archspace) -> None:
    code, out, err = archspace("build", *SMALL, "--check", "--format", "json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    totals = analyze(GRAPH).totals
    assert (data["schema"], data["model"], data["madds"], data["params"]) == (1, "shufflenet_v1", totals.madds, totals.params)
    assert (data["passed"], data["output"]) == (True, None)
    checks = {row["check"]: row for row in data["checks"]}
    assert all(row["ok"] and row["graph"] == row["module"] for row in checks.values())
    assert checks["params"]["module"] == totals.params
    assert checks["madds by fvcore"]["module"] == checks["madds by torch's flop counter"]["module"] == totals.madds
    assert checks["output shapes"]["module"] == [[1, 10]]


def test_check_as_a_table_says_ok_on_every_line(archspace: Archspace) -> None:
    code, out, _ = archspace("build", *SMALL, "--check")
    assert code == 0
    lines = [line for line in out.splitlines() if line.startswith(("params", "madds", "output shapes", "parameters with"))]
    assert len(lines) == 5
    assert all(line.split()[-1] == "ok" for line in lines)


def test_check_as_csv_has_a_line_per_check(archspace: Archspace) -> None:
    _, out, _ = archspace("build", *SMALL, "--check", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 5
    assert {row["ok"] for row in rows} == {"True"}


def test_a_failed_check_is_exit_code_one_and_writes_nothing(archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspace.pytorch.check", lambda graph, module: (OracleRow("params", 3, 4),))
    code, out, err = archspace("build", *SMALL, "--check", "-o", str(tmp_path / "model.pt2"))
    assert code == 1
    assert "DIFFERENT" in out
    assert err == f"{tmp_path / 'model.pt2'} not written: a check failed\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_graph_file_is_checked_and_saved_and_not_overwritten_unasked(archspace: Archspace, tmp_path: Path) -> None:
    save(GRAPH, tmp_path / "graph.json")
    target = tmp_path / "model.pt2"
    words = ("build", str(tmp_path / "graph.json"), "-o", str(target), "--check")
    code, out, err = archspace(*words)
    assert (code, err) == (0, f"wrote {target}\n")
    assert "DIFFERENT" not in out
    assert load_module(target)[1] == GRAPH
    written = target.read_bytes()
    code, out, err = archspace(*words)
    assert (code, out) == (2, "")
    assert "exists already" in err
    assert "--force" in err
    assert target.read_bytes() == written
    assert archspace(*words, "--force").code == 0


@pytest.mark.slow
def test_the_seed_decides_the_weights(archspace: Archspace, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a.pt2", "1"), ("b.pt2", "1"), ("c.pt2", "2")):
        assert archspace("build", *SMALL, "-o", str(tmp_path / name), "--seed", seed).code == 0
        module, _ = load_module(tmp_path / name)
        weights.append(next(p for p in module.parameters() if p.dim() == 4).detach())
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])


def test_a_config_file_builds_too(archspace: Archspace, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"family": "fenet", "width": 0.5, "input": [32, 32], "learned_shifts": True}), encoding="utf-8")
    code, out, _ = archspace("build", str(path), "--check", "--format", "json")
    assert (code, json.loads(out)["passed"]) == (0, True)
