"""Budgets: the extremes that a space can reach, and holding a metric fixed by solving for the width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Any

from archspace.errors import BudgetError, LawError
from archspace.ir.graph import Graph
from archspace.space.domains import Range, Value
from archspace.space.space import Space

Measure = Callable[[Graph], float]

HELD_WITHIN = 0.05  # a held metric may miss its target by this share: channels come in whole multiples of the groups
CLOSE_ENOUGH = 0.998
TICKS = 1000  # widths per unit of width
ROUNDING = 1e-6  # 1.1 * 1000 is a little above 1100
HELD = "width"  # the parameter that a hold solves for


@dataclass(frozen=True, slots=True)
class Extreme:
    """The smallest or largest value of a metric that was found in a space, and the options that give it."""

    value: float
    options: Mapping[str, Any]


def extreme(space: Space, measure: Measure, *, largest: bool = False) -> Extreme:
    """The best value found by coordinate descent over the domains' corners: exact where the metric is monotone in each parameter.

    Raises BudgetError when no candidate that was tried can be built.
    """
    sign = -1.0 if largest else 1.0
    variables = [(name, domain) for parameter in space.parameters for name, domain in parameter.variables]
    point: dict[str, Value] = {name: domain.corners()[-1 if largest else 0] for name, domain in variables}
    problems: list[LawError] = []
    best = _try(space, point, measure, problems)
    improved = True
    while improved:
        improved = False
        for name, domain in variables:
            for value in domain.corners():
                if value == point[name]:
                    continue
                found = _try(space, {**point, name: value}, measure, problems)
                if found is not None and (best is None or sign * found.value < sign * best.value):
                    best, point, improved = found, {**point, name: value}, True
    if best is None:
        raise BudgetError(f"space {space.name}: no candidate at the corners of its domains can be built: {problems[-1]}")
    return best


def _try(space: Space, point: Mapping[str, Value], measure: Measure, problems: list[LawError]) -> Extreme | None:
    options = space.options(point)
    try:
        return Extreme(measure(space.build(options)), options)
    except LawError as error:
        problems.append(error)
        return None


def width_range(space: Space) -> Range:
    """The domain that a hold solves in. Raises BudgetError when the space has no numeric width."""
    for parameter in space.parameters:
        if parameter.name == HELD and isinstance(parameter.domains[0], Range):
            return parameter.domains[0]
    raise BudgetError(
        f"space {space.name}: to hold a metric, width must be a parameter with low and high, but it is not. Add [parameters.width]."
    )


def hold_width(space: Space, options: Mapping[str, Any], measure: Measure, target: float) -> dict[str, Any]:
    """The options with the largest width in the space's range whose metric does not exceed `target`.

    Widths are tried in thousandths. The metric grows with about the square of the width, which gives each next guess; the bracket
    gives the safety. Raises BudgetError, with the nearest value, when the range cannot come within 5 % below the target.
    """
    domain = width_range(space)

    def at(ticks: int) -> float:
        return measure(space.build({**options, HELD: ticks / TICKS}))

    low, high = ceil(domain.low * TICKS - ROUNDING), floor(domain.high * TICKS + ROUNDING)
    low_value, high_value = at(low), at(high)
    if high_value <= target:
        low, low_value = high, high_value
    elif low_value <= target:
        guess = low * sqrt(target / low_value)
        while high - low > 1 and low_value < target * CLOSE_ENOUGH:
            # A guess near the bracket's end would creep; the middle does not.
            margin = (high - low) / 8
            ticks = round(guess) if low + margin < guess < high - margin else (low + high) // 2
            ticks = min(max(ticks, low + 1), high - 1)
            value = at(ticks)
            low, low_value, high = (ticks, value, high) if value <= target else (low, low_value, ticks)
            guess = ticks * sqrt(target / value)
    if not target * (1 - HELD_WITHIN) <= low_value <= target:
        raise BudgetError(f"a width from {domain.low:g} to {domain.high:g} must reach {target:g}, but the nearest value is {low_value:g}")
    return {**options, HELD: low / TICKS}
