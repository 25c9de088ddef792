"""The study of CPU calibration: its samples give the errors that it says, and meet what a calibration must."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archspace.latency.calibration import Calibration, calibration
from archspace.timing.fitting import data_of, graphs_of
from archspace.timing.samples import Conditions, TimedGraph, read_samples

RESULTS = Path(__file__).parents[2] / "studies" / "latency_cpu" / "results"
FUSIONS = {"folded": "folded", "onnxruntime": "onnxruntime"}  # the kept runs are of a CPU with vectors of 16 floats
WIDTH = 16


def samples_of(backend: str) -> tuple[TimedGraph, ...]:
    (path,) = RESULTS.glob(f"samples-*-{backend}-*.csv")
    with path.open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    conditions = Conditions(row["device"], row["backend"], row["runtime"], row["on"], int(row["threads"]), row["clock"], row["sweep"])
    return read_samples(path, conditions)


def calibrated(backend: str) -> Calibration:
    samples = samples_of(backend)
    data = data_of(samples, graphs_of(samples), fusion=FUSIONS[backend], vector_width=WIDTH)
    return calibration(data.ops, data.networks, data.works)


# What the calibration of a CPU must reach: MAPE in percent, share within 10 %, Spearman.
@pytest.mark.parametrize(("backend", "mape_pct", "within", "spearman"), [("folded", 6, 0.8, 0.99), ("onnxruntime", 10, 0, 0.98)])
def test_unseen_families_are_predicted_within_the_bars(backend: str, mape_pct: float, within: float, spearman: float) -> None:
    made = calibrated(backend)
    assert made.unseen.networks >= 38
    assert made.unseen.mape_pct <= mape_pct
    assert made.unseen.within_10_pct_share >= within
    assert made.unseen.spearman >= spearman
    assert 0.7 <= made.coverage_80_share <= 0.9
    with (RESULTS / "summary.csv").open(encoding="utf-8") as file:
        (row,) = [r for r in csv.DictReader(file) if (r["backend"], r["model"]) == (backend, "archspace")]
    assert row["mape_pct"] == f"{made.unseen.mape_pct:.1f}"
    assert row["coverage_80"] == f"{made.coverage_80_share:.3f}"


def test_the_cost_of_a_sparse_shift_falls_with_what_stays_as_measured() -> None:
    with (RESULTS / "shift-layers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sizes = {r["layer"].partition("_of_")[2] for r in rows}
    for backend in FUSIONS:
        for size in sizes:
            layers = [r for r in rows if r["backend"] == backend and r["layer"].endswith(f"_of_{size}")]
            assert len(layers) == 3
            for column in ("measured_us", "predicted_us"):
                times = [float(r[column]) for r in layers]  # 10, 50 and 100 % of the channels move
                assert times == sorted(times)
                assert times[0] < 0.65 * times[2]
