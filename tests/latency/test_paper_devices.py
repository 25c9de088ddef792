"""The shipped profiles against the rows of the ShuffleNet v2 paper that the zoo can build (studies/paper_devices)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archspace.ir import Graph
from archspace.latency import latency_ms, load_profile, predict
from archspace.units import parse_size
from archspace.zoo import build

STUDY = Path(__file__).parents[2] / "studies" / "paper_devices"
# device: (column of table8.csv, its unit's images, model of results/models.csv whose error the profile states)
DEVICES = {
    "gtx1080ti": ("gpu_batches_per_s", "constant + bytes + kernels, fused (shipped form)"),
    "sd810": ("arm_images_per_s", "pixels + madds + depthwise bytes (grouped tied to dense)"),
}


def rows(name: str) -> list[dict[str, str]]:
    with (STUDY / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def published_network(row: dict[str, str]) -> Graph:
    """The paper's networks; its MobileNet v2 is a re-implementation."""
    options = {"reimplemented": True} if row["family"] == "mobilenet_v2" else {}
    return build(row["family"], width=float(row["width"]), input=parse_size(row["input"]), **options)


def mape_pct(device: str, table: list[dict[str, str]]) -> float:
    profile, column = load_profile(device), DEVICES[device][0]
    errors = []
    for row in table:
        graph = published_network(row)
        published_ms = 1000 / float(row[column])
        errors.append(abs(latency_ms(graph, profile) / published_ms - 1))
    return 100 * sum(errors) / len(errors)


@pytest.mark.parametrize(("device", "expected"), [("gtx1080ti", 4.6), ("sd810", 7.9)])
def test_the_papers_table_8_is_met_within_the_stated_error(device: str, expected: float) -> None:
    table = rows("table8.csv")
    assert len(table) == 18
    measured = mape_pct(device, table)
    assert measured < load_profile(device).error.mape_pct
    assert measured == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("device", DEVICES)
def test_a_profile_states_the_error_that_the_study_measured_on_unseen_families(device: str) -> None:
    error = load_profile(device).error
    (row,) = [r for r in rows("results/models.csv") if (r["device"], r["model"]) == (device, DEVICES[device][1])]
    assert error.mape_pct == float(row["lofo_mape_pct"])
    assert error.within_10_pct_share == float(row["lofo_within_10_pct_share"])
    assert error.kendall_tau == float(row["lofo_kendall_tau"])
    assert (error.networks, error.families) == (18, len({r["family"] for r in rows("table8.csv")}))


@pytest.mark.parametrize("device", DEVICES)
def test_no_network_of_the_fit_extrapolates(device: str) -> None:
    for row in rows("table8.csv"):
        graph = published_network(row)
        assert predict(graph, device).extrapolates == ()


def test_the_papers_order_of_four_families_at_300_m_follows_on_the_gpu() -> None:
    # Table 8, 300 M: 314, 255, 180 and 164 batches/s.
    profile = load_profile("gtx1080ti")
    networks = [("mobilenet_v1", 0.75), ("shufflenet_v2", 1.5), ("mobilenet_v2", 1.0), ("shufflenet_v1", 1.5)]
    predicted = [latency_ms(build(family, width=width), profile) for family, width in networks]
    assert predicted == sorted(predicted)
