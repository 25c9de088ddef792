"""A graph with what several rules ask about it, worked out once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Conv2d, Convolution, Input, Opaque, Parameter, Pool
from archspace.ir.ops.base import pair, prod
from archspace.latency import Latency


@dataclass(frozen=True, slots=True)
class Network:
    """What rules look at. Positions are those of `graph.nodes`."""

    graph: Graph
    counts: tuple[Counts, ...]
    readers: tuple[tuple[int, ...], ...]  # who reads each node
    blocks: dict[str, tuple[int, ...]]  # the positions in each block, inputs and parameters left out
    latency: Latency | None  # predicted on the device that was asked for

    @classmethod
    def of(cls, graph: Graph, latency: Latency | None = None) -> Network:
        """The view of a graph."""
        readers: list[list[int]] = [[] for _ in graph.nodes]
        blocks: dict[str, list[int]] = {}
        for i, node in enumerate(graph.nodes):
            for j in node.inputs:
                readers[j].append(i)
            if not isinstance(node.op, Input | Parameter):
                blocks.setdefault(node.block, []).append(i)
        counts = tuple([graph.counts(node) for node in graph.nodes])
        return cls(graph, counts, tuple(map(tuple, readers)), {name: tuple(block) for name, block in blocks.items()}, latency)

    def node(self, i: int) -> Node:
        """The node at a position."""
        return self.graph.nodes[i]

    def known_blocks(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Blocks in which the work of every op is known."""
        for name, members in self.blocks.items():
            if not any(isinstance(self.node(i).op, Opaque) for i in members):
                yield name, members

    def convolutions(self) -> Iterator[tuple[int, Conv2d]]:
        """Convolutions that mix channels on a map of more than one pixel: depthwise ones and those of an SE gate are none."""
        for i, node in enumerate(self.graph.nodes):
            if isinstance(node.op, Conv2d) and not node.op.is_depthwise and prod(node.shape[2:]) > 1:
                yield i, node.op

    def pointwise(self) -> Iterator[tuple[int, Conv2d]]:
        """The 1x1 ones among them."""
        return ((i, conv) for i, conv in self.convolutions() if pair(conv.kernel_size) == (1, 1))

    def fragments(self, members: tuple[int, ...]) -> tuple[int, ...]:
        """The convolutions and pools among nodes (ShuffleNet v2, section 2, G3), the small ones of an SE gate among them."""
        return tuple(i for i in members if isinstance(self.node(i).op, Convolution | Pool))

    def ends(self, members: tuple[int, ...]) -> list[int]:
        """The channels of what a block reads from outside and of what it hands on."""
        inside = set(members)
        values = {j for i in members for j in self.node(i).inputs if j not in inside}
        values |= {i for i in members if i in self.graph.outputs or any(r not in inside for r in self.readers[i])}
        return [self.node(i).shape[1] for i in values if len(self.node(i).shape) > 1 and not isinstance(self.node(i).op, Parameter)]

    def only_readers(self, i: int) -> tuple[int, ...]:
        """Who reads a node, where nobody else does: none for an output of the graph, which whoever called the network reads."""
        return () if i in self.graph.outputs else self.readers[i]

    def size(self, i: int) -> str:
        """The map of a node's output: '28x28'."""
        return "x".join(map(str, self.node(i).shape[2:]))

    def access(self, i: int) -> tuple[int, float]:
        """A convolution's memory access and the least that as many multiply-adds need at its groups and kernel, without bias.

        The least is 2 * sqrt(hw * B * g) + B / hw for a 1x1 convolution at stride 1 with B multiply-adds (ShuffleNet v2, equation 1, with g
        groups): maps of c1 and c2 channels are smallest together when both have as many elements.
        """
        node, (source,) = self.node(i), self.graph.input_shapes(self.node(i))
        conv = node.op
        assert isinstance(conv, Conv2d)
        weights = conv.out_channels * (conv.in_channels // conv.groups) * prod(pair(conv.kernel_size))
        read, written = prod(source), prod(node.shape)
        return read + weights + written, 2 * sqrt(read * written) + weights
