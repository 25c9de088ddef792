"""Samplers by name, one fresh and seeded for each trial, so that a resumed study goes on exactly as an uninterrupted one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from archspace.space import Choice, Space
from archspace.space.domains import DIGITS, Domain, Value
from archspace.study.question import GP, NSGA2, RANDOM, TPE, Question

# TPE pays up to about 1000 trials; beyond, NSGA-II is 30 times cheaper per trial.
TPE_TRIALS = 1000


class SpacedNSGAII(optuna.samplers.NSGAIISampler):
    """NSGA-II that is told its search space instead of inferring it from all trials, which a fresh sampler would do at every trial."""

    def __init__(self, space: Space, without: tuple[str, ...], seed: int) -> None:
        super().__init__(seed=seed)
        self._told = shared_distributions(space, without)

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, BaseDistribution]:
        return self._told

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[optuna.trial.FrozenTrial]:
        # In one order, whether they were just selected, come from Optuna's cache, or are selected again after resuming.
        return sorted(super().get_parent_population(study, generation), key=lambda trial: trial.number)


SAMPLERS: dict[str, Callable[[Space, tuple[str, ...], int], optuna.samplers.BaseSampler]] = {
    TPE: lambda _, __, seed: optuna.samplers.TPESampler(seed=seed),
    NSGA2: SpacedNSGAII,
    RANDOM: lambda _, __, seed: optuna.samplers.RandomSampler(seed=seed),
    GP: lambda _, __, seed: optuna.samplers.GPSampler(seed=seed),
}


def automatic_sampler(trials: int) -> str:
    """The sampler for a study that begins with so many trials."""
    return TPE if trials <= TPE_TRIALS else NSGA2


def sampler_for(question: Question, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of trial `number`. Its seed is a hash, because neighbouring seeds must not give neighbouring streams."""
    digest = hashlib.sha256(f"{question.seed}/{number}".encode()).digest()
    return SAMPLERS[question.sampler](question.space, question.solved, int.from_bytes(digest[:4], "big"))


def shared_distributions(space: Space, without: tuple[str, ...] = ()) -> dict[str, BaseDistribution]:
    """The variables that every candidate is asked for (no conditions, none of `without`) and that vary, as Optuna's distributions."""
    parameters = [parameter for parameter in space.parameters if not parameter.when and parameter.name not in without]
    variables = [variable for parameter in parameters for variable in parameter.variables]
    distributions = {name: distribution(domain) for name, domain in variables}
    return {name: found for name, found in distributions.items() if not found.single()}


def distribution(domain: Domain) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    """A domain as Optuna's distribution. Optuna stores scalars only, so choices among lists go by their place."""
    if isinstance(domain, Choice):
        scalars = [value for value in domain.values if not isinstance(value, tuple)]
        return CategoricalDistribution(scalars if len(scalars) == len(domain.values) else range(len(domain.values)))
    if domain.is_int:
        step = int(domain.step or 1)
        return IntDistribution(int(domain.low), int(domain.low) + step * (len(domain) - 1), step=step)
    if domain.step is None:
        return FloatDistribution(domain.low, domain.high)
    # The last step, not `high`: Optuna warns where a step does not end on `high`.
    return FloatDistribution(domain.low, round(domain.low + (len(domain) - 1) * domain.step, DIGITS), step=domain.step)


def suggest(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    """Ask a trial for one value of a domain."""
    found = distribution(domain)
    if isinstance(found, IntDistribution):
        return trial.suggest_int(name, found.low, found.high, step=found.step)
    if isinstance(found, FloatDistribution):
        return round(trial.suggest_float(name, found.low, found.high, step=found.step), DIGITS)
    value = trial.suggest_categorical(name, found.choices)
    if isinstance(domain, Choice) and found.choices != domain.values:
        return domain.values[int(str(value))]
    return value
