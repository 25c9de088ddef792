"""`archspace zoo`: families, published members with their numbers, options of a family."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from archspace.analysis import Report, analyze
from archspace.cli.output import Table, emit, output_options
from archspace.zoo import MEMBERS, ZOO, build, resolve
from archspace.zoo.config import KIND_WORDS
from archspace.zoo.published import Published, published_by_member, published_rows, verdict

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

    Sources that print a member differently have a row each. The check passes where a count is within the tolerance (1 % where the source
    specifies the network fully, 5 % where it does not) or another source contradicts the print.

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
            tables=lambda: [_family_table(), _member_table(_first_of_each(members))],
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
    missed = [record for record in records if record["verdict"].startswith("missed")]
    emit(
        form,
        output,
        tables=lambda: [_check_table(records)],
        data=lambda: {"schema": 1, "checks": records, "missed": len(missed)},
        records=lambda: records,
        force=force,
    )
    return 1 if missed else 0


def check_records(family: str | None = None) -> list[dict[str, Any]]:
    """Every printed complexity with what is counted, the differences, the tolerance and the verdict."""
    printed, reports = published_by_member(), _reports(family)
    records = []
    for row in published_rows():
        if row.is_complexity and row.member in reports:
            report = reports[row.member]
            said = verdict(row, report.flops(row.convention) / 1e6, report.totals.params / 1e6, printed[row.member])
            records.append(
                {**_member_record(row.member, report, row), "tolerance_pct": row.tolerance_pct, "verdict": said, "note": row.note}
            )
    return records


def member_records(family: str | None = None) -> list[dict[str, Any]]:
    """Every member with what was printed and what is counted, in millions; differences in percent of the printed number.

    A member that several sources print has a record for each.
    """
    printed = published_by_member()
    return [_member_record(member, report, row) for member, report in _reports(family).items() for row in printed.get(member, (None,))]


def _reports(family: str | None) -> dict[str, Report]:
    """The analysis of every member, or of a family's."""
    return {member: analyze(build(member)) for member, (of_family, _) in MEMBERS.items() if family in (None, of_family)}


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
        "top1_err_pct": row.top1_err_pct if row else None,
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
    return Table(
        ("<family", "members", "<what it is"),
        rows,
        notes=["Options of a family, and what every source prints of its members: archspace zoo NAME"],
    )


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
    columns = (*NUMBER_COLUMNS, "top-1 err", "<counts", "<source")
    rows = [[*_numbers(record), _number(record["top1_err_pct"], " %"), record["convention"], record["source"]] for record in members]
    return Table(columns, rows, optional=("<source", "<counts", "top-1 err", "params published"))


def _first_of_each(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record per member: the first that prints a complexity, else the first."""
    first: dict[str, dict[str, Any]] = {}
    for record in members:
        known = first.setdefault(record["member"], record)
        if known["published_madds_m"] is None and record["published_madds_m"] is not None:
            first[record["member"]] = record
    return list(first.values())


def _check_table(records: list[dict[str, Any]]) -> Table:
    columns = (*NUMBER_COLUMNS, "<counts", "tolerance", "<verdict", "<source")
    footnotes = list(dict.fromkeys(record["note"] for record in records if record["note"]))
    rows = []
    for record in records:
        mark = f" [{footnotes.index(record['note']) + 1}]" if record["note"] else ""
        rows.append([*_numbers(record), record["convention"], f"{record['tolerance_pct']:g} %{mark}", record["verdict"], record["source"]])
    verdicts = [record["verdict"].partition(":")[0] for record in records]
    notes = [f"[{number}] {note}" for number, note in enumerate(footnotes, start=1)]
    notes.append(f"{verdicts.count('met')} of {len(records)} printed complexities are met")
    if contradicted := verdicts.count("sources contradict"):
        notes.append(f"{contradicted} are beyond the tolerance where another source prints another number for the same network")
    if missed := verdicts.count("missed"):
        notes.append(f"{missed} are missed")
    return Table(columns, rows, notes=notes, optional=("<source", "<counts"))


def _numbers(record: dict[str, Any]) -> list[str]:
    return [
        record["member"],
        _number(record["published_madds_m"], "M"),
        f"{record['counted_madds_m']:.1f}M",
        _percent(record["madds_difference_pct"]),
        _number(record["published_params_m"], "M"),
        f"{record['counted_params_m']:.2f}M",
        _percent(record["params_difference_pct"]),
    ]


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.10g}{unit}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1f} %"
