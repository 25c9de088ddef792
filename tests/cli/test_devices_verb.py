"""`archspace devices`: the list, one in full, own devices added and removed, and their names wherever --device is."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace.cli.devices import list_table
from archspace.cli.output import table_text
from archspace.latency import device_names, listed_devices, load_profile
from archspace.latency.profile import DEVICES
from archspace.latency.profile_json import profile_from_dict

Archspace = Callable[..., Any]


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own profiles, which is not there yet; commands run in a folder beside it."""
    monkeypatch.setenv("ARCHSPACE_DATA", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "data" / "devices"


def write_profile(path: Path, **changes: Any) -> Path:
    data = json.loads((DEVICES / "gtx1080ti.json").read_text(encoding="utf-8"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**data, "device": "phone", "title": "A phone", **changes}), encoding="utf-8")
    return path


def told(archspace: Archspace, *words: str) -> Any:
    code, out, err = archspace("devices", *words, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_list_has_every_device_with_error_and_provenance(archspace: Archspace, own: Path) -> None:
    code, out, err = archspace("devices")
    assert (code, err) == (0, "")
    for name in device_names():
        profile = load_profile(name)
        line = next(line for line in out.splitlines() if line.startswith(f"{name} "))
        assert profile.title in line
        assert f"{profile.error.mape_pct:.1f} %" in line
        assert profile.provenance.partition(". ")[0] in line
        assert "shipped" in line
    assert f"your own: {own}\n" in out


def test_the_json_of_the_list_has_the_keys_of_the_contract(archspace: Archspace, own: Path) -> None:
    data = told(archspace)
    assert (data["schema"], data["own_folder"]) == (1, str(own))
    assert [device["device"] for device in data["devices"]] == list(device_names())
    gpu = next(device for device in data["devices"] if device["device"] == "gtx1080ti")
    profile = load_profile("gtx1080ti")
    assert (gpu["origin"], gpu["shadows_shipped"], gpu["fault"]) == ("shipped", False, "")
    assert (gpu["mape_pct"], gpu["interval_pct"], gpu["networks"]) == (profile.error.mape_pct, profile.interval_pct, profile.error.networks)
    assert (gpu["batch"], gpu["dtype"], gpu["provenance"]) == (8, "float32", profile.provenance)


def test_broken_files_and_devices_before_shipped_ones_are_flagged(archspace: Archspace, own: Path) -> None:
    write_profile(own / "sd810.json", batch=3)
    write_profile(own / "torn.json", batch=0)
    found = {device["device"]: device for device in told(archspace)["devices"]}
    assert (found["sd810"]["origin"], found["sd810"]["shadows_shipped"], found["sd810"]["batch"]) == ("own", True, 3)
    assert (found["torn"]["origin"], found["torn"]["mape_pct"]) == ("own", None)
    assert "batch must be a whole number of at least 1, but got 0" in found["torn"]["fault"]
    code, out, _ = archspace("devices")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "goes before the shipped one: fitted from" in lines["sd810"]
    assert "broken: " in lines["torn"]
    assert len(lines["torn"].splitlines()) == 1
    lines = list(csv.DictReader(io.StringIO(archspace("devices", "--format", "csv").out)))
    assert [line["device"] for line in lines] == sorted([*device_names()])


def test_all_lines_fit_a_terminal_of_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", table_text([list_table(listed_devices(), 80)], to_terminal=True))
    lines = [line for line in shown.splitlines() if not line.strip().startswith("/")]  # a path stays whole
    assert [line for line in lines if len(line) > 80] == []
    assert "error: in the mean" in shown
    assert "\n80 %: of networks" not in shown  # its column is left out
    assert "\n80 %: of networks" in table_text([list_table(listed_devices(), None)], to_terminal=False)


def test_a_narrow_terminal_keeps_name_error_origin_and_provenance() -> None:
    table = list_table(listed_devices(), 80)
    assert {"<device", "error", "<origin", "<provenance"} <= set(table.columns)
    widths = [max(len(cell) for cell in column) for column in zip([c.removeprefix("<") for c in table.columns], *table.rows, strict=True)]
    assert sum(widths) + 3 * (len(widths) - 1) <= 80


def test_one_device_is_shown_in_full(archspace: Archspace) -> None:
    code, out, err = archspace("devices", "sd810")
    profile = load_profile("sd810")
    assert (code, err) == (0, "")
    assert out.startswith("sd810: Qualcomm Snapdragon 810\n")
    kernels = profile.ranges.kernels
    assert kernels is not None
    words = (profile.runtime, profile.fusion, "vector width  4", f"{kernels[0]:g} to {kernels[1]:g} kernels", profile.source)
    assert [word for word in words if word not in out] == []
    assert " ".join(profile.provenance.split()) in " ".join(out.split())
    data = told(archspace, "sd810")
    assert (data["schema"], data["origin"], data["shadows_shipped"]) == (1, "shipped", False)
    assert data["profile"]["ranges"]["kernels"] == list(kernels)
    assert data["interval_pct"] == profile.interval_pct
    assert profile_from_dict(data["profile"]) == profile
    rows = list(csv.DictReader(io.StringIO(archspace("devices", "sd810", "--format", "csv").out)))
    assert {row["op_type"] for row in rows} == set(profile.coefficients) == set(data["profile"]["coefficients"])
    for row in rows:
        coefficients = profile.coefficients[row["op_type"]]
        assert float(row["ms_per_gmadd"]) == coefficients.ms_per_gmadd
        line = next(line for line in out.splitlines() if line.startswith(f"{row['op_type']} "))
        assert f"{coefficients.ms_per_gmadd:.4g}" in line.split() or not coefficients.ms_per_gmadd


def test_what_a_calibration_adds_is_shown_too(archspace: Archspace) -> None:
    error = {**json.loads((DEVICES / "gtx1080ti.json").read_text(encoding="utf-8"))["error"], "spearman": 0.987, "coverage_80_share": 0.81}
    ranges = {"batch": [1, 32], "op_types": ["dense", "linear"]}
    error["interval_80_pct"] = 9.25
    write_profile(Path("mine.json"), archspace_profile=2, backend="folded", noise_pct=2.1, samples="mine.csv", error=error, ranges=ranges)
    out = " ".join(archspace("devices", "mine.json").out.split())
    for words in ("backend folded", "noise pct 2.1", "samples mine.csv", "Spearman 0.99", "1 to 32 batch, op types dense, linear"):
        assert words in out
    assert "± 9.2 % holds 80 % of networks like these; judged unseen, such intervals held 81.0 %" in out


def test_a_file_is_shown_like_a_device(archspace: Archspace) -> None:
    write_profile(Path("mine.json"))
    assert archspace("devices", "mine.json").out.startswith("phone: A phone\nfile          mine.json\norigin        file\n")


def test_an_own_device_is_added_used_and_removed(archspace: Archspace, own: Path) -> None:
    write_profile(Path("mine.json"), batch=2)
    assert archspace("devices", "add", "mine.json") == (0, "", f"added phone: {own / 'phone.json'}\n")
    code, out, _ = archspace("devices", "phone")
    assert (code, out.splitlines()[1:3]) == (0, [f"file          {own / 'phone.json'}", "origin        own"])
    code, _, err = archspace("devices", "add", "mine.json")
    assert (code, "exists already" in err, "--force" in err) == (2, True, True)
    assert archspace("devices", "add", "mine.json", "--force").code == 0
    assert archspace("devices", "add", "mine.json", "--name", "watch").code == 0
    assert {"phone", "watch"} <= set(device_names())
    assert archspace("devices", "remove", "watch") == (0, "", f"removed watch: {own / 'watch.json'}\n")
    assert "watch" not in device_names()


def test_the_raw_samples_beside_a_profile_go_with_it(archspace: Archspace, own: Path) -> None:
    write_profile(Path("mine.json"), samples="mine.csv")
    Path("mine.csv").write_text("kind,name\nop,relu\n", encoding="utf-8")
    json_file, csv_file = own / "watch.json", own / "watch.csv"
    code, out, err = archspace("devices", "add", "mine.json", "--name", "watch")
    assert (code, out, err) == (0, "", f"added watch: {json_file} and {csv_file}\n")
    assert csv_file.read_bytes() == Path("mine.csv").read_bytes()
    assert json.loads(json_file.read_text(encoding="utf-8"))["samples"] == "watch.csv"
    assert load_profile("watch").samples == "watch.csv"
    assert "watch" in device_names()
    assert archspace("devices", "remove", "watch") == (0, "", f"removed watch: {json_file} and {csv_file}\n")
    assert list(own.iterdir()) == []
    assert Path("mine.csv").exists()


def test_samples_that_are_not_there_are_said_and_older_ones_do_not_stay(archspace: Archspace, own: Path) -> None:
    write_profile(Path("mine.json"), samples="mine.csv")
    Path("mine.csv").write_text("kind,name\n", encoding="utf-8")
    assert archspace("devices", "add", "mine.json").code == 0
    Path("mine.csv").unlink()
    code, _, err = archspace("devices", "add", "mine.json", "--force")
    said = "warning: its raw samples, mine.csv, do not lie beside mine.json, and are not kept\n"
    assert (code, err) == (0, f"added phone: {own / 'phone.json'}\n{said}")
    assert [path.name for path in own.iterdir()] == ["phone.json"]
    assert load_profile("phone").samples is None


@pytest.mark.parametrize(
    "words",
    [
        ("analyze", "fenet"),
        ("lint", "fenet", "--fail-on", "never"),
        ("compare", "fenet", "resnet18"),
        ("check", "fenet", "--max-latency", "10s"),
        ("latency", "fenet"),
    ],
    ids=lambda words: words[0],
)
def test_an_own_name_and_a_file_are_devices_everywhere(words: tuple[str, ...], archspace: Archspace, own: Path) -> None:
    write_profile(own / "phone.json")
    write_profile(Path("mine.json"))
    shipped = archspace(*words, "--device", "gtx1080ti").out
    for device in ("phone", "mine.json"):
        code, out, _ = archspace(*words, "--device", device)
        assert code == 0
        assert out == shipped.replace("gtx1080ti", "phone")
        assert out != shipped
    code, _, err = archspace(*words, "--device", "phnoe")
    assert (code, err) == (2, "archspace: unknown device 'phnoe'. Did you mean 'phone'?\n")


def test_a_search_takes_an_own_device(archspace: Archspace, own: Path) -> None:
    write_profile(own / "phone.json")
    Path("space.toml").write_text('family = "shufflenet_v1"\n[parameters.groups]\nchoices = [1, 2]\n', encoding="utf-8")
    search = ("search", "space.toml", "--minimize", "latency_ms", "--trials", "2", "--sampler", "random", "-o", "out")
    code, out, _ = archspace(*search, "--device", "phone")
    assert code == 0
    assert "one batch of 8 on phone" in out


def test_devices_complete_in_the_shell(own: Path) -> None:
    write_profile(own / "phone.json")

    def completed(words: str, at: int) -> list[str]:
        environment = {**os.environ, "_ARCHSPACE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        program = "import sys; from archspace.cli import main; sys.exit(main([]))"
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert completed("archspace analyze fenet --device ph", 4) == ["plain,phone"]
    assert completed("archspace devices gtx", 2) == ["plain,gtx1080ti"]
    assert completed("archspace latency fenet --device ./my", 4) == ["file,./my"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gtx1080",), "unknown device 'gtx1080'. Did you mean 'gtx1080ti'?"),
        (("none.json",), "none.json: cannot be read"),
        (("gtx1080ti", "sd810"), "devices is called as archspace devices [NAME|FILE]"),
        (("add",), "archspace devices add FILE"),
        (("remove",), "archspace devices remove NAME"),
        (("add", "a.json", "b.json"), "but got 3 words: add a.json b.json"),
        (("add", "none.json"), "none.json: cannot be read"),
        (("add", "bad.json"), "bad.json: batch must be a whole number of at least 1, but got 0"),
        (("add", "newer.json"), "newer.json: this archspace reads profile version"),
        (("add", "good.json", "--name", "../x"), "a device's name has letters"),
        (("add", "good.json", "--name", "sd810"), "sd810: a device of that name comes with archspace"),
        (("add", "good.json", "--format", "json"), "add writes no list, but --format asks for one"),
        (("add", "good.json", "-o", "x.txt"), "add writes no list, but --output asks for one"),
        (("--name", "x"), "--name says what a device is to be called that add copies"),
        (("remove", "sd810"), "'sd810' comes with archspace and stays"),
        (("remove", "phone"), "'phone' is none of your own devices. Your own are: none."),
        (("-o", "good.json"), "good.json: exists already"),
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(words: tuple[str, ...], message: str, archspace: Archspace, own: Path) -> None:
    write_profile(Path("good.json"))
    write_profile(Path("bad.json"), batch=0)
    write_profile(Path("newer.json"), archspace_profile=99)
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    code, out, err = archspace("devices", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before
    assert not list(own.glob("*"))
