"""What a search costs beside judging its candidates, against Optuna alone with a free objective: same sampler, same variables, interleaved.

    python studies/search/overhead.py [--trials 1000] [--rounds 3]

Both have two objectives and two constraints over the variables of spaces/shufflenet_v1.toml. Of the search's time, what goes into judging
candidates (building, recognising, measuring) and into the journal, which the study in memory has none of, is shown by itself; `rest` is
asking, telling and all else, to be held against Optuna alone.
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
from archspace.study.store import Store

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
def stopwatch(owner: Any, name: str) -> Iterator[list[float]]:
    """Within it, every call of `owner.name` is timed: seconds, one entry per call."""
    spent: list[float] = []
    function: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            spent.append(time.perf_counter() - began)

    setattr(owner, name, timed)
    try:
        yield spent
    finally:
        setattr(owner, name, function)


def whole_search(sampler: str, trials: int, seed: int) -> dict[str, float]:
    """Milliseconds per trial of a search: in all, for judging (build, recognise, measure), for the journal; and per candidate."""
    with (
        tempfile.TemporaryDirectory() as folder,
        stopwatch(Space, "build") as building,
        stopwatch(judging, "graph_digest") as recognising,
        stopwatch(judging, "outcome_of") as measuring,
        stopwatch(Store, "append") as writing,
    ):
        began = time.perf_counter()
        search(SPACE, directory=Path(folder) / "x", bounds=BOUNDS, objectives=OBJECTIVES, trials=trials, sampler=sampler, seed=seed)
        total = time.perf_counter() - began
    per_candidate = sum(map(statistics.median, (building, recognising, measuring)))
    judged = sum(map(sum, (building, recognising, measuring)))
    return {
        "total": 1e3 * total / trials,
        "judging": 1e3 * judged / trials,
        "writing": 1e3 * sum(writing) / trials,
        "candidate": 1e3 * per_candidate,
    }


def main() -> None:
    """Measure, print and write results/overhead.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for sampler in PLAIN:
        alone, runs = [], []
        for seed in range(args.rounds):
            alone.append(1e3 * optuna_alone(sampler, args.trials) / args.trials)
            runs.append(whole_search(sampler, args.trials, seed))
        asking = [run["total"] - run["judging"] - run["writing"] for run in runs]
        figures = {
            "optuna_ms": statistics.median(alone),
            "search_ms": statistics.median(run["total"] for run in runs),
            "judging_ms": statistics.median(run["judging"] for run in runs),
            "journal_ms": statistics.median(run["writing"] for run in runs),
            "rest_ms": statistics.median(asking),
            "rest_to_optuna": statistics.median(mine / its for mine, its in zip(asking, alone, strict=True)),
            "candidate_ms": statistics.median(run["candidate"] for run in runs),
        }
        rows.append({"sampler": sampler, "trials": args.trials, **{name: round(value, 3) for name, value in figures.items()}})
        print(rows[-1], flush=True)
    with (HERE / "results" / "overhead.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
