"""`archspace search --verify N`: the table, the JSON, the folders and the exit code."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_studies import Here, own_device

from archspace import analyze, build, load, pytorch, timing
from archspace.cli.measure import BACKENDS
from archspace.errors import LawError

Archspace = Callable[..., Any]

SPACE = """
family = "shufflenet_v1"
[constants]
input = [32, 32]
num_classes = 10
repeats = [1, 1, 1]
[objectives]
maximize = ["stage_channels"]
minimize = ["mem_elems"]
[parameters.groups]
choices = [1, 2, 3, 4, 8]
[parameters.width]
low = 0.25
high = 0.5
step = 0.05
"""
WORDS = ("search", "small.toml", "--trials", "16", "--sampler", "grid", "-o", "out")


@pytest.fixture(autouse=True)
def timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A folder with a small space, and times that are given: number 1 of the search takes longest."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SPACE, encoding="utf-8")
    here = Here(lambda row, backend: [10.0 - int(row)] * 4)
    monkeypatch.setattr(timing, "measure", here)
    return here


def test_the_best_are_shown_with_their_checks_and_times(archspace: Archspace) -> None:
    code, out, err = archspace(*WORDS, "--verify", "2")
    assert code == 0
    table = out.split("verified: 2 best of small\n")[1].splitlines()
    assert " ".join(table[0].split()) == "# was stage_channels mem_elems madds params measured ms checks options folder"
    assert [line.split()[:2] for line in table[2:4]] == [["1", "2"], ["2", "1"]]  # the first takes 9 ms, the second 8
    assert "out/verified/02" in table[2]
    assert "#: by the measured time; was: by the search, as in winners/" in out
    assert "noise floor 1.0 %" in out
    assert "verified 2 of 2: wrote out/verified/" in err
    assert Path("out/winners/01/graph.json").read_text(encoding="utf-8") == Path("out/verified/01/graph.json").read_text(encoding="utf-8")


def test_with_latency_the_measured_time_ranks_and_is_compared_with_the_prediction(archspace: Archspace) -> None:
    code, out, _ = archspace(*WORDS, "--verify", "3", "--max-latency", "50ms", "--device", "gtx1080ti", "--format", "json")
    assert code == 0
    found = json.loads(out)["verified"]
    assert found["ranked_by"] == "measured_ms"
    assert [(row["rank"], row["rank_before"]) for row in found["rows"]] == [(1, 3), (2, 2), (3, 1)]
    predicted = [row["predicted_ms"] for row in found["rows"]]
    # Ranks 1, 2, 3 of the measured times: 1 - 6 * sum of squared differences / (3 * 8).
    ranks = [sorted(predicted).index(one) + 1 for one in predicted]
    assert found["spearman"] == pytest.approx(1 - 6 * sum((a - b) ** 2 for a, b in zip(ranks, (1, 2, 3), strict=True)) / 24)
    assert (found["noise_pct"], all(row["ok"] for row in found["rows"])) == (1.0, True)
    for row in found["rows"]:
        assert load(Path(row["folder"]) / "graph.json").input_shape == (1, 3, 32, 32)


def test_csv_has_a_line_per_verified_candidate(archspace: Archspace) -> None:
    _, out, _ = archspace(*WORDS, "--verify", "2", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["rank"], row["measured_ms"], row["folder"]) for row in rows] == [
        ("1", "8.0", "out/verified/02"),
        ("2", "9.0", "out/verified/01"),
    ]
    assert all(row["checks"] == row["passed"] for row in rows)


def test_a_verified_config_is_a_model(archspace: Archspace) -> None:
    archspace(*WORDS, "--verify", "1")
    code, out, _ = archspace("analyze", "out/verified/01/config.json", "--format", "json")
    stored = json.loads(Path("out/verified/01/config.json").read_text(encoding="utf-8"))
    assert (code, json.loads(out)["totals"]["madds"]) == (0, stored["metrics"]["madds"])


def test_asking_for_more_than_there_are_says_so(archspace: Archspace) -> None:
    code, out, err = archspace(*WORDS, "--verify", "100")
    assert code == 0
    assert "asked to verify 100, but the study has 16 different candidates within the budget" in err
    assert "*: not on the front" in out


def test_one_that_cannot_be_built_is_named_and_the_exit_code_is_1(archspace: Archspace, monkeypatch: pytest.MonkeyPatch) -> None:
    to_module: Callable[..., Any] = pytorch.to_module
    first: list[str] = []

    def failing(graph: Any, **rest: Any) -> Any:
        first.append(graph.name)
        if len(first) == 1:
            raise LawError("this one has no module")
        return to_module(graph, **rest)

    monkeypatch.setattr(pytorch, "to_module", failing)
    code, out, err = archspace(*WORDS, "--verify", "2")
    assert code == 1
    assert "number 1 of the search could not be built or run: this one has no module" in out
    assert "NOT BUILT" in out
    assert "verified 1 of 2" in err


def test_on_the_profiles_own_machine_a_time_beyond_the_bound_is_said(archspace: Archspace, tmp_path: Path) -> None:
    words = ("--max-latency", "8.5ms", "--device", own_device(tmp_path))
    code, out, _ = archspace(*WORDS, *words, "--verify", "2")
    assert code == 0  # the bound is on the prediction, which is inside
    assert "number 1 of the search took 9 ms here, at most 8.5 ms were predicted and asked for" in out


def test_force_forgets_what_was_verified_of_the_study_before(archspace: Archspace) -> None:
    archspace(*WORDS, "--verify", "2")
    assert archspace(*WORDS).code == 0
    assert Path("out/verified/01").is_dir()
    assert archspace(*WORDS, "--force").code == 0
    assert not Path("out/verified").exists()


def test_without_a_candidate_inside_the_budget_there_is_nothing_to_verify(archspace: Archspace) -> None:
    small = {"input": (32, 32), "num_classes": 10, "repeats": (1, 1, 1)}
    least = min(analyze(build("shufflenet_v1", groups=g, width=0.25, **small)).totals.params for g in (1, 2, 3, 4, 8))
    code, out, err = archspace(*WORDS, "--verify", "2", "--max-params", str(least), "--trials", "1", "--seed", "9")
    assert (code, "verified" in out) == (1, False)
    assert "no candidate meets the budget yet" in err


def test_the_backends_are_those_of_measure(archspace: Archspace) -> None:
    code, _, err = archspace(*WORDS, "--verify", "1", "--verify-backend", "nothing")
    assert code == 2
    assert all(repr(backend) in err for backend in BACKENDS)
    assert archspace(*WORDS, "--verify", "0").code == 2
