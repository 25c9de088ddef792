"""Run the six experiments of the ShuffleNet v2 paper and the controls, eager and with ONNX Runtime, and write results/.

One thread, batch 1, thread CPU time, freed memory kept; all rows of a column in the same interleaved rounds.

    python studies/guidelines/study.py [EXPERIMENT...]     # g1 g2 g3 g4 units resolutions controls; all by default
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import controls

from archspace.timing import EXPERIMENTS, ROUNDS, experiment, keep_pages
from archspace.timing.machine import device_name, slug

RESULTS = Path(__file__).parent / "results"
BACKENDS = ("eager", "onnxruntime")
CONTROLS = "controls"


def write(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Results under a name that carries the conditions."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{slug(device_name('cpu'))}-1thread-batch1-float32-{ROUNDS}rounds.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path.name}")


def verdicts(name: str) -> list[dict[str, Any]]:
    """Time an experiment, keep its rows, and return a line per backend: the verdict and each row's mean ratio."""
    outcome = experiment(name, backends=BACKENDS, full=True, rounds=ROUNDS, progress=told)
    write(name, outcome.records())
    return [
        {
            "experiment": name,
            "backend": one.backend,
            "verdict": one.here.word,
            "held": one.here.held,
            "tied": one.here.tied,
            "broken": one.here.broken,
            "per_madd_held": one.per_madd.held,
            "pairs": one.here.pairs,
            **{f"{platform}_held": tally.held for platform, tally in one.paper.items()},
            **{f"tau_{platform}": f"{tau:.2f}" for platform, tau in one.agreement.items() if tau is not None},
            "row": row,
            **{f"ratio_{place}": f"{means[row]:.3f}" for place, means in one.ratios.items()},
        }
        for one in outcome.verdicts
        for row in outcome.experiment.rows
    ]


def told(what: str, done: int, total: int) -> None:
    """Progress on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{100 * done // total:3d} % {what:60}", end="", file=sys.stderr)


def main(words: Sequence[str]) -> None:
    keep_pages()
    chosen = words or (*EXPERIMENTS, CONTROLS)
    summary = [line for name in chosen if name in EXPERIMENTS for line in verdicts(name)]
    if set(chosen) >= set(EXPERIMENTS):
        write("verdicts", summary)
    if CONTROLS in chosen:
        write(CONTROLS, controls.run(ROUNDS))


if __name__ == "__main__":
    main(sys.argv[1:])
