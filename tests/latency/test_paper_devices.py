"""The shipped profiles against what the ShuffleNet v2 paper prints of its two devices (studies/paper_devices)."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import mean

import pytest
from scipy.stats import kendalltau

from archspace.ir import Graph
from archspace.latency import latency_ms, load_profile, predict
from archspace.latency.profile_json import profile_to_dict
from archspace.units import parse_size
from archspace.zoo import build
from archspace.zoo.published import PUBLISHED

RESULTS = Path(__file__).parents[2] / "studies" / "paper_devices" / "results"
PLATFORMS = {"gtx1080ti": "gpu", "sd810": "arm"}
DEVICES = tuple(PLATFORMS)
CELLS = {"nasnet_a_mobile", "pnasnet_5_mobile"}
# Printed twice, as its authors' and as re-implemented, with one speed.
PRINTED_TWICE = {"mobilenet_v2_1x": "mobilenet_v2_1x_reimpl", "mobilenet_v2_1.4x": "mobilenet_v2_1.4x_reimpl"}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def timed(device: str, table: str) -> list[tuple[str, str, int, float]]:
    """Member, input, batch and milliseconds of a batch."""
    rows = read(PUBLISHED / "speeds.csv")
    paper = [r for r in rows if (r["paper"], r["table"], r["platform"]) == ("ShuffleNet v2 (ECCV 2018)", table, PLATFORMS[device])]
    return [(r["member"], r["input"], int(r["batch"]), 1000 / float(r["speed"])) for r in paper]


@pytest.fixture(scope="module")
def graphs() -> dict[tuple[str, str], Graph]:
    keys = {(member, size) for table in ("table 8", "appendix table 1a") for member, size, _, _ in timed("sd810", table)}
    return {(member, size): build(PRINTED_TWICE.get(member, member), input=parse_size(size)) for member, size in keys}


def unseen(device: str) -> dict[str, float]:
    """Table 8's networks without cells, predicted by a fit that has not seen their family: what the profile keeps of each."""
    published = {member: ms for member, _, _, ms in timed(device, "table 8")}
    return {member: published[member] * (1 + pct / 100) for member, pct in load_profile(device).residuals_pct.items()}


@pytest.mark.parametrize("device", DEVICES)
def test_37_rows_are_timed_and_35_are_networks_of_their_own(device: str) -> None:
    members = [member for member, _, _, _ in timed(device, "table 8")]
    assert len(members) == 37
    speeds = {member: ms for member, _, _, ms in timed(device, "table 8")}
    assert all(speeds[one] == speeds[other] for one, other in PRINTED_TWICE.items())
    assert set(members) - set(PRINTED_TWICE) - CELLS == set(load_profile(device).residuals_pct)


@pytest.mark.parametrize("device", DEVICES)
def test_a_profile_states_the_error_of_its_residuals_on_unseen_families(device: str) -> None:
    error, published = load_profile(device).error, {member: ms for member, _, _, ms in timed(device, "table 8")}
    predicted = unseen(device)
    errors = [abs(ms / published[member] - 1) for member, ms in predicted.items()]
    assert error.networks == len(errors) == 33
    assert error.mape_pct == pytest.approx(100 * mean(errors), abs=0.1)
    assert error.within_10_pct_share == pytest.approx(mean(one <= 0.1 for one in errors), abs=0.006)
    tau = kendalltau(list(predicted.values()), [published[member] for member in predicted]).statistic
    assert error.kendall_tau == pytest.approx(tau, abs=0.006)
    inside = mean(abs(published[member] / ms - 1) <= error.interval_80_pct / 100 + 1e-3 for member, ms in predicted.items())
    assert inside >= 0.8


def test_the_errors_on_unseen_families_are_within_what_was_asked_for() -> None:
    gpu, phone = load_profile("gtx1080ti").error, load_profile("sd810").error
    assert gpu.mape_pct <= 6
    assert gpu.kendall_tau >= 0.9
    assert phone.mape_pct <= 11


@pytest.mark.parametrize("device", DEVICES)
def test_the_shipped_fit_meets_the_rows_it_has_seen_better_than_unseen_ones(device: str, graphs: dict[tuple[str, str], Graph]) -> None:
    profile = load_profile(device)
    rows = [row for row in timed(device, "table 8") if row[0] in profile.residuals_pct]
    errors = [abs(latency_ms(graphs[member, size], profile, batch) / ms - 1) for member, size, batch, ms in rows]
    assert 100 * mean(errors) < profile.error.mape_pct


def test_the_gpus_times_at_other_resolutions_are_met_within_nine_percent(graphs: dict[tuple[str, str], Graph]) -> None:
    # Appendix table 1(a) took no part in any fit.
    profile = load_profile("gtx1080ti")
    by_size: dict[str, list[float]] = {}
    for member, size, batch, ms in timed("gtx1080ti", "appendix table 1a"):
        by_size.setdefault(size, []).append(abs(latency_ms(graphs[member, size], profile, batch) / ms - 1))
    assert {size: len(errors) for size, errors in by_size.items()} == {"320x320": 16, "480x640": 16, "720x1080": 16}
    assert 100 * mean(mean(errors) for errors in by_size.values()) <= 9


@pytest.mark.parametrize("device", DEVICES)
def test_only_the_cell_based_networks_of_table_8_extrapolate(device: str, graphs: dict[tuple[str, str], Graph]) -> None:
    flagged = {member for member, size, _, _ in timed(device, "table 8") if predict(graphs[member, size], device).extrapolates}
    assert flagged == CELLS


@pytest.mark.parametrize("device", DEVICES)
def test_the_studys_results_are_those_of_the_shipped_profiles(device: str) -> None:
    (shipped,) = [r for r in read(RESULTS / "forms.csv") if (r["device"], r["form"]) == (device, "shipped")]
    error = load_profile(device).error
    assert float(shipped["lofo_mape_pct"]) == error.mape_pct
    assert float(shipped["kendall_tau"]) == error.kendall_tau
    rows = [r for r in read(RESULTS / "predictions.csv") if r["device"] == device and r["unseen_error_pct"]]
    assert {r["member"]: float(r["unseen_error_pct"]) for r in rows} == load_profile(device).residuals_pct


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_priced_alike_has_one_coefficient(device: str) -> None:
    # The study fits four numbers a device, and the GPU's constant: no more stand in a profile.
    data = profile_to_dict(load_profile(device))
    numbers = {(name, value) for row in data["coefficients"].values() for name, value in row.items()}
    assert len({value for _, value in numbers}) == 4
    assert (data["constant_ms"] > 0) == (device == "gtx1080ti")


def test_the_papers_order_of_four_families_at_300_m_follows_on_the_gpu() -> None:
    # Table 8, 300 M: 314, 255, 180 and 164 batches/s.
    profile = load_profile("gtx1080ti")
    networks = [("mobilenet_v1", 0.75), ("shufflenet_v2", 1.5), ("mobilenet_v2", 1.0), ("shufflenet_v1", 1.5)]
    predicted = [latency_ms(build(family, width=width), profile) for family, width in networks]
    assert predicted == sorted(predicted)
