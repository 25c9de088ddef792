"""The table of rules is complete, and every manual page has its parts."""

from __future__ import annotations

import re

import pytest

from archspace.errors import LawError
from archspace.rules import GROUPS, RULES, SEVERITIES, Rule
from archspace.rules.selection import selected

ALL = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def test_the_rules_are_those_that_were_asked_for() -> None:
    assert list(RULES) == [
        *("G101", "G102", "G201", "G202", "G301", "G302", "G401", "G402", "G403"),
        *("S101", "S102", "S103", "S104", "R101"),
    ]


@ALL
def test_a_code_is_its_group_and_two_digits(rule: Rule) -> None:
    assert RULES[rule.code] is rule
    assert re.fullmatch(r"[GSR]\d{3}", rule.code)
    assert rule.code[:2] in GROUPS


def test_every_group_has_rules() -> None:
    assert {code[:2] for code in RULES} == set(GROUPS)


def test_names_are_unique_words_with_hyphens() -> None:
    names = [rule.name for rule in RULES.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


@ALL
def test_a_manual_page_says_what_is_measured_why_what_instead_where_from_and_from_when(rule: Rule) -> None:
    paragraphs = rule.page.split("\n\n")
    assert rule.summary == paragraphs[0]
    assert rule.summary.endswith(".")
    assert any(paragraph.startswith("Measured is ") for paragraph in paragraphs)
    heads = [head for paragraph in paragraphs for head in re.findall(r"^(\w+):", paragraph)]
    assert heads == ["Why", "Instead", "Source", "Thresholds"]


@ALL
def test_every_threshold_has_its_default_in_its_range_and_its_reason_in_the_page(rule: Rule) -> None:
    said = rule.page.partition("Thresholds: ")[2]
    if not rule.thresholds:
        assert said == "none."
    for name, threshold in rule.thresholds.items():
        assert threshold.low <= threshold.default <= threshold.high
        assert said.startswith(f"{name} {threshold.default:g}")


@ALL
def test_defaults_stand_where_nothing_is_given(rule: Rule) -> None:
    assert rule.limits({}) == {name: threshold.default for name, threshold in rule.thresholds.items()}


@ALL
def test_severities_are_known(rule: Rule) -> None:
    assert rule.severity in SEVERITIES


def test_a_selection_keeps_the_tables_order_and_each_code_once() -> None:
    codes = tuple(RULES)
    assert selected(codes, ["S1", "G1", "G101"]) == ("G101", "G102", "S101", "S102", "S103", "S104")
    assert selected(codes, ["G"], ["G1", "G2", "G3"]) == ("G401", "G402", "G403")


def test_a_threshold_that_counts_things_is_a_whole_number() -> None:
    with pytest.raises(LawError, match=r"^G301\.fragments must be a whole number, but got 5\.5\. Near: 5, 6\.$"):
        RULES["G301"].limits({"fragments": 5.5})
    assert RULES["G301"].limits({"fragments": 6}) == {"fragments": 6.0}
