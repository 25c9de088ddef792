"""`archspace lint`: findings as people, programs and CI read them, exit codes, and the settings of a project."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archspace import Builder, build, save
from archspace.cli.findings import finding_rows, lint_tables
from archspace.cli.output import table_text
from archspace.ir.ops import Conv2d, Opaque
from archspace.rules import RULES, Lint, lint
from archspace.rules.formats import Source, github_lines, sarif

Archspace = Callable[..., Any]
V1 = ("shufflenet_v1", "--g", "8")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No project's settings, unless a test writes some."""
    monkeypatch.chdir(tmp_path)


@cache
def v1(device: str | None = None) -> Lint:
    return lint(build("shufflenet_v1", groups=8), device=device)


def settings(text: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.archspace]\n{text}\n", encoding="utf-8")


def codes(archspace: Archspace, *words: str) -> set[str]:
    """The rules that a lint of ShuffleNet v1 finds broken."""
    return {finding["code"] for finding in json.loads(archspace("lint", *V1, *words, "--format", "json").out)["findings"]}


# Exit codes


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 1),
        (("--fail-on", "warning"), 1),
        (("--fail-on", "info"), 1),
        (("--fail-on", "error"), 0),
        (("--fail-on", "never"), 0),
        (("--select", "G3"), 0),
    ],
)
def test_findings_at_or_above_fail_on_give_exit_code_1(words: tuple[str, ...], code: int, archspace: Archspace) -> None:
    assert archspace("lint", *V1, *words).code == code


@pytest.mark.parametrize(("fail_on", "code"), [("warning", 0), ("info", 1)])
def test_information_fails_where_it_is_asked_to(fail_on: str, code: int, archspace: Archspace) -> None:
    assert archspace("lint", "shufflenet_v2", "--select", "G403", "--fail-on", fail_on).code == code


@pytest.mark.parametrize("form", ["table", "json", "csv", "sarif", "github"])
def test_the_format_does_not_change_the_verdict(form: str, archspace: Archspace) -> None:
    assert archspace("lint", *V1, "--format", form).code == 1
    assert archspace("lint", *V1, "--format", form, "--select", "G3").code == 0


# Rules


def test_select_and_ignore_take_codes_and_their_beginnings(archspace: Archspace) -> None:
    every = {finding.code for finding in v1().findings}
    assert {"G101", "G102", "G201", "G401"} <= every
    assert codes(archspace) == every
    assert codes(archspace, "--select", "g1,G401") == {"G101", "G102", "G401"}
    assert codes(archspace, "--ignore", "G4, g102") == every - {"G401", "G102"}
    assert codes(archspace, "--select", "G1", "--ignore", "G101") == {"G102"}


# Forms


def test_json_is_the_lints_own(archspace: Archspace) -> None:
    assert json.loads(archspace("lint", *V1, "--device", "gtx1080ti", "--format", "json").out) == v1("gtx1080ti").to_dict()


def test_csv_has_a_line_per_finding(archspace: Archspace) -> None:
    rows = list(csv.DictReader(io.StringIO(archspace("lint", *V1, "--format", "csv").out)))
    expected = [asdict(finding) for finding in v1().findings]
    assert rows == [{key: "" if value is None else str(value) for key, value in row.items()} for row in expected]


def test_sarif_and_github_come_from_the_findings(archspace: Archspace) -> None:
    from archspace import __version__

    assert json.loads(archspace("lint", *V1, "--format", "sarif").out) == json.loads(json.dumps(sarif(v1(), __version__)))
    assert archspace("lint", *V1, "--format", "github").out.splitlines() == github_lines(v1())
    assert archspace("lint", "shufflenet_v2", "--select", "G1", "--format", "github") == (0, "", "")


def test_a_network_from_a_file_is_pointed_at_in_the_file(archspace: Archspace) -> None:
    save(build("shufflenet_v1", groups=8), "net.json")
    assert archspace("lint", "net.json", "--format", "github").out.splitlines() == github_lines(v1(), Source.read("net.json"))
    run = json.loads(archspace("lint", "net.json", "--format", "sarif").out)["runs"][0]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "net.json"}


@pytest.mark.parametrize("form", ["table", "json", "csv", "sarif", "github"])
def test_a_file_gets_what_stdout_would(form: str, archspace: Archspace) -> None:
    code, out, err = archspace("lint", *V1, "--format", form, "-o", "out.txt")
    assert (code, out, err) == (1, "", "wrote out.txt\n")
    assert Path("out.txt").read_text(encoding="utf-8") == archspace("lint", *V1, "--format", form).out
    code, out, err = archspace("lint", *V1, "--format", form, "-o", "out.txt")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert archspace("lint", *V1, "--format", form, "-o", "out.txt", "--force").code == 1


# The table


