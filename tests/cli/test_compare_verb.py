"""`archspace compare`: one column per network, ratios to the first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from archspace import build, save
from archspace.analysis import analyze

Archspace = Callable[..., Any]
MODELS = ("shufflenet_v1@g=3", "shufflenet_v2", "mobilenet_v2", "fenet")


def totals(family: str, **options: Any) -> dict[str, Any]:
    return asdict(analyze(build(family, **options)).totals)


def compared(archspace: Archspace, *words: str) -> dict[str, Any]:
    code, out, err = archspace("compare", *words, "--format", "json")
    assert (code, err) == (0, "")
    data: dict[str, Any] = json.loads(out)
    return data


def test_the_json_has_each_networks_totals_and_ratios_to_the_first(archspace: Archspace) -> None:
    data = compared(archspace, *MODELS)
    assert (data["schema"], data["first"]) == (1, MODELS[0])
    assert [row["model"] for row in data["models"]] == list(MODELS)
    expected = [totals("shufflenet_v1", groups=3), totals("shufflenet_v2"), totals("mobilenet_v2"), totals("fenet")]
    for row, own in zip(data["models"], expected, strict=True):
        assert {key: row[key] for key in own} == own
        for key, value in own.items():
            first = expected[0][key]
            assert row[f"{key}_ratio"] == (value / first if first else None)


def test_the_table_has_a_column_per_network_and_ratios_from_the_second_on(archspace: Archspace) -> None:
    code, out, err = archspace("compare", *MODELS)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == list(MODELS)
    first, second = totals("shufflenet_v1", groups=3), totals("shufflenet_v2")
    line = next(line for line in out.splitlines() if line.startswith("madds"))
    assert line.split()[1:4] == [
        f"{first['madds'] / 1e6:.4g}M",
        f"{second['madds'] / 1e6:.4g}M",
        f"x{second['madds'] / first['madds']:.2f}",
    ]
    assert "latency" not in out


def test_a_network_against_itself_has_ratios_of_one(archspace: Archspace) -> None:
    second = compared(archspace, "fenet", "fenet")["models"][1]
    assert {value for key, value in second.items() if key.endswith("_ratio")} == {1.0}


def test_a_ratio_to_nothing_is_none_and_is_not_shown(archspace: Archspace) -> None:
    """MobileNet v1 moves nothing, ShuffleNet v2 does: movement has no ratio."""
    assert totals("mobilenet_v1")["movement_share"] == 0
    assert compared(archspace, "mobilenet_v1", "shufflenet_v2")["models"][1]["movement_share_ratio"] is None
    _, out, _ = archspace("compare", "mobilenet_v1", "shufflenet_v2")
    assert "x" not in next(line for line in out.splitlines() if line.startswith("movement_share")).removeprefix("movement_share")


def test_csv_has_a_line_per_network(archspace: Archspace) -> None:
    _, out, _ = archspace("compare", *MODELS, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    for got, row in zip(rows, compared(archspace, *MODELS)["models"], strict=True):
        assert got == {key: "" if value is None else str(value) for key, value in row.items()}


@pytest.mark.parametrize("words", [("--input", "160"), ("--batch", "4"), ("--dtype", "int8")])
def test_options_of_the_verb_hold_for_all_networks(words: tuple[str, str], archspace: Archspace) -> None:
    rows = compared(archspace, "shufflenet_v2", "resnet18", *words)["models"]
    for name, row in zip(("shufflenet_v2", "resnet18"), rows, strict=True):
        alone = json.loads(archspace("analyze", name, *words, "--format", "json").out)["totals"]
        assert {key: row[key] for key in alone} == alone


def test_a_device_adds_latencies_and_their_intervals(archspace: Archspace) -> None:
    rows = compared(archspace, "shufflenet_v1", "resnet18", "--device", "gtx1080ti")["models"]
    assert rows[1]["latency_ms_ratio"] == rows[1]["latency_ms"] / rows[0]["latency_ms"]
    _, out, _ = archspace("compare", "shufflenet_v1", "resnet18", "--device", "gtx1080ti")
    assert f"{rows[0]['latency_ms']:.2f} ms" in out
    assert [line for line in out.splitlines() if line.startswith("latency of resnet18: ") and "±" in line]


def test_files_and_names_stand_side_by_side(archspace: Archspace, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    save(build("fenet"), path)
    rows = compared(archspace, "fenet", str(path))["models"]
    assert rows[1]["model"] == str(path)
    assert rows[1]["madds_ratio"] == 1.0


def test_a_file_gets_the_comparison(archspace: Archspace, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    code, out, err = archspace("compare", "fenet", "resnet18", "--format", "csv", "-o", str(path))
    assert (code, out, err) == (0, "", f"wrote {path}\n")
    assert path.read_text(encoding="utf-8") == archspace("compare", "fenet", "resnet18", "--format", "csv").out
