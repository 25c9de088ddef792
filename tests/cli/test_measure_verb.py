"""`archspace measure`: what is printed and kept, and what goes on when a network cannot be run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace.cli import main
from archspace.cli.measure import BACKENDS, CLOCKS
from archspace.cli.output import fitted
from archspace.timing import BACKENDS as KNOWN_BACKENDS
from archspace.timing import CLOCKS as KNOWN_CLOCKS
from archspace.timing import Measured
from archspace.timing.verb import REPLAY

Archspace = Callable[..., Any]
QUICK = ("--input", "32", "--rounds", "4")
NETS = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.width = width
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, x):
        assert not self.training
        return self.conv(x)
class Words(nn.Module):
    def forward(self, x, words):
        assert words.dtype is torch.int64
        return x.mean() + words.sum()
class Failing(nn.Module):
    def forward(self, x):
        raise ValueError("not today")
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETS, encoding="utf-8")


def test_the_backends_and_clocks_that_the_help_names_are_all_there_are() -> None:
    assert set(BACKENDS) == set(KNOWN_BACKENDS)
    assert set(CLOCKS) == {*KNOWN_CLOCKS, REPLAY}


def test_networks_and_backends_are_rows_of_one_table(archspace: Archspace) -> None:
    code, out, err = archspace("measure", "shufflenet_v2@width=0.5", "fenet", "--backend", "eager", "--backend", "folded", *QUICK)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["model", "backend", "ms", "spread", "ratio", "input", "runtime"]
    names = [line.split()[:2] for line in lines[2:6]]
    assert names == [[model, backend] for model in ("shufflenet_v2@width=0.5", "fenet") for backend in ("eager", "folded")]
    assert lines[2].split()[5] == "x1"
    assert lines[6].startswith("noise floor ")
    assert "1 thread, float32; CPU time of one thread; 4 rounds" in lines[7]
    assert [line.startswith("appended to measurements/measured-") for line in err.splitlines()] == [True, True]


def test_every_measurement_is_appended(archspace: Archspace) -> None:
    for _ in range(2):
        assert archspace("measure", "shufflenet_v2", "--width", "0.5", *QUICK, "-o", "kept").code == 0
    (path,) = Path("kept").iterdir()
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["model"] for row in rows] == ["shufflenet_v2@width=0.5"] * 2
    assert path.name.endswith("-cpu-1thread-batch1-float32.csv")


def test_json_and_csv_hold_the_same_rows(archspace: Archspace) -> None:
    code, out, err = archspace("measure", "shufflenet_v2", "--batch", "2", *QUICK, "--format", "json", "--no-save")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert (data["schema"], data["warnings"], data["files"]) == (1, [], [])
    (row,) = data["rows"]
    assert (row["model"], row["input_shape"], row["rounds"], len(row["least_ms"])) == ("shufflenet_v2", "2x3x32x32", 4, 4)
    assert row["measured_ms"] == pytest.approx(sum(sorted(row["least_ms"])[1:3]) / 2, rel=1e-5)  # the median of four
    _, out, _ = archspace("measure", "shufflenet_v2", *QUICK, "--format", "csv", "--no-save")
    (line,) = csv.DictReader(io.StringIO(out))
    assert set(line) == set(row) - {"least_ms"}
    assert not Path("measurements").exists()


def test_python_models_are_timed_as_they_are(archspace: Archspace) -> None:
    code, out, err = archspace(
        "measure", "net.py:Net@width=7", "--backend", "eager", "--backend", "onnxruntime", *QUICK, "--format", "json"
    )
    assert code == 0
    assert [(row["model"], row["graph"]) for row in json.loads(out)["rows"]] == [("net.py:Net@width=7", "")] * 2
    assert err.splitlines()[0] == "running the code of net.py"
    code, _, _ = archspace("measure", "net.py:Words", "--input", "8", "--input", "5:int64", "--rounds", "4", "--no-save")
    assert code == 0


@pytest.mark.slow
def test_built_files_are_timed(archspace: Archspace) -> None:
    assert archspace("build", "shufflenet_v2", "--width", "0.5", "--input", "32", "-o", "net", "--pt2", "--onnx").code == 0
    models = ("net/model.pt2", "net/model.onnx")
    code, out, err = archspace("measure", *models, "--backend", "onnxruntime", "--backend", "eager", "--rounds", "4", "--format", "json")
    assert (code, "warning" in err) == (0, False)
    assert [row["input_shape"] for row in json.loads(out)["rows"]] == ["1x3x32x32"] * 4


def test_what_cannot_be_run_is_named_and_the_rest_goes_on(archspace: Archspace) -> None:
    code, out, err = archspace("measure", "net.py:Failing", "shufflenet_v2", *QUICK, "--format", "json")
    assert code == 2
    data = json.loads(out)
    assert [row["model"] for row in data["rows"]] == ["shufflenet_v2"]
    assert data["warnings"] == ["eager cannot run net.py:Failing: ValueError: not today"]
    assert f"warning: {data['warnings'][0]}" in err.splitlines()
    assert Path(data["files"][0]).exists()


def test_results_are_printed_also_where_they_cannot_be_kept(archspace: Archspace) -> None:
    assert archspace("measure", "shufflenet_v2", *QUICK).code == 0
    (path,) = Path("measurements").iterdir()
    path.write_text("mine\n", encoding="utf-8")
    code, out, err = archspace("measure", "shufflenet_v2", *QUICK)
    assert code == 2
    assert "noise floor" in out
    assert err.startswith(f"archspace: {path}: rows are appended where the columns are the same")
    assert path.read_text(encoding="utf-8") == "mine\n"


def test_a_table_fits_a_terminal_of_eighty_columns() -> None:
    from archspace.cli.measure import _table

    row = Measured(
        "2026-01-01T00:00:00+00:00", "shufflenet_v1@groups=8,width=0.5", "onnxruntime", 123.456, 12.3, 0.2, 0.123456, 15, 1000, "thread",
        50.0, (1, 3, 224, 224), "Intel Core i7-12700H, 20 cores", "onnxruntime 1.22.0", "cpu", 1, "float32", "0123456789ab", (1.0,) * 4,
    )  # fmt: skip
    table = fitted(_table([row]), 80)
    assert table.columns == ("<model", "<backend", "ms", "spread", "ratio")
    assert "left out for a terminal of 80 columns: runtime, input" in table.notes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ["measure takes at least one MODEL, but got none"]),
        (("resnet18", "--batch", "0"), ["'--batch': 0 is not in the range"]),
        (("resnet18", "--batch", "-4"), ["'--batch': -4 is not in the range"]),
        (("resnet18", "--threads", "0"), ["'--threads': 0 is not in the range"]),
        (("resnet18", "--rounds", "1"), ["at least 4 rounds, but got 1"]),
        (("resnet18", "--seconds", "0"), ["positive and finite, but got 0"]),
        (("resnet18", "--rounds", "5", "--seconds", "1"), ["--rounds or --seconds, but got both"]),
        (("resnet18", "--backend", "tvm"), ["--backend", "'tvm'", "'onnxruntime'"]),
        (("resnet18", "--on", "mps"), ["--on", "'mps'", "'cuda'"]),
        (("resnet18", "--on", "cuda"), ["measuring on cuda needs a GPU", "Use cpu."]),
        (("resnet18", "--on", "cuda", "--backend", "onnxruntime"), ["onnxruntime is timed on the cpu alone"]),
        (("resnet18", "fenet", "--width", "2"), ["in their specs, but got --width"]),
        (("resnet19",), ["unknown network 'resnet19'"]),
        (("resnet18@width=0",), ["width"]),
        (("none.onnx",), ["none.onnx: cannot be read"]),
        (("none.pt2",), ["none.pt2"]),
        (("net.py:Nit",), ["unknown name in net.py 'Nit'. Did you mean 'Net'?"]),
        (("net.py:Net@width=2", "--width", "3"), ["the argument width is given twice"]),
        (("resnet18", "-o", "net.py"), ["net.py: measurements are kept in a folder, but this is a file"]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    words: tuple[str, ...], said: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code = main(["measure", *words])
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("running the code")]
    assert (code, out, len(lines)) == (2, "", 1)
    assert [part for part in said if part not in lines[0]] == []
    assert [path.name for path in Path().iterdir() if path.name != "__pycache__"] == ["net.py"]
