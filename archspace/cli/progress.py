"""The progress bar of a search."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archspace.units import format_count

if TYPE_CHECKING:
    from archspace.study import Progress


@contextmanager
def search_bar(word: str) -> Iterator[Any]:
    """A bar on stderr with trials done, the feasible share, the best value so far, trials per second, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn(word), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        began: list[tuple[float, int]] = []

        def report(progress: Progress) -> None:
            began[:] = began or [(time.monotonic(), progress.done)]
            since, before = began[0]
            elapsed = time.monotonic() - since
            parts = [f"{100 * progress.feasible / progress.done:.0f} % feasible"] if progress.done else []
            parts += [f"best {format_count(progress.best)}"] if progress.best is not None else []
            parts += [f"{(progress.done - before) / elapsed:.3g} trials/s"] if elapsed > 0 and progress.done > before else []
            bar.update(task, completed=progress.done, total=progress.trials, description=", ".join(parts))

        yield report
