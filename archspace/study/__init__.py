"""Search: a design space, bounds and objectives in, a resumable study and its Pareto front out.

Names are imported when first asked for (PEP 562): the processes that judge candidates need neither Optuna nor a database.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from archspace.errors import MissingPackageError

if find_spec("optuna") is None:
    raise MissingPackageError("optuna", "search")

if TYPE_CHECKING:
    from archspace.study.progress import Progress, StudyResult
    from archspace.study.question import Question
    from archspace.study.reading import StoredStudy, read_study, stored_studies
    from archspace.study.records import Record
    from archspace.study.run import search
    from archspace.study.shared import work

__all__ = ["Progress", "Question", "Record", "StoredStudy", "StudyResult", "read_study", "search", "stored_studies", "work"]

_LAZY = {
    "Progress": "progress",
    "Question": "question",
    "Record": "records",
    "StoredStudy": "reading",
    "StudyResult": "progress",
    "read_study": "reading",
    "search": "run",
    "stored_studies": "reading",
    "work": "shared",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
