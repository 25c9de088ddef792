"""Budgets: extremes against brute force, and widths solved for a held metric."""

from __future__ import annotations

import itertools
import random
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from archspace.analysis.report import total_counts
from archspace.errors import BudgetError
from archspace.ir.graph import Graph
from archspace.space import Choice, Range, Space
from archspace.space.budget import CLOSE_ENOUGH, extreme, hold_width, width_range

SPACES = Path(__file__).parents[2] / "spaces"
METRICS = ("madds", "params", "mem_elems")


def metric(name: str) -> Any:
    return lambda graph: getattr(total_counts(graph), name)


madds = metric("madds")


def shipped(name: str) -> dict[str, Any]:
    return tomllib.loads((SPACES / f"{name}.toml").read_text(encoding="utf-8"))


def each(*ends: tuple[Any, Any, Any]) -> dict[str, Any]:
    return {"each": [{"low": low, "high": high, "step": step} for low, high, step in ends]}


# The shipped spaces with domains narrow enough to try everything.
NARROW: dict[str, dict[str, Any]] = {
    "shufflenet_v1": {
        "groups": {"each": [{"choices": [1, 3, 8]}, {"choices": [3]}, {"choices": [1, 8]}]},
        "width": {"low": 0.25, "high": 0.75, "step": 0.25},
        "repeats": each((2, 3, 1), (4, 5, 1), (2, 2, 1)),
        "bottleneck": {"choices": [4, 6]},
        "shuffle": {"choices": [True]},
    },
    "shufflenet_v2": {
        "split_ratio": each((0.25, 0.75, 0.5), (0.25, 0.75, 0.5), (0.25, 0.75, 0.5)),
        "stage_channels": each((32, 64, 32), (64, 128, 64), (128, 256, 128)),
        "repeats": each((2, 3, 1), (4, 4, 1), (2, 2, 1)),
        "width": {"choices": [0.25, 1.25]},
        "kernel_size": {"choices": [3], "stages": 3},
        "se_reduction": {"each": [{"choices": [0]}, {"choices": [0, 4]}, {"choices": [0]}]},
        "residual": {"choices": [False]},
    },
    "mobilenet_v2": {
        "width": {"low": 0.25, "high": 0.75, "step": 0.25},
        "expansion": {"each": [{"choices": [1]}, *[{"choices": [2, 6]}] * 2, *[{"choices": [3]}] * 4]},
        "repeats": each((1, 1, 1), (1, 2, 1), (1, 1, 1), (2, 2, 1), (1, 2, 1), (1, 1, 1), (1, 1, 1)),
        "kernel_size": {"each": [{"choices": [3]}, {"choices": [3, 5]}, *[{"choices": [3]}] * 5]},
    },
    "fenet": {
        "shift_sparsity": {"low": 0.4, "high": 0.8, "step": 0.2},
        "width": {"low": 0.5, "high": 1.0, "step": 0.5},
        "expansion": {"each": [{"choices": [3, 5]}] * 4 + [{"choices": [4]}]},
        "repeats": each((2, 3, 1), (3, 3, 1), (3, 3, 1), (3, 3, 1), (2, 2, 1)),
        "se_placement": {"each": [{"choices": ["none"]}, {"choices": ["none", "expansion"]}, *[{"choices": ["none"]}] * 3]},
    },
}


def narrowed(name: str) -> Space:
    data = shipped(name)
    return Space.from_dict({**data, "parameters": {**data["parameters"], **NARROW[name]}}, name)


def values_of(domain: Choice | Range) -> list[Any]:
    if isinstance(domain, Choice):
        return list(domain.values)
    return [round(domain.low + i * (domain.step or 1), 10) for i in range(len(domain))]


def everything(space: Space) -> list[dict[str, Any]]:
    variables = [variable for parameter in space.parameters for variable in parameter.variables]
    products = itertools.product(*(values_of(domain) for _, domain in variables))
    return [dict(zip([name for name, _ in variables], product, strict=True)) for product in products]


@pytest.mark.parametrize("name", NARROW)
def test_extremes_equal_those_of_all_candidates(name: str) -> None:
    space = narrowed(name)
    counts = [total_counts(space.build(space.options(point))) for point in everything(space)]
    for what in METRICS:
        found = [getattr(count, what) for count in counts]
        assert extreme(space, metric(what)).value == min(found)
        assert extreme(space, metric(what), largest=True).value == max(found)


@pytest.mark.parametrize("name", sorted(path.stem for path in SPACES.glob("*.toml")))
def test_no_random_candidate_is_beyond_the_extremes(name: str) -> None:
    space = Space.load(SPACES / f"{name}.toml")
    rng = random.Random(0)
    found = [madds(space.build(space.options(space.sample(rng)))) for _ in range(60)]
    assert extreme(space, madds).value <= min(found)
    assert extreme(space, madds, largest=True).value >= max(found)


@pytest.mark.parametrize("largest", [False, True])
def test_an_extreme_brings_the_options_that_give_it(largest: bool) -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")
    best = extreme(space, madds, largest=largest)
    assert madds(space.build(best.options)) == best.value


