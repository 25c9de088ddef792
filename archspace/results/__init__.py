"""What a search leaves behind: its files and its page, its winners built, checked and timed, and what it found near a network."""

from __future__ import annotations

from archspace.errors import MissingPackageError

try:
    from archspace.results.files import export_records, write_results
    from archspace.results.improvement import Improvement, Variant, improve
    from archspace.results.report import study_report
    from archspace.results.verify_rows import Check, Verified
    from archspace.results.verifying import verify
except ModuleNotFoundError as error:
    raise MissingPackageError(error.name or "optuna", "search") from None

__all__ = ["Check", "Improvement", "Variant", "Verified", "export_records", "improve", "study_report", "verify", "write_results"]
