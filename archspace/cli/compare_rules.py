"""`archspace compare --rules`: which rules several networks break, where, and what that wastes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from archspace.cli.lint import Demand
from archspace.cli.output import Table, emit
from archspace.ir.graph import Graph
from archspace.rules import RULES, Lint, Waste
from archspace.rules.formats import around
from archspace.settings import load_settings
from archspace.units import format_count, format_share

TOTAL = "total"


def compare_rules(
    names: Sequence[str],
    graphs: Sequence[Graph],
    asked: tuple[str | None, str | None, str | None],
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Lint every network by what is `asked` (select, ignore, device) and write the findings side by side."""
    demand = Demand.read(*asked, load_settings())
    lints = [demand.of(graph) for graph in graphs]
    emit(
        form,
        output,
        tables=lambda: [rules_table(names, lints, [*demand.notes(), *_caveats(names, lints)])],
        data=lambda: {"schema": 1, "models": [_model_record(name, found) for name, found in zip(names, lints, strict=True)]},
        records=lambda: [record for name, found in zip(names, lints, strict=True) for record in waste_records(name, found)],
        force=force,
    )


def _caveats(names: Sequence[str], lints: Sequence[Lint]) -> list[str]:
    """What to know of the columns: information counts in the totals, and what each device's profile leaves open."""
    info = sorted({finding.code for found in lints for finding in found.findings if finding.severity == "info"})
    note = [f"{', '.join(info)}: information, which costs nothing where it is done well; in the totals all the same"] if info else []
    return note + _of_networks(names, lints)


def _of_networks(names: Sequence[str], lints: Sequence[Lint]) -> list[str]:
    return [f"{name}: {caveat}" for name, found in zip(names, lints, strict=True) for caveat in found.caveats]


def _model_record(name: str, found: Lint) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    for record in waste_records(name, found):
        values = {key: record[key] for key in ("findings", "wasted_mem_elems", "wasted_ms")}
        if record["stage"]:
            rules[record["rule"]]["stages"][record["stage"]] = values
        else:
            rules[record["rule"]] = values | ({} if record["rule"] == TOTAL else {"stages": {}})
    total = rules.pop(TOTAL)
    return {
        "model": name,
        "device": found.device,
        "mem_elems": found.mem_elems,
        "total": total,
        "rules": rules,
        "opaque": list(found.opaque),
    }


def waste_records(name: str, found: Lint) -> list[dict[str, Any]]:
    """One row for all rules, one per rule that was asked (stage '') and one per rule and stage where it is broken."""

    def record(rule: str, stage: str, waste: Waste) -> dict[str, Any]:
        values = asdict(waste)
        return {
            "model": name,
            "rule": rule,
            "stage": stage,
            "findings": values["findings"],
            "wasted_mem_elems": values["mem_elems"],
            "wasted_ms": values["ms"],
        }

    rows = [record(TOTAL, "", found.waste[TOTAL])]
    for code in found.codes:
        rows.append(record(code, "", found.waste[code]))
        rows += [record(code, stage, waste) for (rule, stage), waste in found.waste_by_stage.items() if rule == code and waste.findings]
    return rows


def rules_table(names: Sequence[str], lints: Sequence[Lint], notes: Sequence[str] = ()) -> Table:
    """Rules that a network breaks and, under each, the stages: per network how often, wasted elements and, with a device, ms."""
    wastes: list[tuple[str, list[Waste | None]]] = []
    for code in lints[0].codes:
        if not any(found.waste[code].findings for found in lints):
            continue
        wastes.append((f"{code} {RULES[code].name}", [found.waste[code] for found in lints]))
        for stage in merged([list(dict.fromkeys(stage for _, stage in found.waste_by_stage)) for found in lints]):
            there = [found.waste_by_stage.get((code, stage)) for found in lints]
            if any(waste and waste.findings for waste in there):
                wastes.append((f"  {stage}", there))
    wastes.append((TOTAL, [found.waste[TOTAL] for found in lints]))
    cells = [_aligned(column) for column in zip(*(there for _, there in wastes), strict=True)]
    rows = [[label, *row] for (label, _), row in zip(wastes, zip(*cells, strict=True), strict=True)]
    shares = [format_share(found.waste[TOTAL].mem_elems / found.mem_elems) if found.mem_elems else "-" for found in lints]
    rows.append(["of memory access", *shares])
    with_ms = ", milliseconds" if lints[0].device else ""
    said = [f"of each: findings, wasted elements of memory access{with_ms}", *notes]
    said += [f"{name}: {around(found)}" for name, found in zip(names, lints, strict=True) if found.opaque]
    broken = {code for found in lints for code in found.codes if found.waste[code].findings}
    if not broken:
        return Table((), (), notes=[f"{', '.join(names)} break none of the {len(lints[0].codes)} design rules", *said[1:]])
    return Table(("<rule", *names), rows, notes=said)


def merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """The names of all orders, each behind what stands before it.

    >>> merged([["stem", "stage2", "head"], ["stem", "stage1", "stage2", "stage3", "head"]])
    ['stem', 'stage1', 'stage2', 'stage3', 'head']
    """
    names: list[str] = []
    for order in orders:
        at = 0
        for name in order:
            if name not in names:
                names.insert(at, name)
            at = names.index(name) + 1
    return names


def _aligned(column: Sequence[Waste | None]) -> list[str]:
    """The numbers of a network's cells, each kind right-aligned; '-' where nothing is found."""
    parts = [
        [str(waste.findings), format_count(waste.mem_elems), *([f"{waste.ms:.3f}"] if waste.ms is not None else [])]
        if waste and waste.findings
        else []
        for waste in column
    ]
    widths = [max(map(len, kind)) for kind in zip(*filter(None, parts), strict=True)]
    return ["  ".join(part.rjust(width) for part, width in zip(cell, widths, strict=True)) if cell else "-" for cell in parts]