def test_a_space_whose_corners_cannot_be_built_has_no_extreme() -> None:
    space = Space.from_dict({"family": "shufflenet_v1", "parameters": {"groups": {"choices": [5, 7]}}}, "odd")
    with pytest.raises(BudgetError, match=r"^space odd: no candidate at the corners of its domains can be built"):
        extreme(space, madds)


def test_an_extreme_skips_corners_that_cannot_be_built() -> None:
    space = Space.from_dict({"family": "shufflenet_v1", "parameters": {"groups": {"choices": [5, 7, 3]}}}, "odd")
    assert extreme(space, madds).options == {"groups": 3}


# --- holding ---------------------------------------------------------------------------------------------------------------------


def without_width(space: Space, rng: random.Random) -> dict[str, Any]:
    options = space.options(space.sample(rng))
    return {key: value for key, value in options.items() if key != "width"}


def widest(value_at: Callable[[float], float], domain: Range, target: float) -> float | None:
    """The largest thousandth of the range that keeps to the target, by halving; None where even the least exceeds it."""
    low, high = round(domain.low * 1000), round(domain.high * 1000) + 1
    if value_at(low / 1000) > target:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if value_at(middle / 1000) <= target else (low, middle)
    return low / 1000


# (space, metric, target): the middle of what the space reaches
HELD = [
    ("shufflenet_v1", "madds", 140e6),
    ("shufflenet_v1", "params", 2e6),
    ("shufflenet_v1", "mem_elems", 15e6),
    ("fenet", "madds", 200e6),
]


@pytest.mark.parametrize(("name", "what", "target"), HELD)
def test_a_held_metric_is_never_exceeded_and_missed_by_five_percent_at_most(name: str, what: str, target: float) -> None:
    space = Space.load(SPACES / f"{name}.toml")
    domain = width_range(space)
    rng = random.Random(1)
    held = 0
    for _ in range(30):
        options = without_width(space, rng)
        builds = 0

        def counted(graph: Graph) -> float:
            nonlocal builds
            builds += 1
            assert builds <= 25
            return float(metric(what)(graph))

        def value_at(width: float, options: Mapping[str, Any] = options) -> float:
            return float(metric(what)(space.build({**options, "width": width})))

        try:
            result = hold_width(space, options, counted, target)
        except BudgetError:
            best = widest(value_at, domain, target)
            assert best is None or value_at(best) < 0.95 * target
            continue
        held += 1
        assert {key: value for key, value in result.items() if key != "width"} == options
        assert domain.low <= result["width"] <= domain.high
        value = value_at(result["width"])
        assert 0.95 * target <= value <= target
        # It is the widest in thousandths, but for the last 0.2 % of the target.
        at_the_top = result["width"] + 0.001 > domain.high
        assert at_the_top or value >= CLOSE_ENOUGH * target or value_at(round(result["width"] + 0.001, 3)) > target
    assert held >= 20


def test_a_target_above_the_range_names_the_nearest_value() -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")
    options = {"groups": 8, "repeats": (2, 4, 2)}
    most = madds(space.build({**options, "width": 2.5}))
    with pytest.raises(
        BudgetError, match=rf"a width from 0.25 to 2.5 must reach 1e\+10, but the nearest value is {most:g}$".replace("+0", "[+]0")
    ):
        hold_width(space, options, madds, 1e10)


def test_a_target_below_the_range_names_the_nearest_value() -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")
    options = {"groups": 8, "repeats": (2, 4, 2)}
    least = madds(space.build({**options, "width": 0.25}))
    with pytest.raises(BudgetError, match=rf"must reach 1000, but the nearest value is {re.escape(f'{least:g}')}$"):
        hold_width(space, options, madds, 1000)


def test_a_metric_that_jumps_over_the_target_is_not_held() -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")

    def jumps(graph: Graph) -> float:
        return 1 if graph.config["width"] < 1.234 else 100

    with pytest.raises(BudgetError, match=r"must reach 50, but the nearest value is 1$"):
        hold_width(space, {"groups": 3}, jumps, 50)


def test_a_metric_that_meets_the_target_at_one_width_only_is_held_there() -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")

    def narrow(graph: Graph) -> float:
        width = graph.config["width"]
        return 1 if width < 1.234 else 50 if width == 1.234 else 100

    assert hold_width(space, {"groups": 3}, narrow, 50) == {"groups": 3, "width": 1.234}


def test_the_whole_range_is_below_a_target_that_its_end_meets() -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")
    options = {"groups": 3}
    most = madds(space.build({**options, "width": 2.5}))
    assert hold_width(space, options, madds, most * 1.01) == {"groups": 3, "width": 2.5}


def test_a_space_without_a_width_holds_nothing() -> None:
    space = Space.from_dict({"family": "resnet", "parameters": {"depth": {"choices": [18, 50]}}}, "depths")
    with pytest.raises(BudgetError, match=r"^space depths: to hold a metric, width must be a parameter with low and high"):
        width_range(space)


def test_a_width_among_choices_holds_nothing() -> None:
    space = Space.from_dict({"family": "shufflenet_v1", "parameters": {"width": {"choices": [0.5, 1.0]}}}, "listed")
    with pytest.raises(BudgetError, match="width must be a parameter with low and high"):
        width_range(space)
