"""Fragments, parallel width and critical path: by hand on known units, and against networkx."""

from __future__ import annotations

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs

from archspace.analysis.structure import (
    critical_madds,
    critical_madds_per_block,
    critical_path,
    critical_paths,
    fragments,
    parallel_widths,
    widest_antichain,
)
from archspace.ir import Builder, Graph
from archspace.ir.ops import AdaptiveAvgPool2d, Add, Conv2d, Input, MaxPool2d, ReLU
from archspace.zoo import MEMBERS, build


@st.composite
def dags(draw: st.DrawFn) -> list[list[int]]:
    """Direct predecessors of each node, in topological order."""
    n = draw(st.integers(0, 8))
    return [draw(st.lists(st.integers(0, i - 1), unique=True, max_size=3)) if i else [] for i in range(n)]


def as_networkx(predecessors: list[list[int]]) -> networkx.DiGraph:
    dag = networkx.DiGraph()
    dag.add_nodes_from(range(len(predecessors)))
    dag.add_edges_from((p, i) for i, parents in enumerate(predecessors) for p in parents)
    return dag


def layered(layers: int, width: int) -> list[list[int]]:
    """Every node reads the whole layer before it."""
    return [list(range((layer - 1) * width, layer * width)) if layer else [] for layer in range(layers) for _ in range(width)]


@given(dags())
def test_the_widest_antichain_is_the_longest_that_networkx_lists(predecessors: list[list[int]]) -> None:
    assert widest_antichain(predecessors) == max(map(len, networkx.antichains(as_networkx(predecessors))))


@given(dags())
def test_by_dilworth_it_is_the_least_number_of_chains_that_cover_all(predecessors: list[list[int]]) -> None:
    closure = networkx.transitive_closure_dag(as_networkx(predecessors))
    halves = networkx.Graph()
    tops = [("top", i) for i in closure]
    halves.add_nodes_from([*tops, *(("bottom", i) for i in closure)])
    halves.add_edges_from((("top", a), ("bottom", b)) for a, b in closure.edges)
    matched = len(networkx.bipartite.hopcroft_karp_matching(halves, tops)) // 2
    assert widest_antichain(predecessors) == len(predecessors) - matched


@pytest.mark.parametrize(
    ("predecessors", "width"),
    [
        ([], 0),
        ([[]], 1),
        ([[], [0], [1]], 1),  # a chain
        ([[], [], []], 3),
        ([[], [0], [0], [1, 2]], 2),  # a diamond
        ([[], [0], [0], [0], [1], [2, 3], [4, 5]], 3),
        (layered(4, 3), 3),
        ([[], [], [0], [0, 1], [1]], 3),  # the greedy start has to be mended: 0 -> 2, 0 -> 3, 1 -> 3, 1 -> 4
    ],
)
def test_the_widest_antichain_of_small_graphs(predecessors: list[list[int]], width: int) -> None:
    assert widest_antichain(predecessors) == width


@pytest.mark.parametrize("member", MEMBERS)
def test_the_critical_path_is_networkxs_longest_path(member: str) -> None:
    graph = build(member)
    # networkx counts the edges of the path: one per op, for it begins at the input, which is none.
    assert critical_path(graph) == networkx.dag_longest_path_length(graph.to_networkx())


def test_the_critical_path_counts_ops_and_not_inputs() -> None:
    b = Builder("g")
    x = b.input((1, 4, 8, 8))
    assert critical_path(b.build(x)) == 0
    y = b.add("a", ReLU(), x)
    z = b.add("b", ReLU(), y)
    assert critical_path(b.build(b.add("add", Add(), x, z))) == 3


def weighed(graph: Graph) -> networkx.DiGraph:
    """The DAG of what an output depends on; an edge weighs the `madds` of the node it leads to, and as `ops` one, for inputs have none."""
    dag = graph.to_networkx()
    ends = {graph.nodes[i].name for i in graph.outputs}
    dag = dag.subgraph(ends.union(*(networkx.ancestors(dag, end) for end in ends))).copy()
    madds = {node.name: graph.counts(node).madds for node in graph}
    for source, target in dag.edges:
        dag.edges[source, target].update(madds=madds[target], ops=1)
    return dag


def block_dag(graph: Graph, block: str) -> networkx.DiGraph:
    """The ops of one block behind a common start, so that every op has an edge that weighs it."""
    dag = networkx.DiGraph()
    for node in graph:
        if node.block == block and not isinstance(node.op, Input):
            inside = [graph.nodes[i].name for i in node.inputs if graph.nodes[i].block == block]
            dag.add_edges_from(((source, node.name) for source in ["start", *inside]), madds=graph.counts(node).madds, ops=1)
    return dag


@pytest.mark.parametrize("member", MEMBERS)
def test_the_critical_madds_are_those_of_networkxs_heaviest_path(member: str) -> None:
    graph = build(member)
    assert critical_madds(graph) == networkx.dag_longest_path_length(weighed(graph), weight="madds")


