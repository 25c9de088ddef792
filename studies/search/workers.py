"""What a second worker gains where judging dominates: the same search of a zero-cost proxy with one process and with two, interleaved.

    python studies/search/workers.py [--trials 24] [--rounds 3]

Random sampling, so that nothing but judging takes time; the trials are the same, which is checked.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path

from archspace.space import Space
from archspace.study import StudyResult, search

HERE = Path(__file__).parent
OBJECTIVES = {"naswot": "maximize", "madds": "minimize"}


def timed(workers: int, trials: int, seed: int) -> tuple[float, StudyResult]:
    """Seconds of a search, its processes' start included, and what it found."""
    space = Space.load(HERE / "small.toml")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = search(
            space, directory=Path(folder) / "x", objectives=OBJECTIVES, trials=trials, sampler="random", seed=seed, workers=workers
        )
        return time.perf_counter() - began, result


def main() -> None:
    """Measure, print and write results/workers.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for seed in range(args.rounds):
        (one_s, one), (two_s, two) = (timed(workers, args.trials, seed) for workers in (1, 2))
        if one.records != two.records:
            raise SystemExit("one worker and two gave different trials")
        times = {"one_s": round(one_s, 2), "two_s": round(two_s, 2), "gain": round(one_s / two_s, 3)}
        rows.append({"trials": args.trials, "seed": seed, **times})
        print(rows[-1], flush=True)
    print(f"median gain {statistics.median(row['gain'] for row in rows):.2f}")
    with (HERE / "results" / "workers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
