"""Random candidates of a space, built and measured, by one process or several; the same for a seed, however many there are."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any

from archspace.errors import LawError, ObjectiveError
from archspace.latency import Profile
from archspace.objectives import measure
from archspace.space import Space

CHUNK = 20  # candidates that a process is given at once
Progress = Callable[[int, int], None]  # done of how many


@dataclass(frozen=True, slots=True)
class Sample:
    """A random candidate. `metrics` is empty and `problem` says why where it cannot be built; `problem` beside metrics: one is missing."""

    options: Mapping[str, Any]
    metrics: Mapping[str, float]
    feasible: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured: `first` of every candidate, `then` of those within the bounds (metric -> most)."""

    first: tuple[str, ...]
    then: tuple[str, ...]
    bounds: Mapping[str, float]
    profile: Profile | None
    seed: int

    def of(self, space: Space, options: Mapping[str, Any]) -> Sample:
        """One candidate, built and measured."""
        try:
            graph = space.build(options)
            metrics = measure(graph, self.first, self.profile, self.seed)
        except LawError as error:
            return Sample(options, {}, False, str(error))
        feasible = all(metrics[name] <= most for name, most in self.bounds.items())
        try:
            more = measure(graph, self.then, self.profile, self.seed) if feasible else {}
        except (LawError, ObjectiveError) as error:
            return Sample(options, metrics, feasible, str(error))
        return Sample(options, metrics | more, feasible)


def draw(
    space: Space,
    asked: Asked,
    samples: int,
    *,
    most: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Sample, ...]:
    """`samples` random candidates; with `most`, as many as it takes for `samples` within the bounds, but at most so many."""
    drawn: list[Sample] = []
    hits = 0
    with _evaluation(space, asked, workers) as evaluate:
        for sample in evaluate(_candidates(space, asked.seed, most or samples)):
            drawn.append(sample)
            hits += sample.feasible or most is None
            if progress is not None:
                progress(hits, samples)
            if hits == samples:
                break
    return tuple(drawn)


def _candidates(space: Space, seed: int, count: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(seed)
    return (space.options(space.sample(rng)) for _ in range(count))


@contextmanager
def _evaluation(space: Space, asked: Asked, workers: int) -> Iterator[Callable[[Iterator[dict[str, Any]]], Iterator[Sample]]]:
    """How candidates become samples, in their order: here, or by processes that are gone afterwards."""
    if workers == 1:
        yield lambda candidates: (asked.of(space, options) for options in candidates)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield partial(_pooled, pool, space, asked, 2 * workers)
        finally:
            pool.shutdown(cancel_futures=True)


def _pooled(pool: ProcessPoolExecutor, space: Space, asked: Asked, ahead: int, candidates: Iterator[dict[str, Any]]) -> Iterator[Sample]:
    """Chunks are handed out a few ahead of the answers, so that little is done for nothing where the samples suffice."""
    waiting: list[Future[list[Sample]]] = []
    while True:
        while len(waiting) < ahead and (chunk := list(islice(candidates, CHUNK))):
            waiting.append(pool.submit(_evaluated, space, asked, chunk))
        if not waiting:
            return
        yield from waiting.pop(0).result()


def _evaluated(space: Space, asked: Asked, chunk: Sequence[Mapping[str, Any]]) -> list[Sample]:
    return [asked.of(space, options) for options in chunk]
