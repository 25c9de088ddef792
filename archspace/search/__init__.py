"""Search: a design space, bounds and objectives in, a resumable study and its Pareto front out."""

from __future__ import annotations

from archspace.errors import MissingPackageError

try:
    import optuna  # noqa: F401
except ImportError:
    raise MissingPackageError("optuna", "search") from None

from archspace.search.question import Question
from archspace.search.records import Record
from archspace.search.study import Progress, StudyResult, search

__all__ = ["Progress", "Question", "Record", "StudyResult", "search"]
