"""`archspace improve`: what changed, what it gained, rule by rule."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace import build, predict, save
from archspace.ir import Graph
from archspace.rules import lint

Archspace = Callable[..., Any]
V1 = (
    "improve",
    "shufflenet_v1@g=8",
    "--input",
    "64",
    "--trials",
    "60",
    "-o",
    "out",
    "--minimize",
    "mem_elems",
    "--maximize",
    "stage_channels",
)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_says_what_changed_what_it_gained_and_what_each_rule_finds(archspace: Archspace) -> None:
    code, out, err = archspace(*V1)
    assert code == 0
    assert out.startswith("shufflenet_v1: ShuffleNet v1 (CVPR 2018)")
    assert "option" in out.splitlines()[1]
    for line in ("G201 group-convolution", "total", "alternatives", "mem_elems", "stage_channels stands for capacity"):
        assert line in out
    assert "60 trials (0 from before)" in err
    assert "wrote out: winners/, pareto.csv, records.csv" in err
    assert not any(line.rstrip() != line for line in out.splitlines())


def test_json_has_the_same_and_the_rules_of_both_networks(archspace: Archspace) -> None:
    code, out, _ = archspace(*V1, "--format", "json")
    data = json.loads(out)
    assert (code, data["schema"], data["family"], data["outcome"], data["is_exact"]) == (0, 1, "shufflenet_v1", "better", True)
    assert data["options"] == {"groups": 8, "input": [64, 64]}
    start, best = data["start"], data["best"]
    assert start["changes"] == {}
    assert all(start["options"][name] == change["from"] for name, change in best["changes"].items() if name in start["options"])
    assert best["change_share"]["madds"] == pytest.approx(best["metrics"]["madds"] / start["metrics"]["madds"] - 1)
    waste = lint(build("shufflenet_v1", groups=8, input=(64, 64))).waste
    assert data["rules"]["G201"]["from"] == {
        "findings": waste["G201"].findings,
        "wasted_mem_elems": waste["G201"].mem_elems,
        "wasted_ms": None,
    }
    assert set(data["rules"]) == set(waste)


def test_csv_has_a_line_per_network(archspace: Archspace) -> None:
    _, out, _ = archspace(*V1, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["network"] for row in rows[:2]] == ["start", "best"]
    assert {row["network"] for row in rows[2:]} <= {"alternative"}
    assert rows[0]["option.groups"] == "8"


def test_the_directory_is_named_after_the_family_and_the_network(archspace: Archspace) -> None:
    archspace("improve", "shufflenet_v1", "--g", "8", "--input", "64", "--trials", "2")
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("improve-shufflenet_v1-")


def test_a_graph_without_a_config_is_recognised_and_its_options_are_said(archspace: Archspace) -> None:
    graph = build("shufflenet_v2", width=0.5, input=(64, 64))
    save(Graph("net", graph.nodes, graph.outputs, {}), "net.json")
    _, _, err = archspace("improve", "net.json", "--trials", "2", "-o", "out")
    assert err.startswith("recognised as shufflenet_v2@input=64,64,width=0.5\n")


def test_where_nothing_is_better_it_says_so_names_the_nearest_and_exits_with_1(archspace: Archspace) -> None:
    words = ("--maximize", "acts", "--maximize", "stage_channels", "--minimize", "mem_elems")
    code, out, err = archspace("improve", "shufflenet_v2", "--input", "64", "--trials", "1", "-o", "out", *words)
    assert code == 1
    assert out.startswith("shufflenet_v2: nothing better was found; the nearest\n")
    assert "nothing better was found; run more --trials, or ask for less" in err


def test_a_bound_that_the_model_exceeds_is_said(archspace: Archspace) -> None:
    own = predict(build("shufflenet_v1", groups=8, input=(64, 64)), "gtx1080ti").ms
    words = ("--max-latency", f"{0.9 * own:.4f}ms", "--device", "gtx1080ti")
    code, out, err = archspace("improve", "shufflenet_v1@g=8", "--input", "64", "--trials", "40", "-o", "out", *words)
    assert code == 0
    assert f"the model itself exceeds a bound: latency_ms {own:.4g} ms, at most {0.9 * own:.4g} ms" in err
    assert f"at most {0.9 * own:.4g} ms   kept" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shufflenet_v3"], "unknown network 'shufflenet_v3'"),
        (["alexnet"], "alexnet: what to vary around a network is known of shufflenet_v1"),
        (["shufflenet_v1", "shufflenet_v2"], "improve takes one MODEL, but got 2"),
        ([], "improve takes one MODEL, but got 0: none"),
        (["shufflenet_v1", "--max-madds", "1K"], "madds must be at most 1K, but the smallest value found in the space"),
        (["shufflenet_v1", "--max-latency", "3ms"], "latency needs a device, but none is given"),
        (["shufflenet_v1", "--device", "gtx1080"], "unknown device 'gtx1080'. Did you mean 'gtx1080ti'?"),
        (["shufflenet_v1", "--minimize", "paramz"], "unknown metric 'paramz'. Did you mean 'params'?"),
        (["shufflenet_v1", "-o", "taken"], "taken: a study needs a folder, but this is a file"),
        (["net.json"], "recognised of the families shufflenet_v1, shufflenet_v2, mobilenet_v2, fenet"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(archspace: Archspace, words: list[str], said: str) -> None:
    Path("taken").write_text("", encoding="utf-8")
    graph = build("squeezenet_1.1", input=(64, 64))
    save(Graph("net", graph.nodes, graph.outputs, {}), "net.json")
    code, out, err = archspace("improve", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert {path.name for path in Path().iterdir()} == {"taken", "net.json"}
