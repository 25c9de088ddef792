"""Structure: fragments, parallel width and critical path (guideline 3 of ShuffleNet v2).

These run on every analysis, so they are bit-set algorithms of a few lines rather than networkx calls, which take longer to import than
the whole command may take; the tests hold them against networkx.
"""

from __future__ import annotations

from collections.abc import Sequence

from archspace.ir.graph import Graph
from archspace.ir.ops import Convolution, Input, Parameter, Pool

SOURCES = (Input, Parameter)
"""What is there before anything is computed: no ops."""


def fragments(graph: Graph) -> dict[str, int]:
    """Convolution and pooling ops per block, for the blocks that have any (ShuffleNet v2, section 2, G3)."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        if isinstance(node.op, Convolution | Pool):
            found[node.block] = found.get(node.block, 0) + 1
    return found


def parallel_widths(graph: Graph) -> dict[str, int]:
    """The widest antichain of each block: how many of its ops could run side by side."""
    blocks: dict[str, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        if not isinstance(node.op, SOURCES):
            blocks.setdefault(node.block, []).append(i)
    widths = {}
    for name, members in blocks.items():
        place = {i: k for k, i in enumerate(members)}
        widths[name] = widest_antichain([[place[j] for j in graph.nodes[i].inputs if j in place] for i in members])
    return widths


def critical_path(graph: Graph) -> int:
    """Ops on the longest chain from an input to an output."""
    return _heaviest(graph, _ops(graph))


def critical_madds(graph: Graph, madds: Sequence[int] | None = None) -> int:
    """The most multiply-adds on any one path from an input to an output: what remains however many ops run side by side.

    `madds` per node spares counting them again.
    """
    return _heaviest(graph, _madds(graph) if madds is None else madds)


def critical_paths(graph: Graph) -> dict[str, int]:
    """Ops on the longest chain inside each block."""
    return _heaviest_per_block(graph, _ops(graph))


def critical_madds_per_block(graph: Graph, madds: Sequence[int] | None = None) -> dict[str, int]:
    """The most multiply-adds on any one path inside each block. `madds` per node spares counting them again."""
    return _heaviest_per_block(graph, _madds(graph) if madds is None else madds)


def _ops(graph: Graph) -> list[int]:
    return [0 if isinstance(node.op, SOURCES) else 1 for node in graph]


def _madds(graph: Graph) -> list[int]:
    return [graph.counts(node).madds for node in graph]


def _heaviest(graph: Graph, weights: Sequence[int]) -> int:
    """The largest sum of weights on a path that ends at an output."""
    sums: list[int] = []
    for node, weight in zip(graph, weights, strict=True):
        sums.append(weight + max((sums[i] for i in node.inputs), default=0))
    return max((sums[i] for i in graph.outputs), default=0)


def _heaviest_per_block(graph: Graph, weights: Sequence[int]) -> dict[str, int]:
    """The largest sum of weights on a path that stays inside a block, for each."""
    sums: list[int] = []
    heaviest: dict[str, int] = {}
    for node, weight in zip(graph, weights, strict=True):
        sums.append(weight + max((sums[i] for i in node.inputs if graph.nodes[i].block == node.block), default=0))
        if not isinstance(node.op, SOURCES):
            heaviest[node.block] = max(heaviest.get(node.block, 0), sums[-1])
    return heaviest


def widest_antichain(predecessors: Sequence[Sequence[int]]) -> int:
    """The size of the largest set of nodes without a path between any two.

    Nodes are 0..n-1 in topological order, `predecessors[i]` are below i. By Dilworth's theorem it is n minus a maximum matching of
    the reachability relation; both are kept as bit sets.

    >>> widest_antichain([[], [0], [0], [1, 2]])  # a diamond
    2
    """
    n = len(predecessors)
    ancestors: list[int] = []
    for parents in predecessors:
        bits = 0
        for p in parents:
            bits |= ancestors[p] | 1 << p
        ancestors.append(bits)
    above = [-1] * n  # the node that each node is matched to as its ancestor
    below = [-1] * n
    for node in range(n):  # greedy start: a free direct parent continues its chain
        for p in predecessors[node]:
            if below[p] < 0:
                below[p], above[node] = node, p
                break
    return n - sum(1 for node in range(n) if above[node] >= 0 or _augment(node, ancestors, above, below))


def _augment(start: int, ancestors: list[int], above: list[int], below: list[int]) -> bool:
    """Match `start` to an ancestor, moving other matches along an alternating path; False when there is none."""
    seen = 0
    reached_from: dict[int, int] = {}
    queue = [start]
    for node in queue:
        candidates = ancestors[node] & ~seen
        seen |= candidates
        while candidates:
            bit = candidates & -candidates
            candidates ^= bit
            p = bit.bit_length() - 1
            reached_from[p] = node
            if below[p] >= 0:
                queue.append(below[p])
                continue
            while True:  # flip the path back to the start
                child = reached_from[p]
                previous = above[child]
                above[child], below[p] = p, child
                if child == start:
                    return True
                p = previous
    return False
