"""What a search costs beside judging its candidates, against Optuna alone with a free objective: same sampler, same variables, interleaved.

    python studies/search/overhead.py [--trials 1000] [--rounds 3]

Both have two objectives and two constraints over the variables of spaces/shufflenet_v1.toml. Of the search's time, what goes into building
and measuring candidates is taken off and shown by itself; the rest is asking, telling, recognising, writing the journal.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from archspace.space import Space
from archspace.study import judging, search
from archspace.study.question import Question
from archspace.study.quiet import quiet_optuna
from archspace.study.samplers import asked_options

HERE = Path(__file__).parent
SPACE = Space.load(HERE.parents[1] / "spaces" / "shufflenet_v1.toml")
OBJECTIVES = {"stage_channels": "maximize", "mem_elems": "minimize"}
BOUNDS = {"madds": 140e6, "params": 3e6}
PLAIN: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
    "tpe": lambda: optuna.samplers.TPESampler(seed=0),
    "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=0),
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
}


def optuna_alone(sampler: str, trials: int) -> float:
    """Seconds that Optuna takes in memory with an objective that costs nothing."""
    question = Question(SPACE, OBJECTIVES, BOUNDS, sampler=sampler)
    rng = random.Random(0)
    with quiet_optuna():
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=PLAIN[sampler]())

        def objective(trial: optuna.Trial) -> tuple[float, float]:
            asked_options(question, trial)
            for i in range(2):
                trial.set_constraint(f"c{i}", rng.uniform(-1, 0.5))
            return rng.random(), rng.random()

        began = time.perf_counter()
        study.optimize(objective, n_trials=trials)
        return time.perf_counter() - began


@contextmanager
def timed_judging() -> Iterator[list[float]]:
    """Seconds spent on building and measuring candidates, one entry per call."""
    spent: list[float] = []
    build, measure = Space.build, judging.outcome_of

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args)
            finally:
                spent.append(time.perf_counter() - began)

        return inner

    Space.build, judging.outcome_of = timed(build), timed(measure)  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        Space.build, judging.outcome_of = build, measure  # type: ignore[method-assign]


def whole_search(sampler: str, trials: int, seed: int) -> tuple[float, float, int]:
    """Seconds of a search in all and for judging, and how many networks it built."""
    with tempfile.TemporaryDirectory() as folder, timed_judging() as spent:
        began = time.perf_counter()
        search(SPACE, directory=Path(folder) / "x", bounds=BOUNDS, objectives=OBJECTIVES, trials=trials, sampler=sampler, seed=seed)
        return time.perf_counter() - began, sum(spent), len(spent) // 2


def main() -> None:
    """Measure, print and write results/overhead.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for sampler in PLAIN:
        alone, beside, judging_ms = [], [], []
        for seed in range(args.rounds):
            alone.append(1e3 * optuna_alone(sampler, args.trials) / args.trials)
            total, judged, built = whole_search(sampler, args.trials, seed)
            beside.append(1e3 * (total - judged) / args.trials)
            judging_ms.append(1e3 * judged / built)
        ratio = statistics.median(b / a for a, b in zip(alone, beside, strict=True))
        rows.append(
            {
                "sampler": sampler,
                "trials": args.trials,
                "optuna_ms": round(statistics.median(alone), 3),
                "search_without_judging_ms": round(statistics.median(beside), 3),
                "ratio": round(ratio, 3),
                "judging_ms": round(statistics.median(judging_ms), 3),
            }
        )
        print(rows[-1], flush=True)
    with (HERE / "results" / "overhead.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
