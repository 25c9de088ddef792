"""Channel provenance against brute force: one channel is moved in the built network, and every channel that moves with it must be named.

Weights are random and positive, in double precision, so that nothing cancels and no ReLU cuts: what can move does. What cannot move
sees the very same numbers, so it is compared bit by bit.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs
from torch import Tensor, fx, nn

from archspace import build, to_module
from archspace.analysis.dead import dead_channels
from archspace.analysis.ends import block_ends
from archspace.analysis.mixing import block_influence
from archspace.analysis.provenance import bits, channels_of, influence
from archspace.analysis.reuse import carried, reuse_matrix
from archspace.ir.builder import Builder, Value
from archspace.ir.graph import Graph
from archspace.ir.ops import Flatten, GroupedShift, Op, SparseShift


class Recorder(fx.Interpreter):
    """Runs a network and keeps the value of every node; the value of node `at` is moved by `shift` on its way."""

    def __init__(self, module: fx.GraphModule, at: int | None = None, shift: Tensor | None = None) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.at, self.shift = at, shift
        self.values: list[Tensor] = []

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        if n.op != "output":
            value = value + self.shift if len(self.values) == self.at else value
            self.values.append(value)
        return value


def positive_module(graph: Graph) -> fx.GraphModule:
    """The graph's network at inference, in double precision, all weights in (0.5, 1.5) over the fan-in, biases in (0, 0.5)."""
    module = to_module(graph, seed=0).double().eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            drawn = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
            fan_in = max(1, parameter[0].numel()) if parameter.ndim > 1 else 1
            parameter.copy_(drawn / 2 if name.endswith("bias") else (drawn + 0.5) / fan_in)
    return module


def random_inputs(graph: Graph) -> list[Tensor]:
    """Pixels in (0.5, 1.5)."""
    generator = torch.Generator().manual_seed(2)
    return [torch.rand(node.shape, generator=generator, dtype=torch.float64) + 0.5 for node in graph.inputs]


@torch.no_grad()
def run(module: fx.GraphModule, inputs: list[Tensor], at: int | None = None, shift: Tensor | None = None) -> list[Tensor]:
    """The value of every node, in the graph's order."""
    recorder = Recorder(module, at, shift)
    recorder.run(*inputs)
    return recorder.values


def moved_channels(graph: Graph, source: int) -> list[list[set[int]]]:
    """Per node and channel, which channels of `source` it moves with."""
    module, inputs = positive_module(graph), random_inputs(graph)
    before = run(module, inputs)
    found: list[list[set[int]]] = [[set() for _ in range(channels_of(node.shape))] for node in graph]
    generator = torch.Generator().manual_seed(3)
    for channel in range(channels_of(graph.nodes[source].shape)):
        shift = torch.zeros_like(before[source])
        shift[:, channel] = torch.rand(shift[:, channel].shape, generator=generator, dtype=torch.float64) + 0.1
        after = run(module, inputs, source, shift)
        for sets, old, new in zip(found, before, after, strict=True):
            for c, one in enumerate(sets):
                if not torch.equal(old[:, c], new[:, c]):
                    one.add(channel)
    return found


def cut_out(graph: Graph, block: str) -> Graph:
    """A block as a graph of its own: what it reads are the inputs, what it hands on the outputs."""
    ends = block_ends(graph)[block]
    b = Builder(block)
    values: dict[int, Value] = {i: b.input(graph.nodes[i].shape, f"from{i}") for i in ends.inputs}
    for i in ends.members:
        node = graph.nodes[i]
        values[i] = b.add(node.name.replace(".", "_"), node.op, *(values[k] for k in node.inputs))
    return b.build(*(values[i] for i in ends.outputs))


def per_image_channel(graph: Graph, i: int, rows: list[set[int]]) -> list[set[int]]:
    """The rows of node `i`, those of features that were flattened out of one image channel joined.

    Provenance does not ask where in an image a channel is seen; a single flattened pixel may lie where padding or a shift put a zero.
    """
    node = graph.nodes[i]
    if not isinstance(node.op, Flatten):
        return rows
    pixels = len(rows) // graph.nodes[node.inputs[0]].shape[1]
    return [set().union(*rows[c : c + pixels]) for c in range(0, len(rows), pixels)]


