"""What a search leaves behind: its files, and its report as a page."""

from __future__ import annotations

from archspace.errors import MissingPackageError

try:
    from archspace.results.files import export_records, write_results
    from archspace.results.report import study_report
except ModuleNotFoundError as error:
    raise MissingPackageError(error.name or "optuna", "search") from None

__all__ = ["export_records", "study_report", "write_results"]
