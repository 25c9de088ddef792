"""The CSV files of measurements: named by their conditions, appended to, and never mixed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archspace.errors import FileError
from archspace.timing import Measured, append_rows, files_of
from archspace.timing.machine import cpu_name, package_version, plain, slug
from archspace.timing.table import COLUMNS, file_name

ROW = Measured(
    time="2026-01-01T00:00:00+00:00",
    model="shufflenet_v1@g=8",
    backend="eager",
    measured_ms=12.3456789,
    spread_pct=1.5,
    noise_pct=0.25,
    ratio=1.0,
    rounds=4,
    calls=3,
    clock="thread",
    busy_pct=None,
    input_shape=(1, 3, 224, 224),
    device="AMD EPYC, 2 cores",
    runtime="torch 2.13.0",
    on="cpu",
    threads=1,
    dtype="float32",
    graph="0123456789ab",
    least_ms=(12.0, 12.3456789, 12.4, 12.5),
)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "measured-amd-epyc-2-cores-eager-torch-2.13.0-cpu-1thread-batch1-float32.csv"),
        ({"threads": 4}, "measured-amd-epyc-2-cores-eager-torch-2.13.0-cpu-4threads-batch1-float32.csv"),
        (
            {"backend": "onnxruntime", "runtime": "onnxruntime 1.22.0", "input_shape": (8, 3, 32, 32)},
            "measured-amd-epyc-2-cores-onnxruntime-1.22.0-cpu-1thread-batch8-float32.csv",
        ),
        (
            {"device": "NVIDIA H200", "on": "cuda", "backend": "compile"},
            "measured-nvidia-h200-compile-torch-2.13.0-cuda-batch1-float32.csv",
        ),
    ],
)
def test_a_files_name_says_the_conditions(changes: dict[str, Any], name: str) -> None:
    assert file_name(replace(ROW, **changes)) == name


def test_rows_are_appended_under_one_header(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    (path,) = append_rows([ROW], folder)
    assert append_rows([replace(ROW, model="a,b"), ROW], folder) == (path,)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["model"] for row in rows] == ["shufflenet_v1@g=8", "a,b", "shufflenet_v1@g=8"]
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["measured_ms"], rows[0]["input_shape"], rows[0]["busy_pct"]) == ("12.3457", "1x3x224x224", "")


def test_rows_of_other_conditions_lie_in_files_of_their_own(tmp_path: Path) -> None:
    rows = [ROW, replace(ROW, backend="folded"), replace(ROW, model="other")]
    files = files_of(rows, tmp_path)
    assert [[row.model for row in those] for those in files.values()] == [["shufflenet_v1@g=8", "other"], ["shufflenet_v1@g=8"]]
    assert append_rows(rows, tmp_path) == tuple(files)
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_file_with_other_columns_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    other = tmp_path / file_name(ROW)
    other.write_text("model,ms\nmine,3\n", encoding="utf-8")
    with pytest.raises(FileError, match=r"rows are appended where the columns are the same, but they differ in .*, ms, .*Move the file"):
        append_rows([replace(ROW, backend="folded"), ROW], tmp_path)
    assert other.read_text(encoding="utf-8") == "model,ms\nmine,3\n"
    assert list(tmp_path.iterdir()) == [other]
    other.write_text(",".join(reversed(COLUMNS)) + "\n", encoding="utf-8")
    with pytest.raises(FileError, match="their order differs"):
        append_rows([ROW], tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(FileError, match="file: cannot be made"):
        append_rows([ROW], tmp_path / "file")


def test_devices_and_versions_are_named_plainly() -> None:
    assert plain("Intel(R) Core(TM) i9-14900K") == "Intel Core i9-14900K"
    assert plain("AMD Ryzen 9 7940HS w/ Radeon 780M Graphics").startswith("AMD Ryzen 9 7940HS")
    assert slug("NVIDIA GeForce RTX 4090") == "nvidia-geforce-rtx-4090"
    assert slug(cpu_name())
    assert package_version("torch").replace(".", "").isdigit()
    assert package_version("no-such-package") == "unknown"
