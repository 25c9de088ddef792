"""What tests of studies share."""

from __future__ import annotations

from pathlib import Path

import mischief
import pytest


@pytest.fixture(autouse=True)
def _mischief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the objectives of `mischief` note their calls: a folder beside the test's own."""
    folder = tmp_path.parent / f"{tmp_path.name}-mischief"
    folder.mkdir()
    monkeypatch.setenv(mischief.FOLDER, str(folder))
