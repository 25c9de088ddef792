"""The profiles fitted from timm's tables against what studies/timm_devices wrote down: neither timm nor the tables are needed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archspace.latency import latency_ms, load_profile, predict
from archspace.latency.judge import coverage_80_share, interval_80_pct, judge
from archspace.zoo import build

RESULTS = Path(__file__).parents[2] / "studies" / "timm_devices" / "results"
GPUS = ("rtx3090", "rtx4090", "rtx5090")
CPUS = ("i7_12700h", "i9_10940x")
DEVICES = (*GPUS, *CPUS)
# MAPE and Kendall's tau on families that no fit has seen.
REACHED = {"rtx4090": (7.7, 0.935), "rtx5090": (7.2, 0.94), "rtx3090": (7.7, 0.935), "i7_12700h": (9.1, 0.94), "i9_10940x": (13.1, 0.895)}
# The zoo's networks that timm builds alike.
SAME = ("resnet50", "resnet101", "resnext50_32x4d")

Row = dict[str, str]


def rows(device: str) -> list[Row]:
    with (RESULTS / f"{device}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def unseen(device: str) -> tuple[list[float], list[float], list[str]]:
    """Predicted by a fit without the family, published, and the family."""
    table = rows(device)
    return [float(r["predicted_unseen_ms"]) for r in table], [float(r["published_ms"]) for r in table], [r["family"] for r in table]


@pytest.mark.parametrize("device", DEVICES)
def test_the_stated_error_is_what_the_results_recompute(device: str) -> None:
    stated, judged = load_profile(device).error, judge(*unseen(device))
    assert stated.mape_pct == pytest.approx(judged.mape_pct, abs=0.01)
    assert stated.within_10_pct_share == pytest.approx(judged.within_10_pct_share, abs=0.002)
    assert stated.kendall_tau == pytest.approx(judged.kendall_tau, abs=0.001)
    assert (stated.networks, stated.families) == (judged.networks, judged.families)
    assert judged.networks >= 600


@pytest.mark.parametrize("device", DEVICES)
def test_the_error_on_unseen_families_has_not_grown(device: str) -> None:
    judged = judge(*unseen(device))
    mape, tau = REACHED[device]
    assert judged.mape_pct <= mape
    assert judged.kendall_tau >= tau


@pytest.mark.parametrize("device", DEVICES)
def test_intervals_cover_what_they_say(device: str) -> None:
    predicted, published, families = unseen(device)
    profile = load_profile(device)
    assert profile.interval_pct == pytest.approx(interval_80_pct(predicted, published), abs=0.1)
    assert 0.7 <= coverage_80_share(predicted, published, families) <= 0.9


@pytest.mark.parametrize("device", DEVICES)
def test_the_model_beats_every_baseline(device: str) -> None:
    with (RESULTS / "summary.csv").open(encoding="utf-8") as file:
        of_device = [r for r in csv.DictReader(file) if r["device"] == device]
    reached = load_profile(device).error
    baselines = [r for r in of_device if r["what"].startswith("baseline")]
    assert len(baselines) == 3
    assert all(reached.mape_pct < float(r["mape_pct"]) and reached.kendall_tau > float(r["kendall_tau"]) for r in baselines)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("member", SAME)
def test_the_zoos_network_is_predicted_as_timms_was(device: str, member: str) -> None:
    """Rounding of coefficients to four digits, and what one builder adds to the other's graph."""
    (row,) = [r for r in rows(device) if r["model"] == member and r["img_size"] == "224"]
    graph = build(member)
    assert latency_ms(graph, load_profile(device), int(row["batch"])) == pytest.approx(float(row["predicted_ms"]), rel=0.01)
    assert latency_ms(graph, load_profile(device), int(row["batch"])) == pytest.approx(float(row["published_ms"]), rel=0.2)


@pytest.mark.parametrize("device", GPUS)
def test_a_gpus_time_grows_with_the_batch_by_less_than_the_batch(device: str) -> None:
    """Launches and weights are paid once a batch."""
    graph, profile = build("shufflenet_v2"), load_profile(device)
    small, large = latency_ms(graph, profile, 256), latency_ms(graph, profile, 1024)
    assert small < large < 4 * small


def test_the_newer_and_larger_gpu_is_faster() -> None:
    graph = build("resnet50")
    times = [latency_ms(graph, load_profile(device), 1024) for device in ("rtx5090", "rtx4090", "rtx3090")]
    assert times == sorted(times)


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_outside_the_table_is_flagged(device: str) -> None:
    assert any("batch 5000" in reason for reason in predict(build("resnet50"), device, batch=5000).extrapolates)


@pytest.mark.parametrize("device", DEVICES)
def test_provenance_says_who_measured(device: str) -> None:
    profile = load_profile(device)
    assert profile.provenance == "fitted from timm's published benchmark, Apache-2.0, not measured by us"
    assert profile.noise_pct is not None
