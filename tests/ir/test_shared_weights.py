"""Weights that several nodes use: counted once, stored, carried to another resolution."""

from __future__ import annotations

from typing import Any

import pytest

from archspace.analysis import analyze
from archspace.analysis.coverage import coverage
from archspace.errors import FileError
from archspace.ir import Builder, Graph, Node
from archspace.ir.ops import AvgPool2d, Conv2d, Opaque
from archspace.ir.resize import with_input
from archspace.ir.serde import from_dict, to_dict

CONV = Conv2d(4, 4, 3, padding=1)
SHAPE = (1, 4, 8, 8)


def twice() -> Graph:
    """One convolution of 144 weights, used twice."""
    b = Builder("twice")
    x = b.add("conv", CONV, b.input(SHAPE))
    x = b.append(Node("again", CONV, (x.index,), SHAPE, "again", shares="conv", params=0))
    return b.build(x)


def test_shared_weights_are_read_twice_and_counted_once() -> None:
    totals = analyze(twice()).totals
    assert totals.params == 4 * 4 * 9
    assert totals.madds == 2 * 64 * 4 * 4 * 9
    assert totals.mem_elems == 2 * (256 + 144 + 256)
    assert [row.counts.params for row in analyze(twice()).rows] == [144, 0]


def test_they_survive_json_and_another_resolution() -> None:
    assert from_dict(to_dict(twice())) == twice()
    assert "shares" not in to_dict(twice())["nodes"][1]
    larger = with_input(twice(), (2, 4, 16, 16))
    assert (larger["again"].shares, larger["again"].params) == ("conv", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shares": "later"}, "a node may read only nodes above it, but 'later'"),
        ({"shares": 3}, "a node may read only nodes above it, but 3"),
        ({"shares": False}, "again: shares must be a word, but is False"),
        ({"params": -1}, "again: params must be a whole number from 0 on, but is -1"),
        ({"params": True}, "again: params must be a whole number from 0 on, but is True"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    data = to_dict(twice())
    data["nodes"][2] |= change
    with pytest.raises(FileError, match=message):
        from_dict(data)


def test_an_opaque_nodes_weights_count_as_parameters_and_memory() -> None:
    counts = Opaque("aten.layer_norm.default", SHAPE, weight_elems=16).counts((SHAPE,), SHAPE)
    assert (counts.params, counts.weight_elems, counts.mem_elems) == (16, 16, 256 + 16 + 256)


def test_coverage_rounds_down_and_names_what_is_not_known() -> None:
    b = Builder("mostly")
    x = b.input(SHAPE)
    for i in range(2000):
        x = b.add(f"pool{i}", AvgPool2d(1, 1, count_include_pad=False), x)
    graph = b.build(b.add("odd", Opaque("aten.fft", SHAPE), x))
    assert coverage(graph).opaque == (("odd", "aten.fft"),)
    assert str(coverage(graph)) == "99.9 % of nodes known (2000 of 2001)"
    assert str(coverage(twice())) == "100 % of nodes known (2 of 2)"
