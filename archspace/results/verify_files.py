"""What verifying leaves: a folder per candidate with its config, graph, code and report; and what an earlier run left there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from archspace.errors import ArchspaceError
from archspace.files import make_folder, read_json, what_is_at, write_text
from archspace.ir.graph import Graph
from archspace.ir.serde import save
from archspace.latency import Profile
from archspace.results.verify_report import report_text
from archspace.results.verify_rows import Check, Time, Verified
from archspace.study import Question
from archspace.study.question import digest_of
from archspace.version import VERSION

FOLDER = "verified"
CONFIG, GRAPH, CODE, REPORT = "config.json", "graph.json", "network.py", "report.md"
OWN_FILES = (CONFIG, GRAPH, CODE, "shift.py", REPORT)  # shift.py: what network.py imports where it shifts
FORMAT = 1


def folder_of(directory: Path, number: int) -> Path:
    """The folder of a study's n-th best candidate by the search, which is winners/n for those on the front."""
    return directory / FOLDER / f"{number:02d}"


def write_network(place: Path, graph: Graph) -> None:
    """Write the graph and its code. Raises FileError, LawError as `to_module` does."""
    from archspace.pytorch import code_files

    make_folder(place)
    save(graph, place / GRAPH, force=True)
    files = code_files(graph)
    write_text(place / CODE, files["model.py"], force=True)
    if "shift.py" in files:
        write_text(place / "shift.py", files["shift.py"], force=True)
    else:
        (place / "shift.py").unlink(missing_ok=True)


def write_verified(found: Verified, graph: Graph | None, question: Question, profile: Profile | None) -> None:
    """Write what is known of a candidate into its folder, over an older one. Raises FileError."""
    place = make_folder(found.folder)
    write_text(place / CONFIG, json.dumps(_config(found, question), indent=2) + "\n", force=True)
    if graph is None:
        for name in (GRAPH, CODE, "shift.py", REPORT):
            (place / name).unlink(missing_ok=True)
    else:
        write_text(place / REPORT, report_text(found, graph, question, profile), force=True)


def _config(found: Verified, question: Question) -> dict[str, Any]:
    """config.json: a MODEL for every verb, by its family and options, and everything that is known of it."""
    asked = question.to_dict()
    return {
        "archspace_verified": FORMAT,
        "version": VERSION,
        "family": question.space.family,
        "options": dict(found.options),
        "digest": found.digest,
        "metrics": dict(found.metrics),
        "space": question.space.name,
        "space_id": asked["space_id"],
        "study_id": digest_of(asked),
        "seed": question.seed,
        "device": question.device,
        "device_id": question.device_id(),
        "predicted_ms": found.predicted_ms,
        "measured_ms": found.timed.measured_ms if found.timed else None,
        "noise_pct": found.timed.noise_pct if found.timed else None,
        "timed": asdict(found.timed) if found.timed else None,
        "exceeded": dict(found.exceeded),
        "checks": [asdict(check) for check in found.checks],
        "problem": found.problem,
        "ok": found.ok,
    }


def known(directory: Path, question: Question) -> dict[str, dict[str, Any]]:
    """What an earlier run verified of the same question with the same version: digest -> config.json. Damaged files are as none."""
    study_id = digest_of(question.to_dict())
    found = {}
    for place in _folders(directory):
        try:
            data = read_json(place / CONFIG)
        except ArchspaceError:
            continue
        is_ours = isinstance(data, dict) and data.get("archspace_verified") == FORMAT and data.get("version") == VERSION
        if is_ours and data.get("study_id") == study_id and isinstance(data.get("digest"), str) and data["digest"]:
            found[data["digest"]] = data
    return found


def checks_of(data: Mapping[str, Any]) -> tuple[Check, ...]:
    """The checks in a config.json."""
    return tuple(Check(**row) for row in data["checks"])


def time_of(data: Mapping[str, Any]) -> Time | None:
    """The time in a config.json."""
    return Time(**data["timed"]) if data["timed"] else None


def forget(directory: Path, kept: int = 0) -> None:
    """Delete what was verified but for the first `kept` candidates; files that are not ours stay."""
    for place in _folders(directory):
        if int(place.name) > kept:
            for name in OWN_FILES:
                (place / name).unlink(missing_ok=True)
            _drop_if_empty(place)
    if what_is_at(directory / FOLDER) == "folder":
        _drop_if_empty(directory / FOLDER)


def _drop_if_empty(place: Path) -> None:
    if not any(place.iterdir()):
        place.rmdir()


def _folders(directory: Path) -> Iterator[Path]:
    if what_is_at(directory / FOLDER) == "folder":
        yield from sorted(place for place in (directory / FOLDER).iterdir() if place.name.isdigit() and place.is_dir())
