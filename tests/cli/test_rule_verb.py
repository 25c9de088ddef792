"""`archspace rule`: the list of rules and their manual pages."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace.cli.rule import list_table, page_tables
from archspace.rules import GROUPS, RULES

Archspace = Callable[..., Any]


def test_the_list_has_every_rule_with_its_thresholds(archspace: Archspace) -> None:
    code, out, err = archspace("rule")
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if line[:4] in RULES]
    assert [line[:4] for line in lines] == list(RULES)
    for line, rule in zip(lines, RULES.values(), strict=True):
        defaults = [f"{name}={bound.default:g}" for name, bound in rule.thresholds.items()]
        assert [word for word in (rule.name, rule.severity, rule.summary, *defaults) if word not in line] == []


@pytest.mark.parametrize("code", RULES)
def test_a_page_says_what_why_instead_source_and_thresholds(code: str, archspace: Archspace) -> None:
    rule = RULES[code]
    exit_code, out, err = archspace("rule", code)
    assert (exit_code, err) == (0, "")
    assert out.startswith(f"{code} {rule.name} ({rule.severity}; {GROUPS[code[:2]]})\n")
    assert " ".join(rule.page.split()) in " ".join(out.split())
    for name, bound in rule.thresholds.items():
        assert [name, f"{bound.default:g}", f"{bound.low:g}", f"{bound.high:g}"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("word", ["g101", "unequal-widths", "Unequal-Widths"])
def test_a_name_or_small_letters_find_the_page(word: str, archspace: Archspace) -> None:
    assert archspace("rule", word) == archspace("rule", "G101")


def test_a_prefix_lists_its_group(archspace: Archspace) -> None:
    _, out, _ = archspace("rule", "g1")
    assert [line[:4] for line in out.splitlines() if line[:4] in RULES] == [code for code in RULES if code.startswith("G1")]


def test_the_prefix_of_a_single_rule_lists_it_and_is_no_page(archspace: Archspace) -> None:
    _, out, _ = archspace("rule", "R1")
    assert out.split()[0] == "rule"
    assert "memory-bound" in out
    assert "Source:" not in out


def test_json_has_pages_and_thresholds(archspace: Archspace) -> None:
    data = json.loads(archspace("rule", "--format", "json").out)
    assert data["schema"] == 1
    assert [rule["code"] for rule in data["rules"]] == list(RULES)
    assert data["rules"][0]["page"] == RULES["G101"].page
    assert data["rules"][0]["thresholds"] == {"ratio": {"default": 1.2, "low": 1, "high": 100, "whole": False}}
    assert json.loads(archspace("rule", "G101", "--format", "json").out) == {"schema": 1, "rules": data["rules"][:1]}


def test_csv_has_a_line_per_rule(archspace: Archspace) -> None:
    rows = list(csv.DictReader(io.StringIO(archspace("rule", "--format", "csv").out)))
    assert [row["code"] for row in rows] == list(RULES)
    assert rows[0]["thresholds"] == "ratio=1.2"
    assert rows[0]["group"] == "channel width"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("G11", "Did you mean 'G101'?"),
        ("unequal-width", "Did you mean 'unequal-widths'?"),
        ("X9", "Known: G101, "),
        ("", "Known: G101, "),
        ("G1,S1", "unknown rule 'G1,S1'"),
    ],
)
def test_an_unknown_rule_is_one_line_and_exit_code_2(word: str, hint: str, archspace: Archspace) -> None:
    code, out, err = archspace("rule", word)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"archspace: unknown rule {word!r}. ")
    assert hint in err


def test_a_file_gets_the_page_and_is_not_overwritten(archspace: Archspace, tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    assert archspace("rule", "G101", "-o", str(path)) == (0, "", f"wrote {path}\n")
    assert path.read_text(encoding="utf-8") == archspace("rule", "G101").out
    code, out, err = archspace("rule", "G102", "-o", str(path))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "--force" in err


@pytest.mark.parametrize("width", [60, 100])
def test_a_terminal_gets_pages_and_summaries_broken_to_its_width(width: int) -> None:
    for rule in RULES.values():
        assert max(map(len, page_tables(rule, width)[0].notes)) <= width
    table = list_table(list(RULES.values()), width)
    last = [row[-1] for row in table.rows]
    assert " ".join(last) == " ".join(rule.summary for rule in RULES.values())
    assert all(len(line) <= width for line in last)
