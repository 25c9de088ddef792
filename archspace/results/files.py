"""The files that a search leaves in its directory: records, winners, the Pareto table and plot. It joins studies and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archspace.errors import MissingPackageError
from archspace.files import make_folder, write_text
from archspace.ir.serde import save

try:
    from archspace.report.figures import pareto_figure
    from archspace.report.html import write_figure
    from archspace.report.tables import options_text, records_frame
    from archspace.study import StudyResult
except ModuleNotFoundError as error:
    raise MissingPackageError(error.name or "optuna", "search") from None

WINNER_FILES = ("config.json", "graph.json")


def write_results(result: StudyResult) -> list[dict[str, Any]]:
    """Write everything that follows from a study's records, over what an earlier run of it wrote, and return the winners' rows.

    records.csv (every candidate), pareto.csv and pareto.html, winners/01/config.json and graph.json, ... Raises FileError.
    """
    folder = result.directory
    frame = records_frame(record.to_dict() for record in result.records)
    write_text(folder / "records.csv", frame.to_csv(index=False), force=True)
    rows = _write_winners(result, folder / "winners")
    winners = records_frame(record.to_dict() for record in result.winners)
    write_text(folder / "pareto.csv", winners.to_csv(index=False), force=True)
    if any(record.metrics for record in result.records):
        question = result.question
        title = f"{question}<br><sup>{result.feasible} of {len(result.records)} candidates within the budget</sup>"
        labels = [options_text(record.options, list(question.space.constants)) for record in result.records]
        front = [record.number for record in result.winners]
        write_figure(pareto_figure(frame, front, question.objectives, question.bounds, labels, title), folder / "pareto.html")
    else:
        (folder / "pareto.html").unlink(missing_ok=True)  # nothing to draw, and an older study's plot would lie
    return rows


def _write_winners(result: StudyResult, folder: Path) -> list[dict[str, Any]]:
    space = result.question.space
    rows = []
    for rank, record in enumerate(result.winners, start=1):
        place = make_folder(folder / f"{rank:02d}")
        write_text(place / "config.json", json.dumps({"family": space.family, **record.options}, indent=2) + "\n", force=True)
        save(space.build(record.options), place / "graph.json", force=True)
        rows.append({"rank": rank, **record.to_dict(), "graph": str(place / "graph.json")})
    for stale in sorted(folder.glob("[0-9]*")):
        if stale.name.isdigit() and int(stale.name) > len(rows):
            for name in WINNER_FILES:
                (stale / name).unlink(missing_ok=True)
            if not any(stale.iterdir()):
                stale.rmdir()
    return rows
