"""How much of the true Pareto front a search finds: a space of 17,280 networks is enumerated, then searched, five seeds per sampler.

    python studies/search/hypervolume_reached.py [--trials 500] [--seeds 5]

Two questions over small.toml, both under 100 M multiply-adds: expected error against latency, and last stage's channels against memory
access. The share is of the hypervolume of all feasible candidates, up to the worst feasible values of the whole space.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import statistics
import tempfile
from pathlib import Path

from archspace.analysis.hypervolume import hypervolume
from archspace.analysis.pareto import MAXIMIZE
from archspace.errors import LawError
from archspace.latency import load_profile
from archspace.objectives import measure
from archspace.space import Space
from archspace.study import search
from archspace.study.samplers import domain_values, grid_size

HERE = Path(__file__).parent
SPACE = Space.load(HERE / "small.toml")
BOUNDS = {"madds": 100e6}
DEVICE = "sd810"
QUESTIONS = {
    "prior, latency_ms": {"prior": "minimize", "latency_ms": "minimize"},
    "stage_channels, mem_elems": {"stage_channels": "maximize", "mem_elems": "minimize"},
}
SAMPLERS = ("tpe", "nsga2", "random")


def enumerated() -> list[dict[str, float]]:
    """The metrics of every candidate of the space that can be built and meets the bounds."""
    device = load_profile(DEVICE)
    metrics = sorted({"madds", *itertools.chain.from_iterable(QUESTIONS.values())})
    variables = [variable for parameter in SPACE.parameters for variable in parameter.variables]
    found = []
    for values in itertools.product(*(domain_values(domain) for _, domain in variables)):
        options = SPACE.options({name: value for (name, _), value in zip(variables, values, strict=True)})
        try:
            row = measure(SPACE.build(options), metrics, device)
        except LawError:
            continue
        if all(row[name] <= most for name, most in BOUNDS.items()):
            found.append(row)
    return found


def main() -> None:
    """Enumerate, search, print, and write results/hypervolume.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    everything = enumerated()
    print(f"{grid_size(SPACE)} candidates, {len(everything)} feasible", flush=True)
    rows = []
    for question, objectives in QUESTIONS.items():
        directions = list(objectives.values())
        worst = [(min if objectives[name] == MAXIMIZE else max)(row[name] for row in everything) for name in objectives]
        true = hypervolume([[row[name] for name in objectives] for row in everything], directions, worst)
        for sampler in SAMPLERS:
            shares = []
            for seed in range(args.seeds):
                with tempfile.TemporaryDirectory() as folder:
                    result = search(
                        SPACE, directory=Path(folder) / "x", bounds=BOUNDS, objectives=objectives, device=DEVICE,
                        trials=args.trials, sampler=sampler, seed=seed,
                    )  # fmt: skip
                reached = [[record.metrics[name] for name in objectives] for record in result.records if record.feasible]
                shares.append(hypervolume(reached, directions, worst) / true)
            row = {"question": question, "sampler": sampler, "trials": args.trials, "seeds": args.seeds}
            figures = {"median": statistics.median(shares), "least": min(shares), "most": max(shares)}
            rows.append({**row, **{name: round(value, 4) for name, value in figures.items()}})
            print(rows[-1], flush=True)
    with (HERE / "results" / "hypervolume.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
