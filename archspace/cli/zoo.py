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


@click.command("zoo")
@click.argument("name", metavar="[NAME]", required=False)
@output_options
def command(name: str | None, form: str, output: str | None, force: bool) -> None:
    """List families and published members with their published and counted numbers, or the options of one family.

    \b
    Example: archspace zoo shufflenet_v1
    """
    family = resolve(name)[0] if name else None
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
        return
    options = option_records(family)
    emit(
        form,
        output,
        tables=lambda: [_option_table(family, options), _member_table(members)],
        data=lambda: {"schema": 1, "family": family, "options": options, "members": members},
        records=lambda: options,
        force=force,
    )


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
    columns = ("<member", "madds published", "counted", "diff", "params published", "counted", "diff", "<counts", "<source")
    rows = [
        [
            record["member"],
            _millions(record["published_madds_m"]),
            f"{record['counted_madds_m']:.1f}M",
            _percent(record["madds_difference_pct"]),
            _millions(record["published_params_m"]),
            f"{record['counted_params_m']:.2f}M",
            _percent(record["params_difference_pct"]),
            record["convention"],
            record["source"],
        ]
        for record in members
    ]
    return Table(columns, rows, optional=("<source", "<counts", "params published"))


def _millions(value: float | None) -> str:
    return "" if value is None else f"{value:g}M"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1f} %"
