"""The files that a search leaves in its directory: records, winners, the Pareto table and the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archspace.errors import LawError, MissingPackageError
from archspace.files import check_writable, make_folder, write_text
from archspace.ir.serde import save
from archspace.report.tables import records_frame
from archspace.results.report import study_report
from archspace.study import StudyResult

WINNER_FILES = ("config.json", "graph.json")
REPORT_FILE = "report.html"


def write_results(result: StudyResult, *, notes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Write everything that follows from a study's records, over what an earlier run of it wrote, and return the winners' rows.

    records.csv (every candidate), pareto.csv, report.html, winners/01/config.json and graph.json, ... `notes`: what else the report shall
    say of how far its numbers can be trusted. Raises FileError.
    """
    folder = result.directory
    frame = records_frame(record.to_dict() for record in result.records)
    write_text(folder / "records.csv", frame.to_csv(index=False), force=True)
    rows = _write_winners(result, folder / "winners")
    winners = records_frame(record.to_dict() for record in result.winners)
    write_text(folder / "pareto.csv", winners.to_csv(index=False), force=True)
    if any(record.metrics for record in result.records):
        study_report(result, folder / REPORT_FILE, notes=notes)
    else:
        (folder / REPORT_FILE).unlink(missing_ok=True)  # nothing to draw, and an older study's report would lie
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


def export_records(result: StudyResult, path: str | Path, *, force: bool = False) -> None:
    """Write every record of a study as a table: CSV, JSON or Parquet, by the ending of `path`.

    Raises FileError where the file is there already and `force` is not given, MissingPackageError for Parquet without pyarrow, LawError
    for another ending.
    """
    target = check_writable(path, force=force)
    frame = records_frame(record.to_dict() for record in result.records)
    if target.suffix == ".parquet":
        try:
            frame.to_parquet(target)
        except ImportError:
            raise MissingPackageError("pyarrow", "parquet") from None
    elif target.suffix == ".json":
        write_text(target, frame.to_json(orient="records", indent=2) + "\n", force=force)
    elif target.suffix == ".csv":
        write_text(target, frame.to_csv(index=False), force=force)
    else:
        raise LawError(f"records are exported to .csv, .json or .parquet, but got {target.name}")
