"""Graphs as JSON: the exact text, the exact way back, and one line for everything that is no graph."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.analysis import analyze
from archspace.errors import FileError
from archspace.ir import Builder, Graph
from archspace.ir.ops import (
    Add,
    BatchNorm2d,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    Opaque,
    Pad,
    Reshape,
    Softmax,
    SparseShift,
)
from archspace.ir.serde import VERSION, from_dict, load, save, to_dict, to_json
from archspace.zoo import MEMBERS, build

GOLDEN = """\
{"archspace_graph": 1, "name": "tiny", "config": {"family": "none", "width": 0.5}, "outputs": ["stem.pool", "stem.conv"], "nodes": [
{"name": "input", "op": "Input", "attrs": {"shape": [1, 3, 8, 8]}, "inputs": [], "shape": [1, 3, 8, 8], "block": "input"},
{"name": "stem.conv", "op": "Conv2d", "attrs": {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "stride": [2, 1]}, \
"inputs": ["input"], "shape": [1, 4, 3, 6], "block": "stem"},
{"name": "stem.pool", "op": "MaxPool2d", "attrs": {"kernel_size": 3, "stride": 1}, "inputs": ["stem.conv"], "shape": [1, 4, 1, 4], \
"block": "stem"}
]}
"""


def tiny() -> Graph:
    b = Builder("tiny", {"family": "none", "width": 0.5})
    x = b.input((1, 3, 8, 8))
    with b.block("stem"):
        x = b.add("conv", Conv2d(3, 4, 3, stride=(2, 1)), x)
        y = b.add("pool", MaxPool2d(3, 1), x)
    return b.build(y, x)


def varied() -> Graph:
    """A node of most kinds of attribute: numbers, pairs, quadruples, flags, fractions, words, shapes."""
    b = Builder("varied", {"family": "none"})
    x = b.input((1, 4, 8, 8))
    with b.block("a"):
        y = b.add("conv", Conv2d(4, 8, 3, padding=1, groups=2, bias=True), x)
        y = b.add("shuffle", ChannelShuffle(2), y)
        z = b.add("pad", Pad((1, 1, 1, 1)), b.add("slice", ChannelSlice(0, 4), y))
        z = b.add("add", Add(), x, b.add("pool", MaxPool2d((3, 3), 1), z))
        z = b.add("dropout", Dropout(0.2), b.add("concat", Concat(), x, z))
        z = b.add("softmax", Softmax(1), b.add("shift", SparseShift(8, 3), z))
        z = b.add("fc", Linear(512, 3), b.add("flatten", Flatten(), z))
        z = b.add("opaque", Opaque("fft", (1, 3, 2, 2)), b.add("reshape", Reshape((3, 1)), z))
        z = b.add("bn", BatchNorm2d(3, eps=1e-3), z)
    return b.build(z)


def plain(graph: Graph) -> Any:
    """The graph's JSON as a reader gets it: fresh lists and dicts."""
    return json.loads(to_json(graph))


def at(data: Any, *path: str | int) -> Any:
    for key in path:
        data = data[key]
    return data


