"""Samplers: which one, with which seed, and what a trial is asked."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from archspace.errors import SpaceError
from archspace.space import Choice, Range, Space
from archspace.space.domains import Domain
from archspace.study.question import SAMPLERS as NAMES
from archspace.study.question import Question
from archspace.study.quiet import quiet_optuna
from archspace.study.samplers import Samplers, asked_options, automatic_sampler, grid_size, suggest

SPACE = Space.from_dict(
    {"family": "shufflenet_v1", "parameters": {"groups": {"choices": [1, 2, 3]}, "width": {"low": 0.5, "high": 2.0}}}, "two"
)


def question(sampler: str, seed: int = 0) -> Question:
    return Question(SPACE, {"params": "minimize"}, sampler=sampler, seed=seed)


def asked(domain: Domain, trials: int = 40) -> list[Any]:
    """What a random search gets for one domain."""
    with quiet_optuna():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        return [suggest(study.ask(), "x", domain) for _ in range(trials)]


def drawn(name: str, seed: int, number: int) -> list[float]:
    with quiet_optuna():
        trial = optuna.create_study(sampler=Samplers(question(name, seed)).at(number)).ask()
        return [trial.suggest_float(f"x{i}", 0, 1) for i in range(3)]


def test_every_sampler_that_can_be_asked_for_is_there() -> None:
    for name in NAMES:
        assert isinstance(Samplers(Question(STEPPED, {"params": "minimize"}, sampler=name)).at(0), optuna.samplers.BaseSampler)


@pytest.mark.parametrize(
    ("trials", "is_slow", "name"),
    [(60, False, "tpe"), (1000, False, "tpe"), (1001, False, "nsga2"), (100, True, "gp"), (101, True, "tpe"), (5000, True, "tpe")],
)
def test_auto_goes_by_the_number_of_trials_and_by_what_each_takes(trials: int, is_slow: bool, name: str) -> None:
    assert automatic_sampler(trials, is_slow=is_slow) == name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tpe", optuna.samplers.TPESampler),
        ("nsga2", optuna.samplers.NSGAIISampler),
        ("random", optuna.samplers.RandomSampler),
        ("gp", optuna.samplers.GPSampler),
    ],
)
def test_a_sampler_asked_for_is_taken(name: str, kind: type) -> None:
    assert isinstance(Samplers(question(name)).at(0), kind)


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random"])
def test_a_trial_draws_the_same_for_the_same_seed_and_number(name: str) -> None:
    assert drawn(name, 3, 17) == drawn(name, 3, 17)


def test_trials_and_seeds_draw_from_streams_of_their_own() -> None:
    streams = {tuple(drawn("random", seed, number)) for seed in range(5) for number in range(20)}
    assert len(streams) == 5 * 20


def test_integers_come_in_steps_within_the_range() -> None:
    values = asked(Range(4, 12, 4))
    assert set(values) == {4, 8, 12}
    assert {type(value) for value in values} == {int}


def test_floats_come_in_steps_without_binary_tails() -> None:
    assert sorted(set(asked(Range(0.4, 0.6, 0.05), 200))) == [0.4, 0.45, 0.5, 0.55, 0.6]


def test_a_step_that_does_not_end_on_high_stops_below_it() -> None:
    assert set(asked(Range(0.5, 1.2, 0.3))) == {0.5, 0.8, 1.1}


def test_continuous_floats_fill_the_range() -> None:
    values = asked(Range(0.5, 2.0), 200)
    assert len(set(values)) == 200
    assert 0.5 <= min(values) < 0.6 < 1.9 < max(values) <= 2.0


@pytest.mark.parametrize("values", [(1, 2, 8), (True, False), ("shift", "depthwise"), ((1, 1, 1), (4, 8, 4)), (3, (3, 3, 8))])
def test_choices_come_back_as_they_were_listed(values: tuple[Any, ...]) -> None:
    got = asked(Choice(values))
    assert set(got) == set(values)
    assert {type(value) for value in got} == {type(value) for value in values}


STEPPED = Space.from_dict(
    {
        "family": "shufflenet_v1",
        "parameters": {
            "groups": {"choices": [1, 2, 3]},
            "width": {"low": 0.5, "high": 1.0, "step": 0.25},
            "shuffle": {"choices": [True, False], "when": {"groups": [2, 3]}},
        },
    },
    "stepped",
)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_a_grid_asks_for_every_candidate_once_in_an_order_of_the_seed(seed: int) -> None:
    asked = Question(STEPPED, {"params": "minimize"}, sampler="grid", seed=seed)
    size = grid_size(STEPPED)
    assert size == 3 * 3 * 2
    with quiet_optuna():
        trials = [optuna.create_study(sampler=Samplers(asked).at(number)).ask() for number in range(size)]
        found = [asked_options(asked, trial) for trial in trials]
    # Without groups, shuffle is not asked for: those candidates come twice.
    distinct = {tuple(sorted(options.items())) for options in found}
    assert len(distinct) == 3 + 3 * 2 * 2


def test_a_grid_needs_steps() -> None:
    with pytest.raises(SpaceError, match="a grid needs steps, but width is any number in a range"):
        Samplers(question("grid")).at(0)
