"""What was judged and is not told yet: kept on disk the moment it is finished, so that a killed search loses no slow evaluation.

Trials are told and stored in order; a candidate that is finished before an earlier one waits in this file. One JSON object per line; a
torn last line, which a kill can leave, is passed over.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archspace.files import what_is_at
from archspace.study.judging import Outcome
from archspace.study.records import Record, json_options

FILE = "evaluated.jsonl"


class Evaluated:
    """The file of finished evaluations in a study's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()  # results come in on a thread of the pool's

    def add(self, options: Mapping[str, Any], digest: str, outcome: Outcome) -> None:
        """Keep one outcome."""
        parts = {"options": json_options(options), "digest": digest, "metrics": dict(outcome.metrics), "problem": outcome.problem}
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(parts) + "\n")

    def records(self) -> Iterator[Record]:
        """What an earlier run left."""
        if what_is_at(self._path) != "file":
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                parts = json.loads(line)
            except json.JSONDecodeError:
                continue  # torn: it is judged again
            yield Record(-1, parts["options"], parts["metrics"], False, parts["problem"], parts["digest"])

    def forget(self) -> None:
        """Drop the file."""
        self._path.unlink(missing_ok=True)
