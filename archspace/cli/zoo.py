"""`archspace zoo`: families, published members with their numbers, options of a family."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from archspace.analysis import Report, analyze
from archspace.cli.output import Table, emit, output_options
from archspace.zoo import MEMBERS, ZOO, build, resolve
from archspace.zoo.config import KIND_WORDS
from archspace.zoo.published import Published, published_rows

# What a row of published and counted numbers begins with.
NUMBER_COLUMNS = ("<member", "madds published", "counted", "diff", "params published", "counted", "diff")


@click.command("zoo")
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--check", "checks", is_flag=True, help="Hold every printed complexity against what is counted; exit code 1 if one is missed."
)
@output_options
def command(name: str | None, checks: bool, form: str, output: str | None, force: bool) -> int:
    """List families and published members with their published and counted numbers, or the options of one family.

    \b
    Example: archspace zoo shufflenet_v1
    """
    family = resolve(name)[0] if name else None
    if checks:
        return _check(family, form, output, force)
    members = member_records(family)
    if family is None:
        families = [{"family": key, "summary": value.summary, "members": len(value.members)} for key, value in ZOO.items()]
        emit(
            form,
            output,
            tables=lambda: [_family_table(), _member_table(members)],
            data=lambda: {"schema": 1, "families": families, "members": members},
            records=lambda: members,
            force=force,
        )
        return 0
    options = option_records(family)
    emit(
        form,
        output,
        tables=lambda: [_option_table(family, options), _member_table(members)],
        data=lambda: {"schema": 1, "family": family, "options": options, "members": members},
        records=lambda: options,
        force=force,
    )
    return 0


def _check(family: str | None, form: str, output: str | None, force: bool) -> int:
    records = check_records(family)
    missed = [record for record in records if record["verdict"] != "met"]
    emit(
        form,
        output,
        tables=lambda: [_check_table(records, missed)],
        data=lambda: {"schema": 1, "checks": records, "missed": len(missed)},
        records=lambda: records,
        force=force,
    )
    return 1 if missed else 0


def check_records(family: str | None = None) -> list[dict[str, Any]]:
    """Every printed complexity with what is counted, the differences, the tolerance and the verdict."""
    records = []
    for row in published_rows():
        if family in (None, MEMBERS[row.member][0]):
            record = _member_record(row.member, analyze(build(row.member)), row)
            met = row.madds_met(record["counted_madds_m"]), row.params_met(record["counted_params_m"])
            verdict = (
                "met" if all(met) else "missed: " + " and ".join(what for what, ok in zip(("madds", "params"), met, strict=True) if not ok)
            )
            records.append({**record, "tolerance_pct": row.tolerance_pct, "verdict": verdict, "note": row.note})
    return records


def member_records(family: str | None = None) -> list[dict[str, Any]]:
    """Every member with what was printed and what is counted, in millions; differences in percent of the printed number.

    A member that sources print differently has a record for each.
    """
    printed: dict[str, list[Published]] = {}
    for published in published_rows():
        printed.setdefault(published.member, []).append(published)
    records = []
    for member, (of_family, _) in MEMBERS.items():
        if family not in (None, of_family):
            continue
        report = analyze(build(member))
        records += [_member_record(member, report, row) for row in printed.get(member, [None])]
    return records


def _member_record(member: str, report: Report, row: Published | None) -> dict[str, Any]:
    madds_m = report.flops(row.convention if row else "paper") / 1e6
    params_m = report.totals.params / 1e6
    return {
        "member": member,
        "published_madds_m": row.madds_m if row else None,
        "counted_madds_m": round(madds_m, 2),
        "madds_difference_pct": _difference(madds_m, row.madds_m if row else None),
        "published_params_m": row.params_m if row else None,
        "counted_params_m": round(params_m, 3),
        "params_difference_pct": _difference(params_m, row.params_m if row else None),
        "convention": row.convention if row else "paper",
        "source": row.source if row else "",
    }


def option_records(family: str) -> list[dict[str, Any]]:
    """The options of a family: name, alias, kind, default and help."""
    return [
        {
            "option": knob.name,
            "alias": knob.metadata["alias"],
            "kind": KIND_WORDS[str(knob.type)],
            "default": list(knob.default) if isinstance(knob.default, tuple) else knob.default,
            "help": knob.metadata["help"],
        }
        for knob in fields(ZOO[family].config)
    ]


def _difference(counted: float, printed: float | None) -> float | None:
    return None if printed is None else round(100 * (counted / printed - 1), 2)


def _family_table() -> Table:
    rows = [[name, str(len(family.members)), family.summary] for name, family in ZOO.items()]
    return Table(("<family", "members", "<what it is"), rows, notes=["Options of a family: archspace zoo NAME"])


def _option_table(family: str, options: list[dict[str, Any]]) -> Table:
    rows = []
    for record in options:
        flags = f"--{record['option'].replace('_', '-')}" + (f", --{record['alias']}" if record["alias"] else "")
        default = record["default"]
        between = "x" if record["option"] == "input" else ","
        shown = between.join(map(str, default)) if isinstance(default, list) else "" if default is None else str(default)
        rows.append([flags, shown, record["kind"], record["help"]])
    return Table(("<option", "<default", "<value", "<what it sets"), rows, f"{family}: {ZOO[family].summary}", optional=("<value",))


def _member_table(members: list[dict[str, Any]]) -> Table:
    columns = (*NUMBER_COLUMNS, "<counts", "<source")
    rows = [[*_numbers(record), record["convention"], record["source"]] for record in members]
    return Table(columns, rows, optional=("<source", "<counts", "params published"))


def _check_table(records: list[dict[str, Any]], missed: list[dict[str, Any]]) -> Table:
    columns = (*NUMBER_COLUMNS, "tolerance", "<verdict", "<source", "<note")
    rows = [
        [*_numbers(record), f"{record['tolerance_pct']:g} %", record["verdict"], record["source"], record["note"]] for record in records
    ]
    notes = [f"{len(records) - len(missed)} of {len(records)} printed complexities are met"]
    return Table(columns, rows, notes=notes, optional=("<note", "<source"))


def _numbers(record: dict[str, Any]) -> list[str]:
    return [
        record["member"],
        _millions(record["published_madds_m"]),
        f"{record['counted_madds_m']:.1f}M",
        _percent(record["madds_difference_pct"]),
        _millions(record["published_params_m"]),
        f"{record['counted_params_m']:.2f}M",
        _percent(record["params_difference_pct"]),
    ]


def _millions(value: float | None) -> str:
    return "" if value is None else f"{value:g}M"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1f} %"
