"""Which parameters decide over an objective: Optuna's PED-ANOVA on the records.

Watanabe et al., "PED-ANOVA" (IJCAI 2023): how far the values of the best tenth differ from those of all. Optuna's is the conditional
one (arXiv 2601.20800): a parameter that is not always active counts by the candidates that have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from archspace.analysis.pareto import Direction
from archspace.report.study_page_data import Importances
from archspace.results.columns import Scalar, varying
from archspace.study import Question, Record

LEAST_CANDIDATES = 40  # the best tenth are then four
MOST_STEPS = 200  # numbers with more values than that are taken as continuous
METHOD = (
    "How far the parameter's values among the best tenth differ from those of all {n} candidates within the budget (PED-ANOVA), as shares "
    "of 100 %. Correlated choices of the sampler share their importance."
)


def importances(question: Question, records: Sequence[Record]) -> Importances:
    """The share of each varying parameter in each objective, the largest first; none where there are too few candidates."""
    feasible = [record for record in records if record.feasible]
    columns = varying(feasible)
    if len(feasible) < LEAST_CANDIDATES:
        return Importances(
            {},
            f"Importance needs at least {LEAST_CANDIDATES} candidates within the budget, but there are {len(feasible)}: run more trials.",
        )
    distributions = {name: _distribution(values) for name, values in columns.items()}
    shares: dict[str, Mapping[str, float]] = {}
    constant = []
    for name, direction in question.objectives.items():
        values = [record.metrics[name] for record in feasible]
        if len(set(values)) > 1 and columns:
            shares[name] = _shares(columns, distributions, values, direction)
        else:
            constant.append(name)
    note = METHOD.format(n=len(feasible)) + "".join(f" {name} has one value in all of them: nothing decides over it." for name in constant)
    return Importances(shares, note)


def _distribution(values: Sequence[Scalar]) -> BaseDistribution:
    """Numbers with few values by their rank, others as a range, all else as words."""
    known = {value for value in values if value is not None}
    if any(isinstance(value, bool | str) for value in known):
        return CategoricalDistribution(sorted(map(str, known)))
    numbers = sorted(float(value) for value in known)
    if len(numbers) <= MOST_STEPS:
        return IntDistribution(0, len(numbers) - 1)
    return FloatDistribution(numbers[0], numbers[-1])


def _shares(
    columns: Mapping[str, Sequence[Scalar]], distributions: Mapping[str, BaseDistribution], values: Sequence[float], direction: Direction
) -> dict[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # loads scikit-learn, where it is installed

    ranks = {
        name: {value: rank for rank, value in enumerate(sorted({float(v) for v in columns[name] if v is not None}))}
        for name, distribution in distributions.items()
        if isinstance(distribution, IntDistribution)
    }

    def coded(name: str, value: Scalar) -> str | int | float:
        if isinstance(distributions[name], CategoricalDistribution):
            return str(value)
        number = float(value) if value is not None else 0.0
        return ranks[name][number] if name in ranks else number

    def trial(i: int, value: float) -> FrozenTrial:
        active = [name for name, column in columns.items() if column[i] is not None]
        params = {name: coded(name, columns[name][i]) for name in active}
        return create_trial(params=params, distributions={name: distributions[name] for name in active}, value=value)

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # a study that is made says so
    try:
        study = optuna.create_study(direction=direction)
        study.add_trials([trial(i, value) for i, value in enumerate(values)])
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    finally:
        optuna.logging.set_verbosity(before)
    return dict(sorted(found.items(), key=lambda item: -item[1]))
