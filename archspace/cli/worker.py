"""`archspace worker`: join a study that a search on some machine has begun."""

from __future__ import annotations

import sys

import click

from archspace.cli.progress import search_bar
from archspace.cli.storage import storage_option
from archspace.errors import LawError


@click.command("worker")
@storage_option
@click.option("--study", metavar="NAME", required=True, help="The study's name, as the search printed it.")
def command(storage: str | None, study: str) -> int:
    """Work on a study in a database that other machines share, until it is done.

    The study's space, budget, device profile and seed are in the database: a worker needs no files, but for a python: objective's own
    module. It may be stopped or killed at any moment; another worker takes over the candidate that it had at hand.

    \b
    Example: archspace worker --storage postgresql+psycopg://me@db/studies --study NAME
    """
    if storage is None:
        raise LawError("a worker needs the database that the study is in, but got none. Add --storage URL.")

    from archspace.study import work

    try:
        with search_bar("worker") as report:
            finished = work(storage, study, report=report, say=lambda text: click.echo(text, err=True))
    except KeyboardInterrupt:
        click.echo("stopped; the candidate at hand is queued for another worker", err=True)
        sys.exit(130)
    click.echo(f"study {study} is done; this worker finished {finished} trials", err=True)
    return 0
