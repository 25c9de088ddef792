"""`archspace rule`: the design rules, and the manual page of one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

import click

from archspace.cli.findings import with_sentences
from archspace.cli.output import Table, emit, output_options
from archspace.errors import UnknownNameError
from archspace.rules import GROUPS, RULES, Rule
from archspace.rules.selection import selected

PAGE_WIDTH = 100  # characters: a line that reads well


@click.command("rule")
@click.argument("word", metavar="[CODE]", required=False)
@output_options
def command(word: str | None, form: str, output: str | None, force: bool) -> None:
    """List the design rules, or print the manual page of one: what, why, what to do instead, source, thresholds.

    CODE is a rule's code or name (G101, unequal-widths), or how the codes of several begin (G1).

    \b
    Example: archspace rule G101
    """
    one = None if word is None else rule_of(word)
    rules = [one] if one else rules_of(word)
    width = get_terminal_size().columns if output is None and sys.stdout.isatty() else None
    emit(
        form,
        output,
        tables=lambda: page_tables(one, width) if one else [list_table(rules, width)],
        data=lambda: {"schema": 1, "rules": [record(rule) for rule in rules]},
        records=lambda: [_line(rule) for rule in rules],
        force=force,
    )


def rule_of(word: str) -> Rule | None:
    """The rule of a whole code or name; None for any other word."""
    return next((rule for rule in RULES.values() if word.strip().lower() in (rule.code.lower(), rule.name)), None)


def rules_of(prefix: str | None) -> list[Rule]:
    """The rules whose codes begin so, all without a prefix. Raises UnknownNameError."""
    if prefix is None:
        return list(RULES.values())
    if not any(code.startswith(prefix.strip().upper()) for code in RULES) or not prefix.strip():
        raise UnknownNameError("rule", prefix, RULES, also=[*GROUPS, *(rule.name for rule in RULES.values())])
    return [RULES[code] for code in selected(tuple(RULES), [prefix])]


def record(rule: Rule) -> dict[str, Any]:
    """A rule as JSON values."""
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "group": GROUPS[rule.code[:2]],
        "summary": rule.summary,
        "page": rule.page,
        "thresholds": {name: asdict(bound) for name, bound in rule.thresholds.items()},
    }


def _line(rule: Rule) -> dict[str, Any]:
    """A rule as a CSV line; the page is for JSON and for people."""
    row = {key: value for key, value in record(rule).items() if key != "page"}
    return row | {"thresholds": _defaults(rule)}


def _defaults(rule: Rule) -> str:
    return ", ".join(f"{name}={bound.default:g}" for name, bound in rule.thresholds.items())


def list_table(rules: Sequence[Rule], width: int | None) -> Table:
    """One row per rule. `width`: of the terminal, for the summaries to be broken; None leaves them whole."""
    rows = [[rule.code, rule.name, rule.severity, _defaults(rule)] for rule in rules]
    columns = ("<rule", "<name", "<severity", "<thresholds")
    notes = ["The manual page of a rule: archspace rule CODE"]
    table = Table(columns, rows, notes=notes, optional=("<severity", "<thresholds"))
    return with_sentences(table, "what breaks it", [rule.summary for rule in rules], width)


def page_tables(rule: Rule, width: int | None) -> list[Table]:
    """The manual page, its paragraphs broken to the terminal, and the thresholds with their ranges."""
    lines: list[str] = []
    for paragraph in rule.page.split("\n\n"):
        lines += [*wrap(" ".join(paragraph.split()), min(width or PAGE_WIDTH, PAGE_WIDTH), break_on_hyphens=False), ""]
    tables = [Table((), (), f"{rule.code} {rule.name} ({rule.severity}; {GROUPS[rule.code[:2]]})", lines[:-1])]
    if rule.thresholds:
        rows = [[name, f"{bound.default:g}", f"{bound.low:g}", f"{bound.high:g}"] for name, bound in rule.thresholds.items()]
        name, bound = next(iter(rule.thresholds.items()))
        note = f"set in pyproject.toml, under [tool.archspace]: thresholds.{rule.code}.{name} = {bound.default:g}"
        tables.append(Table(("<threshold", "default", "from", "to"), rows, notes=[note]))
    return tables
