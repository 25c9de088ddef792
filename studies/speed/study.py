"""How fast is archspace beside its peers? Whole processes, warm calls, and search candidates, interleaved in one run.

python studies/speed/study.py      # needs fvcore, torchinfo, ptflops and optuna; writes results/; a few minutes
"""

from __future__ import annotations

import csv
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import optuna

import archspace
from archspace.analysis.reuse import reuse_matrix
from archspace.latency import load_profile
from archspace.pytorch import to_module, tool_flops
from archspace.space import Space
from archspace.study import Question, search
from archspace.study.records import evaluate
from archspace.zoo import MEMBERS, build

ROUNDS = 5
TRIALS = 200
CANDIDATES = 200
PEERS = ("fvcore", "torchinfo", "ptflops")
SHAPE = (1, 3, 224, 224)
SPACE = Path(__file__).parents[2] / "spaces" / "shufflenet_v1.toml"
RESULTS = Path(__file__).parent / "results" / f"speed-{platform.machine()}-{os.cpu_count()}cores-{ROUNDS}rounds.csv"

# A peer needs a torch module; every one is given the same, built without archspace's command line.
PEER_PROCESS = """
from archspace.pytorch import to_module, tool_flops
from archspace.zoo import build
print(tool_flops({peer!r}, to_module(build("shufflenet_v1", groups=8)).eval(), {shape}))
"""
PROCESSES = {
    "python alone": [sys.executable, "-c", "pass"],
    "archspace analyze shufflenet_v1 --g 8": [sys.executable, "-m", "archspace", "analyze", "shufflenet_v1", "--g", "8"],
    "archspace lint shufflenet_v1 --g 8": [sys.executable, "-m", "archspace", "lint", "shufflenet_v1", "--g", "8", "--fail-on", "never"],
    **{f"{peer} on the same network": [sys.executable, "-c", PEER_PROCESS.format(peer=peer, shape=SHAPE)] for peer in PEERS},
}

Row = tuple[str, str, float, str]


def milliseconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def interleaved(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median time of each, in ms; every round runs all of them, so that noise meets them alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(milliseconds(work))
    return {name: median(values) for name, values in times.items()}


def cold() -> list[Row]:
    """Whole processes, imports included."""
    works = {name: lambda command=command: subprocess.run(command, check=True, capture_output=True) for name, command in PROCESSES.items()}
    return [("whole process", name, ms, "ms") for name, ms in interleaved(works, ROUNDS).items()]


def warm() -> list[Row]:
    """Calls in a process that has done each once."""
    module = to_module(build("shufflenet_v1", groups=8)).eval()
    works: dict[str, Callable[[], object]] = {"archspace: build and analyze": lambda: archspace.analyze(build("shufflenet_v1", groups=8))}
    works |= {f"{peer}, module built before": lambda peer=peer: tool_flops(peer, module, SHAPE) for peer in PEERS}
    interleaved(works, 1)
    return [("warm call", name, ms, "ms") for name, ms in interleaved(works, ROUNDS).items()]


def structures() -> list[Row]:
    """What is asked of large networks and of the whole zoo, in a process that has done each once."""
    nasnet, deepest = build("nasnet_a_mobile"), build("se_shufflenet_v2_164")
    condensed = build("condensenet_g4")
    works: dict[str, Callable[[], object]] = {
        "build and analyze, all members of the zoo": lambda: [archspace.analyze(build(member)) for member in MEMBERS],
        "build and analyze, nasnet_a_mobile": lambda: archspace.analyze(build("nasnet_a_mobile")),
        "lint on gtx1080ti, nasnet_a_mobile": lambda: archspace.lint(nasnet, device="gtx1080ti"),
        "lint on gtx1080ti, se_shufflenet_v2_164": lambda: archspace.lint(deepest, device="gtx1080ti"),
        "lint on gtx1080ti, condensenet_g4": lambda: archspace.lint(condensed, device="gtx1080ti"),
        "reuse matrix, se_shufflenet_v2_164": lambda: reuse_matrix(deepest),
    }
    interleaved(works, 1)
    return [("structure", name, ms, "ms") for name, ms in interleaved(works, ROUNDS).items()]


def candidates() -> list[Row]:
    """One search candidate: options to a record, with counts and latency, over random members of the space."""
    space = Space.load(SPACE)
    question = Question(space, {"stage_channels": "maximize", "latency_ms": "minimize"}, {"madds": 140e6}, device="sd810")
    device = load_profile("sd810")
    rng = random.Random(0)
    times = [milliseconds(lambda: evaluate(question, device, space.options(space.sample(rng)), 0)) for _ in range(CANDIDATES)]
    return [("search candidate", "archspace: build, counts, latency", median(times), "ms")]


def free_objective(sampler: Callable[[int], optuna.samplers.BaseSampler]) -> None:
    """Optuna alone: the parameters, objectives and constraint of the real search, and nothing to compute."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler(0))
    for _ in range(TRIALS):
        trial = study.ask()
        groups = trial.suggest_categorical("groups", [1, 2, 3, 4, 8])
        width = trial.suggest_float("width", 0.25, 2.0, step=0.05)
        repeats = [trial.suggest_int(f"repeats.{i}", low, high) for i, (low, high) in enumerate([(2, 6), (4, 12), (2, 6)])]
        trial.set_constraint("madds", width * sum(repeats) / 16 - 1)
        study.tell(trial, [width * groups, width * sum(repeats)])


def real_search(sampler: str) -> None:
    """The real thing, journal file included."""
    with tempfile.TemporaryDirectory() as folder:
        objectives = {"stage_channels": "maximize", "latency_ms": "minimize"}
        search(
            SPACE,
            directory=Path(folder) / "study",
            bounds={"madds": 140e6},
            objectives=objectives,
            device="sd810",
            trials=TRIALS,
            sampler=sampler,
        )


def searches() -> list[Row]:
    """Trials per second of Optuna alone and of a search, by sampler."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = []
    for name, sampler in {"tpe": optuna.samplers.TPESampler, "nsga2": optuna.samplers.NSGAIISampler}.items():
        works: dict[str, Callable[[], object]] = {
            f"optuna alone, {name}": lambda sampler=sampler: free_objective(lambda seed: sampler(seed=seed)),
            f"archspace search, {name}": lambda name=name: real_search(name),
        }
        for what, ms in interleaved(works, ROUNDS).items():
            rows.append((f"search, {TRIALS} trials", what, ms / TRIALS, "ms per trial"))
    return rows


def main() -> None:
    """Measure everything, print it, write it."""
    rows = []
    for part in (cold, warm, structures, candidates, searches):
        for row in part():
            rows.append(row)
            print(f"{row[0]:22} {row[1]:42} {row[2]:10.2f} {row[3]}", flush=True)
    with RESULTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["what", "who", "median", "unit"])
        writer.writerows([(what, who, round(value, 3), unit) for what, who, value, unit in rows])


if __name__ == "__main__":
    main()
