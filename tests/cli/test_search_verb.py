"""`archspace search`: end to end in a folder of its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archspace.study.judging as judging
from archspace import build, load
from archspace.analysis import analyze
from archspace.objectives import METRICS

Archspace = Callable[..., Any]
SPACES = Path(__file__).parents[2] / "spaces"
V1 = str(SPACES / "shufflenet_v1.toml")
FILES = {"study.json", "journal.log", "records.csv", "pareto.csv", "report.html", "winners"}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def searched(archspace: Archspace, *words: str) -> dict[str, Any]:
    code, out, _ = archspace("search", *words, "--sampler", "random", "--format", "json")
    assert code == 0
    data: dict[str, Any] = json.loads(out)
    return data


def test_the_studys_directory_is_named_after_the_space_and_holds_everything(archspace: Archspace) -> None:
    code, out, err = archspace("search", V1, "--max-madds", "140M", "--trials", "20", "--sampler", "random")
    assert code == 0
    assert out.startswith("shufflenet_v1: maximize stage_channels, minimize mem_elems; madds at most 140M\n")
    assert "20 trials (0 from before)" in err
    assert "wrote runs/shufflenet_v1: winners/, pareto.csv, records.csv, report.html" in err
    assert {path.name for path in Path("runs/shufflenet_v1").iterdir()} == FILES


def test_every_winner_meets_the_budget_and_its_files_are_that_network(archspace: Archspace) -> None:
    data = searched(archspace, V1, "--max-madds", "140M", "--trials", "30", "-o", "out")
    assert (data["schema"], data["directory"], data["trials"], data["interrupted"]) == (1, "out", 30, False)
    assert data["winners"]
    assert [row["rank"] for row in data["winners"]] == list(range(1, len(data["winners"]) + 1))
    for row in data["winners"]:
        assert row["metrics"]["madds"] <= 140e6
        graph = load(row["graph"])
        assert row["graph"] == f"out/winners/{row['rank']:02d}/graph.json"
        totals = analyze(graph).totals
        assert (totals.madds, totals.params, totals.mem_elems) == tuple(row["metrics"][key] for key in ("madds", "params", "mem_elems"))
        config = json.loads(Path(row["graph"]).with_name("config.json").read_text(encoding="utf-8"))
        assert config == {"family": "shufflenet_v1", **row["options"]}
        assert build(config.pop("family"), **config) == graph


def test_records_and_front_are_in_the_csv_files(archspace: Archspace) -> None:
    data = searched(archspace, V1, "--max-madds", "140M", "--trials", "30", "-o", "out")
    records, front = (
        list(csv.DictReader(io.StringIO(Path(f"out/{name}.csv").read_text(encoding="utf-8")))) for name in ("records", "pareto")
    )
    assert [int(row["number"]) for row in records] == list(range(30))
    assert sum(row["feasible"] == "True" for row in records) == data["feasible"]
    assert [int(row["number"]) for row in front] == [row["number"] for row in data["winners"]]
    assert all(int(row["madds"]) <= 140e6 for row in front)
    assert all((int(row["madds"]) <= 140e6) == (row["feasible"] == "True") for row in records)


def test_csv_has_a_line_per_winner(archspace: Archspace) -> None:
    data = searched(archspace, V1, "--trials", "10", "-o", "out")
    _, out, _ = archspace("search", V1, "--trials", "10", "-o", "out", "--sampler", "random", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["graph"] for row in rows] == [row["graph"] for row in data["winners"]]
    assert [int(row["madds"]) for row in rows] == [row["metrics"]["madds"] for row in data["winners"]]


def test_the_same_command_resumes_and_a_higher_number_of_trials_adds(archspace: Archspace) -> None:
    words = ("search", V1, "--max-madds", "140M", "-o", "out", "--sampler", "random")
    first = archspace(*words, "--trials", "10")
    again = archspace(*words, "--trials", "10")
    assert (again.code, again.out) == (0, first.out)
    assert "10 trials (10 from before)" in again.err
    more = archspace(*words, "--trials", "25")
    assert "25 trials (10 from before)" in more.err
    assert len(Path("out/records.csv").read_text(encoding="utf-8").splitlines()) == 26
    archspace("search", V1, "--max-madds", "140M", "-o", "straight", "--sampler", "random", "--trials", "25")
    for name in ("records.csv", "pareto.csv", "winners/01/graph.json"):
        assert Path("out", name).read_bytes() == Path("straight", name).read_bytes()


def test_winners_of_an_earlier_run_that_win_no_more_are_gone(archspace: Archspace) -> None:
    for trials in ("5", "60"):
        data = searched(archspace, V1, "--trials", trials, "-o", "out", "--maximize", "params", "--minimize", "acts")
        kept = sorted(path.name for path in Path("out/winners").iterdir())
        assert kept == [f"{row['rank']:02d}" for row in data["winners"]]
    forced = searched(archspace, V1, "--trials", "1", "-o", "out", "--force")
    assert [path.name for path in Path("out/winners").iterdir()] == ["01"]
    assert forced["trials"] == 1


def test_ctrl_c_ends_the_search_with_what_it_has(archspace: Archspace, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome_of = judging.outcome_of
    calls: list[Any] = []

    def interrupted(question: Any, device: Any, graph: Any) -> Any:
        calls.append(graph)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return outcome_of(question, device, graph)

    words = ("search", V1, "--trials", "20", "-o", "out", "--sampler", "random")
    with monkeypatch.context() as patch:
        patch.setattr(judging, "outcome_of", interrupted)
        stopped = archspace(*words)
    assert "7 trials (0 from before)" in stopped.err
    assert "stopped after 7 of 20 trials; the same command goes on from here" in stopped.err
    assert {path.name for path in Path("out").iterdir()} == FILES
    assert "20 trials (7 from before)" in archspace(*words).err


def test_a_latency_bound_keeps_to_its_device_and_says_how_sure_it_is(archspace: Archspace) -> None:
    words = ("search", V1, "--max-latency", "30ms", "--device", "sd810", "--trials", "20", "-o", "out", "--sampler", "random")
    code, out, _ = archspace(*words)
    assert code == 0
    assert "latency_ms at most 30 ms" in out
    assert "one batch of 1 on sd810" in out
    data = json.loads(archspace(*words, "--format", "json").out)
    assert data["question"]["device"] == "sd810"
    assert all(row["metrics"]["latency_ms"] <= 30 for row in data["winners"])


def test_objectives_of_the_command_replace_the_spaces_own(archspace: Archspace) -> None:
    data = searched(archspace, V1, "--minimize", "params", "--maximize", "acts", "--trials", "5", "-o", "out")
    assert data["question"]["objectives"] == {"acts": "maximize", "params": "minimize"}


def test_a_held_search_gives_winners_of_equal_complexity(archspace: Archspace) -> None:
    data = searched(archspace, V1, "--hold", "madds=140M", "--trials", "15", "-o", "out")
    assert data["question"]["hold"] == {"madds": 140_000_000}
    for row in data["winners"]:
        assert 0.95 * 140e6 <= row["metrics"]["madds"] <= 140e6


def test_no_winner_is_exit_code_one_and_an_empty_front(archspace: Archspace) -> None:
    """The least multiply-adds of the space as the bound: ten random candidates all lie above it."""
    _, _, err = archspace("search", V1, "--max-madds", "1K", "--trials", "10", "-o", "none")
    least = err.split("the smallest value found in the space is ")[1].split(" ")[0]
    bound = str(int(least) + 1)
    code, _, err = archspace("search", V1, "--max-madds", bound, "--trials", "10", "-o", "out", "--sampler", "random")
    assert code == 1
    assert "no candidate meets the budget yet; run more --trials, or ask for less" in err
    assert "(at most " in err
    assert "No candidate meets the budget." in Path("out/report.html").read_text(encoding="utf-8")
    assert not Path("out/winners").exists() or not list(Path("out/winners").iterdir())


@pytest.mark.parametrize("name", sorted(path.stem for path in SPACES.glob("*.toml")))
def test_every_shipped_space_is_searched_with_the_default_sampler(name: str, archspace: Archspace) -> None:
    code, out, _ = archspace("search", str(SPACES / f"{name}.toml"), "--max-madds", "200M", "--trials", "15", "--format", "json")
    assert code == 0
    assert json.loads(out)["directory"] == f"runs/{name}"


def test_a_database_takes_the_trials(archspace: Archspace) -> None:
    data = searched(archspace, V1, "--trials", "5", "-o", "out", "--storage", "sqlite:///trials.db")
    assert data["trials"] == 5
    assert Path("trials.db").exists()
    assert not Path("out/journal.log").exists()


@pytest.mark.slow
def test_a_winner_is_built_checked_and_saved(archspace: Archspace) -> None:
    searched(archspace, V1, "--max-madds", "20M", "--trials", "60", "-o", "out")
    words = ("build", "out/winners/01/graph.json", "-o", "model.pt2", "--check")
    code, out, err = archspace(*words)
    assert (code, err) == (0, "wrote model.pt2\n")
    assert "DIFFERENT" not in out
    code, out, err = archspace(*words)
    assert (code, out) == (2, "")
    assert "model.pt2: exists already" in err
    assert archspace(*words, "--force").code == 0
    assert archspace("build", "out/winners/01/config.json", "--check", "--input", "64").code == 0


def test_the_help_names_every_metric(archspace: Archspace) -> None:
    words = set(archspace("search", "--help").out.replace(",", " ").split())
    assert set(METRICS) <= words
