"""Design spaces in TOML: what loads, what each law says, what is chosen and sampled."""

from __future__ import annotations

import json
import random
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspace.analysis import total_counts
from archspace.errors import FileError, SpaceError
from archspace.space import Choice, Range, Space

SPACES = Path(__file__).parents[2] / "spaces"
SHIPPED = {
    "shufflenet_v1": "shufflenet_v1",
    "shufflenet_v2": "shufflenet_v2",
    "mobilenet_v2": "mobilenet_v2",
    "fenet": "fenet",
    "fenet_lambda": "fenet",
    "mixed": "mixed",
}  # file -> family

V1 = 'family = "shufflenet_v1"\n'
WIDTH = "[parameters.width]\nlow = 0.25\nhigh = 2.0\n"
GROUPS = "[parameters.groups]\nchoices = [1, 2, 4]\n"


def space_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(tmp_path: Path, text: str) -> Space:
    return Space.load(space_file(tmp_path, text))


# --- what is shipped -------------------------------------------------------------------------------------------------------------


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


# --- the laws of the reader ------------------------------------------------------------------------------------------------------

# text of the file -> what the one line must say
BROKEN: dict[str, tuple[str, list[str]]] = {
    "not TOML": ("x = [", ["not TOML"]),
    "nothing in it": ("", ["family must name a family", "shufflenet_v1", "None"]),
    "no family": (WIDTH, ["family must name a family"]),
    "family is a number": ("family = 3\n" + WIDTH, ["family must name a family", "3"]),
    "family unknown": ('family = "shuflenet_v1"\n' + WIDTH, ["unknown family 'shuflenet_v1'", "Did you mean 'shufflenet_v1'?"]),
    "unknown key on top": ('famly = "shufflenet_v1"\n' + WIDTH, ["unknown key 'famly'", "Did you mean 'family'?"]),
    "unknown key in a parameter": (
        V1 + "[parameters.width]\nlow = 1\nhih = 2\n",
        ["parameters.width", "unknown key", "'hih'", "Did you mean 'high'?"],
    ),
    "unknown key in objectives": (V1 + '[objectives]\nmaximise = ["params"]\n' + WIDTH, ["objectives", "'maximise'", "'maximize'"]),
    "unknown key in one stage": (
        V1 + "[parameters.repeats]\neach = [{low = 1, high = 2}, {low = 1, high = 2, stp = 1}, {low = 1, high = 2}]\n",
        ["parameters.repeats.each[1]", "'stp'", "'step'"],
    ),
    "a domain beside each": (
        V1 + "[parameters.repeats]\neach = [{low = 1, high = 2}, {low = 1, high = 2}, {low = 1, high = 2}]\nlow = 1\n",
        ["parameters.repeats", "each", "low"],
    ),
    "no parameters": (V1, ["parameters must hold at least one table", "[parameters.width]"]),
    "parameters empty": (V1 + "[parameters]\n", ["parameters must hold at least one table"]),
    "parameters is a number": (V1 + "parameters = 3\n", ["parameters must hold at least one table"]),
    "parameters is a list": (V1 + "parameters = [1]\n", ["parameters must hold at least one table"]),
    "parameter is a number": (V1 + "[parameters]\nwidth = 3\n", ["parameters.width must be a table", "3"]),
    "unknown option": (
        V1 + "[parameters.widht]\nlow = 1\nhigh = 2\n",
        ["unknown option of shufflenet_v1 'widht'", "Did you mean 'width'?"],
    ),
    "no low": (V1 + "[parameters.width]\nhigh = 2\n", ["parameters.width", "low", "None"]),
    "no high": (V1 + "[parameters.width]\nlow = 2\n", ["parameters.width", "high", "None"]),
    "low is a word": (V1 + '[parameters.width]\nlow = "a"\nhigh = 2\n', ["parameters.width", "low", "'a'"]),
    "low is a flag": (V1 + "[parameters.width]\nlow = true\nhigh = 2\n", ["parameters.width", "low", "True"]),
    "low above high": (V1 + "[parameters.width]\nlow = 2\nhigh = 1\n", ["parameters.width", "low=2", "high=1"]),
    "low is not a number": (V1 + "[parameters.width]\nlow = nan\nhigh = 1.0\n", ["width", "nan"]),
    "high is infinite": (V1 + "[parameters.width]\nlow = 1.0\nhigh = inf\n", ["width", "inf"]),
    "step 0": (V1 + "[parameters.width]\nlow = 1\nhigh = 2\nstep = 0\n", ["parameters.width", "step must be above 0", "0"]),
    "step negative": (V1 + "[parameters.width]\nlow = 1\nhigh = 2\nstep = -0.5\n", ["parameters.width", "step must be above 0", "-0.5"]),
    "step a word": (V1 + '[parameters.width]\nlow = 1\nhigh = 2\nstep = "a"\n', ["parameters.width", "step must be a number", "'a'"]),
    "step is not a number": (V1 + "[parameters.width]\nlow = 1.0\nhigh = 2.0\nstep = nan\n", ["parameters.width", "step", "nan"]),
    "step is infinite": (V1 + "[parameters.width]\nlow = 1.0\nhigh = 2.0\nstep = inf\n", ["parameters.width", "step", "inf"]),
    "choices empty": (V1 + "[parameters.groups]\nchoices = []\n", ["parameters.groups", "at least one value"]),
    "choices a number": (V1 + "[parameters.groups]\nchoices = 3\n", ["parameters.groups", "choices is a list"]),
    "choices twice": (V1 + "[parameters.groups]\nchoices = [1, 2, 1]\n", ["parameters.groups", "twice"]),
    "choices and low": (V1 + "[parameters.groups]\nchoices = [1, 2]\nlow = 1\n", ["parameters.groups", "stands alone"]),
    "choices and each": (V1 + "[parameters.groups]\nchoices = [1, 2]\neach = [{low = 1, high = 2}]\n", ["parameters.groups"]),
    "choices of mixed types": (V1 + '[parameters.groups]\nchoices = [1, "a"]\n', ["groups must be a whole number", "'a'"]),
    "choices of tables": (V1 + "[parameters.groups]\nchoices = [{a = 1}]\n", ["parameters.groups", "{'a': 1}"]),
    "choices of lists of lists": (V1 + "[parameters.groups]\nchoices = [[[1]]]\n", ["parameters.groups", "[[1]]"]),
    "choices of dates": (V1 + "[parameters.groups]\nchoices = [1979-05-27]\n", ["groups must be a whole number"]),
    "choices unknown to the family": (
        'family = "fenet"\n[parameters.shift]\nchoices = ["sparse", "depthwse"]\n',
        ["fenet", "shift", "'depthwse'", "Did you mean 'depthwise'?"],
    ),
    "value out of the family's bounds": (V1 + "[parameters.width]\nlow = 0.0\nhigh = 2.0\n", ["width must be above 0", "0"]),
    "value of the wrong type": (V1 + "[parameters.groups]\nlow = 1.5\nhigh = 2.5\n", ["groups must be a whole number", "1.5"]),
    "one value where the family wants several": (
        V1 + "[parameters.repeats]\nlow = 1\nhigh = 3\n",
        ["repeats", "whole numbers with commas"],
    ),
    "each is a number": (V1 + "[parameters.repeats]\neach = 3\n", ["parameters.repeats.each", "list", "3"]),
    "each is empty": (V1 + "[parameters.repeats]\neach = []\n", ["parameters.repeats.each", "list", "[]"]),
    "a stage is a number": (V1 + "[parameters.repeats]\neach = [3]\n", ["parameters.repeats.each[0] must be a table", "3"]),
    "a stage has low above high": (
        V1 + "[parameters.repeats]\neach = [{low = 1, high = 2}, {low = 3, high = 2}, {low = 1, high = 2}]\n",
        ["parameters.repeats.each[1]", "low=3", "high=2"],
    ),
    "a stage out of the family's bounds": (
        V1 + "[parameters.repeats]\neach = [{low = 1, high = 2}, {low = 0, high = 2}, {low = 1, high = 2}]\n",
        ["repeats must be at least 1", "0"],
    ),
    "a later choice of a stage has the wrong type": (
        V1 + '[parameters.repeats]\neach = [{low = 1, high = 2}, {choices = [1, "a"]}, {low = 1, high = 2}]\n',
        ["repeats", "'a'"],
    ),
    "one stage too few": (V1 + "[parameters.repeats]\neach = [{low = 1, high = 2}, {low = 1, high = 2}]\n", ["repeats", "3", "2"]),
    "constant and parameter": (V1 + WIDTH + "[constants]\nwidth = 1.0\n", ["width", "both"]),
    "constant and parameter under its alias": (V1 + "[parameters.g]\nchoices = [1]\n[constants]\ngroups = 2\n", ["g", "both"]),
    "constant under its alias and parameter": (V1 + GROUPS + "[constants]\ng = 2\n", ["groups", "both"]),
    "parameter twice under its alias": (V1 + GROUPS + "[parameters.g]\nchoices = [8]\n", ["parameters.g", "groups", "twice"]),
    "parameter twice": (V1 + WIDTH + WIDTH, ["not TOML"]),
    "unknown constant": (V1 + WIDTH + "[constants]\ngrups = 2\n", ["unknown option of shufflenet_v1 'grups'", "Did you mean 'groups'?"]),
    "constant of the wrong type": (V1 + WIDTH + '[constants]\ngroups = "a"\n', ["groups must be a whole number", "'a'"]),
    "constants is a number": (V1 + "constants = 3\n" + WIDTH, ["constants", "3"]),
    "constants is a list": (V1 + "constants = [3]\n" + WIDTH, ["constants", "[3]"]),
    "constants is a word": (V1 + 'constants = "ab"\n' + WIDTH, ["constants", "'ab'"]),
    "objectives is a number": (V1 + "objectives = 3\n" + WIDTH, ["objectives must be a table", "3"]),
    "objectives of a number": (V1 + "[objectives]\nmaximize = 3\n" + WIDTH, ["objectives", "maximize", "3"]),
    "objectives of numbers": (V1 + "[objectives]\nmaximize = [3]\n" + WIDTH, ["objectives", "maximize", "3"]),
    "objectives of lists": (V1 + '[objectives]\nmaximize = [["params"]]\n' + WIDTH, ["objectives", "maximize", "['params']"]),
    "objectives is a bare word": (V1 + '[objectives]\nmaximize = "params"\n' + WIDTH, ["objectives", "maximize", "'params'"]),
    "an objective both ways": (V1 + '[objectives]\nmaximize = ["params"]\nminimize = ["params"]\n' + WIDTH, ["objectives", "params"]),
    "when names a later parameter": (
        V1 + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [2] }\n" + GROUPS,
        ["parameters.shuffle.when", "above it", "'groups'"],
    ),
    "when names itself": (
        V1 + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { shuffle = [true] }\n",
        ["parameters.shuffle.when", "above it", "'shuffle'"],
    ),
    "when names nothing known": (
        V1 + GROUPS + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { grups = [2] }\n",
        ["parameters.shuffle.when", "'grups'", "groups"],
    ),
    "when asks for an impossible value": (
        V1 + GROUPS + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [2, 8] }\n",
        ["parameters.shuffle.when", "groups", "8"],
    ),
    "when is never met": (
        V1 + GROUPS + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [] }\n",
        ["parameters.shuffle.when", "groups"],
    ),
    "when names what waits for it": (
        V1
        + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [2] }\n"
        + "[parameters.g]\nchoices = [1, 2]\nwhen = { shuffle = true }\n",
        ["parameters.shuffle.when", "'groups'", "waits for this one in turn"],
    ),
    "when counts other stages": (
        V1
        + "[parameters.groups]\nchoices = [1, 2]\nstages = 3\n"
        + "[parameters.kernel_size]\nchoices = [3, 5]\nstages = 2\nwhen = { groups = [2] }\n",
        ["parameters.kernel_size.when", "as many stages", "groups has 3 and this one 2"],
    ),
    "when lists stages and lists": (
        V1
        + "[parameters.groups]\nchoices = [1, 2]\nstages = 3\n"
        + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [[1, 1, 1], 2] }\n",
        ["parameters.shuffle.when", "values of a stage or whole lists"],
    ),
    "when asks a stage for an impossible value": (
        V1
        + "[parameters.groups]\nchoices = [1, 2]\nstages = 3\n"
        + "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [3] }\n",
        ["parameters.shuffle.when", "groups", "3"],
    ),
    "stages is a word": (
        V1 + '[parameters.groups]\nchoices = [1]\nstages = "3"\n',
        ["parameters.groups", "stages must be a whole number", "'3'"],
    ),
    "stages is 0": (V1 + "[parameters.groups]\nchoices = [1]\nstages = 0\n", ["parameters.groups", "stages", "from 1"]),
    "stages of another number": (
        V1 + "[parameters.groups]\nchoices = [1]\nstages = 4\n",
        ["parameters.groups: shufflenet_v1: groups must have one value or 3, but got 4"],
    ),
    "constants of another number of stages": (
        V1 + WIDTH + "[constants]\nrepeats = [1, 2]\n",
        ["constants.repeats: shufflenet_v1: repeats must have one value or 3, but got 2"],
    ),
    "stages beside each": (
        V1 + "[parameters.repeats]\neach = [{low = 1, high = 2}, {low = 1, high = 2}, {low = 1, high = 2}]\nstages = 3\n",
        ["parameters.repeats", "each stands alone", "stages"],
    ),
    "log with low 0": (V1 + "[parameters.width]\nlow = 0\nhigh = 2.0\nlog = true\n", ["parameters.width: low must be above 0", "log"]),
    "log with low below 0": (V1 + "[parameters.width]\nlow = -1.0\nhigh = 2.0\nlog = true\n", ["parameters.width: low must be above 0"]),
    "log with a step": (V1 + WIDTH + "step = 0.05\nlog = true\n", ["parameters.width: step is a difference, but log asks for ratios"]),
    "log is a word": (V1 + WIDTH + 'log = "yes"\n', ["parameters.width: log must be true or false", "'yes'"]),
    "a sparsity and a penalty": (
        'family = "fenet"\n[parameters.shift_lambda]\nlow = 1e-5\nhigh = 1e-4\n[parameters.shift_sparsity]\nlow = 0.1\nhigh = 0.2\n',
        ["parameters.shift_sparsity", "follows from a penalty", "shift_lambda"],
    ),
    "a penalty beyond the table": (
        'family = "fenet"\n[parameters.shift_lambda]\nlow = 1e-4\nhigh = 1e-3\nlog = true\n',
        ["parameters.shift_lambda: shift_lambda must be from 0 to 0.0005", "0.001", "lambda_beyond"],
    ),
    "when is a number": (
        V1 + GROUPS + "[parameters.shuffle]\nchoices = [true]\nwhen = 3\n",
        ["parameters.shuffle.when must be a table", "3"],
    ),
}


