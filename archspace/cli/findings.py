"""Findings as tables for people: by block and rule, and by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from textwrap import wrap

from archspace.cli.output import Table, fitted
from archspace.rules import RULES, SEVERITIES, Finding, Lint, Waste
from archspace.units import format_count, format_share

NARROWEST = 40  # characters that sentences get at least
GAP = 3  # characters between columns
DEVICE_RULES = "R"  # how the codes of rules begin that find nothing without a device


@dataclass(frozen=True, slots=True)
class Row:
    """What a rule finds in one place: how often, the worst of it and what all of it wastes."""

    code: str
    place: str
    found: int
    worst: Finding
    mem_elems: int
    ms: float | None


def finding_rows(lint: Lint, *, full: bool = False) -> list[Row]:
    """One row per block and rule (`full`: per finding), the costliest first. The waste of a block is the sum of its findings'."""
    groups: dict[tuple[str, str, int], list[Finding]] = {}
    for i, finding in enumerate(lint.findings):
        groups.setdefault((finding.code, finding.node, i) if full else (finding.code, finding.block, 0), []).append(finding)
    rows = []
    for (code, place, _), found in groups.items():
        ms = None if lint.device is None else sum(finding.excess_ms or 0.0 for finding in found)
        rows.append(Row(code, place, len(found), max(found, key=_badness), sum(finding.excess_mem_elems for finding in found), ms))
    return sorted(rows, key=lambda row: (-(row.ms or 0.0), -row.mem_elems))


def _badness(finding: Finding) -> float:
    """How many times beyond the bound, whichever side is the wrong one."""
    low, high = sorted((abs(finding.measured), abs(finding.bound)))
    return high / low if low else inf


def lint_tables(lint: Lint, *, full: bool, width: int | None, notes: Sequence[str] = ()) -> list[Table]:
    """The findings, costliest first, and a summary per rule. `width`: of the terminal, to break sentences for; None leaves them whole."""
    asked = [code for code in lint.codes if lint.device or not code.startswith(DEVICE_RULES)]
    if not lint.findings:
        return [Table((), (), notes=[f"{lint.graph.name} breaks none of what was asked: {', '.join(asked)}", *notes])]
    shape = "x".join(map(str, lint.graph.input_shape))
    device = f"  {lint.device}" if lint.device else ""
    return [_finding_table(lint, f"{lint.graph.name}  input {shape}{device}", full, width), _summary_table(lint, asked, notes)]


def _finding_table(lint: Lint, title: str, full: bool, width: int | None) -> Table:
    rows = finding_rows(lint, full=full)
    cells = []
    for row in rows:
        found = [] if full else [str(row.found)]
        waste = waste_cells(Waste(row.found, row.mem_elems, row.ms), lint)
        cells.append([row.code, RULES[row.code].name, row.place, *found, _measured(row.worst), *waste])
    places = ("<op", "<measured") if full else ("<block", "found", "<worst")
    columns = ("<rule", "<name", *places, *waste_columns(lint))
    table = Table(columns, cells, title, optional=("<name", "share", *places[1:]))
    return with_sentences(table, "what is wrong, and what to do instead", [_sentence(row.worst) for row in rows], width)


def with_sentences(table: Table, header: str, sentences: Sequence[str], width: int | None) -> Table:
    """The table with a last column of sentences: whole without a `width`, else broken to fit a terminal as wide.

    For a terminal, optional columns are left out until the sentences have a readable share of the line, and a sentence that is the same as
    above is said once.
    """
    if width is None:
        rows = [[*cells, sentence] for cells, sentence in zip(table.rows, sentences, strict=True)]
        return replace(table, columns=(*table.columns, f"<{header}"), rows=rows, optional=())
    narrow = fitted(table, width - NARROWEST - GAP)
    if left_out := [name.removeprefix("<") for name in table.columns if name not in narrow.columns]:
        narrow = replace(narrow, notes=(*table.notes, f"left out for a terminal of {width} columns: {', '.join(left_out)}"))
    widest = [max(map(len, cells)) for cells in zip([name.removeprefix("<") for name in narrow.columns], *narrow.rows, strict=True)]
    room = max(NARROWEST, width - sum(widest) - GAP * len(widest))
    rows, above = [], ""
    for cells, sentence in zip(narrow.rows, sentences, strict=True):
        first, *more = ["as above"] if sentence == above else wrap(sentence, room, break_on_hyphens=False)
        rows += [[*cells, first], *([*([""] * len(cells)), line] for line in more)]
        above = sentence
    return replace(narrow, columns=(*narrow.columns, f"<{header}"), rows=rows, optional=())


def _sentence(finding: Finding) -> str:
    return f"{finding.message}. Instead: {finding.instead}"


def _measured(finding: Finding) -> str:
    """'3.24 > 1.2', or '3 < 4' where less is wrong."""
    sign = ">" if finding.measured > finding.bound else "<"
    return f"{finding.measured:.3g} {sign} {finding.bound:.3g}"


def waste_columns(lint: Lint) -> list[str]:
    """Headers of what is wasted."""
    return ["wasted", "share", *(["ms"] if lint.device else [])]


def waste_cells(waste: Waste, lint: Lint) -> list[str]:
    """What is wasted: elements, their share of the network's memory access, and milliseconds where a device is given."""
    share = format_share(waste.mem_elems / lint.mem_elems) if lint.mem_elems else "-"
    return [format_count(waste.mem_elems), share, *([f"{waste.ms:.3f}"] if waste.ms is not None else [])]


def _summary_table(lint: Lint, asked: Sequence[str], notes: Sequence[str]) -> Table:
    broken = [code for code in asked if lint.waste[code].findings]
    broken.sort(key=lambda code: (-(lint.waste[code].ms or 0.0), -lint.waste[code].mem_elems))
    rows = []
    for code in broken:
        waste, rule = lint.waste[code], RULES[code]
        rows.append([code, rule.name, rule.severity, str(waste.findings), *waste_cells(waste, lint)])
    total = lint.waste["total"]
    rows.append(["total", "", "", str(total.findings), *waste_cells(total, lint)])
    said = [f"wasted: elements accessed for nothing; share: of the network's {format_count(lint.mem_elems)}"]
    if sum(lint.waste[code].mem_elems for code in broken) > total.mem_elems:
        said.append("total: an op that rules of the same guideline blame counts once, by the larger waste")
    if kept := [code for code in asked if code not in broken]:
        said.append(f"not broken: {', '.join(kept)}")
    columns = ("<rule", "<name", "<severity", "findings", *waste_columns(lint))
    return Table(columns, rows, notes=[*said, *notes, severity_line(lint)], optional=("<severity", "<name"))


def severity_line(lint: Lint) -> str:
    """'68 findings: 66 warning, 2 info'."""
    counts = {severity: sum(finding.severity == severity for finding in lint.findings) for severity in reversed(SEVERITIES)}
    parts = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    return f"{len(lint.findings)} finding{'s' if len(lint.findings) != 1 else ''}: {parts}"
