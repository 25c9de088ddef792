"""Samplers by name, one fresh and seeded for each trial, so that a resumed study goes on exactly as an uninterrupted one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from math import gcd
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from archspace.errors import SpaceError, UnknownNameError
from archspace.space import Choice, Space
from archspace.space.domains import DIGITS, Domain, Value
from archspace.study.question import GP, GP_PACKAGES, NSGA2, SAMPLERS, TPE, Question

# TPE pays up to about 1000 trials; beyond, NSGA-II is 30 times cheaper per trial.
TPE_TRIALS = 1000
GP_TRIALS = 100


class ToldNSGAII(optuna.samplers.NSGAIISampler):
    """NSGA-II that is told its search space instead of inferring it from all trials, which a fresh sampler would do at every trial."""

    def __init__(self, told: dict[str, BaseDistribution], seed: int) -> None:
        super().__init__(seed=seed)
        self._told = told

    def seeded(self, seed: int) -> ToldNSGAII:
        """This sampler as if it had just been made with that seed."""
        _seeded(self._random_sampler, seed)
        self._rng.rng.seed(seed)
        return self

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, BaseDistribution]:
        return self._told

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[optuna.trial.FrozenTrial]:
        # In one order, whether they were just selected, come from Optuna's cache, or are selected again after resuming.
        return sorted(super().get_parent_population(study, generation), key=lambda trial: trial.number)


def _seeded(sampler: optuna.samplers.RandomSampler, seed: int) -> optuna.samplers.RandomSampler:
    sampler._rng.rng.seed(seed)
    return sampler


class EveryCandidate(optuna.samplers.BaseSampler):
    """Grid search: trial n gets the n-th candidate of the space, in an order that the seed shuffles (a step coprime to their number)."""

    def __init__(self, space: Space, without: tuple[str, ...], number: int, seed: int) -> None:
        size = grid_size(space, without)
        step = next(step for step in range(size // 2 + seed % max(1, size // 4), 2 * size) if gcd(step, size) == 1)
        place = (seed + number * step) % size
        self._values: dict[str, Any] = {}
        for name, domain in _variables(space, without):
            place, i = divmod(place, len(domain))
            found = distribution(domain)
            self._values[name] = found.choices[i] if isinstance(found, CategoricalDistribution) else domain_values(domain)[i]

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._values[param_name]


def automatic_sampler(trials: int, *, is_slow: bool) -> str:
    """The sampler for a study that begins with so many trials, by what was measured of them.

    A Gaussian process is best for up to 100 candidates that are slow to judge (it takes a second per trial itself), NSGA-II where judging
    costs nothing and there are more than 1000, TPE between.
    """
    if is_slow and trials <= GP_TRIALS and all(find_spec(package) for package in GP_PACKAGES):
        return GP
    return TPE if is_slow or trials <= TPE_TRIALS else NSGA2


def asked_options(question: Question, trial: optuna.Trial) -> dict[str, Any]:
    """The options of the candidate that a trial asks for; what is solved for later is left out.

    NSGA-II and Gaussian processes look at all trials along the same variables, so they are asked for every variable, needed or not.
    """
    space, without = question.space, question.solved
    if question.sampler not in (NSGA2, GP):
        return space.choose(lambda name, domain: suggest(trial, name, domain), without=without)
    values = {name: suggest(trial, name, domain) for name, domain in _variables(space, without)}
    return space.choose(lambda name, _: values[name], without=without)


class Samplers:
    """The samplers of a question: for each trial a fresh one, or one that is seeded anew where making it would take longer than asking."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._nsga2 = ToldNSGAII(shared_distributions(question.space, question.solved), 0)
        self._random = optuna.samplers.RandomSampler(seed=0)

    def at(self, number: int, salt: str = "") -> optuna.samplers.BaseSampler:
        """The sampler of trial `number`. Its seed is a hash, because neighbouring seeds must not give neighbouring streams.

        `salt` tells workers apart that may ask for the same number at once. Raises SpaceError for a grid over a range without steps.
        """
        question = self._question
        digest = hashlib.sha256(f"{question.seed}/{number}{salt}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        match question.sampler:
            case "tpe":
                return optuna.samplers.TPESampler(seed=seed, constant_liar=question.in_flight > 1)
            case "nsga2":
                return self._nsga2.seeded(seed)
            case "gp":
                return optuna.samplers.GPSampler(seed=seed)
            case "grid":
                return EveryCandidate(question.space, question.solved, number, question.seed)
            case "random":
                return _seeded(self._random, seed)
        raise UnknownNameError("sampler", question.sampler, SAMPLERS)


def grid_size(space: Space, without: tuple[str, ...] = ()) -> int:
    """How many candidates a grid has. Raises SpaceError where a range has no steps."""
    size = 1
    for name, domain in _variables(space, without):
        try:
            size *= len(domain)
        except SpaceError:
            raise SpaceError(f"space {space.name}: a grid needs steps, but {name} is any number in a range. Give it a step.") from None
    return size


def domain_values(domain: Domain) -> Sequence[Value]:
    """Every value of a domain with steps, in order."""
    if isinstance(domain, Choice):
        return domain.values
    if domain.is_int:
        return range(int(domain.low), int(domain.high) + 1, int(domain.step or 1))
    return [round(domain.low + i * float(domain.step or 0), DIGITS) for i in range(len(domain))]


def _variables(space: Space, without: tuple[str, ...]) -> Iterator[tuple[str, Domain]]:
    for parameter in space.parameters:
        if parameter.name not in without:
            yield from parameter.variables


def shared_distributions(space: Space, without: tuple[str, ...] = ()) -> dict[str, BaseDistribution]:
    """The variables that vary, but for `without`, as Optuna's distributions; conditional ones too, which not every candidate needs."""
    distributions = {name: distribution(domain) for name, domain in _variables(space, without)}
    return {name: found for name, found in distributions.items() if not found.single()}


def distribution(domain: Domain) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    """A domain as Optuna's distribution. Optuna stores scalars only, so choices among lists go by their place."""
    if isinstance(domain, Choice):
        scalars = [value for value in domain.values if not isinstance(value, tuple)]
        return CategoricalDistribution(scalars if len(scalars) == len(domain.values) else range(len(domain.values)))
    if domain.log and domain.is_int:
        return IntDistribution(int(domain.low), int(domain.high), log=True)
    if domain.log:
        return FloatDistribution(domain.low, domain.high, log=True)
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
        return trial.suggest_int(name, found.low, found.high, step=found.step, log=found.log)
    if isinstance(found, FloatDistribution):
        value = trial.suggest_float(name, found.low, found.high, step=found.step, log=found.log)
        return value if found.log else round(value, DIGITS)
    chosen = trial.suggest_categorical(name, found.choices)
    if isinstance(domain, Choice) and found.choices != domain.values:
        return domain.values[int(str(chosen))]
    return chosen
