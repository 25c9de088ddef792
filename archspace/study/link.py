"""A link to a database that may be away for a while: steps in it are tried again until it is back."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from archspace.errors import StudyError
from archspace.study.address import without_password

AWAY = (SQLAlchemyError, StorageInternalError)  # what a step raises when the database does not answer
OUTAGE_SECONDS = 600.0  # how long a worker waits for a database that is away
PAUSES_S = (0.5, 1.0, 2.0, 5.0)  # between attempts; the last one again and again
T = TypeVar("T")


class Link:
    """Waits for the database at `url` for at most `outage_s` at a time, and says so."""

    def __init__(self, url: str, outage_s: float, say: Callable[[str], None]) -> None:
        self._url, self._outage_s, self._say = url, outage_s, say
        self._failed_at = monotonic()  # unknown before: it may just have come back

    @property
    def steady_s(self) -> float:
        """For how long no step failed, as far as this process knows."""
        return monotonic() - self._failed_at

    def note(self, error: Exception) -> None:
        """A step failed elsewhere in this process."""
        self._failed_at = monotonic()

    def patient(self, step: Callable[[], T]) -> T:
        """The result of a step, tried again while the database is away. Raises StudyError when it stays away."""
        began = monotonic()
        attempt = 0
        while True:
            try:
                result = step()
            except AWAY as error:
                self.note(error)
                away_s = monotonic() - began
                if away_s > self._outage_s:
                    raise StudyError(f"the database has been away for {away_s:.0f} s: {self._reason(error)}") from None
                if attempt == 0:
                    self._say(f"the database does not answer ({self._reason(error)}); waiting for it")
                sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
                attempt += 1
            else:
                if attempt:
                    self._say("the database answers again")
                return result

    def _reason(self, error: Exception) -> str:
        cause = error.__cause__ or error
        return without_password(str(cause), self._url) or type(cause).__name__