def with_value(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    at(changed, *path[:-1])[path[-1]] = copy.deepcopy(value)
    return changed


def without(data: Any, path: tuple[str | int, ...]) -> Any:
    changed = copy.deepcopy(data)
    del at(changed, *path[:-1])[path[-1]]
    return changed


def paths(data: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place inside nested lists and dicts."""
    items: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path for key, value in items for path in [(*here, key), *paths(value, (*here, key))]]


def refusal(data: Any) -> str:
    with pytest.raises(FileError) as caught:
        from_dict(data, "a.json")
    message = str(caught.value)
    assert message.startswith("a.json: ")
    assert "\n" not in message
    return message


def test_a_graph_is_written_one_node_a_line_with_stable_keys() -> None:
    assert to_json(tiny()) == GOLDEN


def test_the_written_text_reads_back_as_the_same_graph() -> None:
    assert from_dict(json.loads(GOLDEN)) == tiny()
    assert from_dict(plain(varied())) == varied()
    assert from_dict(to_dict(varied())) == varied()


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_of_the_zoo_round_trips_exactly(member: str) -> None:
    graph = build(member)
    back = from_dict(plain(graph))
    assert back == graph
    assert to_json(back) == to_json(graph)


def test_a_file_round_trips_exactly(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    save(varied(), path)
    assert load(path) == load(str(path)) == varied()
    assert path.read_text() == to_json(varied())
    with pytest.raises(FileError, match="nothing is overwritten unasked"):
        save(tiny(), path)
    save(tiny(), path, force=True)
    assert load(path) == tiny()


def test_a_file_that_is_no_graph_is_refused_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "package.json"
    path.write_text('{"name": "left-pad"}')
    with pytest.raises(FileError) as caught:
        load(path)
    law = "a graph is a JSON object with the key 'archspace_graph', but this is not one. Write one with archspace.save."
    assert str(caught.value) == f"{path}: {law}"


@pytest.mark.parametrize("data", [None, [], "graph", 1, {}, {"nodes": []}])
def test_a_foreign_value_is_refused(data: Any) -> None:
    assert "with the key 'archspace_graph'" in refusal(data)


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_version_is_refused(version: Any) -> None:
    message = refusal(with_value(plain(tiny()), ("archspace_graph",), version))
    assert message == f"a.json: this archspace reads graph version {VERSION}, but the file says {version!r}"


@pytest.mark.parametrize("key", ["name", "config", "outputs", "nodes"])
def test_a_missing_key_is_named(key: str) -> None:
    assert re.search(rf"graph: {key} must be an? \w+, but is missing$", refusal(without(plain(tiny()), (key,))))


@pytest.mark.parametrize("key", ["name", "op", "attrs", "inputs", "shape", "block"])
def test_a_missing_key_of_a_node_is_named(key: str) -> None:
    assert re.search(rf"node 1: {key} must be an? \w+, but is missing$", refusal(without(plain(tiny()), ("nodes", 1, key))))


@pytest.mark.parametrize("key", ["in_channels", "out_channels", "kernel_size"])
def test_a_missing_attribute_is_named(key: str) -> None:
    assert refusal(without(plain(tiny()), ("nodes", 1, "attrs", key))) == f"a.json: stem.conv: Conv2d needs {key}, but it is missing"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("nodes", 1, "op"), "Conv2D", "unknown op kind of stem.conv 'Conv2D'. Did you mean 'Conv2d'?"),
        (("nodes", 1, "attrs", "group"), 2, "unknown attribute of Conv2d at stem.conv 'group'. Did you mean 'groups'?"),
        (
            ("nodes", 1, "shape"),
            [1, 4, 3, 7],
            "stem.conv: the shape must follow from the inputs, but the file says [1, 4, 3, 7] and the op gives [1, 4, 3, 6]",
        ),
        (("nodes", 1, "inputs"), ["stem.pool"], "a node may read only nodes above it, but 'stem.pool' is not one of them"),
        (("nodes", 1, "inputs"), ["stem.conv"], "a node may read only nodes above it, but 'stem.conv' is not one of them"),
        (("nodes", 1, "inputs"), [], "stem.conv: Conv2d takes one input, but got 0"),
        (("nodes", 2, "name"), "input", "input: node names must be unique, but this one is taken. Use another name or scope."),
        (("outputs",), ["head"], "a node may read only nodes above it, but 'head' is not one of them"),
        (("outputs",), [], "tiny: a graph must have at least one output, but got none"),
        (
            ("nodes", 1, "attrs", "in_channels"),
            4,
            "stem.conv: Conv2d: in_channels must equal the input's channels, but got in_channels=4, input channels 3",
        ),
        (("nodes", 1, "attrs", "stride"), {"h": 2}, "stem.conv: stride must be a whole number or two, but is {'h': 2}"),
        (("nodes", 1, "attrs", "stride"), [2, 1.5], "stem.conv: stride must be a whole number or two, but is [2, 1.5]"),
    ],
)
def test_a_contradiction_is_one_line_with_its_place(path: tuple[str | int, ...], value: Any, message: str) -> None:
    assert refusal(with_value(plain(tiny()), path, value)) == f"a.json: {message}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nodes",), {"a": 1}),
        (("nodes",), None),
        (("nodes", 1), None),
        (("nodes", 1), "conv"),
        (("nodes", 1), ["name"]),
        (("nodes", 1, "attrs"), [1]),
        (("nodes", 1, "attrs"), None),
        (("nodes", 1, "inputs"), 0),
        (("nodes", 1, "inputs"), "input"),
        (("nodes", 1, "inputs"), [["input"]]),
        (("nodes", 1, "inputs"), [0]),
        (("nodes", 1, "op"), ["Conv2d"]),
        (("nodes", 1, "op"), None),
        (("nodes", 1, "name"), 7),
        (("nodes", 1, "name"), ["stem"]),
        (("nodes", 1, "name"), None),
        (("nodes", 1, "shape"), None),
        (("nodes", 1, "shape"), "1x4x3x6"),
        (("nodes", 1, "block"), 7),
        (("nodes", 1, "block"), ["stem"]),
        (("nodes", 1, "block"), None),
        (("outputs",), "stem.conv"),
        (("outputs",), [1]),
        (("outputs",), None),
        (("config",), "shufflenet"),
        (("config",), None),
        (("config",), [["family", "none"]]),
        (("name",), ["tiny"]),
        (("name",), None),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(path: tuple[str | int, ...], value: Any) -> None:
    refusal(with_value(plain(tiny()), path, value))


@pytest.mark.parametrize(
    ("node", "attribute", "value"),
    [
        ("a.conv", "in_channels", 4.0),  # counts stay exact integers
        ("a.conv", "groups", 2.0),
        ("a.conv", "groups", True),
        ("a.conv", "kernel_size", [3, 3, 3]),
        ("a.conv", "bias", "no"),  # a word that would pass for true
        ("a.conv", "bias", 1),
        ("a.slice", "copies", "false"),
        ("a.shift", "moved_channels", 1.5),
        ("a.shift", "learned", []),
        ("a.bn", "eps", [1]),
        ("a.bn", "momentum", "x"),
        ("a.opaque", "kind", 3),
        ("a.pad", "padding", [1, 1]),
        ("a.pad", "padding", 1),
        ("a.softmax", "dim", 1.5),
        ("a.concat", "dim", True),
        ("a.dropout", "p", "0.2"),
    ],
)
def test_an_attribute_has_the_type_of_its_field(node: str, attribute: str, value: Any) -> None:
    data = plain(varied())
    position = [row["name"] for row in data["nodes"]].index(node)
    assert node in refusal(with_value(data, ("nodes", position, "attrs", attribute), value))


def test_a_graph_without_an_input_is_refused() -> None:
    row = {"name": "o", "op": "Opaque", "attrs": {"kind": "noise", "shape": [1, 2]}, "inputs": [], "shape": [1, 2], "block": "o"}
    assert "at least one Input" in refusal({"archspace_graph": 1, "name": "g", "config": {}, "outputs": ["o"], "nodes": [row]})


def test_a_tensor_without_axes_is_refused_where_an_op_needs_one() -> None:
    rows = [
        {"name": "x", "op": "Input", "attrs": {"shape": []}, "inputs": [], "shape": [], "block": "x"},
        {"name": "fc", "op": "Linear", "attrs": {"in_features": 3, "out_features": 3}, "inputs": ["x"], "shape": [3], "block": "fc"},
    ]
    assert "at least one axis" in refusal({"archspace_graph": 1, "name": "g", "config": {}, "outputs": ["fc"], "nodes": rows})


VARIED = plain(varied())
words = st.sampled_from(["", "x", "input", "a", "a.conv", "Conv2d", "Add", "name", "1"])
numbers = st.sampled_from([-1, 0, 1, 2, 3, 4, 8, 10**30, -0.5, 1.0, 1.5, 1e300, float("inf")])
leaves = st.none() | st.booleans() | numbers | words
junk = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=2), max_leaves=5)


def refused_or_works(data: Any) -> None:
    """`data` raises FileError, or is read as a graph that prints, counts, and is written and read again as itself."""
    try:
        graph = from_dict(data, "a.json")
    except FileError as error:
        assert str(error).startswith("a.json: ")  # noqa: PT017
        return
    assert str(graph).startswith("graph ")
    assert analyze(graph).totals.nodes >= 0
    assert from_dict(plain(graph)) == graph


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, 2, 1.5, 10**30, 1e300, "", "x", "input", [], [1], [0, -1], ["input"], [[1]], {}, {"a": 1}, "DROP"], ids=str
)
def test_any_one_value_in_any_place_gives_a_graph_or_a_file_error(value: Any) -> None:
    places = paths(VARIED)
    assert len(places) > 200
    for path in places:
        refused_or_works(without(VARIED, path) if value == "DROP" else with_value(VARIED, path, value))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), junk | st.just("DROP")), min_size=1, max_size=3))
def test_any_corruption_gives_a_graph_or_a_file_error_and_nothing_else(changes: list[tuple[int, Any]]) -> None:
    data = VARIED
    for position, value in changes:
        places = paths(data)
        if places:
            path = places[position % len(places)]
            data = without(data, path) if value == "DROP" else with_value(data, path, value)
    refused_or_works(data)


@given(junk)
def test_any_value_is_a_graph_or_a_file_error(data: Any) -> None:
    for value in (data, {"archspace_graph": 1, "name": "g", "config": {}, "outputs": data, "nodes": data}):
        with pytest.raises(FileError):
            from_dict(value)
