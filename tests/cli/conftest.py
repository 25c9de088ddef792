"""Running the command line in-process, as a user would type it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from archspace.cli import main


class Ran(NamedTuple):
    """Exit code, stdout and stderr of one command."""

    code: int
    out: str
    err: str


@pytest.fixture
def archspace(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """A function from the words after `archspace` to what came of them."""

    def run(*words: str) -> Ran:
        capsys.readouterr()
        code = main(list(words))
        return Ran(code, *capsys.readouterr())

    return run
