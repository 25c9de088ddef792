"""What tests of studies share: a folder for what objectives note, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import mischief
import pytest
from postgres import Server, running_server


@pytest.fixture(autouse=True)
def _mischief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the objectives of `mischief` note their calls: a folder beside the test's own."""
    folder = tmp_path.parent / f"{tmp_path.name}-mischief"
    folder.mkdir()
    monkeypatch.setenv(mischief.FOLDER, str(folder))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One for all tests of this process."""
    with running_server() as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"t{uuid4().hex[:12]}"
    yield server.make_database(name)
    server.drop_database(name)
