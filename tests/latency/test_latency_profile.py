"""Device profiles: what ships, what is read, what is refused and how it is said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archspace.errors import FileError, UnknownNameError
from archspace.latency import device_names, load_profile
from archspace.latency.profile import DEVICES, NORMAL_80
from archspace.latency.profile_json import profile_from_dict
from archspace.latency.terms import Coefficients


def shipped() -> Any:
    return json.loads((DEVICES / "gtx1080ti.json").read_text(encoding="utf-8"))


def test_seven_devices_ship_and_say_that_they_were_not_measured_by_us() -> None:
    paper, timm = ("gtx1080ti", "sd810"), ("i7_12700h", "i9_10940x", "rtx3090", "rtx4090", "rtx5090")
    assert set(device_names()) == {*paper, *timm}
    for name in device_names():
        profile = load_profile(name)
        assert profile.device == name
        source = "the paper's table" if name in paper else "timm's published benchmark"
        assert profile.provenance.startswith(f"fitted from {source}")
        assert "not measured by us" in profile.provenance
        assert ("table 8" in profile.source) == (name in paper)


def test_the_shipped_profiles_say_under_which_conditions_they_hold() -> None:
    gpu, arm = load_profile("gtx1080ti"), load_profile("sd810")
    assert (gpu.batch, gpu.threads, gpu.dtype, gpu.fusion) == (8, None, "float32", "paper")
    assert (arm.batch, arm.threads, arm.dtype, arm.fusion) == (1, 1, "float32", "paper")


def test_the_gpu_is_not_faster_than_its_data_sheet_says() -> None:
    # GTX 1080 Ti: 484 GB/s, 11.3e12 FLOPs = 5.67e12 multiply-adds a second (NVIDIA). Compute and memory are added up, so that each
    # alone may be too fast: one that is more than twice as fast would be no time of this device.
    coefficients = load_profile("gtx1080ti").coefficients
    assert coefficients["default"].ms_per_gb_in > 1000 / 484
    assert coefficients["dense"].ms_per_gmadd_padded > 1000 / 5670 / 2


def test_eighty_percent_of_a_normal_lie_within_1_606_mean_absolute_deviations() -> None:
    assert pytest.approx(1.606, abs=0.0005) == NORMAL_80
    profile = load_profile("gtx1080ti")
    normal = replace(profile, error=replace(profile.error, interval_80_pct=None))
    assert normal.interval_pct == pytest.approx(1.606 * profile.error.mape_pct, rel=1e-3)
    assert profile.interval_pct == profile.error.interval_80_pct


def test_a_profile_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "phone.json"
    path.write_text(json.dumps({**shipped(), "device": "phone", "dtype": "float16"}), encoding="utf-8")
    for device in (path, str(path)):
        profile = load_profile(device)
        assert (profile.device, profile.element_bytes) == ("phone", 2)


def test_an_unknown_device_names_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown device 'gtx1080'\. Did you mean 'gtx1080ti'"):
        load_profile("gtx1080")


def test_a_range_left_out_is_not_checked_and_a_coefficient_left_out_is_zero() -> None:
    profile = profile_from_dict({**shipped(), "ranges": {}, "coefficients": {"default": {"us_per_kernel": 2}}})
    assert profile.ranges.kernels is profile.ranges.madds is profile.ranges.input_pixels is None
    assert profile.coefficients["default"] == Coefficients(us_per_kernel=2.0)


ERROR = shipped()["error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"archspace_profile": 3}, "reads profile versions up to 2, but the file says 3. Install a newer archspace"),
        ({"archspace_profile": True}, "reads profile versions up to 2, but the file says True."),
        ({"device": ""}, "p.json: device must be a text, but got ''"),
        ({"batch": 0}, "p.json: batch must be a whole number of at least 1, but got 0"),
        ({"batch": 8.0}, "p.json: batch must be a whole number of at least 1, but got 8.0"),
        ({"threads": True}, "p.json: threads must be a whole number of at least 1, but got True"),
        ({"dtype": "float23"}, "p.json: dtype: unknown dtype 'float23'. Did you mean 'float32'?"),
        ({"fusion": "papre"}, "p.json: fusion: unknown fusion rule set 'papre'. Did you mean 'paper'?"),
        ({"constant_ms": -1}, "p.json: constant_ms must be a number of at least 0, but got -1"),
        ({"constant_ms": float("nan")}, "p.json: constant_ms must be a number of at least 0, but got nan"),
        ({"constant_ms": float("inf")}, "p.json: constant_ms must be a number of at least 0, but got inf"),
        ({"constant_ms": 10**400}, "p.json: constant_ms must be a number of at least 0, but got 1000000"),
        ({"constant_ms": "1"}, "p.json: constant_ms must be a number of at least 0, but got '1'"),
        ({"constant": 1}, "p.json: unknown key 'constant'. Did you mean 'constant_ms'?"),
        ({"coefficients": []}, "p.json: coefficients must be a JSON object, but got []"),
        ({"coefficients": {}}, "p.json: coefficients: the key 'default' is missing"),
        (
            {"coefficients": {"default": {}, "depthwize": {}}},
            "p.json: coefficients: unknown op type 'depthwize'. Did you mean 'depthwise'?",
        ),
        ({"coefficients": {"default": {"ms_per_gmad": 1}}}, "p.json: coefficients: default: unknown key 'ms_per_gmad'"),
        ({"coefficients": {"default": {"ms_per_gmadd": -1}}}, "default: ms_per_gmadd must be a number of at least 0, but got -1"),
        ({"coefficients": {"default": 3}}, "p.json: coefficients: default: must be a JSON object, but got 3"),
        ({"ranges": {"kernels": [9, 3]}}, "p.json: ranges: kernels must be [low, high] with low at most high, but got [9, 3]"),
        ({"ranges": {"kernels": 3}}, "p.json: ranges: kernels must be [low, high], but got 3"),
        ({"error": {**ERROR, "kendall_tau": 2}}, "p.json: error: kendall_tau must be a number between -1 and 1, but got 2"),
        ({"error": {**ERROR, "within_10_pct_share": 72}}, "error: within_10_pct_share must be a number between 0 and 1, but got 72"),
        ({"error": {k: v for k, v in ERROR.items() if k != "mape_pct"}}, "p.json: error: the key 'mape_pct' is missing"),
    ],
)
def test_a_bad_profile_is_refused_with_the_key_at_fault(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FileError, match=re.escape(message)) as caught:
        profile_from_dict({**shipped(), **change}, "p.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", [key for key in shipped() if key not in ("archspace_profile", "residuals_pct", "tile")])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(FileError, match=f"p.json: the key '{key}' is missing"):
        profile_from_dict({k: v for k, v in shipped().items() if k != key}, "p.json")


@pytest.mark.parametrize("foreign", [[], 3, None, {"archspace_graph": 1}])
def test_json_of_something_else_is_refused(foreign: Any) -> None:
    with pytest.raises(FileError, match=r"p\.json: a device profile is a JSON object with the key 'archspace_profile'"):
        profile_from_dict(foreign, "p.json")


def test_a_file_that_is_no_json_or_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(FileError, match="must be JSON, but is not"):
        load_profile(path)
    with pytest.raises(FileError, match="cannot be read"):
        load_profile(str(tmp_path / "other.json"))
