"""Design spaces: what is chosen and sampled, stage by stage, and which spaces are equal."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_texts import GROUPS, SHIPPED, SPACES, STAGED, V1, load

from archspace.errors import SpaceError
from archspace.space import Choice, Range, Space

CONDITIONAL = V1 + (
    "[constants]\nbottleneck = 8\n"
    "[parameters.groups]\nchoices = [1, 2, 4]\n"
    "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [2, 4] }\n"
    "[parameters.repeats]\neach = [{ low = 1, high = 2 }, { low = 3, high = 4 }, { low = 5, high = 6 }]\n"
)


def test_options_hold_constants_scalars_and_one_value_per_stage(tmp_path: Path) -> None:
    space = load(tmp_path, CONDITIONAL)
    options = space.options({"groups": 2, "shuffle": False, "repeats.0": 1, "repeats.1": 4, "repeats.2": 5})
    assert options == {"bottleneck": 8, "groups": 2, "shuffle": False, "repeats": (1, 4, 5)}


def test_an_inactive_parameter_is_neither_asked_for_nor_given(tmp_path: Path) -> None:
    space = load(tmp_path, CONDITIONAL)
    asked = []

    def first(name: str, domain: Choice | Range) -> object:
        asked.append(name)
        return domain.corners()[0]

    options = space.choose(first)  # type: ignore[arg-type]
    assert options == {"bottleneck": 8, "groups": 1, "repeats": (1, 3, 5)}
    assert asked == ["groups", "repeats.0", "repeats.1", "repeats.2"]


def test_a_condition_may_name_one_value_without_a_list(tmp_path: Path) -> None:
    text = V1 + GROUPS + "[parameters.shuffle]\nchoices = [false]\nwhen = { groups = 4 }\n"
    space = load(tmp_path, text)
    assert space.options({"groups": 4, "shuffle": False}) == {"groups": 4, "shuffle": False}
    assert space.options({"groups": 2, "shuffle": False}) == {"groups": 2}


def test_choose_leaves_out_what_it_is_told_to(tmp_path: Path) -> None:
    space = load(tmp_path, CONDITIONAL)
    options = space.choose(lambda _, domain: domain.corners()[-1], without=("repeats",))
    assert options == {"bottleneck": 8, "groups": 4, "shuffle": False}


def test_an_alias_names_its_option(tmp_path: Path) -> None:
    space = load(tmp_path, V1 + "[parameters.g]\nchoices = [1, 8]\n")
    assert space.options({"groups": 8}) == {"groups": 8}


def test_a_choice_among_lists_gives_the_option_a_tuple(tmp_path: Path) -> None:
    space = load(tmp_path, V1 + "[parameters.repeats]\nchoices = [[1, 1, 1], [4, 8, 4]]\n")
    assert space.options({"repeats": (4, 8, 4)}) == {"repeats": (4, 8, 4)}


@given(st.sampled_from(sorted(SHIPPED)), st.integers(0, 2**32 - 1))
def test_every_sampled_value_is_in_its_domain(name: str, seed: int) -> None:
    space = Space.load(SPACES / f"{name}.toml")
    domains = dict(variable for parameter in space.parameters for variable in parameter.variables)
    values = space.sample(random.Random(seed))
    assert set(values) == set(domains)
    assert [variable for variable, value in values.items() if not domains[variable].contains(value)] == []


def test_the_same_seed_samples_the_same_values() -> None:
    space = Space.load(SPACES / "shufflenet_v2.toml")
    assert space.sample(random.Random(7)) == space.sample(random.Random(7)) != space.sample(random.Random(8))


# --- equal spaces ----------------------------------------------------------------------------------------------------------------


def test_spaces_are_equal_whatever_the_file_looks_like(tmp_path: Path) -> None:
    compact = load(tmp_path, CONDITIONAL)
    spread = load(
        tmp_path,
        """
# A comment, other quotes, inline tables, another order of keys.
description = '''says
more'''
family = 'shufflenet_v1'
[parameters]
groups = { choices = [
    1,  # dense
    2, 4] }
