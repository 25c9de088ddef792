"""Devices by name: shipped, the user's own, and files among these that are no profiles."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import archspace
from archspace.errors import FileError, LawError, UnknownNameError
from archspace.latency import BrokenProfileWarning, add_device, device_names, devices, listed_devices, load_profile, remove_device
from archspace.latency.catalog import own_folder
from archspace.latency.profile import DEVICES

SHIPPED = tuple(sorted(path.stem for path in DEVICES.glob("*.json")))


def profile(**changes: Any) -> str:
    data = json.loads((DEVICES / "gtx1080ti.json").read_text(encoding="utf-8"))
    return json.dumps({**data, "device": "phone", **changes})


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own profiles, empty."""
    monkeypatch.setenv("ARCHSPACE_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "devices"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A profile's file somewhere else."""
    path = tmp_path / "phone.json"
    path.write_text(profile(), encoding="utf-8")
    return path


def test_own_devices_are_named_beside_the_shipped_ones(own: Path) -> None:
    (own / "watch.json").write_text(profile(), encoding="utf-8")
    assert device_names() == tuple(sorted((*SHIPPED, "watch")))
    assert [found.device for found in devices()] == list(device_names())
    assert archspace.devices is devices


def test_an_own_device_is_called_what_its_file_is_called(own: Path) -> None:
    (own / "watch.json").write_text(profile(device="phone", batch=3), encoding="utf-8")
    assert (load_profile("watch").device, load_profile("watch").batch) == ("watch", 3)
    with pytest.raises(UnknownNameError, match=r"unknown device 'phone'\."):
        load_profile("phone")


def test_an_own_device_goes_before_a_shipped_one_of_its_name(own: Path) -> None:
    (own / "gtx1080ti.json").write_text(profile(batch=3), encoding="utf-8")
    assert load_profile("gtx1080ti").batch == 3
    assert load_profile(str(DEVICES / "gtx1080ti.json")).batch == 8
    listed = {device.name: device for device in listed_devices()}
    assert (listed["gtx1080ti"].is_own, listed["gtx1080ti"].is_shipped) == (True, True)
    assert (listed["sd810"].is_own, listed["sd810"].is_shipped) == (False, True)
    assert len(listed) == len(SHIPPED)
    assert archspace.predict(archspace.build("fenet"), "gtx1080ti").batch == 3


def test_a_broken_file_is_listed_with_its_fault_and_bars_its_own_name_alone(own: Path) -> None:
    (own / "torn.json").write_text("{", encoding="utf-8")
    (own / "sd810.json").write_text(profile(batch=0), encoding="utf-8")
    (own / "folder.json").mkdir()
    listed = {device.name: device for device in listed_devices()}
    assert set(listed) == {*SHIPPED, "torn", "folder"}
    assert {name for name, device in listed.items() if device.profile is None} == {"torn", "folder", "sd810"}
    assert "must be JSON, but is not" in listed["torn"].fault
    assert "batch must be a whole number of at least 1, but got 0" in listed["sd810"].fault
    assert [fault.count("\n") for fault in (device.fault for device in listed.values())] == [0] * len(listed)
    assert load_profile("gtx1080ti").device == "gtx1080ti"
    with pytest.raises(FileError, match=r"got 0 \(your own device 'sd810': mend the file, or archspace devices remove sd810\)"):
        load_profile("sd810")


def test_python_is_warned_of_broken_files_and_gets_the_others(own: Path) -> None:
    (own / "torn.json").write_text("{", encoding="utf-8")
    with pytest.warns(BrokenProfileWarning, match="torn.json: must be JSON"):
        found = devices()
    assert [profile.device for profile in found] == list(SHIPPED)


def test_near_names_are_looked_for_among_shipped_and_own_devices(own: Path) -> None:
    (own / "my_phone.json").write_text(profile(), encoding="utf-8")
    for name, near in (("myphone", "my_phone"), ("gtx1080", "gtx1080ti")):
        with pytest.raises(UnknownNameError, match=rf"unknown device '{name}'\. Did you mean '{near}'\?"):
            load_profile(name)
    with pytest.raises(UnknownNameError, match=f"Known: .*{', '.join(device_names())}"):
        load_profile("")


@pytest.mark.parametrize("name", ["../gtx1080ti", "./phone", "/etc/passwd", "a\0b"])
def test_a_name_is_no_way_into_other_folders(name: str, own: Path) -> None:
    (own.parent / "gtx1080ti.json").write_text(profile(), encoding="utf-8")
    with pytest.raises(UnknownNameError, match="unknown device"):
        load_profile(name)


def test_what_is_neither_name_nor_path_is_refused() -> None:
    number: Any = 3
    with pytest.raises(LawError, match="a device is a name or a profile's JSON file, but got int"):
        load_profile(number)


def test_hidden_files_and_other_files_are_no_devices(own: Path) -> None:
    for name in (".hidden.json", "._phone.json", "phone.json.bak", "phone.csv"):
        (own / name).write_text("nothing", encoding="utf-8")
    assert device_names() == SHIPPED


def test_a_data_directory_that_is_a_file_holds_no_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ARCHSPACE_DATA", str(tmp_path / "file"))
    assert device_names() == SHIPPED


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_own_devices_lie_in_the_platforms_user_data_directory(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = ModuleType("platformdirs")
    monkeypatch.setattr(platform, "user_data_dir", lambda name: str(tmp_path / name), raising=False)
    monkeypatch.setitem(sys.modules, "platformdirs", platform)
    if value is None:
        monkeypatch.delenv("ARCHSPACE_DATA")
    else:
        monkeypatch.setenv("ARCHSPACE_DATA", value)
    assert own_folder() == tmp_path / "archspace" / "devices"


def test_a_profile_is_added_removed_and_added_again(own: Path, phone: Path) -> None:
    own.rmdir()
    added = add_device(phone)
    assert (added.name, added.path, added.is_own, added.is_shipped) == ("phone", own / "phone.json", True, False)
    assert load_profile("phone") == added.profile == load_profile(phone)
    assert remove_device("phone") == own / "phone.json"
    assert device_names() == SHIPPED
    assert add_device(phone, name="watch").name == "watch"
    assert json.loads((own / "watch.json").read_text(encoding="utf-8"))["device"] == "watch"


def test_nothing_is_replaced_unasked(own: Path, phone: Path) -> None:
    add_device(phone)
    phone.write_text(profile(batch=3), encoding="utf-8")
    with pytest.raises(FileError, match=r"phone\.json: exists already"):
        add_device(phone)
    assert load_profile("phone").batch == 8
    assert add_device(phone, force=True).name == "phone"
    assert load_profile("phone").batch == 3


def test_a_shipped_name_is_taken_with_force_alone(own: Path, phone: Path) -> None:
    with pytest.raises(FileError, match=r"gtx1080ti: a device of that name comes with archspace; yours would go before it"):
        add_device(phone, name="gtx1080ti")
    assert list(own.iterdir()) == []
    assert add_device(phone, name="gtx1080ti", force=True).is_shipped


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", ".x", "my phone", "x.json", "add", "remove", "x" * 300])
def test_a_name_that_cannot_be_a_files_is_refused(name: str, own: Path, phone: Path) -> None:
    with pytest.raises((LawError, FileError), match=r"a device's name has letters|File name too long"):
        add_device(phone, name=name)
    assert list(own.iterdir()) == []


def test_a_file_that_is_no_profile_is_not_added(own: Path, phone: Path) -> None:
    phone.write_text(profile(coefficients={}), encoding="utf-8")
    with pytest.raises(FileError, match="coefficients: the key 'default' is missing"):
        add_device(phone)
    assert list(own.iterdir()) == []


def test_a_broken_file_can_be_removed_and_a_shipped_device_cannot(own: Path) -> None:
    (own / "torn.json").write_text("{", encoding="utf-8")
    with pytest.raises(LawError, match=r"'sd810' comes with archspace and stays\. Your own are: torn\."):
        remove_device("sd810")
    with pytest.raises(UnknownNameError, match=r"unknown device of your own 'tron'\. Did you mean 'torn'"):
        remove_device("tron")
    remove_device("torn")
    with pytest.raises(LawError, match=r"'torn' is none of your own devices\. Your own are: none\."):
        remove_device("torn")


def test_what_cannot_be_deleted_is_said(own: Path) -> None:
    (own / "folder.json").mkdir()
    with pytest.raises(FileError, match=r"folder\.json: cannot be deleted"):
        remove_device("folder")
