"""MODEL on the command line: names, options, specs and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archspace import build, save
from archspace.cli.models import load_model, parse_spec, split_words
from archspace.cli.request import Request
from archspace.errors import FileError, LawError, UnknownNameError
from archspace.ir.graph import Graph


def typed(*words: str) -> Graph:
    names, options = split_words(words)
    assert len(names) == 1
    return load_model(names[0], options)


@pytest.mark.parametrize(
    ("words", "family", "options"),
    [
        (("shufflenet_v1",), "shufflenet_v1", {}),
        (("shufflenet_v1", "--g", "8"), "shufflenet_v1", {"groups": 8}),
        (("shufflenet_v1", "--groups=8", "--width=0.5"), "shufflenet_v1", {"groups": 8, "width": 0.5}),
        (("--g", "8", "shufflenet_v1", "--width", "0.5"), "shufflenet_v1", {"groups": 8, "width": 0.5}),
        (("shufflenet_v1", "--arch2"), "shufflenet_v1", {"arch2": True}),
        (("--arch2", "shufflenet_v1"), "shufflenet_v1", {"arch2": True}),
        (("shufflenet_v1", "--no-shuffle"), "shufflenet_v1", {"shuffle": False}),
        (("shufflenet_v1", "--shuffle", "no"), "shufflenet_v1", {"shuffle": False}),
        (("shufflenet_v1", "--shuffle=no"), "shufflenet_v1", {"shuffle": False}),
        (("--shuffle", "shufflenet_v1"), "shufflenet_v1", {"shuffle": True}),
        (("shufflenet_v1", "--repeats", "2,4,2"), "shufflenet_v1", {"repeats": (2, 4, 2)}),
        (("shufflenet_v1", "--stage-channels", "240,480,960"), "shufflenet_v1", {"stage_channels": (240, 480, 960)}),
        (("shufflenet_v1", "--stage_channels", "240,480,960"), "shufflenet_v1", {"stage_channels": (240, 480, 960)}),
        (("shufflenet_v1", "--num-classes", "10"), "shufflenet_v1", {"num_classes": 10}),
        (("shufflenet_v1", "--g", "3", "--g", "8"), "shufflenet_v1", {"groups": 8}),
        (("shufflenet_v1@g=8,width=0.5",), "shufflenet_v1", {"groups": 8, "width": 0.5}),
        (("shufflenet_v1@repeats=2,4,2,g=8",), "shufflenet_v1", {"repeats": (2, 4, 2), "groups": 8}),
        (("shufflenet_v1@arch2=yes",), "shufflenet_v1", {"arch2": True}),
        (("shufflenet_v1@g=8", "--width", "0.5"), "shufflenet_v1", {"groups": 8, "width": 0.5}),
        (("shufflenet_v1@",), "shufflenet_v1", {}),
        (("shufflenet_v2@split_ratio=0.5,0.25,0.75",), "shufflenet_v2", {"split_ratio": (0.5, 0.25, 0.75)}),
        (("fenet", "--shift", "depthwise"), "fenet", {"shift": "depthwise"}),
        (("fenet_1.375x", "--learned-shifts"), "fenet", {"width": 1.375, "shift_sparsity": 0.695, "learned_shifts": True}),
        (("resnet18",), "resnet", {"depth": 18}),
        (("resnet50", "--width", "0.5"), "resnet", {"depth": 50, "width": 0.5}),
    ],
)
def test_words_name_a_network(words: tuple[str, ...], family: str, options: dict[str, Any]) -> None:
    assert typed(*words) == build(family, **options)


@pytest.mark.parametrize(
    ("spec", "name", "options"),
    [
        ("shufflenet_v1", "shufflenet_v1", {}),
        ("a@b=1", "a", {"b": "1"}),
        ("a@b=1,2,3,c=x,d=", "a", {"b": "1,2,3", "c": "x", "d": ""}),
        ("a@b=1=2", "a", {"b": "1=2"}),
        ("a@ b =1", "a", {"b": "1"}),
        ("@", "", {}),
    ],
)
def test_a_spec_is_a_name_and_options_with_lists(spec: str, name: str, options: dict[str, str]) -> None:
    assert parse_spec(spec) == (name, options)


@pytest.mark.parametrize("spec", ["a@b", "a@@", "a@,", "a@b,c=1"])
def test_a_spec_without_an_equals_sign_is_refused(spec: str) -> None:
    with pytest.raises(LawError, match=r"a spec is NAME@option=value,option=value, but got .* Example: shufflenet_v1@g=8"):
        parse_spec(spec)


def test_a_graph_file_is_the_graph(tmp_path: Path) -> None:
    graph = build("fenet", width=0.5)
    save(graph, tmp_path / "net.json")
    assert load_model(str(tmp_path / "net.json")) == graph


def test_a_graph_file_needs_no_json_ending(tmp_path: Path) -> None:
    graph = build("fenet", width=0.5)
    save(graph, tmp_path / "net")
    assert load_model(str(tmp_path / "net")) == graph


def test_a_config_file_is_the_network_of_its_options(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"family": "shufflenet_v1", "groups": 8, "repeats": [2, 4, 2]}), encoding="utf-8")
    assert load_model(str(path)) == build("shufflenet_v1", groups=8, repeats=(2, 4, 2))
    assert load_model(str(path), request=Request(("64",), batch=2)).input_shape == (2, 3, 64, 64)


def test_a_stored_network_takes_no_options(tmp_path: Path) -> None:
    save(build("shufflenet_v1"), tmp_path / "net.json")
    with pytest.raises(LawError, match=r"net\.json: a stored network takes no options, but got g"):
        load_model(str(tmp_path / "net.json"), {"g": "8"})


def test_a_stored_graph_at_another_input_says_so_in_its_config(tmp_path: Path) -> None:
    save(build("shufflenet_v1"), tmp_path / "net.json")
    graph = load_model(str(tmp_path / "net.json"), request=Request(("32",)))
    assert graph.input_shape == (1, 3, 32, 32)
    assert graph.config["input"] == [32, 32]


@pytest.mark.parametrize("data", [{"family": 3}, {"family": None}])
def test_a_config_files_family_is_a_name(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(FileError, match=r"config\.json: family must be a name, but got"):
        load_model(str(path))


def test_an_option_of_another_family_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown option of resnet 'groups'"):
        typed("resnet50", "--groups", "2")
