"""What a graph costs: rows, totals, conventions, structure, Pareto fronts."""

from __future__ import annotations

from archspace.analysis.conventions import CONVENTIONS
from archspace.analysis.report import DTYPE_BYTES, Report, Totals, analyze, total_counts

__all__ = ["CONVENTIONS", "DTYPE_BYTES", "Report", "Totals", "analyze", "total_counts"]
