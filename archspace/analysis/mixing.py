"""What a block's channels come from, and whether stacked group convolutions mix their groups (ShuffleNet v1, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence

from archspace.analysis.ends import Ends, block_ends, ends_of
from archspace.analysis.provenance import BitMatrix, Rows, channels_of, identity, position, spread, union
from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import Conv2d


def block_influence(graph: Graph, block: str) -> BitMatrix:
    """Which input channels (columns) of a block influence which of its output channels (rows).

    Columns are the channels of the values that the block reads from outside, one value behind the other in the graph's order; rows those
    of its values that are read outside or are outputs of the graph (`ends_of` names both). Raises UnknownNameError with near names.
    """
    return _between_ends(graph, ends_of(graph, block))


def block_influences(graph: Graph) -> dict[str, BitMatrix]:
    """`block_influence` of all blocks, in order."""
    return {block: _between_ends(graph, ends) for block, ends in block_ends(graph).items()}


def _between_ends(graph: Graph, ends: Ends) -> BitMatrix:
    seeds: dict[int, Rows] = {}
    columns = 0
    for i in ends.inputs:
        channels = channels_of(graph.nodes[i].shape)
        seeds[i] = identity(channels, start=columns)
        columns += channels
    found = spread(graph, seeds, ends.members)
    rows = [found[i] or (0,) * channels_of(graph.nodes[i].shape) for i in ends.outputs]
    return BitMatrix(tuple([row for part in rows for row in part]), columns)


def mixing(graph: Graph, first: int | str, second: int | str) -> BitMatrix:
    """Which groups (columns) of the convolution `first` influence which groups (rows) of the later convolution `second`.

    A group of `first` influences a group of `second` when any of its outputs influences any input of that. `components` of it is in
    how many parts the groups fall: g where they never mix (figure 1 a), 1 where they do (figure 1 b and c), 0 where nothing of
    `first` reaches `second`. Raises UnknownNameError for a name that is not in the graph, LawError where a node is no convolution.
    """
    a, b = _convolution(graph, first), _convolution(graph, second)
    end = graph.nodes[b[0]]
    per_group = a[1].out_channels // a[1].groups
    seed = tuple([row for k in range(a[1].groups) for row in [1 << k] * per_group])
    found = spread(graph, {a[0]: seed}, range(a[0], b[0]))[end.inputs[0]] if a[0] < b[0] else None
    if found is None:
        return BitMatrix((0,) * b[1].groups, a[1].groups)
    c = b[1].in_channels // b[1].groups
    return BitMatrix(tuple([union(found[k * c : (k + 1) * c]) for k in range(b[1].groups)]), a[1].groups)


def _convolution(graph: Graph, node: int | str) -> tuple[int, Conv2d]:
    i = position(graph, node)
    op = graph.nodes[i].op
    if not isinstance(op, Conv2d):
        raise LawError(f"{graph.nodes[i].name}: groups mix between convolutions, but this node is {type(op).__name__}. Name a Conv2d.")
    return i, op


def components(matrix: BitMatrix) -> int:
    """In how many parts the bipartite graph of rows and columns falls; rows and columns without any bit are not counted.

    >>> components(BitMatrix((0b0011, 0b0011, 0b1100), columns=4))
    2
    """
    return len(_parts(matrix.rows))


def _parts(rows: Sequence[int]) -> list[int]:
    """The columns of each connected part: sets that no row joins."""
    parts: list[int] = []
    for row in set(rows) - {0}:
        apart = [part for part in parts if not part & row]
        parts = [*apart, union([row, *(part for part in parts if part & row)])]
    return parts
