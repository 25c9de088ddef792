"""Samplers by name, one fresh and seeded for each trial, so that a resumed study goes on exactly as an uninterrupted one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import optuna

from archspace.search.question import AUTO, GP, NSGA2, RANDOM, TPE
from archspace.space import Choice, Range
from archspace.space.domains import Domain, Value

# TPE pays up to about 1000 trials; beyond, NSGA-II is 30 times cheaper per trial.
TPE_TRIALS = 1000

SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    TPE: lambda seed: optuna.samplers.TPESampler(seed=seed),
    NSGA2: lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    RANDOM: lambda seed: optuna.samplers.RandomSampler(seed=seed),
    GP: lambda seed: optuna.samplers.GPSampler(seed=seed),
}


def sampler_for(name: str, trials: int, seed: int, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of trial `number`. Its seed is a hash, because neighbouring seeds must not give neighbouring streams."""
    chosen = (TPE if trials <= TPE_TRIALS else NSGA2) if name == AUTO else name
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return SAMPLERS[chosen](int.from_bytes(digest[:4], "big"))


def suggest(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    """Ask a trial for one value of a domain."""
    if isinstance(domain, Choice):
        # Optuna stores scalars only, so other choices (lists) go by their place in the list.
        scalars = [value for value in domain.values if not isinstance(value, tuple)]
        if len(scalars) == len(domain.values):
            return trial.suggest_categorical(name, scalars)
        return domain.values[trial.suggest_categorical(name, list(range(len(domain.values))))]
    return _suggest_number(trial, name, domain)


def _suggest_number(trial: optuna.Trial, name: str, domain: Range) -> Value:
    if domain.is_int:
        return trial.suggest_int(name, int(domain.low), int(domain.high), step=int(domain.step or 1))
    if domain.step is None:
        return trial.suggest_float(name, domain.low, domain.high)
    # The last step, not `high`: Optuna warns where a step does not end on `high`.
    last = round(domain.low + (len(domain) - 1) * domain.step, 10)
    return round(trial.suggest_float(name, domain.low, last, step=domain.step), 10)
