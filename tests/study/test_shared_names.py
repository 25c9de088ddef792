"""Two studies of one name in a database, begun one after the other or at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from faults import TINY
from shared_study import NAME, at_once, looking_at

from archspace.errors import StudyError
from archspace.study import Question, StudyResult, search
from archspace.study.database import QUESTION_ATTR, Limits, close_study, create_shared, joined, open_database
from archspace.study.quiet import quiet_optuna


def run(directory: Path, url: str, trials: int = 3, **options: Any) -> StudyResult:
    return search(TINY, directory=directory, trials=trials, sampler="random", storage=url, study=NAME, **options)


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("seed", {"seed": 1}),
        ("bounds", {"bounds": {"params": 800e3}}),
        ("objectives", {"objectives": {"params": "minimize"}}),
    ],
)
def test_a_name_that_another_question_has_is_refused_with_what_differs(
    part: str, changed: dict[str, Any], tmp_path: Path, database: str
) -> None:
    first = run(tmp_path / "a", database)
    with pytest.raises(StudyError, match=rf"^study {NAME} in postgresql.*: a study goes on with the question .* but {part} was ") as caught:
        run(tmp_path / "b", database, 6, **changed)
    assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "b").exists()
    assert run(tmp_path / "a", database).records == first.records


def test_a_name_of_the_same_question_is_one_study_wherever_its_folder_is(tmp_path: Path, database: str) -> None:
    run(tmp_path / "a", database, 3)
    again = run(tmp_path / "b", database, 5)
    assert (again.resumed, len(again.records)) == (3, 5)


def test_force_takes_a_name_from_another_question(tmp_path: Path, database: str) -> None:
    run(tmp_path / "a", database, 3)
    assert run(tmp_path / "b", database, 2, seed=1, force=True).resumed == 0
    with looking_at(database) as look:
        assert len(look.trials()) == 2


def begun(url: str, seed: int) -> int:
    """The seed, once the study is begun with it."""
    question = Question(TINY, {"stage_channels": "maximize"}, seed=seed)
    close_study(create_shared(url, NAME, question, Limits(3), fresh=False))
    return seed


def test_of_different_questions_that_begin_under_one_name_at_the_same_time_one_has_it(database: str) -> None:
    """In a database without tables yet, which all of them make."""
    seeds = list(range(6))
    with quiet_optuna():
        outcomes = at_once(6, lambda: begun(database, seeds.pop()))
        study, question, _ = joined(database, NAME)
        close_study(study)
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [question.seed]
    refused = [outcome for outcome in outcomes if not isinstance(outcome, int)]
    assert {type(error) for error in refused} == {StudyError}
    assert all("but seed was" in str(error) for error in refused)


def test_the_same_question_begun_several_times_at_once_is_one_study(database: str) -> None:
    with quiet_optuna():
        assert at_once(6, lambda: begun(database, 0)) == [0] * 6
    with looking_at(database) as look:
        assert look.names() == [NAME]


def test_a_study_whose_maker_was_killed_before_it_said_its_question_is_taken_over(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspace.study.database.CREATION_SECONDS", 0.2)
    with quiet_optuna():
        half = optuna.create_study(storage=open_database(database), study_name=NAME, directions=["maximize"])
        close_study(half)
        assert begun(database, 3) == 3
        study, question, _ = joined(database, NAME)
        assert question.seed == 3
        assert QUESTION_ATTR in study.user_attrs
        close_study(study)
