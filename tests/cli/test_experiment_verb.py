"""`archspace experiment`: what is shown, written and refused; the times are given, none are taken."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standing_in import StandIn

from archspace.cli import experiment as verb
from archspace.cli import experiment_tables
from archspace.cli.output import table_text
from archspace.timing import EXPERIMENTS, NotMeasuredWarning, experiment_run

Archspace = Callable[..., Any]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MS = {"1:1": 2.0, "1:2": 3.0, "1:6": 5.0, "1:12": 4.0}
G1 = ("experiment", "g1", "--scale", "x1")


def plain(text: str) -> str:
    """What a terminal shows, without colours."""
    return COLOURS.sub("", text)


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the process would keep is not kept: there are other tests in it. A list that is longer by one for each time it was asked to."""
    asked: list[bool] = []
    monkeypatch.setattr("archspace.timing.keep_pages", lambda: asked.append(True))
    return asked


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Rows of table 1 take what MS says, all others 1 ms."""
    found = StandIn(lambda row, backend: [MS.get(row, 1.0)] * 5)
    monkeypatch.setattr(experiment_run, "measure", found)
    return found


@pytest.mark.usefixtures("stand_in")
def test_a_row_shows_speed_time_and_ratio_beside_the_paper_s(archspace: Archspace) -> None:
    code, out, err = archspace(*G1)
    assert (code, err) == (0, "")
    line = next(line for line in out.splitlines() if "1:12" in line)
    # images/s = 1000 / 4 ms; 76.2 / 57.6 and 1480 / 748 from table 1.
    assert line.split() == ["1:12", "guideline1_9x108", "60.96M", "x1.82", "250", "4", "x2.00", "57.6", "x1.32", "748", "x1.98"]
    assert "GPU has guideline1_128x128" in out
    assert "noise" in out


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("name", [*EXPERIMENTS, ""])
def test_all_fits_a_terminal_of_eighty_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    if name:
        found = experiment_tables.tables(experiment_run.experiment(name, backends=("eager", "onnxruntime"), rounds=4))
    else:
        found = [experiment_tables.list_table(EXPERIMENTS.values())]
    lines = plain(table_text(found, to_terminal=True)).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert not any(line.startswith("memory: ") for line in lines)  # the column is left out, and so is what is said of it
    assert all(column in lines[1].split() for column in (["row", "ms", "ratio"] if name else []))


@pytest.mark.usefixtures("stand_in")
def test_what_a_run_does_not_show_is_said_as_measure_says_it(archspace: Archspace) -> None:
    assert "noise floor 1.0 % (odd against even rounds of this run; another run may lie a few percent off)\n" in archspace(*G1).out
    assert "\nnoise floor at most 1.0 % (odd" in archspace("experiment", "g1").out


@pytest.mark.usefixtures("stand_in")
def test_the_verdict_is_said_in_words_with_the_paper_s_own(archspace: Archspace) -> None:
    out = archspace(*G1).out
    assert (
        "eager: that convolutions are slower the further c1:c2 is from 1:1 mostly holds on this machine. "
        "5 of 6 comparisons hold, 1 is the other way round. In the paper: 6 of 6 on the Snapdragon 810 and 6 of 6 on the GTX 1080 Ti" in out
    )
    assert "agrees by 0.67 with the Snapdragon 810" in out  # 5 pairs alike, 1 not: 4 / 6


@pytest.mark.usefixtures("stand_in")
def test_several_columns_are_summed_up(archspace: Archspace) -> None:
    out = archspace("experiment", "g1").out
    assert "ratios, the geometric mean over 3 columns" in out
    assert next(line for line in out.splitlines() if line.startswith("1:6 ")).split()[1] == "x2.50"


@pytest.mark.usefixtures("stand_in")
def test_json_and_csv_hold_the_same_rows(archspace: Archspace) -> None:
    data = json.loads(archspace(*G1, "--format", "json").out)
    rows = list(csv.DictReader(io.StringIO(archspace(*G1, "--format", "csv").out)))
    assert (data["schema"], data["experiment"], data["paper"], data["warnings"]) == (1, "g1", "arm", [])
    assert [(row["row"], float(row["ratio"])) for row in rows] == [(row["row"], row["ratio"]) for row in data["rows"]]
    assert list(rows[0]) == list(data["rows"][0])
    assert data["verdicts"][0]["paper"]["gpu"] == {"held": 6, "tied": 0, "broken": 0}


@pytest.mark.usefixtures("stand_in")
def test_with_two_backends_rows_say_which(archspace: Archspace) -> None:
    out = archspace(*G1, "--backend", "eager", "--backend", "onnxruntime").out
    assert sum("onnxruntime  " in line and "guideline1" in line for line in out.splitlines()) == 4
    assert "onnxruntime: that convolutions" in out


def test_what_is_left_out_is_said_and_full_runs_it(archspace: Archspace, stand_in: StandIn) -> None:
    words = ("experiment", "resolutions", "--scale", "40m")
    assert "left out, as it takes long on a CPU: 720x1080. --full runs it." in archspace(*words).out
    assert len(stand_in.asked) == 2
    assert "left out" not in archspace(*words, "--full").out
    assert len(stand_in.asked) == 2 + 3


def test_quick_runs_one_column_in_few_rounds(archspace: Archspace, stand_in: StandIn) -> None:
    assert archspace("experiment", "units", "--quick").code == 0
    (asked,) = stand_in.asked
    assert (asked["rounds"], asked["shapes"][0]) == (5, (1, 64, 56, 56))


def test_scales_and_inputs_are_spelled_freely(archspace: Archspace, stand_in: StandIn) -> None:
    assert archspace("experiment", "units", "--scale", "2", "--scale", "X2", "--input", "28x28").code == 0
    assert [asked["shapes"][0] for asked in stand_in.asked] == [(1, 128, 28, 28)]


@pytest.mark.usefixtures("stand_in")
def test_freed_memory_is_kept_where_a_cpu_is_timed_and_there_alone(archspace: Archspace, pages: list[bool]) -> None:
    assert archspace("experiment").code == archspace(*G1, "--on", "cuda").code == 0
    assert pages == []
    assert archspace(*G1).code == 0
    assert pages == [True]


@pytest.mark.usefixtures("stand_in")
def test_a_batch_that_is_not_the_paper_s_is_said(archspace: Archspace) -> None:
    assert "the batch is 4 here, and 1 in the paper" in archspace(*G1, "--batch", "4").out
    assert "in the paper" not in archspace(*G1).out.replace("In the paper", "").replace("the channels are those that the paper", "")


def test_what_a_backend_cannot_run_is_said_and_the_exit_code_is_2(archspace: Archspace, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = StandIn(lambda row, backend: None if row == "1:6" else [MS[row]] * 5)

    def measure(*subjects: Any, **conditions: Any) -> Any:
        warnings.warn("eager cannot run 1:6: some reason", NotMeasuredWarning, stacklevel=2)
        return plain(*subjects, **conditions)

    monkeypatch.setattr(experiment_run, "measure", measure)
    code, out, err = archspace(*G1)
    assert (code, err) == (2, "warning: eager cannot run 1:6: some reason\n")
    assert "guideline1_9x108" in out
    assert "guideline1_13x78" not in out


@pytest.mark.usefixtures("stand_in")
def test_a_page_is_written_and_nothing_overwritten_unasked(archspace: Archspace, tmp_path: Path) -> None:
    page = tmp_path / "g1.html"
    code, out, err = archspace(*G1, "-o", str(page))
    assert (code, out, err) == (0, "", f"wrote {page}\n")
    text = page.read_text(encoding="utf-8")
    assert "this machine" in text
    assert "paper, Snapdragon 810" in text
    assert "exists already" in archspace(*G1, "-o", str(page)).err
    assert archspace(*G1, "-o", str(page), "--force").code == 0


def test_a_file_that_exists_is_refused_before_anything_is_timed(archspace: Archspace, stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "g1.csv").write_text("kept")
    assert archspace(*G1, "--format", "csv", "-o", str(tmp_path / "g1.csv")).code == 2
    assert stand_in.asked == []
    assert (tmp_path / "g1.csv").read_text() == "kept"


def test_the_verb_names_the_experiments_that_there_are(archspace: Archspace) -> None:
    assert tuple(EXPERIMENTS) == verb.NAMES
    out = archspace("experiment").out
    assert [line.split()[0] for line in out.splitlines()[2:-1]] == list(EXPERIMENTS)
    listed = json.loads(archspace("experiment", "--format", "json").out)["experiments"]
    assert [one["experiment"] for one in listed] == list(EXPERIMENTS)
    shown = archspace("experiment", "--help").out
    assert all(f"  {name} " in shown for name in EXPERIMENTS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resolution"], "unknown experiment 'resolution'. Did you mean 'resolutions'?"),
        (["g5"], "unknown experiment 'g5'. Known: g1, g2, g3, g4, units, resolutions."),
        (["g1", "--on", "cuda"], "measuring on cuda needs a GPU"),
        (["g1", "--batch", "0"], "the batch must be at least 1, but got 0"),
        (["g1", "--batch", "-3"], "the batch must be at least 1, but got -3"),
        (["g1", "--scale", "x3"], "unknown scale of g1 'x3'. Known: x1, x2, x4."),
        (["g1", "--input", "224"], "unknown input of g1 '224'. Known: 56."),
        (["g1", "--rounds", "2"], "a measurement takes at least 4 rounds, but got 2"),
        (["g1", "--seconds", "0"], "seconds must be positive and finite, but got 0"),
        (["g1", "--rounds", "5", "--seconds", "2"], "an experiment takes --rounds or --seconds, but got both"),
        (["g1", "--quick", "--full"], "--quick chooses the first scale and input"),
        (["resolutions", "--full", "--input", "320"], "--full runs every input, but --input chooses some"),
        (["g1", "--backend", "onnx"], "'onnx' is not one of"),
        (["--quick"], "--quick says how an experiment is run, but none is named"),
        (["--scale", "x1"], "--scale says how an experiment is run, but none is named"),
        (["-o", "page.html"], "gets a figure of an experiment, but none is named"),
        (["g1", "--format", "csv", "-o", "page.html"], "a file in .html gets a figure, but --format csv asks for numbers"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, out, err = archspace("experiment", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
