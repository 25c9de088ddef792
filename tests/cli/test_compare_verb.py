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

from archspace import Builder, build, predict, save
from archspace.analysis import analyze
from archspace.ir.ops import Opaque
from archspace.rules import lint

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
    first, second = (predict(build(name), "gtx1080ti") for name in ("shufflenet_v1", "resnet18"))
    assert f"latency of shufflenet_v1: {first}\n" in out
    assert "±" in str(first)
    assert second.extrapolates  # more multiply-adds than the fit has seen
    assert [reason for reason in second.extrapolates if f"latency of resnet18 extrapolates: {reason}\n" not in out] == []
    assert [row["latency"]["interval_holds"] for row in rows] == [True, False]


def test_unknown_work_makes_its_latency_a_lower_bound(archspace: Archspace, tmp_path: Path) -> None:
    b = Builder("odd")
    path = tmp_path / "odd.json"
    save(b.build(b.add("odd", Opaque("aten.fft", (1, 3, 224, 224)), b.input((1, 3, 224, 224)))), path)
    words = ("shufflenet_v1", str(path), "--device", "gtx1080ti")
    _, out, _ = archspace("compare", *words)
    (line,) = [line for line in out.splitlines() if line.startswith("latency_ms")]
    assert line.count("≥ ") == 1
    assert f"latency of {path}: at least " in out
    assert [row["latency"]["lower_bound"] for row in compared(archspace, *words)["models"]] == [False, True]
    _, out, _ = archspace("compare", *words, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["interval_holds"], row["lower_bound"]) for row in rows] == [("True", "False"), ("False", "True")]
    assert (rows[0]["extrapolates"], "ops of unknown kind: aten.fft" in rows[1]["extrapolates"]) == ("", True)


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


# The design rules side by side


@pytest.fixture
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No project's settings."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_empty_folder")
@pytest.mark.parametrize("device", [None, "gtx1080ti"])
def test_rules_has_each_networks_waste_per_rule_and_stage(device: str | None, archspace: Archspace) -> None:
    words = ("--device", device) if device else ()
    data = compared(archspace, "shufflenet_v1@g=8", "mobilenet_v2", "--rules", *words)
    found = [lint(build("shufflenet_v1", groups=8), device=device), lint(build("mobilenet_v2"), device=device)]
    for row, own, name in zip(data["models"], found, ("shufflenet_v1@g=8", "mobilenet_v2"), strict=True):
        assert (row["model"], row["device"], row["mem_elems"]) == (name, device, own.mem_elems)
        assert set(row["rules"]) == set(own.codes)
        for code, values in [("total", row["total"]), *row["rules"].items()]:
            waste = own.waste[code]
            assert (values["findings"], values["wasted_mem_elems"], values["wasted_ms"]) == (waste.findings, waste.mem_elems, waste.ms)
        for code, values in row["rules"].items():
            assert sum(stage["findings"] for stage in values["stages"].values()) == values["findings"]
            for stage, there in values["stages"].items():
                assert there["wasted_mem_elems"] == own.waste_by_stage[code, stage].mem_elems
                assert there["wasted_ms"] == own.waste_by_stage[code, stage].ms


@pytest.mark.usefixtures("_empty_folder")
def test_the_table_of_rules_has_stages_under_each_rule_and_a_dash_where_nothing_breaks(archspace: Archspace) -> None:
    """Only ShuffleNet v1 has pointwise group convolutions, in all its stages; only MobileNet v2 works on thick maps."""
    code, out, err = archspace("compare", "shufflenet_v1@g=8", "mobilenet_v2", "--rules")
    assert (code, err) == (0, "")
    waste = lint(build("shufflenet_v1", groups=8)).waste["G201"]
    lines = out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("G201 group-convolution"))
    assert lines[at].split()[2:] == [str(waste.findings), f"{waste.mem_elems / 1e6:.4g}M", "-"]
    assert [line.split()[0] for line in lines[at + 1 : at + 4]] == ["stage2", "stage3", "stage4"]
    assert next(line for line in lines if line.startswith("G402")).split()[2] == "-"
    assert [line for line in lines if line.startswith("total")]
    assert "G301" not in out


@pytest.mark.usefixtures("_empty_folder")
def test_csv_of_rules_has_a_line_per_network_rule_and_stage(archspace: Archspace) -> None:
    rows = list(csv.DictReader(io.StringIO(archspace("compare", "shufflenet_v1", "mobilenet_v2", "--rules", "--format", "csv").out)))
    assert list(rows[0]) == ["model", "rule", "stage", "findings", "wasted_mem_elems", "wasted_ms"]
    per_rule = {row["rule"]: int(row["findings"]) for row in rows if row["model"] == "mobilenet_v2" and not row["stage"]}
    assert per_rule.pop("total") == sum(per_rule.values()) == len(lint(build("mobilenet_v2")).findings)


@pytest.mark.usefixtures("_empty_folder")
def test_networks_that_break_nothing_are_said_so(archspace: Archspace) -> None:
    Path("pyproject.toml").write_text('[tool.archspace]\nselect = ["G1", "G2", "G3"]\n', encoding="utf-8")
    code, out, err = archspace("compare", "shufflenet_v2", "shufflenet_v2@width=0.5", "--rules")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("shufflenet_v2, shufflenet_v2@width=0.5 break none of the")


@pytest.mark.usefixtures("_empty_folder")
def test_rules_on_an_unknown_device_is_one_line(archspace: Archspace) -> None:
    code, out, err = archspace("compare", "fenet", "resnet18", "--rules", "--device", "gtx1080")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "Did you mean 'gtx1080ti'?" in err


def test_the_rules_that_are_compared_can_be_chosen(archspace: Archspace) -> None:
    code, out, _ = archspace("compare", "shufflenet_v1", "mobilenet_v2", "--rules", "--select", "G", "--ignore", "G4", "--format", "json")
    assert code == 0
    assert [list(model["rules"]) for model in json.loads(out)["models"]] == [["G101", "G102", "G201", "G202", "G301", "G302"]] * 2


def test_choosing_rules_without_comparing_them_is_refused(archspace: Archspace) -> None:
    code, _, err = archspace("compare", "shufflenet_v1", "mobilenet_v2", "--select", "G1")
    assert (code, err) == (
        2,
        "archspace: --select and --ignore choose among the design rules, which are compared with --rules alone. Add --rules.\n",
    )
