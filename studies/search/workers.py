"""What a second worker gains where judging dominates: the same search of a zero-cost proxy with one process and with two, interleaved.

    python studies/search/workers.py [--trials 80] [--rounds 3]

Random sampling, so that nothing but judging takes time; the trials are the same, which is checked.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path

from archspace.analysis.pareto import Direction
from archspace.space import Space
from archspace.study import StudyResult, search

HERE = Path(__file__).parent
PROXIES = ("naswot", "synflow")


def timed(proxy: str, workers: int, trials: int, seed: int) -> tuple[float, StudyResult]:
    """Seconds of a search, its processes' start included, and what it found."""
    space = Space.load(HERE / "small.toml")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        aims: dict[str, Direction] = {proxy: "maximize", "madds": "minimize"}
        result = search(space, directory=Path(folder) / "x", objectives=aims, trials=trials, sampler="random", seed=seed, workers=workers)
        return time.perf_counter() - began, result


def main() -> None:
    """Measure, print and write results/workers.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for proxy in PROXIES:
        for seed in range(args.rounds):
            (one_s, one), (two_s, two) = (timed(proxy, workers, args.trials, seed) for workers in (1, 2))
            if one.records != two.records:
                raise SystemExit("one worker and two gave different trials")
            times = {"one_s": round(one_s, 2), "two_s": round(two_s, 2), "gain": round(one_s / two_s, 3)}
            rows.append({"proxy": proxy, "trials": args.trials, "seed": seed, **times})
            print(rows[-1], flush=True)
        print(f"{proxy}: median gain {statistics.median(row['gain'] for row in rows if row['proxy'] == proxy):.2f}")
    with (HERE / "results" / "workers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