def test_a_row_holds_what_a_rule_finds_in_a_block() -> None:
    rows = finding_rows(v1("gtx1080ti"))
    assert len({(row.code, row.place) for row in rows}) == len(rows)
    assert sum(row.found for row in rows) == len(v1("gtx1080ti").findings)
    for row in rows:
        own = [finding for finding in v1("gtx1080ti").findings if (finding.code, finding.block) == (row.code, row.place)]
        assert row.found == len(own)
        assert row.mem_elems == sum(finding.excess_mem_elems for finding in own)
        assert row.ms == pytest.approx(sum(finding.excess_ms or 0 for finding in own))
        assert row.worst.measured / row.worst.bound == max(finding.measured / finding.bound for finding in own)


def test_rows_are_sorted_by_what_they_cost() -> None:
    with_ms = [row.ms for row in finding_rows(v1("gtx1080ti"))]
    assert with_ms == sorted(with_ms, key=lambda ms: -(ms or 0))
    elems = [row.mem_elems for row in finding_rows(v1())]
    assert elems == sorted(elems, reverse=True)
    assert {row.ms for row in finding_rows(v1())} == {None}


def test_full_has_a_row_per_finding_that_names_the_op() -> None:
    rows = finding_rows(v1(), full=True)
    assert [(row.code, row.place, row.found) for row in rows] == [(finding.code, finding.node, 1) for finding in v1().findings]


def test_where_less_is_worse_the_least_is_the_worst() -> None:
    """Groups of 2 and of 1 channels, where a vector holds 4."""
    b = Builder("narrow")
    x = b.input((1, 8, 14, 14))
    with b.block("stage2.unit0"):
        x = b.add("two", Conv2d(8, 8, 1, groups=4), x)
        x = b.add("uneven", Conv2d(8, 4, 1, groups=4), x)
    found = lint(b.build(x), select=["G202"])
    (row,) = finding_rows(found)
    assert (row.found, row.worst.node, row.worst.measured) == (2, "stage2.unit0.uneven", 1)
    assert "1 < 4" in table_text(lint_tables(found, full=False, width=None), to_terminal=False)


def test_the_table_has_findings_a_summary_and_the_total(archspace: Archspace) -> None:
    _, out, err = archspace("lint", *V1, "--device", "gtx1080ti")
    assert err == ""
    lines = out.splitlines()
    total = v1("gtx1080ti").waste["total"]
    share = f"{100 * total.mem_elems / v1().mem_elems:.1f}"
    (line,) = [line for line in lines if line.startswith("total  ")]
    assert line.split() == ["total", str(total.findings), f"{total.mem_elems / 1e6:.4g}M", share, "%", f"{total.ms:.3f}"]
    first = finding_rows(v1("gtx1080ti"))[0]
    assert lines[3].split()[:3] == [first.code, RULES[first.code].name, first.place]
    assert f"{first.worst.message}. Instead: {first.worst.instead}" in lines[3]
    assert "ms: one batch of 8 on gtx1080ti" in lines
    counts = {severity: len([f for f in v1("gtx1080ti").findings if f.severity == severity]) for severity in ("warning", "info")}
    assert lines[-1] == f"{sum(counts.values())} findings: {counts['warning']} warning, {counts['info']} info"


def test_without_a_device_there_are_no_milliseconds_and_the_roofline_is_not_asked(archspace: Archspace) -> None:
    _, out, _ = archspace("lint", *V1)
    assert "not asked without --device: R101" in out.splitlines()
    assert "ms" not in out.split()


def test_nothing_found_is_one_line(archspace: Archspace) -> None:
    asked = [code for code in RULES if code.startswith(("G1", "G3"))]
    assert archspace("lint", "shufflenet_v2", "--select", "G1,G3") == (
        0,
        f"shufflenet_v2 breaks none of what was asked: {', '.join(asked)}\n",
        "",
    )


def test_ops_of_unknown_work_are_named(archspace: Archspace) -> None:
    b = Builder("strange")
    x = b.add("odd.op", Opaque("torch.erfinv", (1, 8, 14, 14)), b.input((1, 8, 14, 14)))
    save(b.build(b.add("wide.conv", Conv2d(8, 80, 1), x)), "net.json")
    code, out, _ = archspace("lint", "net.json", "--select", "G101")
    assert code == 1
    assert "linted around 1 op of unknown work: odd.op" in out.splitlines()
    assert "linted around 1 op of unknown work: odd.op" in archspace("lint", "net.json", "--select", "G3").out.splitlines()


@pytest.mark.parametrize(("full", "width"), [(False, 80), (False, 100), (False, 140), (False, 200), (True, 100), (True, 140), (True, 200)])
@pytest.mark.parametrize("device", [None, "gtx1080ti"])
def test_a_terminal_gets_findings_no_wider_than_itself(width: int, device: str | None, full: bool) -> None:
    table = lint_tables(v1(device), full=full, width=width)[0]
    text = table_text([table], to_terminal=False)
    assert max(len(line) for line in text.splitlines() if not line.startswith("left out")) <= width
    assert [name for name in ("<rule", "wasted") if name not in table.columns] == []


