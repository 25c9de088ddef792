"""`archspace check`: bounds and rules held or not, where they come from, the exit codes, and wrong input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace import analyze, build, lint, predict, save
from archspace.cli.check import Held, Kept
from archspace.ir import Graph
from archspace.ir.builder import Builder
from archspace.ir.ops import Opaque
from archspace.rules import RULES

Archspace = Callable[..., Any]
V1 = ("shufflenet_v1", "--g", "8")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def v1() -> Graph:
    return build("shufflenet_v1", groups=8)


def settings(text: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.archspace]\n{text}\n", encoding="utf-8")


def checked(archspace: Archspace, *words: str) -> tuple[int, dict[str, Any]]:
    done = archspace("check", *words, "--format", "json")
    return done.code, json.loads(done.out)


def test_the_margin_is_what_is_left_below_the_bound() -> None:
    held = Held("params", 200, 150)
    assert held.to_dict() == {
        **{"metric": "params", "asked": 200, "measured": 150, "lower_bound": False},
        **{"margin": 50, "margin_share": 0.25, "verdict": "ok"},
    }
    over = Held("params", 200, 210)
    assert (over.to_dict()["margin"], over.to_dict()["margin_share"], over.verdict) == (-10, -0.05, "exceeded")


def test_a_rule_is_broken_by_the_findings_that_count() -> None:
    assert Kept("G101", "", "warning", findings=3, failing=0, mem_elems=1, judged=True).verdict == "ok"
    assert Kept("G101", "", "warning", findings=3, failing=3, mem_elems=1, judged=True).verdict == "broken"
    assert Kept("R101", "", "info", findings=0, failing=0, mem_elems=0, judged=False).verdict == "not judged"


@pytest.mark.parametrize("metric", ["madds", "params", "mem_elems", "acts"])
def test_a_bound_holds_to_the_last_digit(metric: str, archspace: Archspace) -> None:
    counted = getattr(analyze(v1()).totals, metric)
    option = f"--max-{metric.replace('_', '-')}"
    code, data = checked(archspace, *V1, option, str(counted))
    assert (code, data["passed"]) == (0, True)
    assert data["bounds"] == [
        {
            **{"metric": metric, "asked": counted, "measured": counted, "lower_bound": False},
            **{"margin": 0, "margin_share": 0.0, "verdict": "ok"},
        },
    ]
    code, data = checked(archspace, *V1, option, str(counted - 1))
    assert (code, data["passed"], data["bounds"][0]["margin"], data["bounds"][0]["verdict"]) == (1, False, -1, "exceeded")


def test_the_latency_is_the_one_predicted_for_the_devices_batch(archspace: Archspace) -> None:
    ms = predict(v1(), "gtx1080ti").ms
    code, data = checked(archspace, *V1, "--max-latency", f"{2 * ms}ms", "--device", "gtx1080ti")
    assert code == 0
    assert data["bounds"][0]["measured"] == pytest.approx(ms, rel=1e-12)
    assert data["bounds"][0]["margin_share"] == pytest.approx(0.5, rel=1e-12)
    assert (data["device"], data["latency"]["batch"]) == ("gtx1080ti", 8)
    assert checked(archspace, *V1, "--max-latency", f"{ms / 2}ms", "--device", "gtx1080ti")[0] == 1
    with_batch = checked(archspace, *V1, "--max-latency", "1s", "--device", "gtx1080ti", "--batch", "1")[1]
    assert with_batch["bounds"][0]["measured"] == pytest.approx(predict(v1(), "gtx1080ti", batch=1).ms, rel=1e-12)


def test_one_exceeded_bound_fails_the_gate(archspace: Archspace) -> None:
    done = archspace("check", *V1, "--max-madds", "150M", "--max-params", "2M")
    assert done.code == 1
    assert done.err == "failed: params 2,434,768, at most 2,000,000\n"
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line}
    assert rows["madds"] == ["150,000,000", "138,365,952", "+11,634,048", "+7.8", "%", "ok"]
    assert rows["params"] == ["2,000,000", "2,434,768", "-434,768", "-21.7", "%", "exceeded"]


def test_what_holds_passes_and_says_so(archspace: Archspace) -> None:
    done = archspace("check", "shufflenet_v2", "--max-madds", "150M", "--select", "G1,G2,G301")
    assert (done.code, done.err) == (0, "passed\n")


def test_the_findings_of_a_rule_are_those_of_the_linter(archspace: Archspace) -> None:
    code, data = checked(archspace, *V1, "--select", "G")
    found = lint(v1(), select=["G"])
    assert code == 1
    assert [row["rule"] for row in data["rules"]] == list(found.codes)
    for row in data["rules"]:
        ours = [finding for finding in found.findings if finding.code == row["rule"]]
        failing = [finding for finding in ours if finding.severity != "info"]
        assert (row["findings"], row["failing"]) == (len(ours), len(failing))
        assert row["mem_elems"] == found.waste[row["rule"]].mem_elems
        assert row["verdict"] == ("broken" if failing else "ok")
    assert any(row["failing"] for row in data["rules"])


@pytest.mark.parametrize(("fail_on", "code"), [("info", 1), ("warning", 0), ("error", 0), ("never", 0)])
def test_only_findings_at_or_above_fail_on_fail(fail_on: str, code: int, archspace: Archspace) -> None:
    assert RULES["G403"].severity == "info"
    assert lint(build("shufflenet_v2"), select=["G403"]).findings
    assert archspace("check", "shufflenet_v2", "--select", "G403", "--fail-on", fail_on).code == code


@pytest.mark.parametrize("words", [("--fail-on", "error"), ("--ignore", "G")])
def test_a_severity_or_what_is_ignored_asks_all_other_rules(words: tuple[str, ...], archspace: Archspace) -> None:
    codes = [row["rule"] for row in checked(archspace, *V1, *words)[1]["rules"]]
    assert codes == [code for code in RULES if words[0] != "--ignore" or not code.startswith("G")]


def test_a_rule_that_needs_a_device_is_said_not_to_be_judged(archspace: Archspace) -> None:
    done = archspace("check", "shufflenet_v2", "--select", "S,R")
    assert "not judged" in next(line for line in done.out.splitlines() if line.startswith("R101"))
    assert "R101: not judged, it needs --device" in done.out
    judged = checked(archspace, "shufflenet_v2", "--select", "S,R", "--device", "sd810")[1]["rules"][-1]
    assert (judged["rule"], judged["verdict"]) == ("R101", "ok")


def test_bounds_rules_and_the_device_may_stand_in_the_settings(archspace: Archspace) -> None:
    settings('select = ["G1"]\nmax-madds = "150M"\nmax-latency = "1ms"\ndevice = "sd810"')
    code, data = checked(archspace, *V1)
    assert code == 1
    assert [(row["metric"], row["asked"], row["verdict"]) for row in data["bounds"]] == [
        ("madds", 150_000_000, "ok"),
        ("latency_ms", 1.0, "exceeded"),
    ]
    assert [row["rule"] for row in data["rules"]] == ["G101", "G102"]


def test_the_command_line_wins_over_the_settings(archspace: Archspace) -> None:
    settings('select = ["G1"]\nfail-on = "info"\nmax-madds = "1M"\nmax-params = "9M"\ndevice = "sd810"')
    words = ("--max-madds", "150M", "--select", "G202", "--device", "gtx1080ti", "--max-latency", "1s")
    code, data = checked(archspace, *V1, *words, "--fail-on", "error")
    assert code == 0
    assert [(row["metric"], row["asked"]) for row in data["bounds"]] == [
        ("madds", 150_000_000),
        ("params", 9_000_000),
        ("latency_ms", 1000.0),
    ]
    assert ([row["rule"] for row in data["rules"]], data["fail_on"], data["device"]) == (["G202"], "error", "gtx1080ti")


def test_a_threshold_of_the_settings_decides(archspace: Archspace) -> None:
    assert archspace("check", *V1, "--select", "G101").code == 1
    settings("thresholds.G101.ratio = 100")
    assert archspace("check", *V1, "--select", "G101").code == 0


def test_settings_that_only_tune_the_rules_ask_none(archspace: Archspace) -> None:
    settings('ignore = ["G401"]\nfail-on = "error"\nthresholds.G101.ratio = 2')
    assert checked(archspace, *V1, "--max-madds", "150M")[1]["rules"] == []
    done = archspace("check", *V1)
    assert (done.code, done.out) == (2, "")


def test_csv_has_a_row_per_bound_and_rule(archspace: Archspace) -> None:
    done = archspace("check", *V1, "--max-params", "2M", "--select", "G202,G301", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [(row["check"], row["asked"], row["measured"], row["margin"], row["verdict"]) for row in rows] == [
        ("params", "2000000", "2434768", "-434768", "exceeded"),
        ("G202", "0", "0", "0", "ok"),
        ("G301", "0", "0", "0", "ok"),
    ]


def test_work_of_unknown_kind_is_said(archspace: Archspace, tmp_path: Path) -> None:
    b = Builder("odd")
    x = b.input((1, 8, 4, 4))
    with b.block("body"):
        x = b.add("mystery", Opaque("fft", (1, 8, 4, 4)), x)
    save(b.build(x), tmp_path / "odd.json")
    done = archspace("check", "odd.json", "--max-madds", "1M")
    assert (done.code, done.err) == (0, "passed, but 1 of 2 ops are of unknown work\n")
    assert "ops of unknown work, counted as memory access alone: body.mystery" in done.out
    assert checked(archspace, "odd.json", "--max-madds", "1M")[1]["opaque"] == ["body.mystery"]


def test_the_latency_of_unknown_work_is_a_lower_bound(archspace: Archspace, tmp_path: Path) -> None:
    b = Builder("odd")
    save(b.build(b.add("mystery", Opaque("fft", (1, 8, 4, 4)), b.input((1, 8, 4, 4)))), tmp_path / "odd.json")
    words = ("odd.json", "--device", "gtx1080ti", "--max-latency")
    done = archspace("check", *words, "1s")
    assert (done.code, done.err) == (0, "passed, but 1 of 2 ops are of unknown work and the latency is a lower bound\n")
    (line,) = [line for line in done.out.splitlines() if line.startswith("latency_ms")]
    assert line.split()[3] == "≥"
    assert "latency: at least " in done.out
    data = checked(archspace, *words, "1s")[1]
    assert (data["bounds"][0]["lower_bound"], data["latency"]["lower_bound"], data["latency"]["interval_holds"]) == (True, True, False)
    failed = archspace("check", *words, "0.1ms")
    assert (failed.code, failed.err.startswith("failed: latency_ms at least ")) == (1, True)


def test_a_latency_that_extrapolates_passes_with_a_doubt(archspace: Archspace) -> None:
    done = archspace("check", *V1, "--max-latency", "1s", "--device", "gtx1080ti", "--batch", "2")
    assert (done.code, done.err) == (0, "passed, but the latency extrapolates\n")


def test_a_file_is_written_and_the_exit_code_stays(archspace: Archspace, tmp_path: Path) -> None:
    done = archspace("check", *V1, "--max-params", "2M", "--format", "json", "-o", "gate.json")
    assert (done.code, done.out) == (1, "")
    assert json.loads((tmp_path / "gate.json").read_text())["passed"] is False
    again = archspace("check", *V1, "--max-params", "9M", "-o", "gate.json")
    assert again.code == 2
    assert "exists already" in again.err
    assert archspace("check", *V1, "--max-params", "9M", "-o", "gate.json", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "check needs a bound or a rule to hold the network against, but got none. Give --max-madds 150M"),
        (("--max-latency", "30ms"), "latency needs a device, but none is given"),
        (("--max-latency", "30ms", "--device", "sd811"), "Did you mean 'sd810'?"),
        (("--max-madds", "many"), "--max-madds: a count is a positive number"),
        (("--max-latency", "3m", "--device", "sd810"), "--max-latency: a time is a positive number"),
        (("--max-params", "0"), "--max-params: a count must be from 1"),
        (("--max-params", "-3"), "--max-params: a count is a positive number"),
        (("--select", "G9"), "unknown rule 'G9'"),
        (("--ignore", "G101x"), "unknown rule 'G101X'. Did you mean 'G101'?"),
        (("--select", "G1", "--ignore", "G"), "leaves none"),
        (("--select", "R"), "R101 needs a device, but none is given"),
        (("--select", "G", "--fail-on", "fatal"), "'fatal' is not one of"),
        (("shufflenet_v2", "--max-madds", "1M"), "check takes one MODEL, but got 2"),
        (("--max-madd", "1M"), "Did you mean"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_written(
    words: tuple[str, ...], complaint: str, archspace: Archspace, tmp_path: Path
) -> None:
    done = archspace("check", *V1, *words, "-o", "gate.txt")
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('select = ["G9"]', "[tool.archspace] select: unknown rule 'G9'"),
        ('ignore = ["X"]', "[tool.archspace] ignore: unknown rule 'X'"),
        ("select = 3", "[tool.archspace] select must be a list of rule codes, but got 3"),
        ('fail-on = "warn"', "[tool.archspace] fail_on: unknown severity 'warn'. Did you mean 'warning'?"),
        ('device = "sd811"', "[tool.archspace] device: unknown device 'sd811'. Did you mean 'sd810'?"),
        ('max-latency = "30ms"', "[tool.archspace] max_latency: latency needs a device, but none is given"),
        ("thresholds.G101.ratio = -1", "[tool.archspace] thresholds: G101.ratio must be a number from 1 to 100, but got -1"),
        ("thresholds.G101.ratio = nan", "[tool.archspace] thresholds: G101.ratio must be a number from 1 to 100, but got nan"),
        ("thresholds.G101.ration = 2", "[tool.archspace] thresholds: G101: it has the thresholds ratio, but got 'ration'"),
        ("thresholds.G111.ratio = 2", "[tool.archspace] thresholds: unknown rule 'G111'"),
        ("max-madd = 3", "[tool.archspace]: unknown key 'max-madd'. Did you mean 'max_madds'?"),
    ],
)
def test_wrong_settings_name_their_file_and_key(line: str, complaint: str, archspace: Archspace, tmp_path: Path) -> None:
    settings(line)
    done = archspace("check", *V1, "--max-madds", "150M")
    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path / 'pyproject.toml'}: {complaint}" in done.err
    assert len(done.err.splitlines()) == 1
