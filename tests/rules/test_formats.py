"""Findings as SARIF, held against the published schema, and as the lines that GitHub Actions reads."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archspace import Builder, build, save
from archspace.ir.graph import Graph
from archspace.ir.ops import Conv2d, Opaque, ReLU
from archspace.rules import RULES, Finding, Lint, lint
from archspace.rules.finding import SEVERITIES
from archspace.rules.formats import GITHUB_COMMANDS, SARIF_LEVELS, Source, github_lines, sarif

SCHEMA = Path(__file__).parents[1] / "data" / "sarif-2.1.0.json"


@cache
def v1() -> Lint:
    return lint(build("shufflenet_v1", groups=8), device="gtx1080ti")


def with_an_op_of_unknown_work() -> Graph:
    b = Builder("strange")
    x = b.input((1, 8, 14, 14))
    x = b.add("odd.op", Opaque("torch.erfinv", (1, 8, 14, 14)), x)
    x = b.add("wide.conv", Conv2d(8, 80, 1), x)
    return b.build(b.add("wide.act", ReLU(), x))


def check(log: dict[str, Any]) -> dict[str, Any]:
    """Hold a log against the schema as a file would hold it; its one run."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(json.loads(json.dumps(log)))
    (run,) = log["runs"]
    return run


def test_the_schema_refuses_what_is_no_sarif() -> None:
    log = sarif(v1(), "1.0")
    log["runs"][0]["results"][0]["level"] = "info"  # our word, not SARIF's
    with pytest.raises(jsonschema.ValidationError, match="'info' is not one of"):
        check(log)


@pytest.mark.parametrize("network", ["shufflenet_v1", "shufflenet_v2", "mobilenet_v2"])
@pytest.mark.parametrize("device", [None, "sd810"])
def test_sarif_is_valid_by_the_published_schema(network: str, device: str | None) -> None:
    found = lint(build(network), device=device)
    assert len(check(sarif(found, "1.0"))["results"]) == len(found.findings)


def test_sarif_is_valid_without_a_finding() -> None:
    found = lint(build("shufflenet_v2"), select=["G1"])
    assert found.findings == ()
    assert check(sarif(found, "1.0"))["results"] == []


def test_sarif_says_of_each_finding_what_the_finding_says() -> None:
    run = check(sarif(v1(), "7.8"))
    assert (run["tool"]["driver"]["name"], run["tool"]["driver"]["version"]) == ("archspace", "7.8")
    for finding, result in zip(v1().findings, run["results"], strict=True):
        assert result["ruleId"] == finding.code == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
        assert result["level"] == {"info": "note", "warning": "warning", "error": "error"}[finding.severity]
        assert result["message"]["text"] == f"{finding.node}: {finding.message}. Instead: {finding.instead}"
        (location,) = result["locations"]
        assert location == {"logicalLocations": [{"name": finding.node.split(".")[-1], "fullyQualifiedName": finding.node}]}
        for key in ("block", "measured", "bound", "excess_mem_elems", "excess_ms"):
            assert result["properties"][key] == getattr(finding, key)


def test_sarif_describes_the_rules_that_were_asked_by_their_manual_pages() -> None:
    driver = check(sarif(lint(build("shufflenet_v2"), select=["G3", "S101"]), "1.0"))["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == ["G301", "G302", "S101"]
    for rule in driver["rules"]:
        assert rule["help"]["text"] == RULES[rule["id"]].page
        assert rule["shortDescription"]["text"] == RULES[rule["id"]].summary
        assert "helpUri" not in rule


def test_sarif_names_ops_of_unknown_work() -> None:
    run = check(sarif(lint(with_an_op_of_unknown_work()), "1.0"))
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note == {"level": "note", "message": {"text": "linted around 1 op of unknown work: odd.op"}}


def test_a_network_from_a_file_gets_the_file_and_the_line_of_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(build("shufflenet_v1", groups=8), "a net.json")
    run = check(sarif(v1(), "1.0", Source.read("a net.json")))
    text = Path("a net.json").read_text(encoding="utf-8").split("\n")
    for finding, result in zip(v1().findings, run["results"], strict=True):
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "a%20net.json"
        assert json.loads(text[place["region"]["startLine"] - 1].rstrip(","))["name"] == finding.node


def test_an_indented_file_has_lines_too_and_an_absolute_path_is_a_file_uri(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    save(build("shufflenet_v1", groups=8), path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=2), encoding="utf-8")
    place = check(sarif(v1(), "1.0", Source.read(str(path))))["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == path.as_uri()
    line = path.read_text(encoding="utf-8").split("\n")[place["region"]["startLine"] - 1]
    assert line.strip() == f'"name": "{v1().findings[0].node}",'


def test_a_file_that_names_a_family_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"family": "shufflenet_v1", "groups": 8}', encoding="utf-8")
    source = Source.read(str(path))
    assert source.lines == {}
    assert "region" not in check(sarif(v1(), "1.0", source))["results"][0]["locations"][0]["physicalLocation"]
    assert github_lines(v1(), source)[0].startswith(f"::warning file={str(path).replace(':', '%3A')},title=G")


@pytest.mark.parametrize("words", [SARIF_LEVELS, GITHUB_COMMANDS])
def test_every_severity_has_a_word_of_theirs(words: dict[str, str]) -> None:
    assert tuple(words) == SEVERITIES


def test_github_gets_a_line_per_finding_by_severity() -> None:
    found = lint(build("shufflenet_v2_2x"))
    assert {finding.severity for finding in found.findings} == {"warning", "info"}
    for finding, line in zip(found.findings, github_lines(found), strict=True):
        command = {"info": "notice", "warning": "warning"}[finding.severity]
        assert line.startswith(f"::{command} title={finding.code} {RULES[finding.code].name}::{finding.node}: ")
        assert line.endswith(f". Instead: {finding.instead}")


def one(**changes: Any) -> Lint:
    finding = Finding("G101", "warning", "n", "b", 2.0, 1.0, 3, None, "what", "that")
    return replace(v1(), findings=(replace(finding, **changes),), opaque=())


def test_github_lines_are_escaped_as_the_runner_reads_them() -> None:
    """The runner's toolkit escapes %, CR and LF in both parts, and : and , in properties alone."""
    (line,) = github_lines(one(message="50% of a: b, c\r\nd", node="%n"), Source("x,y:50%.json", {"%n": 7}))
    assert line == ("::warning file=x%2Cy%3A50%25.json,line=7,title=G101 unequal-widths::%25n: 50%25 of a: b, c%0D%0Ad. Instead: that")


def test_github_is_told_of_ops_of_unknown_work() -> None:
    assert github_lines(replace(one(), opaque=("a", "b")))[-1] == "::notice title=archspace::linted around 2 ops of unknown work: a, b"
