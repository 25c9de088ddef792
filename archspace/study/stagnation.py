"""When a search stops early: its front's hypervolume has not grown for so many trials."""

from __future__ import annotations

from collections.abc import Sequence

from archspace.analysis.hypervolume import hypervolume
from archspace.analysis.pareto import MAXIMIZE, Direction, pareto_front

GROWTH = 1e-3  # a front whose hypervolume grew by less than this share stands still


class Stagnation:
    """Watches the feasible candidates of a study, trial by trial.

    The hypervolume is taken up to the worst values of all feasible candidates so far, so that it needs no reference point from outside;
    growth is judged by one such reference for the front of now and of then. Without a patience it never stalls.
    """

    def __init__(self, directions: Sequence[Direction], patience: int | None) -> None:
        self._directions = list(directions)
        self._signs = [1.0 if direction == MAXIMIZE else -1.0 for direction in directions]
        self._patience = patience
        self._worst: list[float] = []
        self._front: list[tuple[float, ...]] = []
        self._front_then: list[tuple[float, ...]] = []
        self._grown_at = 0
        self._trials = 0
        self.stalled_at: int | None = None  # the trial after which the front was first taken to stand still; it stays so

    def add(self, values: Sequence[float] | None) -> None:
        """One more trial: its objective values, or None where it is not feasible."""
        self._trials += 1
        if self._patience is None:
            return
        if values is not None:
            self._take(values)
        if self.stalled_at is None and self._front and self._trials - self._grown_at >= self._patience:
            self.stalled_at = self._trials

    @property
    def has_stalled(self) -> bool:
        """Whether as many trials as the patience passed without growth; never before there is a feasible candidate."""
        return self.stalled_at is not None

    def _take(self, values: Sequence[float]) -> None:
        pick = [min if direction == MAXIMIZE else max for direction in self._directions]
        self._worst = [worse(a, b) for worse, a, b in zip(pick, self._worst or values, values, strict=True)]
        signs = self._signs
        new = tuple(values)
        if any(all(sign * a >= sign * b for sign, a, b in zip(signs, old, new, strict=True)) for old in self._front):
            return
        rows = [*self._front, new]
        front = [rows[i] for i in pareto_front(rows, self._directions)]
        self._front = front
        if not self._front_then or self._volume(front) > (1 + GROWTH) * self._volume(self._front_then):
            self._front_then, self._grown_at = front, self._trials

    def _volume(self, front: list[tuple[float, ...]]) -> float:
        return hypervolume(front, self._directions, self._worst)
