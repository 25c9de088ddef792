"""The option that names a database, shared by the verbs that work on studies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
VARIABLE = "ARCHSPACE_STORAGE"


def storage_option(command: F) -> F:
    """--storage URL, or the environment's, which keeps a password out of the process list."""
    text = "An Optuna database: postgresql+psycopg://user:password@host/name, sqlite:///file.db."
    return click.option("--storage", metavar="URL", envvar=VARIABLE, show_envvar=True, help=text)(command)
