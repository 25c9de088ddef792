"""Graph: reads well, finds nodes by name, counts them, and is a networkx DAG on demand."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import networkx
import pytest

from archspace.errors import UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.graph import describe
from archspace.ir.ops import Add, ChannelSlice, Conv2d, Dropout, Linear, MaxPool2d, Pad, ReLU
from archspace.zoo import MEMBERS, build

# x -> conv -> relu -> add <- x
TEXT = """\
graph residual (4 nodes)
  input: 2x4x8x8 = Input[shape=(2, 4, 8, 8)]()
  unit.conv: 2x4x8x8 = Conv2d[in_channels=4, out_channels=4, kernel_size=3, padding=1](input)
  unit.relu: 2x4x8x8 = ReLU(unit.conv)
  unit.add: 2x4x8x8 = Add(input, unit.relu)
  return unit.add, unit.relu"""


def residual() -> Graph:
    b = Builder("residual")
    x = b.input((2, 4, 8, 8))
    with b.block("unit"):
        y = b.add("relu", ReLU(), b.add("conv", Conv2d(4, 4, 3, padding=1), x))
        z = b.add("add", Add(), x, y)
    return b.build(z, y)


def test_a_graph_prints_as_a_program() -> None:
    assert str(residual()) == TEXT


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (ReLU(), "ReLU"),
        (Conv2d(3, 24, 3), "Conv2d[in_channels=3, out_channels=24, kernel_size=3]"),
        (Linear(4, 2, bias=False), "Linear[in_features=4, out_features=2, bias=False]"),
        (MaxPool2d(3, stride=2, ceil_mode=True), "MaxPool2d[kernel_size=3, stride=2, ceil_mode=True]"),
        (ChannelSlice(0, 4, copies=False), "ChannelSlice[start=0, stop=4, copies=False]"),
        (Pad((0, 1, 2, 3)), "Pad[padding=(0, 1, 2, 3)]"),
        (Dropout(0.5), "Dropout"),
    ],
)
def test_an_op_is_described_by_the_fields_that_are_not_default(op: Conv2d, text: str) -> None:
    assert describe(op) == text


def test_a_node_is_found_by_its_name() -> None:
    graph = residual()
    assert graph["unit.conv"].op == Conv2d(4, 4, 3, padding=1)
    assert graph["input"] is graph.nodes[0]
    assert len(graph) == 4
    assert list(graph) == list(graph.nodes)


def test_a_wrong_name_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError) as caught:
        residual()["unit.cnov"]
    assert str(caught.value) == "unknown node 'unit.cnov'. Did you mean 'unit.conv'?"


def test_a_graph_counts_a_node_on_the_shapes_that_it_reads() -> None:
    graph = residual()
    assert graph.counts(graph["unit.conv"]).madds == 2 * 8 * 8 * 4 * 4 * 9
    assert graph.counts(graph["unit.add"]).in_elems == 2 * (2 * 4 * 8 * 8)


def test_a_graph_cannot_be_changed() -> None:
    graph = residual()
    with pytest.raises(FrozenInstanceError):
        graph.name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        graph.nodes[0].name = "other"  # type: ignore[misc]
    assert graph == residual()
    assert graph is not residual()


@pytest.mark.parametrize("member", ["shufflenet_v2_0.5x", "fenet_1x", "resnet50"])
def test_networkx_sees_the_same_dag(member: str) -> None:
    graph = build(member)
    dag = graph.to_networkx()
    assert networkx.is_directed_acyclic_graph(dag)
    assert dag.graph == {"name": graph.name}
    assert list(dag.nodes) == [node.name for node in graph]
    for node in graph:
        assert dag.nodes[node.name] == {"op": node.op, "shape": node.shape, "block": node.block}
        assert set(dag.predecessors(node.name)) == {graph.nodes[i].name for i in node.inputs}
    assert networkx.number_weakly_connected_components(dag) == 1


@pytest.mark.parametrize("member", MEMBERS)
def test_nodes_are_in_topological_order_under_unique_names(member: str) -> None:
    graph = build(member)
    assert all(i < position for position, node in enumerate(graph) for i in node.inputs)
    assert len({node.name for node in graph}) == len(graph)
    read = {i for node in graph for i in node.inputs} | set(graph.outputs)
    assert read == set(range(len(graph)))  # nothing is computed in vain