# What is missing stands on no line.
WITHOUT_A_LINE = {"nothing in it", "no family", "no parameters"}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_space_is_refused_in_one_line_with_the_file_the_law_and_the_value(case: str, tmp_path: Path) -> None:
    text, pieces = BROKEN[case]
    path = space_file(tmp_path, text)
    with pytest.raises(SpaceError) as caught:
        Space.load(path)
    message = str(caught.value)
    place = re.match(rf"{re.escape(str(path))}(:[1-9][0-9]*)?: ", message)
    assert place is not None
    assert (place[1] is None) == (case in WITHOUT_A_LINE)
    assert len(message.splitlines()) == 1
    assert [piece for piece in pieces if piece not in message[place.end() :]] == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.toml: cannot be read: No such file"):
        Space.load(tmp_path / "nowhere.toml")


def test_a_folder_is_no_space(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read: Is a directory"):
        Space.load(tmp_path)


def test_a_file_that_is_not_utf_8_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_bytes(V1.encode() + b"# caf\xe9\n" + WIDTH.encode())
    with pytest.raises(FileError, match=rf"must be UTF-8, but byte {len(V1) + 5} is not"):
        Space.load(path)


# --- what is chosen --------------------------------------------------------------------------------------------------------------

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


# Per stage ------------------------------------------------------------------------------------------------------------------------

STAGED = V1 + (
    "[constants]\nstage_channels = [240, 480, 960]\n"
    "[parameters.groups]\nchoices = [1, 2, 4]\nstages = 3\n"
    "[parameters.kernel_size]\nchoices = [5, 7]\nstages = 3\nwhen = { groups = [2, 4] }\n"
    "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [2, 4] }\n"
)
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


# Lines ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (V1 + "\n# groups\n[parameters.groups]\n\nchoices = [1,\n 1]\n", ":6: parameters.groups: choices must differ"),
        (
            V1 + "[parameters.repeats]\neach = [\n  { low = 1, high = 2 },\n  { low = 1, hihg = 2 },\n]\n",
            ":5: parameters.repeats.each[1]: unknown key 'hihg'. Did you mean 'high'?",
        ),
        (V1 + "[parameters]\nwidth = { low = 1.0,\nhigh = 2.0 }\n", ":3: not TOML: "),
        (
            V1 + "parameters.width.low = 1\nparameters.width.high = 0\n",
            ":2: parameters.width: low must not exceed high, but got low=1, high=0",
        ),
        (
            V1 + WIDTH + "[constants]\nshuffle = true\nbottleneck = 0\n",
            ":7: constants: shufflenet_v1: bottleneck must be at least 1, but got 0",
        ),
        (V1 + '[parameters."groups"]\nchoices = [1]\n[parameters.width]\nhigh = 1', ":4: parameters.width: a domain needs choices"),
        (V1 + WIDTH + "step = 0.05\nx = ", ":6: not TOML: "),
    ],
)
def test_an_error_says_the_line_and_the_key(text: str, message: str, tmp_path: Path) -> None:
    path = space_file(tmp_path, text)
    with pytest.raises(SpaceError) as caught:
        Space.load(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_what_is_not_from_a_file_has_no_lines() -> None:
    with pytest.raises(SpaceError, match=r"^mine: parameters\.width: low must not exceed high"):
        Space.from_dict({"family": "shufflenet_v1", "parameters": {"width": {"low": 2, "high": 1}}}, "mine")


# Stored ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_a_stored_space_is_the_one_that_was_stored(name: str) -> None:
    space = Space.load(SPACES / f"{name}.toml")
    stored = Space.from_stored(json.loads(json.dumps(space.to_dict(), sort_keys=True)))
    assert stored == space
    assert stored.digest == space.digest
    rng = random.Random(1)
    values = space.sample(rng)
    assert stored.options(values) == space.options(values)


def test_a_stored_space_keeps_lists_conditions_and_the_order_of_its_objectives(tmp_path: Path) -> None:
    text = (
        STAGED
        + '[parameters.repeats]\nchoices = [[4, 8, 4], [2, 4, 2]]\n[objectives]\nminimize = ["params", "madds"]\nmaximize = ["acts"]\n'
    )
    space = load(tmp_path, text)
    stored = Space.from_stored(json.loads(json.dumps(space.to_dict())))
    assert stored == space
    assert list(stored.objectives) == list(space.objectives)
    assert stored.parameters[-1].domains[0] == Choice(((4, 8, 4), (2, 4, 2)))


def test_a_digest_is_of_what_a_space_holds_and_not_of_how_it_is_written(tmp_path: Path) -> None:
    space, same = (
        load(tmp_path, V1 + GROUPS),
        load(tmp_path, "# a comment\n" + 'description = "words"\n' + V1 + "[parameters.g]\nchoices = [1,2,4]\n"),
    )
    other = load(tmp_path, V1 + GROUPS.replace("4", "8"))
    assert space.digest == same.digest != other.digest
    assert re.fullmatch(r"[0-9a-f]{64}", space.digest)


@pytest.mark.parametrize("change", [{"parameters": 3}, {"name": None}, {"parameters": [{"name": "width"}]}, {"objectives": [1]}])
def test_what_was_not_stored_by_to_dict_is_refused(change: dict[str, Any]) -> None:
    data = Space.load(SPACES / "shufflenet_v1.toml").to_dict()
    with pytest.raises(SpaceError, match="a stored space has the keys name, family, constants, objectives, parameters"):
        Space.from_stored({**data, **change})
    with pytest.raises(SpaceError, match="a stored space has the keys"):
        Space.from_stored({key: value for key, value in data.items() if key not in change})


def test_a_stored_space_of_a_family_that_is_gone_is_refused_by_name() -> None:
    data = {**Space.load(SPACES / "shufflenet_v1.toml").to_dict(), "family": "shufflenet_v9"}
    with pytest.raises(SpaceError, match=r"^shufflenet_v1: family: unknown family 'shufflenet_v9'|^shufflenet_v1: unknown family"):
        Space.from_stored(data)
