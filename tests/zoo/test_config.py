"""Knobs: every type of theirs can be read, checked and shown; values out of bounds say so."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from archspace.errors import LawError, UnknownNameError
from archspace.zoo import ZOO
from archspace.zoo.config import (
    KIND_WORDS,
    PARSERS,
    FamilyConfig,
    NetworkConfig,
    config_options,
    is_flag,
    make_config,
    option_names,
    parse_option,
    per_stage,
)

V1, V2, FENET = (ZOO[name].config for name in ("shufflenet_v1", "shufflenet_v2", "fenet"))


def law(family: str, **options: Any) -> str:
    with pytest.raises(LawError) as caught:
        make_config(family, ZOO[family].config, options)
    return str(caught.value)


def test_the_two_tables_of_knob_types_have_the_same_keys() -> None:
    assert set(KIND_WORDS) == set(PARSERS)


@pytest.mark.parametrize("family", ZOO)
def test_every_knob_has_a_known_type_a_help_text_and_a_default_that_passes_its_own_check(family: str) -> None:
    kind = ZOO[family].config
    for knob in fields(kind):
        assert str(knob.type) in PARSERS, knob.name
        assert knob.metadata["help"]
    assert make_config(family, kind, config_options(kind())) == kind()


def test_every_known_type_belongs_to_a_knob() -> None:
    used = {str(knob.type) for family in ZOO.values() for knob in fields(family.config)}
    assert used == set(PARSERS)


@pytest.mark.parametrize(
    ("family", "name", "text", "value"),
    [
        ("shufflenet_v1", "arch2", "yes", True),
        ("shufflenet_v1", "arch2", "TRUE", True),
        ("shufflenet_v1", "arch2", "on", True),
        ("shufflenet_v1", "arch2", "1", True),
        ("shufflenet_v1", "shuffle", "no", False),
        ("shufflenet_v1", "shuffle", "off", False),
        ("shufflenet_v1", "shuffle", "false", False),
        ("shufflenet_v1", "shuffle", "0", False),
        ("shufflenet_v1", "batch", "8", 8),
        ("shufflenet_v1", "width", "0.5", 0.5),
        ("shufflenet_v1", "width", "2", 2.0),
        ("fenet", "shift", "depthwise", "depthwise"),
        ("shufflenet_v1", "input", "480x640", (480, 640)),
        ("shufflenet_v1", "input", "96", (96, 96)),
        ("shufflenet_v1", "stem_channels", "24", 24),
        ("shufflenet_v1", "stem-channels", "24", 24),  # as the command line writes it
        ("shufflenet_v1", "repeats", "4,8,4", (4, 8, 4)),
        ("shufflenet_v1", "repeats", "4x8x4", (4, 8, 4)),
        ("shufflenet_v1", "stage_channels", "240,480,960", (240, 480, 960)),
        ("shufflenet_v1", "groups", "8", 8),
        ("shufflenet_v1", "g", "2,4,8", (2, 4, 8)),
        ("shufflenet_v1", "activation", "hardswish", "hardswish"),
        ("shufflenet_v1", "features", "yes", True),
        ("shufflenet_v1", "se_reduction", "16", 16),
        ("shufflenet_v1", "strides", "1,2,2,2", (1, 2, 2, 2)),
        ("shufflenet_v2", "stem_channels", "64,64,128", (64, 64, 128)),
        ("shufflenet_v2", "split_ratio", "0.5", 0.5),
        ("shufflenet_v2", "split_ratio", "0.25,0.5,0.75", (0.25, 0.5, 0.75)),
    ],
)
def test_an_option_is_read_from_a_word(family: str, name: str, text: str, value: Any) -> None:
    kind = ZOO[family].config
    found = parse_option(family, kind, name, text)
    assert found == value
    assert type(found) is type(value)
    field = option_names(kind)[name.replace("-", "_")]
    assert getattr(make_config(family, kind, {field: found}), field) == value


@pytest.mark.parametrize(
    ("family", "name", "text", "words"),
    [
        ("shufflenet_v1", "arch2", "maybe", "yes or no"),
        ("shufflenet_v1", "batch", "1.5", "a whole number"),
        ("shufflenet_v1", "width", "wide", "a number"),
        ("shufflenet_v1", "stem_channels", "many", "a whole number"),
        ("shufflenet_v1", "repeats", "4,,4", "whole numbers with commas"),
        ("shufflenet_v1", "repeats", "", "whole numbers with commas"),
        ("shufflenet_v1", "stage_channels", "240;480", "whole numbers with commas"),
        ("shufflenet_v1", "groups", "3,", "a whole number, or several with commas"),
        ("shufflenet_v2", "split_ratio", "half", "a number, or several with commas"),
        ("shufflenet_v1", "batch", "9" * 5000, "a whole number"),
    ],
)
def test_a_word_of_another_type_is_refused_with_the_types_own_words(family: str, name: str, text: str, words: str) -> None:
    with pytest.raises(LawError) as caught:
        parse_option(family, ZOO[family].config, name, text)
    assert str(caught.value).startswith(f"{family}: {name} must be {words}")
    assert str(caught.value).endswith(f"but got {text!r}")


@pytest.mark.parametrize("text", ["", "0", "224x", "large"])
def test_a_word_that_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(LawError, match="Examples: 224, 480x640"):
        parse_option("shufflenet_v1", V1, "input", text)


def test_an_unknown_option_is_met_with_the_nearest_one_however_it_is_given() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'stem_channels'"):
        parse_option("shufflenet_v1", V1, "stem-chanels", "24")
    with pytest.raises(UnknownNameError, match="Did you mean 'shift_sparsity'"):
        make_config("fenet", FENET, {"sparsity": 0.5})


def test_an_alias_sets_its_field() -> None:
    assert option_names(V1)["g"] == option_names(V1)["groups"] == "groups"
    assert make_config("shufflenet_v1", V1, {"g": 8}) == make_config("shufflenet_v1", V1, {"groups": 8})
    assert "g" not in option_names(V2)


def test_flags_are_the_yes_no_options() -> None:
    assert [name for name in option_names(V1) if is_flag(V1, name)] == ["features", "arch2", "shallow", "shuffle"]
    assert is_flag(FENET, "learned-shifts")
    assert not is_flag(V1, "groups")
    assert not is_flag(V1, "no_such_option")


@pytest.mark.parametrize("family", ZOO)
@pytest.mark.parametrize("width", [0, -1, -0.5, float("nan"), float("inf"), -float("inf"), "1", True, None, (1.0,)])
def test_a_width_is_a_number_above_zero(family: str, width: Any) -> None:
    assert law(family, width=width).startswith(f"{family}: width must be ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "shufflenet_v1: width must be above 0, but got 0"),
        ({"groups": 0}, "shufflenet_v1: groups must be at least 1, but got 0"),
        ({"groups": (3, 0, 3)}, "shufflenet_v1: groups must be at least 1, but got 0"),
        ({"groups": 2.0}, "shufflenet_v1: groups must be a whole number, or several with commas (3,3,8), but got 2.0"),
        (
            {"groups": (3, 2.5, 3)},
            "shufflenet_v1: groups must be a whole number, or several with commas (3,3,8), but got (3, 2.5, 3)",
        ),
        ({"g": True}, "shufflenet_v1: groups must be a whole number, or several with commas (3,3,8), but got True"),
        ({"repeats": ()}, "shufflenet_v1: repeats must be whole numbers with commas (4,8,4), but got ()"),
        ({"repeats": 4}, "shufflenet_v1: repeats must be whole numbers with commas (4,8,4), but got 4"),
        ({"repeats": "484"}, "shufflenet_v1: repeats must be whole numbers with commas (4,8,4), but got '484'"),
        ({"repeats": None}, "shufflenet_v1: repeats must be whole numbers with commas (4,8,4), but got None"),
        ({"stage_channels": (240, 0, 960)}, "shufflenet_v1: stage_channels must be at least 1, but got 0"),
        ({"stem_channels": "24"}, "shufflenet_v1: stem_channels must be a whole number, but got '24'"),
        ({"input": 224}, "shufflenet_v1: input must be SIDE or HEIGHTxWIDTH, but got 224"),
        ({"input": (224, 224, 3)}, "shufflenet_v1: input must be SIDE or HEIGHTxWIDTH, but got (224, 224, 3)"),
        ({"input": (224, 0)}, "shufflenet_v1: input must be at least 1, but got 0"),
        ({"batch": 0}, "shufflenet_v1: batch must be at least 1, but got 0"),
        ({"num_classes": 0}, "shufflenet_v1: num_classes must be at least 1, but got 0"),
        ({"strides": (1, 0, 2)}, "shufflenet_v1: strides must be at least 1, but got 0"),
        ({"strides": 2}, "shufflenet_v1: strides must be whole numbers with commas (4,8,4), but got 2"),
        ({"strides": ()}, "shufflenet_v1: strides must be whole numbers with commas (4,8,4), but got ()"),
        ({"kernel_size": 0}, "shufflenet_v1: kernel_size must be at least 1, but got 0"),
        ({"activation": 6}, "shufflenet_v1: activation must be a word, but got 6"),
        ({"activation": ("relu", "silu")}, "shufflenet_v1: activation must be a word, but got ('relu', 'silu')"),
        ({"features": 1}, "shufflenet_v1: features must be yes or no, but got 1"),
        ({"shuffle": 1}, "shufflenet_v1: shuffle must be yes or no, but got 1"),
        ({"shuffle": "yes"}, "shufflenet_v1: shuffle must be yes or no, but got 'yes'"),
    ],
)
def test_a_value_out_of_bounds_states_its_law(options: dict[str, Any], message: str) -> None:
    assert law("shufflenet_v1", **options) == message


@pytest.mark.parametrize("ratio", [(0.5, float("nan"), 0.5), (0.5, float("inf"), 0.5), (0.5, "0.5"), (0.5, True), (0.5, 0.0)])
def test_each_of_several_numbers_is_checked(ratio: tuple[Any, ...]) -> None:
    assert law("shufflenet_v2", split_ratio=ratio).startswith("shufflenet_v2: split_ratio must be ")


def test_a_word_that_is_none_of_the_choices_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError) as caught:
        make_config("fenet", FENET, {"shift": "spars"})
    assert str(caught.value) == "unknown value of fenet: shift 'spars'. Did you mean 'sparse'?"
    assert law("fenet", shift=None) == "fenet: shift must be a word, but got None"


def test_lists_stand_for_tuples_and_options_are_json_values() -> None:
    config = make_config("shufflenet_v1", V1, {"repeats": [2, 2, 2], "input": [96, 128]})
    options = config_options(config)
    assert options["repeats"] == [2, 2, 2]
    assert options["input"] == [96, 128]
    assert options["stage_channels"] is None
    assert make_config("shufflenet_v1", V1, options) == config


def test_a_config_is_a_value_and_replace_makes_the_next_one() -> None:
    config = make_config("shufflenet_v1", V1, {"groups": 8})
    assert replace(config, width=1.5) == make_config("shufflenet_v1", V1, {"groups": 8, "width": 1.5})
    assert hash(config) == hash(make_config("shufflenet_v1", V1, {"groups": 8}))
    with pytest.raises(FrozenInstanceError):
        config.batch = 2  # type: ignore[misc]


@pytest.mark.parametrize("family", ZOO)
def test_every_family_has_the_knobs_of_all_families_and_a_width(family: str) -> None:
    kind = ZOO[family].config
    assert issubclass(kind, FamilyConfig)
    assert {"input", "batch", "width", "repeats", "activation", "features"} <= set(option_names(kind))
    assert ("num_classes" in option_names(kind)) == issubclass(kind, NetworkConfig)


def test_all_families_but_the_stacks_of_the_guidelines_are_classifiers() -> None:
    assert [name for name, family in ZOO.items() if not issubclass(family.config, NetworkConfig)] == [f"guideline{i}" for i in (1, 2, 3, 4)]


def test_a_single_value_holds_for_all_stages() -> None:
    assert per_stage("net", "groups", 3, 4) == (3, 3, 3, 3)
    assert per_stage("net", "groups", (1, 2), 2) == (1, 2)
    with pytest.raises(LawError) as caught:
        per_stage("net", "groups", (1, 2), 3)
    assert str(caught.value) == "net: groups must have one value or 3, but got 2: (1, 2)"


def test_an_even_kernel_is_refused_wherever_it_stands() -> None:
    assert make_config("shufflenet_v1", V1, {"kernel_size": (1, 3, 5)}).kernel_size == (1, 3, 5)
    assert law("shufflenet_v1", kernel_size=2) == "shufflenet_v1: kernel_size must be odd, but got 2. Near: 1, 3."
    assert law("shufflenet_v2", kernel_size=(3, 5, 6)) == "shufflenet_v2: kernel_size must be odd, but got 6. Near: 5, 7."
    assert law("fenet", shift_kernel=4) == "fenet: shift_kernel must be odd, but got 4. Near: 3, 5."
    assert law("googlenet", large_kernel=4) == "googlenet: large_kernel must be odd, but got 4. Near: 3, 5."
