"""[tool.archspace]: where it is found, how its keys are read, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspace.errors import FileError, LawError
from archspace.settings import BOUNDS, KEYS, Settings, load_settings

WHOLE = """
[tool.archspace]
select = ["G1", "S"]
ignore = ["G102"]
fail-on = "error"
device = "sd810"
max-madds = "150M"
max_params = 3_000_000
max-mem-elems = 2e7
max-latency = "0.03s"
[tool.archspace.thresholds.G101]
ratio = 1.5
[tool.archspace.thresholds.s104]
share = 1
"""


def write(folder: Path, text: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_key_is_read_with_hyphens_or_underscores(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    assert load_settings(tmp_path) == Settings(
        select=("G1", "S"),
        ignore=("G102",),
        fail_on="error",
        device="sd810",
        thresholds={"G101": {"ratio": 1.5}, "S104": {"share": 1}},
        bounds={"madds": 150_000_000, "params": 3_000_000, "mem_elems": 20_000_000, "latency_ms": 30.0},
        path=path,
    )


def test_the_nearest_file_with_the_table_is_taken(tmp_path: Path) -> None:
    write(tmp_path, '[tool.archspace]\ndevice = "far"\n')
    near = write(tmp_path / "a", '[tool.archspace]\ndevice = "near"\n')
    write(tmp_path / "a" / "b", "[project]\nname = 'x'\n[tool.ruff]\n")  # has no table: the search goes on above it
    write(tmp_path / "a" / "b" / "c", "tool = 3\n")
    found = load_settings(tmp_path / "a" / "b" / "c")
    assert (found.device, found.path) == ("near", near)


def test_the_search_starts_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, '[tool.archspace]\ndevice = "sd810"\n')
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert load_settings().device == "sd810"


def test_without_the_table_the_settings_are_empty(tmp_path: Path) -> None:
    write(tmp_path, "[tool.other]\n")
    assert load_settings(tmp_path) == Settings()


def test_an_empty_table_hides_the_one_above(tmp_path: Path) -> None:
    write(tmp_path, '[tool.archspace]\ndevice = "sd810"\n')
    path = write(tmp_path / "a", "[tool.archspace]\n")
    assert load_settings(tmp_path / "a") == Settings(path=path)


def test_a_profile_lies_beside_the_file_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, '[tool.archspace]\ndevice = "devices/mine.json"\n')
    assert load_settings(tmp_path).device == str(tmp_path / "devices" / "mine.json")


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    write(tmp_path, b'\xef\xbb\xbf[tool.archspace]\nselect = ["G"]\n')
    assert load_settings(tmp_path).select == ("G",)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("select = 3", "select must be a list of rule codes, but got 3"),
        ('select = "G1"', "select must be a list of rule codes, but got 'G1'"),
        ("ignore = [1]", "ignore must be a list of rule codes, but got [1]"),
        ("fail-on = true", "fail_on must be a word, but got True"),
        ("device = 810", "device must be a word, but got 810"),
        ("thresholds = 1.5", "thresholds must be a table of rules, but got 1.5"),
        ("thresholds.G101 = 1.5", "thresholds.G101 must be a table of numbers, but got 1.5"),
        ('thresholds.G101.ratio = "1.5"', "thresholds.G101.ratio must be a number, but got '1.5'"),
        ("thresholds.G101.ratio = true", "thresholds.G101.ratio must be a number, but got True"),
        ("max-madds = true", "max_madds must be a number or a quantity, but got True"),
        ('max-madds = "many"', "max_madds: a count is a positive number"),
        ("max-madds = -3", "max_madds: a count is a positive number"),
        ("max-madds = nan", "max_madds: a count is a positive number"),
        ("max-madds = 1e300", "max_madds: a count must be from 1 to 1e+18"),
        ("max-latency = 0", "max_latency: a time must be above zero"),
        ('max-latency = "30 M"', "max_latency: a time is a positive number"),
        ("fail-on = 'info'\nfail_on = 'info'", "fail_on is given twice"),
        ("selct = []", "unknown key 'selct'. Did you mean 'select'?"),
        ("max_madd = 3", "unknown key 'max_madd'. Did you mean 'max_madds'?"),
    ],
)
def test_a_malformed_key_is_named_with_its_file_in_one_line(line: str, complaint: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"[tool.archspace]\n{line}\n")
    with pytest.raises(FileError) as caught:
        load_settings(tmp_path)
    assert str(caught.value).startswith(f"{path}: [tool.archspace]")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[tool]\narchspace = 3\n", "[tool.archspace] must be a table of keys, but got 3"),
        ("[tool.archspace\n", "must be TOML, but is not"),
        (b"x = '\xff'\n", "must be UTF-8"),
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(text: str | bytes, complaint: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FileError) as caught:
        load_settings(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


def test_what_is_wrong_with_a_value_in_use_is_blamed_on_its_key(tmp_path: Path) -> None:
    path = write(tmp_path, "[tool.archspace]\n")
    with pytest.raises(FileError) as caught, load_settings(tmp_path).blamed("device"):
        raise LawError("no such thing")
    assert str(caught.value) == f"{path}: [tool.archspace] device: no such thing"


def test_every_bound_is_a_key() -> None:
    assert set(BOUNDS) < set(KEYS)
    assert len({metric for metric, _ in BOUNDS.values()}) == len(BOUNDS)