@settings(deadline=None, max_examples=150)
@given(graphs(), st.data())
def test_influence_names_exactly_the_channels_that_move_with_a_channel_of_any_node(graph: Graph, data: st.DataObject) -> None:
    source = data.draw(st.integers(0, len(graph) - 1), label="source")
    for i, (rows, moved) in enumerate(zip(influence(graph, source), moved_channels(graph, source), strict=True)):
        named = [set(bits(row)) for row in rows or [0] * len(moved)]
        assert per_image_channel(graph, i, named) == per_image_channel(graph, i, moved), graph.nodes[i].name


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_block_influence_is_what_moves_between_the_ends_of_the_block_cut_out(graph: Graph) -> None:
    for block, ends in block_ends(graph).items():
        if not ends.outputs:
            continue
        alone = cut_out(graph, block)
        expected: list[set[int]] = [set() for i in ends.outputs for _ in range(channels_of(graph.nodes[i].shape))]
        first_column = 0
        for source in range(len(ends.inputs)):
            moved = moved_channels(alone, source)
            for row, channels in zip(expected, [row for i in alone.outputs for row in moved[i]], strict=True):
                row |= {first_column + channel for channel in channels}
            first_column += channels_of(alone.nodes[source].shape)
        matrix = block_influence(graph, block)
        assert matrix.columns == first_column
        assert [set(bits(row)) for row in matrix.rows] == expected


@settings(deadline=None, max_examples=30)
@given(graphs(most_nodes=6))
def test_dead_channels_are_exactly_the_computed_ones_that_move_no_output(graph: Graph) -> None:
    origins, dead = carried(graph), dead_channels(graph)
    for i in range(len(graph.inputs), len(graph)):
        moved = moved_channels(graph, i)
        alive = {channel for output in graph.outputs for channels in moved[output] for channel in channels}
        computed = {c for c, origin in enumerate(origins[i]) if origin == (i, c)}
        assert set(dead.get(i, ())) == computed - alive, graph.nodes[i].name


@settings(deadline=None, max_examples=100)
@given(graphs())
def test_a_carried_channel_has_the_very_values_of_the_channel_that_it_is(graph: Graph) -> None:
    values = run(positive_module(graph), random_inputs(graph))
    for node, value, origins in zip(graph, values, carried(graph), strict=True):
        for c, (i, channel) in enumerate(origins):
            assert torch.equal(value[:, c].flatten(), values[i][:, channel].flatten()), (node.name, c)


@pytest.mark.parametrize(
    "op",
    [GroupedShift(9), GroupedShift(20), GroupedShift(26), GroupedShift(60, 5), SparseShift(12, 5), SparseShift(12, 0), SparseShift(12, 12)],
    ids=str,
)
def test_a_shift_carries_the_channels_that_its_layer_leaves_in_place_and_no_others(op: Op) -> None:
    b = Builder("shift")
    x = b.input((1, op.channels, 7, 7))
    graph = b.build(b.add("shift", op, x))
    before, after = run(positive_module(graph), random_inputs(graph))
    stay = {c for c in range(op.channels) if torch.equal(before[:, c], after[:, c])}
    assert {c for c, origin in enumerate(carried(graph)[1]) if origin == (0, c)} == stay
    assert len(stay) == op.channels - op.moved_channels


@pytest.mark.parametrize("options", [{}, {"split_ratio": 0.25}, {"split_ratio": 0.7}, {"residual": True, "se_reduction": 2}], ids=str)
def test_the_reuse_of_shufflenet_v2_is_what_the_network_hands_on_bit_by_bit(options: dict[str, object]) -> None:
    graph = build("shufflenet_v2", width=0.5, input=(64, 64), **options)
    module = positive_module(graph)
    assert not any(isinstance(layer, nn.Dropout) for layer in module.modules())
    values = run(module, random_inputs(graph))
    outputs = {block: [values[i] for i in ends.outputs] for block, ends in block_ends(graph).items()}
    reuse = reuse_matrix(graph)
    channels = {
        block: {tuple(value[0, c].flatten().tolist()) for value in outputs[block] for c in range(value.shape[1])} for block in outputs
    }
    for (i, a), (j, b) in combinations_with_replacement(enumerate(reuse.blocks), 2):
        assert reuse.channels[i][j] == len(channels[a] & channels[b]), (a, b)
