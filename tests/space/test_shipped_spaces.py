"""The spaces that ship: they load, they hold what they are about, and their candidates can be built."""

from __future__ import annotations

import random
from typing import Any

import pytest
from space_texts import SHIPPED, SPACES

from archspace.analysis import total_counts
from archspace.space import Choice, Range, Space


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_loads_under_its_file_name_and_its_samples_build(name: str) -> None:
    space = Space.load(SPACES / f"{name}.toml")
    assert (space.name, space.family) == (name, SHIPPED[name])
    assert space.objectives
    assert space.description
    rng = random.Random(0)
    for _ in range(25):
        graph = space.build(space.options(space.sample(rng)))
        assert graph.config["family"] == SHIPPED[name]


def test_every_file_in_spaces_is_shipped_and_tested() -> None:
    assert {path.stem for path in SPACES.glob("*.toml")} == set(SHIPPED)


def test_the_shufflenet_v1_space_has_groups_width_and_repeats_per_stage() -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")
    domains = dict(variable for parameter in space.parameters for variable in parameter.variables)
    assert domains["groups.1"] == Choice((1, 2, 3, 4, 8))
    assert domains["width"] == Range(0.25, 2.5, 0.05)
    for option in ("groups", "repeats"):
        assert [name for name in domains if name.startswith(option)] == [f"{option}.{i}" for i in range(3)]


# What each space must vary, option by option.
VARIED = {
    "shufflenet_v1": {"groups", "width", "repeats", "bottleneck", "shuffle"},
    "shufflenet_v2": {"split_ratio", "width", "stage_channels", "repeats", "kernel_size", "se_reduction", "residual"},
    "mobilenet_v2": {"expansion", "width", "repeats", "kernel_size"},
    "fenet": {"shift_sparsity", "width", "expansion", "repeats", "se_placement"},
    "fenet_lambda": {"shift_lambda", "width", "expansion"},
    "mixed": {
        "unit", "width", "stage_channels", "repeats", "kernel_size", "groups", "bottleneck", "split_ratio", "expansion", "shift_sparsity",
        "se_reduction",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_varies_what_its_family_is_about(name: str) -> None:
    assert {parameter.name for parameter in Space.load(SPACES / f"{name}.toml").parameters} == VARIED[name]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_random_candidate_of_a_shipped_space_can_be_built(name: str) -> None:
    space = Space.load(SPACES / f"{name}.toml")
    rng = random.Random(7)
    for _ in range(100):
        space.build(space.options(space.sample(rng)))


def test_many_networks_of_the_shufflenet_v2_space_are_within_60_million_multiply_adds() -> None:
    space = Space.load(SPACES / "shufflenet_v2.toml")
    rng = random.Random(0)
    inside = sum(total_counts(space.build(space.options(space.sample(rng)))).madds <= 60e6 for _ in range(200))
    assert inside >= 30


def test_the_units_of_a_mixed_network_take_the_options_of_their_stage_alone() -> None:
    space = Space.load(SPACES / "mixed.toml")
    values: dict[str, Any] = {name: domain.corners()[-1] for p in space.parameters for name, domain in p.variables}
    values |= {"unit.0": "v1", "unit.1": "v2", "unit.2": "inverted", "unit.3": "fe"}
    options = space.options(values)
    # The last value of each domain where the stage has the unit, the family's default elsewhere.
    assert options["groups"] == (8, 3, 3, 3)
    assert options["bottleneck"] == (4, 4, 4, 4)
    assert options["split_ratio"] == (0.5, 0.75, 0.5, 0.5)
    assert options["expansion"] == (6, 6, 6, 6)
    assert options["kernel_size"] == (5, 5, 5, 3)
    assert options["shift_sparsity"] == (0.6, 0.6, 0.6, 0.9)
    only_fe = space.options(values | {f"unit.{i}": "fe" for i in range(4)})
    assert not {"groups", "bottleneck", "split_ratio", "kernel_size"} & set(only_fe)
