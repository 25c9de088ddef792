"""`archspace space`: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace.space import Space
from archspace.zoo import build

Archspace = Callable[..., Any]
SPACES = Path(__file__).parents[2] / "spaces"
V1, V2, MIXED, LAMBDA = (str(SPACES / f"{name}.toml") for name in ("shufflenet_v1", "shufflenet_v2", "mixed", "fenet_lambda"))


def test_a_space_is_shown_with_its_parameters_size_shares_and_costs(archspace: Archspace) -> None:
    code, out, err = archspace("space", MIXED, "--samples", "40", "--max-madds", "150M", "--device", "sd810")
    assert (code, err) == (0, "")
    assert out.startswith("mixed (mixed): The units of four families, stage by stage\n")
    assert re.search(r"split_ratio +4 stages: 0.25 to 0.75 by 0.125 +unit v2\n", out)
    assert "always: strides=2x2x1x2, last_channels=1024" in out
    assert re.search(r"architectures +4\.90 x 10\^15\n", out)
    assert re.search(r"can be built +100.0 % +40 of 40 \(91.2 to 100.0 %\)\n", out)
    assert re.search(r"within madds at most 150M +\d+\.\d % +\d+ of 40 ", out)
    for metric in ("madds", "params", "mem_elems", "latency_ms"):
        assert re.search(rf"{metric} +all( +\S+( ms)?){{5}}\n +within", out)
    assert "latency_ms: predicted for sd810" in out
    assert "█ within the budget, ░ outside" in out


def test_the_bars_of_the_histogram_are_all_samples(archspace: Archspace) -> None:
    _, out, _ = archspace("space", V2, "--samples", "60")
    bars = re.findall(r"^ *(\S+) +(\S+) +(\d+)(?:   (█+))?$", out, flags=re.MULTILINE)
    assert len(bars) == 14
    assert sum(int(count) for _, _, count, _ in bars) == 60
    assert all((int(count) > 0) == bool(bar) for _, _, count, bar in bars)
    assert [first[1] for first in bars[:-1]] == [second[0] for second in bars[1:]]
    assert "outside" not in out


def test_json_has_the_same_numbers(archspace: Archspace) -> None:
    code, out, _ = archspace("space", V2, "--samples", "30", "--max-madds", "60M", "--format", "json", "--seed", "5")
    data = json.loads(out)
    assert (code, data["schema"], data["space"], data["seed"]) == (0, 1, "shufflenet_v2", 5)
    assert data["digest"] == Space.load(V2).digest
    assert data["bounds"] == {"madds": 60_000_000}
    assert data["feasible"]["samples"] == 30


def test_csv_has_a_row_per_candidate_that_can_be_built_again(archspace: Archspace) -> None:
    _, out, _ = archspace("space", V1, "--samples", "5", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["number"] for row in rows] == ["0", "1", "2", "3", "4"]
    for row in rows:
        stages = {key: tuple(map(int, row[f"option.{key}"].split("x"))) for key in ("groups", "repeats", "stage_channels")}
        graph = build("shufflenet_v1", width=float(row["option.width"]), bottleneck=int(row["option.bottleneck"]), **stages)
        assert sum(graph.counts(node).madds for node in graph) == int(row["madds"])


def test_a_penalty_is_shown_with_its_scatter(archspace: Archspace) -> None:
    _, out, _ = archspace("space", LAMBDA, "--samples", "3")
    assert "shift_lambda   1e-05 to 0.0005 (log)\n" in out
    assert "28,125 x continuous shift_lambda" in out
    assert "shift_lambda, by SSL's table 1 (56_cifar10): lambda 0.0005: 98.0 % stay in place (86 to 98 % by network and data set)" in out


def test_candidates_that_cannot_be_built_are_said_with_the_first_reason(archspace: Archspace, tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text('family = "shufflenet_v1"\n[parameters.groups]\nchoices = [3, 5]\n', encoding="utf-8")
    code, out, _ = archspace("space", str(path), "--samples", "20")
    assert code == 0
    assert "the first that cannot be built: shufflenet_v1: table 1 has channels for groups 1, 2, 3, 4, 8, but got groups=5." in out


def test_two_spaces_are_compared_in_an_objective_within_a_budget(archspace: Archspace) -> None:
    words = ("space", V1, V2, "--samples", "40", "--max-madds", "60M", "--objective", "stage_channels", "--better-than", "400")
    code, out, err = archspace(*words)
    assert (code, err) == (0, "")
    assert out.startswith("stage_channels (maximize), within madds at most 60M\n")
    assert "above 400" in out
    assert re.search(r"shufflenet_v1 +shufflenet_v2 +0\.\d{3} +< 0\.001 +shufflenet_v1 dominates", out)
    assert re.search(r"shufflenet_v2: \d+\.\d % of \d+ candidates within the budget", out)
    data = json.loads(archspace(*words, "--format", "json").out)
    assert data["metrics"]["stage_channels"]["pairs"][0]["better"] == "shufflenet_v1"
    rows = list(csv.DictReader(io.StringIO(archspace(*words, "--format", "csv").out)))
    assert [(row["metric"], row["space"], row["level_1"]) for row in rows] == [
        ("stage_channels", "shufflenet_v1", "400.0"),
        ("stage_channels", "shufflenet_v2", "400.0"),
    ]


def test_without_an_objective_spaces_are_compared_in_what_they_cost(archspace: Archspace) -> None:
    _, out, _ = archspace("space", V1, V2, MIXED, "--samples", "10", "--device", "sd810")
    assert re.findall(r"^(\w+) \(minimize\)$", out, flags=re.MULTILINE) == ["madds", "params", "latency_ms"]
    assert len(re.findall(r"^shufflenet_v1 +mixed ", out, flags=re.MULTILINE)) == 3


@pytest.mark.parametrize("spaces", [(V2,), (V1, V2)])
def test_a_page_opens_without_a_network(spaces: tuple[str, ...], archspace: Archspace, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, out, err = archspace("space", *spaces, "--samples", "20", "--max-madds", "100M", "-o", str(page))
    assert (code, out, err) == (0, "", f"wrote {page}\n")
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link)[^>]+(src|href)=", text)
    assert "madds" in text
    assert ("within the budget" in text) if len(spaces) == 1 else ("Design spaces compared" in text)
    code, _, err = archspace("space", *spaces, "--samples", "20", "-o", str(page))
    assert code == 2
    assert "exists already" in err


def test_an_output_file_gets_the_numbers(archspace: Archspace, tmp_path: Path) -> None:
    code, out, err = archspace("space", V2, "--samples", "5", "--format", "json", "-o", str(tmp_path / "v2.json"))
    assert (code, out, err) == (0, "", f"wrote {tmp_path / 'v2.json'}\n")
    assert json.loads((tmp_path / "v2.json").read_text(encoding="utf-8"))["space"] == "shufflenet_v2"


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no space": ((), "space takes at least one SPACE.toml, but got none"),
    "no file": (("none.toml",), "none.toml: cannot be read: No such file"),
    "a broken file": (("broken.toml",), "broken.toml:3: parameters.width: low must not exceed high, but got low=2, high=1"),
    "nothing can be built": (
        ("unbuildable.toml", "--samples", "5"),
        "unbuildable.toml: none of 5 random candidates can be built: shufflenet_v1:",
    ),
    "an unknown objective": ((V1, V2, "--objective", "parms"), "unknown metric 'parms'. Did you mean 'params'?"),
    "an unknown bound": ((V2, "--max", "mads=3M"), "unknown metric 'mads'. Did you mean 'madds'?"),
    "a bound without a value": ((V2, "--max", "madds"), "--max takes METRIC=VALUE, but got 'madds'"),
    "a bound that is no number": ((V2, "--max", "madds=many"), "but got 'many'"),
    "a bound twice": ((V2, "--max", "madds=3M", "--max-madds", "3M"), "a metric has one bound, but madds has two"),
    "a quantity that is none": ((V2, "--max-madds", "many"), "--max-madds: a count is a positive number"),
    "latency without a device": ((V2, "--max-latency", "30ms"), "latency needs a device, but none is given"),
    "an unknown device": ((V2, "--device", "sd801"), "'sd801'"),
    "one space twice": ((V2, V2), "the spaces of a comparison must differ, but shufflenet_v2.toml is there 2 times"),
    "a level for one space": ((V2, "--better-than", "3"), "--better-than compares spaces, but got one"),
    "a level that is none": ((V1, V2, "--better-than", "high"), "--better-than: "),
    "a page of numbers": ((V2, "-o", "page.html", "--format", "json"), "a file in .html gets figures"),
    "nothing within the budget": (
        (V1, V2, "--samples", "3", "--max-madds", "1M"),
        "space shufflenet_v1: none of 60 random candidates meets the budget",
    ),
    "no samples": ((V2, "--samples", "0"), "0 is not in the range"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_that_says_the_way_out(
    case: str, archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text('family = "shufflenet_v1"\n[parameters.width]\nlow = 2\nhigh = 1\n', encoding="utf-8")
    Path("unbuildable.toml").write_text('family = "shufflenet_v1"\n[parameters.groups]\nchoices = [5, 7]\n', encoding="utf-8")
    words, law = BAD[case]
    code, out, err = archspace("space", *words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert law in err.replace(str(SPACES) + "/", "")
    assert not Path("page.html").exists()
