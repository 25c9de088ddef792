"""MODEL in Python: `path/to/net.py:Net`, `timm:NAME`, `torchvision:NAME`, imported on an input that only has a shape."""

from __future__ import annotations

import re
import warnings

import click

from archspace.errors import LawError, MissingPackageError
from archspace.ir.graph import Graph

PYTHON = re.compile(r"(timm|torchvision|.+\.py):(\w[\w.]*)")
DEFAULT_SIZE = "3x224x224"


def is_python(name: str) -> bool:
    """Whether a MODEL names Python code."""
    return PYTHON.fullmatch(name) is not None


def load_python(name: str, *, size: str | None, batch: int | None) -> Graph:
    """The graph of a Python MODEL on one float input. Says on stderr that code is run, and what of it is not known.

    Raises LawError, FileError, UnknownNameError, MissingPackageError.
    """
    shape = (batch or 1, *input_shape(size or DEFAULT_SIZE))
    try:
        from archspace.pytorch.importer.sources import from_source
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None
    if ".py:" in name:
        click.echo(f"running the code of {name.rpartition(':')[0]}", err=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = from_source(name, shape)
    for warning in caught:
        click.echo(f"warning: {warning.message}", err=True)
    return graph


def input_shape(size: str) -> tuple[int, ...]:
    """An input without its batch: '3x224x224' as it is, '224' and '480x640' with three channels. Raises LawError."""
    parts = size.lower().split("x")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise LawError(f"--input is a size in pixels, or a shape without its batch, but got {size!r}. Examples: 224, 480x640, 3x224x224")
    numbers = tuple([int(part) for part in parts])
    if len(numbers) == 1:
        return (3, *numbers * 2)
    return (3, *numbers) if len(numbers) == 2 else numbers
