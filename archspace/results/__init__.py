"""What a search leaves behind: its files, its report as a page, its winners built, checked and timed."""

from __future__ import annotations

from archspace.errors import MissingPackageError

try:
    from archspace.results.files import export_records, write_results
    from archspace.results.report import study_report
    from archspace.results.verify_rows import Check, Verified
    from archspace.results.verifying import verify
except ModuleNotFoundError as error:
    raise MissingPackageError(error.name or "optuna", "search") from None

__all__ = ["Check", "Verified", "export_records", "study_report", "verify", "write_results"]
