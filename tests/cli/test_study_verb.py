"""`archspace study` and `archspace worker`: studies in folders and in a database, as a user meets them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

Archspace = Callable[..., Any]
SPACE = """
family = "shufflenet_v1"
[constants]
input = [64, 64]
[objectives]
maximize = ["stage_channels"]
minimize = ["mem_elems"]
[parameters.groups]
choices = [1, 2, 3]
[parameters.width]
low = 0.25
high = 2.0
step = 0.25
"""
DATABASE = "sqlite:///studies.db"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archspace: Archspace) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("tiny.toml").write_text(SPACE, encoding="utf-8")
    assert archspace("search", "tiny.toml", "--max-madds", "12M", "--trials", "15", "--sampler", "random").code == 0


def shared(archspace: Archspace, *words: str) -> Any:
    """A study in a database."""
    return archspace("search", "tiny.toml", "--max-madds", "12M", "--storage", DATABASE, "--study", "both", "-o", "out", *words)


def test_list_shows_every_study_and_what_cannot_be_read(archspace: Archspace) -> None:
    Path("runs/broken").mkdir()
    Path("runs/broken/study.json").write_text("{}", encoding="utf-8")
    code, out, _ = archspace("study", "list")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("runs/tiny")]
    assert line.split()[1] == "15"
    assert "cannot be read: runs/broken" in out
    data = json.loads(archspace("study", "list", "--format", "json").out)
    assert [study["study"] for study in data["studies"]] == ["tiny"]
    assert len(data["unreadable"]) == 1


def test_show_tells_the_question_and_its_identities(archspace: Archspace) -> None:
    out = archspace("study", "show", "runs/tiny").out
    stored = json.loads(Path("runs/tiny/study.json").read_text(encoding="utf-8"))
    assert "tiny: maximize stage_channels, minimize mem_elems; madds at most 12M" in out
    assert "random, seed 0, 1 in flight" in out
    assert stored["version"] in out
    data = json.loads(archspace("study", "show", "runs/tiny", "--format", "json").out)
    assert (data["trials"], data["question"]["space_id"]) == (15, stored["space_id"])


def test_best_is_the_front_inside_every_bound(archspace: Archspace) -> None:
    data = json.loads(archspace("study", "best", "runs/tiny", "--format", "json").out)
    with Path("runs/tiny/pareto.csv").open(encoding="utf-8") as file:
        front = list(csv.DictReader(file))
    assert [row["number"] for row in data["winners"]] == [int(row["number"]) for row in front]
    assert all(row["metrics"]["madds"] <= 12e6 for row in data["winners"])
    assert len(json.loads(archspace("study", "best", "runs/tiny", "-n", "1", "--format", "json").out)["winners"]) == 1


@pytest.mark.parametrize(("name", "read"), [("t.csv", pd.read_csv), ("t.json", pd.read_json), ("t.parquet", pd.read_parquet)])
def test_export_writes_every_candidate(name: str, read: Callable[[str], pd.DataFrame], archspace: Archspace) -> None:
    assert archspace("study", "export", "runs/tiny", "-o", name).code == 0
    frame = read(name)
    records = pd.read_csv("runs/tiny/records.csv")
    assert frame["madds"].tolist() == records["madds"].tolist()
    assert frame["digest"].tolist() == records["digest"].tolist()
    code, _, err = archspace("study", "export", "runs/tiny", "-o", name)
    assert code == 2
    assert "--force" in err


def test_an_export_of_another_ending_is_refused(archspace: Archspace) -> None:
    code, _, err = archspace("study", "export", "runs/tiny", "-o", "t.xlsx")
    assert (code, err) == (2, "archspace: -o must end in .csv, .json, .parquet, but got t.xlsx\n")


def test_a_report_is_written_where_asked_and_not_over_another_file(archspace: Archspace) -> None:
    assert archspace("study", "report", "runs/tiny", "-o", "page.html").code == 0
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    code, _, err = archspace("study", "report", "runs/tiny", "-o", "page.html")
    assert code == 2
    assert "--force" in err


def test_prune_cuts_a_torn_journal_once_and_deletes_only_when_meant(archspace: Archspace) -> None:
    with Path("runs/tiny/journal.log").open("a", encoding="utf-8") as file:
        file.write('{"op_code"')
    assert archspace("study", "prune", "runs/tiny").err == "cut 10 bytes of an unfinished line off runs/tiny/journal.log\n"
    assert archspace("study", "prune", "runs/tiny").err == "nothing to tidy\n"
    assert archspace("study", "prune", "runs/tiny", "--delete").code == 2
    Path("runs/tiny/mine.txt").write_text("kept", encoding="utf-8")
    assert archspace("study", "prune", "runs/tiny", "--delete", "--force").code == 0
    assert [path.name for path in Path("runs/tiny").iterdir()] == ["mine.txt"]


def test_a_study_in_a_database_is_read_from_its_folder_and_by_its_name(archspace: Archspace) -> None:
    assert shared(archspace, "--trials", "6").code == 0
    by_folder = json.loads(archspace("study", "show", "out", "--format", "json").out)
    by_name = json.loads(archspace("study", "show", "both", "--storage", DATABASE, "--format", "json").out)
    assert by_folder["winners"] == by_name["winners"]
    assert by_name["trials"] == 6
    assert "both" in archspace("study", "list", "--storage", DATABASE).out
    code, _, err = archspace("study", "show", "bot", "--storage", DATABASE)
    assert (code, err) == (2, "archspace: unknown study in sqlite:///studies.db 'bot'. Did you mean 'both'?\n")


def test_a_worker_goes_on_with_a_study_and_needs_no_files(archspace: Archspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared(archspace, "--trials", "6").code == 0
    study = optuna.load_study(study_name="both", storage=DATABASE)
    limits = study.user_attrs["archspace:limits"]
    study.set_user_attr("archspace:limits", {**limits, "trials": 11})
    (tmp_path / "elsewhere").mkdir()
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = archspace("worker", "--storage", url, "--study", "both")
    assert code == 0
    assert "this worker finished 5 trials" in err
    assert list(Path.cwd().iterdir()) == []
    assert json.loads(archspace("study", "show", "both", "--storage", url, "--format", "json").out)["trials"] == 11


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("study", "show", "runs/other"), "runs/other: must hold a study (study.json), but does not"),
        (("study", "show", "bot", "--storage", DATABASE), "storage sqlite:///studies.db: there is no such file"),
        (("worker", "--study", "bot", "--storage", DATABASE), "storage sqlite:///studies.db: there is no such file"),
        (("study", "list", "nowhere"), "nowhere: holds no study"),
        (("worker", "--study", "both"), "a worker needs the database that the study is in"),
        (("worker", "--study", "both", "--storage", "nonsense"), "must be a URL like sqlite:///studies.db"),
        (("search", "tiny.toml", "--max", "speed=3"), "unknown metric 'speed'"),
        (("search", "tiny.toml", "--max", "madds"), "--max takes METRIC=VALUE"),
        (("search", "tiny.toml", "--max", "madds=3M", "--max-madds", "4M"), "a metric has one bound, but madds has two"),
        (("search", "tiny.toml", "--maximize", "python:nowhere_at_all:f"), "its module cannot be imported"),
        (("search", "tiny.toml", "--sampler", "tpee", "-o", "fresh"), "unknown sampler 'tpee'. Did you mean 'tpe'?"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(words: tuple[str, ...], message: str, archspace: Archspace) -> None:
    code, _, err = archspace(*words)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
