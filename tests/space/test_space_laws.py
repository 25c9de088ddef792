"""The laws of a space's file: each is said in one line, with the file, the line, the key and the value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from space_texts import GROUPS, V1, WIDTH, space_file

from archspace.errors import FileError, SpaceError
from archspace.space import Space

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
