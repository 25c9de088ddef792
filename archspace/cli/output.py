"""How results leave the command line: as a table for people, as JSON or as CSV, to stdout or to a file."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any, TypeVar

import click

from archspace.files import write_text

F = TypeVar("F", bound=Callable[..., Any])
NO_LIMIT = 10_000  # columns: a number that is cut or broken is worse than a long line


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people. Columns whose header starts with '<' are words (left), the others numbers (right)."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    notes: Sequence[str] = ()
    optional: Sequence[str] = ()  # columns that a narrow terminal goes without, the first ones first
    about: Mapping[str, str] = field(default_factory=dict)  # what a column is: a note that goes where the column goes

    @property
    def footer(self) -> list[str]:
        """What is said of the columns that there are, and the notes."""
        return [*(text for column, text in self.about.items() if column in self.columns), *self.notes]


def output_options(command: F) -> F:
    """The options that every verb with data output has: --format, -o, --force."""
    command = click.option("--force", is_flag=True, help="Overwrite the output file.")(command)
    command = click.option("-o", "--output", type=click.Path(), help="Write to this file instead of stdout.")(command)
    formats = click.Choice(["table", "json", "csv"])
    return click.option("--format", "form", type=formats, default="table", show_default=True, help="Output format.")(command)


def emit(
    form: str,
    output: str | None,
    *,
    tables: Callable[[], Sequence[Table]],
    data: Callable[[], Any],
    records: Callable[[], Sequence[Mapping[str, Any]]],
    force: bool = False,
) -> None:
    """Write one result in the form asked for: `tables` for people, `data` as JSON, `records` as CSV lines."""
    if form == "json":
        text = json.dumps(data(), indent=2) + "\n"
    elif form == "csv":
        text = csv_text(records())
    else:
        text = table_text(tables(), to_terminal=output is None and sys.stdout.isatty())
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(Path(output), text, force=force)
        click.echo(f"wrote {output}", err=True)


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """CSV with a header line; lists become words with 'x' between (1x3x224x224)."""
    buffer = io.StringIO()
    if records:
        names = dict.fromkeys(name for record in records for name in record)
        writer = csv.DictWriter(buffer, fieldnames=list(names), lineterminator="\n")
        writer.writeheader()
        for record in records:
            writer.writerow({key: "x".join(map(str, value)) if isinstance(value, list | tuple) else value for key, value in record.items()})
    return buffer.getvalue()


def fitted(table: Table, width: int) -> Table:
    """The table without as many of its optional columns as it takes to fit `width` characters, and a note that says so.

    >>> fitted(Table(("<name", "a", "b"), [["x", "1", "2"]], optional=("a", "b")), 10).columns
    ('<name', 'b')
    """
    left_out: list[str] = []
    for name in table.optional:
        if _width(table) <= width:
            break
        place = list(table.columns).index(name)
        columns = tuple(column for i, column in enumerate(table.columns) if i != place)
        rows = [[cell for i, cell in enumerate(row) if i != place] for row in table.rows]
        table = replace(table, columns=columns, rows=rows)
        left_out.append(name)
    if not left_out:
        return table
    note = f"left out for a terminal of {width} columns: {', '.join(name.lstrip('<') for name in left_out)}"
    return replace(table, notes=(*table.notes, note))


def broken(note: str, width: int) -> list[str]:
    """A note in as many lines as it takes for `width` columns; words, paths among them, stay whole.

    >>> broken("noise floor 0.5 %", 12)
    ['noise floor', '  0.5 %']
    """
    if len(note) <= width:
        return [note]
    return wrap(note, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _width(table: Table) -> int:
    """How wide the table is printed: its widest cells, three characters apart."""
    cells = [[column.removeprefix("<") for column in table.columns], *table.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    return sum(widths) + 3 * max(0, len(widths) - 1)


def table_text(tables: Sequence[Table], *, to_terminal: bool) -> str:
    """The tables as text, in colour where they go to a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=to_terminal, width=NO_LIMIT, highlight=False)
    for table in tables:
        if to_terminal:
            table = fitted(table, get_terminal_size().columns)
        if table.title:
            console.print(Text(table.title, style="bold"), soft_wrap=True)
        rich_table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
        for column in table.columns:
            words = column.startswith("<")
            rich_table.add_column(Text(column.removeprefix("<")), justify="left" if words else "right", no_wrap=True)
        for row in table.rows:
            rich_table.add_row(*map(Text, row))
        if table.columns:
            console.print(rich_table, soft_wrap=True)
        for note in table.footer:
            for line in broken(note, get_terminal_size().columns) if to_terminal else [note]:
                console.print(Text(line), soft_wrap=True)
        console.print()
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "\n".join(lines).rstrip("\n") + "\n"
