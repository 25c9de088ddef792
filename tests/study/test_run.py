"""Studies: the same trials for the same seed, whatever interrupts them; hard budgets; directories that belong to something else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

import archspace.study.judging as judging
from archspace.errors import ArchspaceError, BudgetError, FileError, SpaceError, StudyError, UnknownNameError
from archspace.space import Space
from archspace.study import Progress, StudyResult, search
from archspace.study.run import begun_with

ROOT = Path(__file__).parents[2]
V1 = ROOT / "spaces" / "shufflenet_v1.toml"

# Three units of 64 pixels: a candidate takes a fraction of a millisecond.
TINY: dict[str, Any] = {
    "family": "shufflenet_v1",
    "constants": {"input": [64, 64]},
    "objectives": {"maximize": ["stage_channels"], "minimize": ["mem_elems"]},
    "parameters": {
        "groups": {"choices": [1, 2, 3, 4, 8]},
        "width": {"low": 0.25, "high": 2.0, "step": 0.05},
        "repeats": {"each": [{"low": 1, "high": 2}, {"low": 1, "high": 2}, {"low": 1, "high": 2}]},
    },
}
SPACE = Space.from_dict(TINY, "tiny")
BOUNDS = {"madds": 4e6}
FAST = ("tpe", "nsga2", "random")


def run(directory: Path, trials: int, **options: Any) -> StudyResult:
    return search(**{"space": SPACE, "directory": directory, "bounds": BOUNDS, "sampler": "random", "trials": trials, **options})


def stored(directory: Path) -> optuna.Study:
    """The study as Optuna itself reads it from the journal."""
    storage = JournalStorage(JournalFileBackend(str(directory / "journal.log")))
    return optuna.load_study(study_name=directory.name, storage=storage)


def stop_at(number: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.done == number:
            raise KeyboardInterrupt

    return stop


# --- the same seed, the same trials ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", FAST)
def test_the_same_seed_gives_the_same_trials_and_another_seed_others(sampler: str, tmp_path: Path) -> None:
    first, again, other = (run(tmp_path / name, 30, sampler=sampler, seed=seed).records for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first != other
    assert [record.number for record in first] == list(range(30))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_trials_with_a_gaussian_process(tmp_path: Path) -> None:
    # The first ten trials are random, so twelve use the model twice.
    first, again = (run(tmp_path / name, 12, sampler="gp").records for name in ("a", "b"))
    assert first == again


@pytest.mark.parametrize("sampler", FAST)
def test_a_study_run_in_two_parts_equals_one_run_in_one(sampler: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 80, sampler=sampler)
    part = run(tmp_path / "parts", 40, sampler=sampler)
    rest = run(tmp_path / "parts", 80, sampler=sampler)
    assert part.records == whole.records[:40]
    assert rest.records == whole.records
    assert (whole.resumed, part.resumed, rest.resumed) == (0, 0, 40)
    assert rest.winners == whole.winners


@pytest.mark.parametrize("sampler", FAST)
def test_ctrl_c_between_trials_keeps_them_and_the_same_call_goes_on(sampler: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 40, sampler=sampler)
    stopped = run(tmp_path / "stopped", 40, sampler=sampler, progress=stop_at(17))
    assert stopped.interrupted
    assert stopped.records == whole.records[:17]
    assert len(stored(tmp_path / "stopped").trials) == 17
    resumed = run(tmp_path / "stopped", 40, sampler=sampler)
    assert (resumed.interrupted, resumed.resumed) == (False, 17)
    assert resumed.records == whole.records


def test_ctrl_c_inside_a_trial_leaves_that_trial_out_and_the_same_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole", 30)
    outcome_of = judging.outcome_of

    calls: list[Any] = []

    def interrupted(question: Any, device: Any, graph: Any) -> Any:
        calls.append(graph)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return outcome_of(question, device, graph)

    with monkeypatch.context() as patch:
        patch.setattr(judging, "outcome_of", interrupted)
        stopped = run(tmp_path / "stopped", 30)
    assert stopped.interrupted
    assert stopped.records == whole.records[:5]
    assert {trial.state for trial in stored(tmp_path / "stopped").trials} == {TrialState.COMPLETE}
    assert run(tmp_path / "stopped", 30).records == whole.records


def test_a_finished_study_runs_nothing_more_and_fewer_trials_drop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(tmp_path, 10)
    monkeypatch.setattr(judging, "outcome_of", None)  # calling it would fail
    for trials in (10, 3):
        again = run(tmp_path, trials)
        assert (again.records, again.resumed, again.interrupted) == (done.records, 10, False)


@pytest.mark.slow
def test_a_killed_search_resumes_to_the_trials_of_an_uninterrupted_one(tmp_path: Path) -> None:
    words = [str(V1), "--sampler", "random", "--trials", "20000", "-o", str(tmp_path / "killed")]
    journal = tmp_path / "killed" / "journal.log"
    process = subprocess.Popen([sys.executable, "-m", "archspace", "search", *words], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        # The header alone is about 2 kB; each trial adds about 1 kB.
        while not (journal.exists() and journal.stat().st_size > 20_000):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    first = search(V1, directory=tmp_path / "killed", sampler="random", trials=1)
    assert first.resumed >= 1
    trials = first.resumed + 20
    resumed = search(V1, directory=tmp_path / "killed", sampler="random", trials=trials)
    assert (len(resumed.records), resumed.resumed) == (trials, first.resumed)
    assert resumed.records == search(V1, directory=tmp_path / "whole", sampler="random", trials=trials).records


@pytest.mark.parametrize("tail", [b'{"op_code": 4, "worker_id": "half a li', b"\x00\x00garbage"])
def test_a_torn_last_line_of_the_journal_is_cut_and_the_study_goes_on(tail: bytes, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 20)
    run(tmp_path / "torn", 10)
    with (tmp_path / "torn" / "journal.log").open("ab") as journal:
        journal.write(tail)
    assert run(tmp_path / "torn", 20).records == whole.records
    assert len(stored(tmp_path / "torn").trials) == 20


def test_progress_counts_every_trial_once_and_goes_on_after_a_resume(tmp_path: Path) -> None:
    seen: list[Progress] = []
    first = run(tmp_path, 6, progress=seen.append)
    second = run(tmp_path, 10, progress=seen.append)
    assert [progress.done for progress in seen] == list(range(1, 11))
    assert [progress.trials for progress in seen] == [6] * 6 + [10] * 4
    for progress, records in ((seen[5], first.records), (seen[-1], second.records)):
        feasible = [record.metrics["stage_channels"] for record in records if record.feasible]
        assert (progress.feasible, progress.best) == (len(feasible), max(feasible, default=None))


# --- budgets ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", FAST)
def test_budgets_are_hard(sampler: str, tmp_path: Path) -> None:
    bounds = {"madds": 4e6, "params": 4e5}
    result = run(tmp_path, 60, sampler=sampler, bounds=bounds)
    assert result.winners
    for record in result.winners:
        assert all(record.metrics[name] <= most for name, most in bounds.items())
    trials = stored(tmp_path).trials
    assert len(trials) == 60
    assert {record.feasible for record in result.records} == {True, False}
    for record, trial in zip(result.records, trials, strict=True):
        assert record.feasible == all(record.metrics[name] <= most for name, most in bounds.items())
        assert len(trial.constraints) == len(bounds)
        assert record.feasible == (max(trial.constraints.values()) <= 0)


def test_the_front_is_feasible_not_dominated_and_complete(tmp_path: Path) -> None:
    result = run(tmp_path, 60)

    def beats(a: Any, b: Any) -> bool:
        (c1, m1), (c2, m2) = ((r.metrics["stage_channels"], r.metrics["mem_elems"]) for r in (a, b))
        return bool(c1 >= c2 and m1 <= m2 and (c1, m1) != (c2, m2))

    feasible = [record for record in result.records if record.feasible]
    assert result.feasible == len(feasible)
    expected = {record.metrics["stage_channels"]: record for record in feasible if not any(beats(other, record) for other in feasible)}
    assert {record.metrics["stage_channels"] for record in result.winners} == set(expected)
    assert not any(beats(other, record) for record in result.winners for other in feasible)
    channels = [record.metrics["stage_channels"] for record in result.winners]
    assert channels == sorted(channels, reverse=True)
    assert len(set(channels)) == len(channels)


def test_a_candidate_is_evaluated_once_however_often_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space.from_dict({**TINY, "parameters": {"groups": {"choices": [1, 2, 3]}, "shuffle": {"choices": [True, False]}}}, "six")
    bounds = {"madds": 1e9}
    outcome_of = judging.outcome_of
    calls: list[Any] = []

    def counted(question: Any, device: Any, graph: Any) -> Any:
        calls.append(graph)
        return outcome_of(question, device, graph)

    monkeypatch.setattr(judging, "outcome_of", counted)
    result = run(tmp_path, 40, space=space, bounds=bounds)
    asked = {json.dumps(record.options, sort_keys=True) for record in result.records}
    networks = {record.digest for record in result.records}
    assert (len(result.records), len(asked)) == (40, 6)
    assert len(calls) == len(networks) == 5  # without groups there is nothing to shuffle: two of the six options give one network
    calls.clear()
    run(tmp_path, 60, space=space, bounds=bounds)
    assert calls == []


def test_held_candidates_all_meet_the_budget_and_no_width_is_sampled(tmp_path: Path) -> None:
    target = 4e6
    result = run(tmp_path, 40, bounds={}, hold={"madds": target})
    feasible = [record for record in result.records if record.feasible]
    assert len(feasible) >= 20
    for record in feasible:
        assert 0.95 * target <= record.metrics["madds"] <= target
        assert 0.25 <= record.options["width"] <= 2.0
    for trial in stored(tmp_path).trials:
        assert set(trial.params) == {"groups", "repeats.0", "repeats.1", "repeats.2"}


def test_a_held_study_resumes_to_the_same_records(tmp_path: Path) -> None:
    hold = {"madds": 4e6}
    whole = run(tmp_path / "whole", 20, bounds={}, hold=hold)
    run(tmp_path / "parts", 10, bounds={}, hold=hold)
    assert run(tmp_path / "parts", 20, bounds={}, hold=hold).records == whole.records


def test_an_impossible_budget_names_the_nearest_value_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match=r"madds must be at most 1K, but the smallest value found in the space is [0-9]+ \(.*\)"):
        run(tmp_path / "study", 5, bounds={"madds": 1e3})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"bounds": {"latency_ms": 30.0}}, BudgetError, "latency needs a device"),
        ({"bounds": {"mads": 1e9}}, UnknownNameError, "unknown metric 'mads'"),
        ({"objectives": {"parms": "minimize"}}, UnknownNameError, "unknown metric 'parms'"),
        ({"objectives": {"params": "smallest"}}, UnknownNameError, "unknown direction of params 'smallest'"),
        ({"objectives": {}}, SpaceError, "at least one objective"),
        ({"sampler": "annealing"}, UnknownNameError, "unknown sampler 'annealing'"),
        ({"device": "iphone"}, UnknownNameError, "unknown device 'iphone'"),
        ({"storage": "nonsense"}, StudyError, "storage nonsense: must be a URL like"),
        ({"hold": {"madds": 1e15}, "bounds": {}}, BudgetError, "the largest value found in the space is"),
    ],
)
def test_a_question_that_cannot_be_asked_writes_nothing(
    options: dict[str, Any], kind: type[ArchspaceError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        run(tmp_path / "study", 5, **options)
    assert list(tmp_path.iterdir()) == []


def test_candidates_that_cannot_be_built_become_failed_trials_with_the_reason(tmp_path: Path) -> None:
    parameters = {"groups": {"choices": [3]}, "stage_channels": {"choices": [[240, 480, 960], [241, 482, 964]]}}
    space = Space.from_dict({**TINY, "parameters": parameters}, "odd")
    result = run(tmp_path, 12, space=space, bounds={"madds": 1e9})
    trials = stored(tmp_path).trials
    states = Counter(trial.state for trial in trials)
    assert states[TrialState.FAIL] + states[TrialState.COMPLETE] == 12
    assert min(states.values()) >= 1
    for record, trial in zip(result.records, trials, strict=True):
        broken = record.options["stage_channels"][0] == 241
        assert (trial.state == TrialState.FAIL) == broken == (not record.metrics)
        assert record.feasible != broken
        # 241 - 24 channels of the stem = 217 after the concatenation
        assert ("but got groups=3, channels 241 - 24 = 217" in record.problem) == broken
    assert run(tmp_path, 12, space=space, bounds={"madds": 1e9}).records == result.records


def test_nothing_wins_where_nothing_can_be_built(tmp_path: Path) -> None:
    space = Space.from_dict({**TINY, "parameters": {"groups": {"choices": [5, 7]}}}, "odd")
    result = run(tmp_path, 4, space=space, bounds={})
    assert (result.winners, result.feasible, len(result.records)) == ([], 0, 4)


@pytest.mark.parametrize("sampler", FAST)
def test_conditions_and_held_widths_suit_every_sampler(sampler: str, tmp_path: Path) -> None:
    """Beyond its first generation of 50, NSGA-II crosses the parameters that candidates share."""
    parameters = {**TINY["parameters"], "shuffle": {"choices": [True, False], "when": {"groups": [2, 3, 4]}}}
    space = Space.from_dict({**TINY, "parameters": parameters}, "conditional")
    result = run(tmp_path, 70, space=space, bounds={}, hold={"madds": 4e6}, sampler=sampler)
    assert len(result.records) == 70
    for record in result.records:
        assert ("shuffle" in record.options) == (record.options["groups"] in (2, 3, 4))


# --- where studies live ----------------------------------------------------------------------------------------------------------


def test_a_database_keeps_the_trials_instead_of_a_journal_and_resumes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    whole = run(tmp_path / "whole", 12)
    run(tmp_path / "study", 6, storage=url)
    resumed = run(tmp_path / "study", 12, storage=url)
    assert (resumed.resumed, resumed.records) == (6, whole.records)
    assert not (tmp_path / "study" / "journal.log").exists()
    (name,) = (summary.study_name for summary in optuna.get_all_study_summaries(url))
    assert name.startswith("study-")
    assert len(optuna.load_study(study_name=name, storage=url).trials) == 12


def test_different_questions_do_not_meet_in_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    first = run(tmp_path / "a" / "study", 5, storage=url)
    run(tmp_path / "b" / "study", 5, storage=url, seed=9, force=True)
    assert len(optuna.get_all_study_summaries(url)) == 2
    assert run(tmp_path / "a" / "study", 5, storage=url).records == first.records


def test_a_study_keeps_to_the_storage_that_it_began_with(tmp_path: Path) -> None:
    run(tmp_path / "study", 3)
    with pytest.raises(StudyError, match=r"but storage was 'journal' and now is 'sqlite:"):
        run(tmp_path / "study", 5, storage=f"sqlite:///{tmp_path / 'trials.db'}")


def test_auto_is_decided_when_the_study_begins(tmp_path: Path) -> None:
    begun = run(tmp_path / "study", 3, sampler="auto")
    assert begun.question.sampler == "tpe"
    assert begun_with(tmp_path / "study", force=False) == "tpe"


def test_nsga2_resumed_inside_a_generation_goes_on_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 130, sampler="nsga2")
    for trials in (37, 90, 130):  # a generation has 50 trials
        resumed = run(tmp_path / "steps", trials, sampler="nsga2")
    assert resumed.records == whole.records


def test_another_writer_of_the_same_study_is_noticed(tmp_path: Path) -> None:
    def also(progress: Progress) -> None:
        if progress.done == 3:
            run(tmp_path / "study", 5)

    with pytest.raises(StudyError, match="one process at a time may write a study, but another one added 5 trials"):
        run(tmp_path / "study", 8, progress=also)
    assert len(stored(tmp_path / "study").trials) == 5


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("space", {"space": Space.from_dict({**TINY, "constants": {"input": [96, 96]}}, "tiny")}),
        ("bounds", {"bounds": {"madds": 5e6}}),
        ("bounds", {"bounds": {}}),
        ("seed", {"seed": 1}),
        ("sampler", {"sampler": "nsga2"}),
        ("objectives", {"objectives": {"params": "minimize"}}),
        ("device", {"device": "sd810"}),
    ],
)
def test_a_study_goes_on_with_its_own_question_only(part: str, changed: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path, 3)
    before = (tmp_path / "journal.log").read_bytes()
    with pytest.raises(StudyError, match=rf"the question that it began with, but {part} was .* and now is .*--force"):
        run(tmp_path, 6, **changed)
    assert (tmp_path / "journal.log").read_bytes() == before


def test_force_starts_a_study_anew(tmp_path: Path) -> None:
    run(tmp_path / "study", 6)
    anew = run(tmp_path / "study", 3, seed=1, force=True)
    assert (anew.resumed, len(anew.records)) == (0, 3)
    assert anew.records == run(tmp_path / "other", 3, seed=1).records
    assert run(tmp_path / "study", 3, seed=1).resumed == 3


def test_force_takes_no_folder_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    for force in (False, True):
        with pytest.raises(StudyError, match="begins in an empty folder, but this one holds other files"):
            run(tmp_path, 3, force=force)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder_for_a_study(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FileError, match="a study needs a folder, but this is a file"):
        run(tmp_path / "file", 3)


def test_a_study_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"study": "of birds"}', encoding="utf-8")
    with pytest.raises(StudyError, match="not a study that this archspace wrote"):
        run(tmp_path, 3)


def test_the_question_travels_with_the_study(tmp_path: Path) -> None:
    result = run(tmp_path, 2)
    assert json.loads((tmp_path / "study.json").read_text(encoding="utf-8")) == {**result.question.to_dict(), "storage": "journal"}


@pytest.mark.parametrize("level", [optuna.logging.ERROR, optuna.logging.INFO])
def test_optunas_verbosity_is_what_it_was(level: int, tmp_path: Path) -> None:
    before = optuna.logging.get_verbosity()
    try:
        optuna.logging.set_verbosity(level)
        run(tmp_path / "study", 2)
        assert optuna.logging.get_verbosity() == level
        with pytest.raises(StudyError):
            run(tmp_path / "study", 2, storage="nonsense")
        assert optuna.logging.get_verbosity() == level
    finally:
        optuna.logging.set_verbosity(before)


def test_a_search_takes_the_path_of_a_space(tmp_path: Path) -> None:
    result = search(V1, directory=tmp_path, bounds={"madds": 140e6}, sampler="random", trials=5)
    assert result.question.space.name == "shufflenet_v1"
    assert list(result.question.objectives) == ["stage_channels", "mem_elems"]