@settings(deadline=None)
@given(graphs())
def test_paths_of_random_graphs_are_networkxs_whole_and_per_block(graph: Graph) -> None:
    dag = weighed(graph)
    assert critical_path(graph) == networkx.dag_longest_path_length(dag, weight="ops")
    assert critical_madds(graph) == networkx.dag_longest_path_length(dag, weight="madds")
    blocks = {node.block for node in graph if not isinstance(node.op, Input)}
    length = networkx.dag_longest_path_length
    assert critical_paths(graph) == {block: length(block_dag(graph, block), weight="ops") for block in blocks}
    assert critical_madds_per_block(graph) == {block: length(block_dag(graph, block), weight="madds") for block in blocks}


def test_the_heaviest_path_is_not_the_longest_and_ends_at_an_output() -> None:
    b = Builder("g")
    x = b.input((1, 4, 8, 8))
    with b.block("unit"):
        light = b.add("relu3", ReLU(), b.add("relu2", ReLU(), b.add("relu1", ReLU(), x)))
        light = b.add("pw", Conv2d(4, 4, 1), light)
        heavy = b.add("conv", Conv2d(4, 4, 3, padding=1), x)
        y = b.add("add", Add(), light, heavy)
        b.add("unread", Conv2d(4, 400, 3), y)
    graph = b.build(y)
    assert critical_path(graph) == 5  # three activations, the pointwise convolution, the add
    assert critical_madds(graph) == critical_madds(graph, [graph.counts(node).madds for node in graph]) == 4 * 4 * 9 * 64
    # A block is taken as it stands: what it computes for nobody is computed all the same.
    assert critical_paths(graph) == {"unit": 6}
    assert critical_madds_per_block(graph) == {"unit": 4 * 4 * 9 * 64 + 4 * 400 * 9 * 36}


@pytest.mark.parametrize(
    ("member", "block", "path"),
    [
        ("resnet50", "stage1.unit1", 10),  # three convolutions with batch norm, two activations between, the add and its activation
        ("resnet50", "stage1.unit0", 10),  # the projected shortcut is shorter
        ("vgg16", "stage5.unit2", 2),
    ],
)
def test_the_critical_path_of_known_blocks(member: str, block: str, path: int) -> None:
    assert critical_paths(build(member))[block] == path


@pytest.mark.parametrize("member", ["shufflenet_v1_1x_g3", "shufflenet_v2_1x", "mobilenet_v2_1x", "resnet50", "fenet_1x"])
def test_the_parallel_width_of_each_block_is_networkxs(member: str) -> None:
    graph = build(member)
    dag = graph.to_networkx()
    widths = parallel_widths(graph)
    assert set(widths) == {node.block for node in graph} - {"input"}
    for block, width in widths.items():
        members = dag.subgraph([node.name for node in graph if node.block == block])
        assert width == max(map(len, networkx.antichains(members))), block


@pytest.mark.parametrize(
    ("member", "block", "count"),
    [
        ("resnet50", "stage1.unit1", 3),  # a basic bottleneck: 1x1, 3x3, 1x1
        ("resnet50", "stage1.unit0", 4),  # and a projected shortcut
        ("resnet18", "stage1.unit1", 2),
        ("shufflenet_v2_1x", "stage2.unit1", 3),  # a basic unit: 1x1, 3x3 depthwise, 1x1
        ("shufflenet_v2_1x", "stage2.unit0", 5),  # a down-sampling unit: and 3x3 depthwise, 1x1 in the other branch
        ("shufflenet_v1_1x_g3", "stage2.unit1", 3),
        ("shufflenet_v1_1x_g3", "stage2.unit0", 4),  # and the pooled shortcut
        ("mobilenet_v2_1x", "stage1.unit0", 2),  # no expansion
        ("mobilenet_v2_1x", "stage2.unit0", 3),
        ("fenet_1x", "stage1.unit0", 2),  # the shift is neither convolution nor pooling
        ("fenet_1x_dw", "stage1.unit0", 3),
        ("resnet50", "stem", 2),
        ("resnet50", "head", 1),
    ],
)
def test_fragments_are_the_convolutions_and_pools_of_a_block(member: str, block: str, count: int) -> None:
    assert fragments(build(member))[block] == count


def test_blocks_without_convolution_or_pooling_have_no_fragments() -> None:
    b = Builder("g")
    x = b.input((1, 4, 8, 8))
    with b.block("a"):
        x = b.add("relu", ReLU(), x)
    with b.block("b"):
        x = b.add("conv", Conv2d(4, 4, 1), x)
        x = b.add("max", MaxPool2d(2, 2), x)
        x = b.add("mean", AdaptiveAvgPool2d(1), x)
    assert fragments(b.build(x)) == {"b": 3}


@pytest.mark.parametrize(
    ("member", "block", "width"),
    [
        ("resnet50", "stage1.unit1", 1),  # the shortcut of a basic unit holds no op
        ("resnet50", "stage1.unit0", 2),
        ("shufflenet_v2_1x", "stage2.unit1", 2),  # the kept slice beside the branch
        ("shufflenet_v1_1x_g3", "stage2.unit0", 2),
        ("mobilenet_v1_1x", "stage2.unit0", 1),
    ],
)
def test_the_parallel_width_is_how_many_ops_of_a_block_could_run_side_by_side(member: str, block: str, width: int) -> None:
    assert parallel_widths(build(member))[block] == width
