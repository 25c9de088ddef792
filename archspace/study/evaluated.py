"""What was judged and is not told yet: kept on disk the moment it is finished, so that a killed search loses no slow evaluation.

Trials are told and stored in order; a candidate that is finished before an earlier one waits in this file. One JSON object per line; a
torn last line, which a kill or a full disk can leave, is cut off before more is added.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archspace.errors import StudyError
from archspace.files import what_is_at
from archspace.study.judging import Outcome
from archspace.study.records import json_options

FILE = "evaluated.jsonl"
PARTS = {"options": dict, "digest": str, "metrics": dict, "problem": str, "traceback": str}


class Evaluated:
    """The file of finished evaluations in a study's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()  # results come in on threads of the pool's

    def add(self, options: Mapping[str, Any], digest: str, outcome: Outcome) -> None:
        """Keep one outcome. Raises StudyError when it cannot be written."""
        parts = {
            "options": json_options(options),
            "digest": digest,
            "metrics": dict(outcome.metrics),
            "problem": outcome.problem,
            "traceback": outcome.traceback,
        }
        try:
            with self._lock, self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(parts) + "\n")
        except OSError as error:
            raise StudyError(cannot_be_written(self._path, error)) from None

    def found(self) -> Iterator[tuple[Mapping[str, Any], str, Outcome]]:
        """Options, digest and outcome of all that an earlier run left."""
        if what_is_at(self._path) != "file":
            return
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self._path.open("r+b") as file:
                file.truncate(whole)
        for line in data[:whole].splitlines():
            try:
                parts = json.loads(line)
            except ValueError:
                continue  # damaged: that candidate is judged again
            if isinstance(parts, dict) and all(isinstance(parts.get(key), kind) for key, kind in PARTS.items()):
                yield parts["options"], parts["digest"], Outcome(parts["metrics"], parts["problem"], parts["traceback"])

    def forget(self) -> None:
        """Drop the file."""
        self._path.unlink(missing_ok=True)


def cannot_be_written(path: Path, error: OSError) -> str:
    """The one line for a full disk and its like."""
    return f"{path}: cannot be written: {error.strerror}. What was written before stays; make room, then run the same command again."
