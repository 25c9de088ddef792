"""The builder: shapes at once, names under scopes, errors with their place; and a graph on an input of another shape."""

from __future__ import annotations

import pytest

from archspace.errors import LawError
from archspace.ir import Builder, Graph, Node, Value
from archspace.ir.ops import Add, ChannelSlice, Concat, Conv2d, Flatten, Input, Linear, ReLU
from archspace.ir.resize import with_input


def tiny(input_shape: tuple[int, ...] = (1, 3, 8, 8)) -> Graph:
    b = Builder("tiny", {"family": "none"})
    x = b.input(input_shape)
    with b.block("stem"):
        x = b.add("conv", Conv2d(3, 4, 3, stride=2, padding=1), x)
    with b.block("stage1.unit0"):
        with b.scope("branch"):
            y = b.add("conv", Conv2d(4, 4, 1), x)
        x = b.add("add", Add(), x, y)
    return b.build(x)


def test_a_value_knows_its_shape_at_once() -> None:
    b = Builder("g")
    x = b.input((2, 3, 8, 8))
    assert x == Value(0, (2, 3, 8, 8))
    y = b.add("conv", Conv2d(3, 5, 3), x)
    assert (y.index, y.shape, y.channels) == (1, (2, 5, 6, 6), 5)


def test_names_carry_their_scopes_and_nodes_their_block() -> None:
    nodes = [(node.name, node.block, node.stage) for node in tiny()]
    assert nodes == [
        ("input", "input", "input"),
        ("stem.conv", "stem", "stem"),
        ("stage1.unit0.branch.conv", "stage1.unit0", "stage1"),  # a scope inside a block does not make a block
        ("stage1.unit0.add", "stage1.unit0", "stage1"),
    ]


def test_scopes_and_blocks_end_even_when_an_error_leaves_them() -> None:
    b = Builder("g")
    x = b.input((1, 3, 8, 8))
    for scope in (b.scope, b.block):
        with pytest.raises(LawError), scope("inner"):
            b.add("conv", Conv2d(4, 4, 1), x)
    b.add("relu", ReLU(), x)
    node = b.build(x).nodes[-1]
    assert (node.name, node.block) == ("relu", "relu")


def test_a_block_in_a_block_is_the_inner_one_until_it_ends() -> None:
    b = Builder("g")
    x = b.input((1, 3, 8, 8))
    with b.block("outer"):
        with b.block("inner"):
            x = b.add("a", ReLU(), x)
        x = b.add("b", ReLU(), x)
    x = b.add("c", ReLU(), x)
    assert [(n.name, n.block) for n in b.build(x)][1:] == [("outer.inner.a", "outer.inner"), ("outer.b", "outer"), ("c", "c")]


def test_a_name_is_taken_once() -> None:
    b = Builder("g")
    x = b.input((1, 3, 8, 8))
    with b.block("stem"):
        b.add("relu", ReLU(), x)
        with pytest.raises(LawError) as caught:
            b.add("relu", ReLU(), x)
    assert str(caught.value) == "stem.relu: node names must be unique, but this one is taken. Use another name or scope."
    with pytest.raises(LawError, match="input: node names must be unique"):
        b.input((1, 3, 8, 8))
    assert len(b.build(x)) == 2


def test_a_broken_law_is_reported_with_its_place() -> None:
    b = Builder("g")
    x = b.input((1, 58, 8, 8))
    with b.block("stage2.unit0"), pytest.raises(LawError) as caught:
        b.add("dw", Conv2d(58, 58, 3, groups=3), x)
    law = "groups must divide in_channels, but got groups=3, in_channels=58. Divisors near 3: 2, 29."
    assert str(caught.value) == f"stage2.unit0.dw: {law}"
    assert len(b.build(x)) == 1  # nothing was added


def test_a_graph_must_have_an_output() -> None:
    b = Builder("g")
    b.input((1, 3, 8, 8))
    with pytest.raises(LawError) as caught:
        b.build()
    assert str(caught.value) == "g: a graph must have at least one output, but got none"


def test_a_graph_may_have_several_outputs_and_inputs() -> None:
    b = Builder("g")
    x, z = b.input((1, 3, 8, 8)), b.input((1, 5, 8, 8), "depth")
    y = b.add("concat", Concat(), x, z)
    left, right = b.add("left", ChannelSlice(0, 4), y), b.add("right", ChannelSlice(4, 8), y)
    graph = b.build(right, left)
    assert graph.outputs == (4, 3)
    assert [node.name for node in graph.inputs] == ["input", "depth"]
    assert graph.input_shape == (1, 3, 8, 8)
    assert graph.input_shapes(graph["concat"]) == ((1, 3, 8, 8), (1, 5, 8, 8))


def test_the_config_is_copied() -> None:
    config = {"family": "none"}
    b = Builder("g", config)
    config["family"] = "changed"
    graph = b.build(b.input((1,)))
    assert graph.config == {"family": "none"}
    bare = Builder("g")
    assert bare.build(bare.input((1,))).config == {}


def test_a_finished_node_may_be_appended() -> None:
    b = Builder("g")
    value = b.append(Node("x", Input((1, 3)), (), (1, 3), "x"))
    assert b.build(value).nodes == (Node("x", Input((1, 3)), (), (1, 3), "x"),)


def test_with_input_is_the_graph_that_would_have_been_built_on_that_input() -> None:
    for shape in ((1, 3, 8, 8), (5, 3, 8, 8), (2, 3, 17, 9)):
        assert with_input(tiny(), shape) == tiny(shape)


def test_with_input_says_where_another_shape_does_not_fit() -> None:
    with pytest.raises(LawError) as caught:
        with_input(tiny(), (1, 4, 8, 8))
    law = "Conv2d: in_channels must equal the input's channels, but got in_channels=3, input channels 4"
    assert str(caught.value) == f"stem.conv: {law}"
    b = Builder("g")
    x = b.add("fc", Linear(48, 2), b.add("flatten", Flatten(), b.input((1, 3, 4, 4))))
    with pytest.raises(LawError, match=r"^g: fc pins the input to .*: Linear: in_features must equal the input's last axis"):
        with_input(b.build(x), (1, 3, 8, 8))


def test_with_input_changes_the_first_input_alone() -> None:
    b = Builder("g")
    x, z = b.input((1, 3)), b.input((1, 5), "other")
    graph = with_input(b.build(b.add("concat", Concat(), x, z)), (1, 7))
    assert [node.shape for node in graph] == [(1, 7), (1, 5), (1, 12)]