[parameters.shuffle]
when.groups = [2, 4]
choices = [true, false]
[[parameters.repeats.each]]
high = 2
low = 0x1
[[parameters.repeats.each]]
high = 4
low = 3
[[parameters.repeats.each]]
high = 6
low = 5
[constants]
bottleneck = 8
""",
    )
    assert spread.to_dict() == compact.to_dict()


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("bottleneck = 8", "bottleneck = 4"),
        ("[1, 2, 4]", "[1, 4, 2]"),
        ("high = 6", "high = 7"),
        ("{ groups = [2, 4] }", "{ groups = [2] }"),
    ],
)
def test_spaces_differ_when_a_constant_a_domain_or_a_condition_does(was: str, becomes: str, tmp_path: Path) -> None:
    assert was in CONDITIONAL
    assert load(tmp_path, CONDITIONAL).to_dict() != load(tmp_path, CONDITIONAL.replace(was, becomes)).to_dict()


def test_a_space_made_of_data_equals_the_loaded_one() -> None:
    path = SPACES / "fenet.toml"
    assert Space.from_dict(tomllib.loads(path.read_text(encoding="utf-8")), "fenet") == Space.load(path)


@pytest.mark.parametrize(
    ("repeats", "when", "often"),
    [
        ("choices = [[4, 8, 4], [2, 4, 2]]", "[[4, 8, 4]]", 0.5),
        ("each = [{ low = 1, high = 2 }, { low = 1, high = 1 }, { low = 1, high = 1 }]", "[[2, 1, 1]]", 0.5),
    ],
)
def test_a_condition_may_name_values_that_are_lists(repeats: str, when: str, often: float, tmp_path: Path) -> None:
    path = tmp_path / "lists.toml"
    path.write_text(
        f"{V1}[parameters.repeats]\n{repeats}\n[parameters.shuffle]\nchoices = [true, false]\nwhen = {{ repeats = {when} }}\n",
        encoding="utf-8",
    )
    space, rng = Space.load(path), random.Random(0)
    active = sum("shuffle" in space.options(space.sample(rng)) for _ in range(400))
    assert active / 400 == pytest.approx(often, abs=0.1)


def test_a_condition_on_a_value_that_no_stage_can_have_is_refused() -> None:
    parameters = {
        "repeats": {"each": [{"low": 1, "high": 2}] * 3},
        "shuffle": {"choices": [True, False], "when": {"repeats": [[9, 1, 1]]}},
    }
    with pytest.raises(SpaceError, match="repeats must be able to be"):
        Space.from_dict({"family": "shufflenet_v1", "parameters": parameters}, "far")


KERNELS = {"kernel_size.0": 5, "kernel_size.1": 7, "kernel_size.2": 7, "shuffle": False}


def staged(space: Space, *groups: int) -> dict[str, Any]:
    options = space.options({**{f"groups.{i}": g for i, g in enumerate(groups)}, **KERNELS})
    return {key: value for key, value in options.items() if key not in ("stage_channels", "groups")}


def test_a_condition_on_stages_holds_stage_by_stage_and_elsewhere_is_the_default(tmp_path: Path) -> None:
    space = load(tmp_path, STAGED)
    assert staged(space, 2, 1, 4) == {"kernel_size": (5, 3, 7), "shuffle": False}  # 3x3 is the family's default
    assert staged(space, 1, 1, 4) == {"kernel_size": (3, 3, 7), "shuffle": False}


def test_a_parameter_that_is_active_in_no_stage_is_left_out(tmp_path: Path) -> None:
    assert staged(load(tmp_path, STAGED), 1, 1, 1) == {}


def test_inactive_stages_are_not_asked_for(tmp_path: Path) -> None:
    asked = []

    def pick(name: str, domain: Choice | Range) -> Any:
        asked.append(name)
        return {"groups.0": 1, "groups.1": 2, "groups.2": 1}.get(name, domain.corners()[0])

    load(tmp_path, STAGED).choose(pick)
    assert asked == ["groups.0", "groups.1", "groups.2", "kernel_size.1", "shuffle"]


def test_equal_networks_have_equal_options_whatever_inactive_stages_were_given(tmp_path: Path) -> None:
    space = load(tmp_path, STAGED)
    rng = random.Random(3)
    seen: dict[Any, Any] = {}
    for _ in range(200):
        options = space.options(space.sample(rng))
        key = tuple(space.build(options).nodes)
        assert seen.setdefault(key, options) == options


def test_conditions_follow_each_other_from_stage_to_stage(tmp_path: Path) -> None:
    """A stage without groups is not asked for its kernel, and what waits for that kernel sees none, whatever the default is."""
    text = (
        STAGED.replace("choices = [5, 7]", "choices = [3, 5]")
        + "[parameters.bottleneck]\nchoices = [2]\nstages = 3\nwhen = { kernel_size = 3 }\n"
    )
    space = load(tmp_path, text)
    values = {"groups.0": 2, "groups.1": 1, "groups.2": 2, "kernel_size.0": 3, "kernel_size.1": 3, "kernel_size.2": 5, "shuffle": True}
    options = space.options(values | {f"bottleneck.{i}": 2 for i in range(3)})
    assert options["kernel_size"] == (3, 3, 5)
    assert options["bottleneck"] == (2, 4, 4)


def test_a_condition_may_name_whole_lists(tmp_path: Path) -> None:
    text = (
        STAGED.split("[parameters.kernel_size]")[0]
        + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [[1, 2, 4], [4, 2, 1]] }\n"
    )
    space = load(tmp_path, text)
    assert staged(space, 4, 2, 1) == {"shuffle": False}
    assert staged(space, 4, 2, 2) == {}


def test_stages_with_one_domain_are_written_once(tmp_path: Path) -> None:
    text = V1 + "[parameters.groups]\nchoices = [1, 2]\nstages = 3\n"
    spelled = V1 + "[parameters.groups]\neach = [{choices = [1, 2]}, {choices = [1, 2]}, {choices = [1, 2]}]\n"
    assert load(tmp_path, text) == load(tmp_path, spelled)
