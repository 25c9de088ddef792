"""Design spaces in TOML: what loads, what each law says, what is chosen and sampled."""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspace.errors import FileError, SpaceError
from archspace.space import Choice, Range, Space

SPACES = Path(__file__).parents[2] / "spaces"
SHIPPED = ("shufflenet_v1", "shufflenet_v2", "fenet")

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
    assert (space.name, space.family) == (name, name)
    assert space.objectives
    rng = random.Random(0)
    for _ in range(25):
        graph = space.build(space.options(space.sample(rng)))
        assert graph.config["family"] == name


def test_every_file_in_spaces_is_shipped_and_tested() -> None:
    assert {path.stem for path in SPACES.glob("*.toml")} == set(SHIPPED)


def test_the_shufflenet_v1_space_has_groups_width_and_repeats_per_stage() -> None:
    space = Space.load(SPACES / "shufflenet_v1.toml")
    domains = dict(variable for parameter in space.parameters for variable in parameter.variables)
    assert domains["groups"] == Choice((1, 2, 3, 4, 8))
    assert domains["width"] == Range(0.25, 2.0, 0.05)
    assert [name for name in domains if name.startswith("repeats")] == ["repeats.0", "repeats.1", "repeats.2"]


def test_the_fenet_space_searches_sparsity_width_and_expansion_with_learned_shifts() -> None:
    space = Space.load(SPACES / "fenet.toml")
    assert [parameter.name for parameter in space.parameters] == ["shift_sparsity", "width", "expansion"]
    assert space.constants == {"learned_shifts": True}


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


@given(st.sampled_from(SHIPPED), st.integers(0, 2**32 - 1))
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