def test_a_terminal_is_told_a_repeated_sentence_once_and_all_others_whole() -> None:
    rows = finding_rows(v1())
    table = lint_tables(v1(), full=False, width=100)[0]
    said: list[str] = []
    for row in table.rows:
        if row[0]:
            said.append(row[-1])
        else:
            said[-1] += f" {row[-1]}"
    sentences = [f"{row.worst.message}. Instead: {row.worst.instead}" for row in rows]
    assert said == ["as above" if i and sentences[i - 1] == sentence else sentence for i, sentence in enumerate(sentences)]
    assert "as above" in said


# Settings


def test_settings_are_the_defaults_and_the_command_line_goes_first(archspace: Archspace) -> None:
    settings('select = ["G1", "G4"]\nignore = ["G102"]\nfail-on = "never"\ndevice = "gtx1080ti"')
    code, out, _ = archspace("lint", *V1, "--format", "json")
    data = json.loads(out)
    assert (code, data["device"]) == (0, "gtx1080ti")
    assert {finding["code"] for finding in data["findings"]} == {"G101", "G401"}
    assert codes(archspace, "--select", "G102,G2", "--ignore", "G4") == {"G102", "G201"}
    assert archspace("lint", *V1, "--fail-on", "warning").code == 1
    assert json.loads(archspace("lint", *V1, "--device", "sd810", "--format", "json").out)["device"] == "sd810"


def test_thresholds_come_from_the_settings_and_the_table_says_so(archspace: Archspace) -> None:
    settings("thresholds.G102.expansion = 4")
    assert "G102" not in codes(archspace)
    assert f"defaults: [tool.archspace] of {Path.cwd() / 'pyproject.toml'}" in archspace("lint", *V1).out.splitlines()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ('select = ["G11"]', ["select: unknown rule 'G11'", "Did you mean 'G101'?"]),
        ('ignore = ["Z"]', ["ignore: unknown rule 'Z'"]),
        ('fail-on = "warnin"', ["fail_on: unknown severity 'warnin'", "Did you mean 'warning'?"]),
        ('device = "gtx1080"', ["device: unknown device 'gtx1080'", "Did you mean 'gtx1080ti'?"]),
        ("thresholds.G105.ratio = 2", ["thresholds: unknown rule 'G105'"]),
        ("thresholds.G101.ration = 2", ["thresholds: G101", "'ration'"]),
        ("thresholds.G101.ratio = 0.5", ["G101.ratio must be a number from 1 to 100, but got 0.5"]),
        ('selct = ["G1"]', ["'selct'", "Did you mean 'select'?"]),
    ],
)
def test_malformed_settings_are_one_line_with_the_file_and_the_key(text: str, pieces: list[str], archspace: Archspace) -> None:
    settings(text)
    code, out, err = archspace("lint", *V1)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert [piece for piece in ("pyproject.toml", "[tool.archspace]", *pieces) if piece not in err] == []


# Bad input


@pytest.mark.parametrize(
    ("words", "pieces"),
    [
        ((), ["lint takes one MODEL, but got 0"]),
        (("resnet18", "resnet50"), ["lint takes one MODEL, but got 2", "archspace compare --rules"]),
        ((*V1, "--select", "G11"), ["unknown rule 'G11'", "Did you mean 'G101'?"]),
        ((*V1, "--ignore", "X"), ["unknown rule 'X'", "G101"]),
        ((*V1, "--select", " ,"), ["--select takes rule codes", "--select G1,S"]),
        ((*V1, "--select", "G1", "--ignore", "G"), ["at least one rule"]),
        ((*V1, "--select", "R"), ["R101 needs a device", "--device gtx1080ti"]),
        ((*V1, "--device", "gtx1080"), ["unknown device 'gtx1080'", "Did you mean 'gtx1080ti'?"]),
        ((*V1, "--fail-on", "warnin"), ["--fail-on", "'warnin'", "'warning'"]),
        ((*V1, "--format", "xml"), ["--format", "'sarif'", "'github'"]),
        (("shuflenet_v1",), ["unknown network", "Did you mean 'shufflenet_v1'?"]),
        (("shufflenet_v1", "--gg", "8"), ["unknown option of shufflenet_v1 'gg'"]),
        (("none.json", "--format", "sarif"), ["none.json: cannot be read"]),
        ((*V1, "-o", "nowhere/out.json"), ["its folder nowhere must exist"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: tuple[str, ...], pieces: list[str], archspace: Archspace) -> None:
    code, out, err = archspace("lint", *words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("archspace: ")
    assert [piece for piece in pieces if piece not in err] == []
    assert list(Path.cwd().iterdir()) == []
