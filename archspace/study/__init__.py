"""Search: a design space, bounds and objectives in, a resumable study and its Pareto front out."""

from __future__ import annotations

from archspace.errors import MissingPackageError

try:
    import optuna  # noqa: F401
except ImportError:
    raise MissingPackageError("optuna", "search") from None

from archspace.study.progress import Progress, StudyResult
from archspace.study.question import Question
from archspace.study.records import Record
from archspace.study.run import search
from archspace.study.shared import work

__all__ = ["Progress", "Question", "Record", "StudyResult", "search", "work"]
