"""Which batch norms fold into which convolutions or linear layers: the graph's side of it; `weights.py` does the arithmetic.

A batch norm is a scale and a shift per channel, so it may be done by the layers that compute those channels, if nobody else reads
them: also behind dropout, views that keep channels whole, a concat or a shuffle, where each channel has one such layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archspace.ir.graph import Graph
from archspace.ir.ops import BatchNorm2d, ChannelShuffle, Concat, Conv2d, Dropout, Linear, Op, View
from archspace.pytorch.deploy.origins import Channel, moved
from archspace.pytorch.deploy.rewriting import Changes, readers_of, rewritten

IDENTITIES = (Dropout,)  # at inference
NORMS = (BatchNorm2d,)
PRODUCERS = (Conv2d, Linear)


@dataclass(frozen=True, slots=True)
class Fold:
    """Output channel c of the layer `producer` is channel `channels[c]` of the batch norm `norm`; names of nodes."""

    norm: str
    producer: str
    channels: tuple[int, ...]
    eps: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A node that deployment leaves as it is, and why."""

    node: str
    why: str


def without_identities(graph: Graph) -> Graph:
    """The graph without what does nothing at inference, except where it is an output by name."""
    dropped = {i: node.inputs[0] for i, node in enumerate(graph.nodes) if isinstance(node.op, IDENTITIES) and i not in graph.outputs}
    return rewritten(graph, Changes(replaced=dropped))


def fold_norms(graph: Graph) -> tuple[Graph, tuple[Fold, ...], tuple[Kept, ...]]:
    """The graph without the batch norms that fold, in what they fold into (in order), and the others."""
    folds: list[Fold] = []
    while True:
        readers = readers_of(graph)
        changes = Changes()
        norms = [i for i, node in enumerate(graph.nodes) if isinstance(node.op, NORMS)]
        shared = {node.shares for node in graph.nodes if node.shares}
        kept: list[Kept] = []
        for i in norms:
            found = _producers(graph, i, readers, shared)
            if isinstance(found, str):
                kept.append(Kept(graph.nodes[i].name, found))
            else:
                _apply(graph, i, found, changes, folds)
        if not changes.replaced:
            return graph, tuple(folds), tuple(kept)
        graph = rewritten(graph, changes)  # a norm behind a norm folds in the next round


def _apply(graph: Graph, i: int, producers: dict[int, tuple[int, ...]], changes: Changes, folds: list[Fold]) -> None:
    norm = graph.nodes[i]
    assert isinstance(norm.op, NORMS)
    changes.replaced[i] = norm.inputs[0]
    for k, channels in producers.items():
        op = graph.nodes[k].op
        assert isinstance(op, PRODUCERS)
        changes.ops[k] = replace(op, bias=True)
        folds.append(Fold(norm.name, graph.nodes[k].name, channels, norm.op.eps))


def _producers(graph: Graph, norm: int, readers: list[list[int]], shared: set[str]) -> dict[int, tuple[int, ...]] | str:
    """The layers that a batch norm folds into, each with the norm's channel for each of its own; or why there are none."""
    node = graph.nodes[norm]
    if node.shares or node.name in shared or node.params is not None:
        return "its weights are shared or fixed"
    found = _sources(graph, node.inputs[0], readers)
    if isinstance(found, str):
        return found
    producers: dict[int, dict[int, int]] = {}
    for place, (k, c) in enumerate(found):
        producers.setdefault(k, {})[c] = place
    for k in producers:
        layer = graph.nodes[k]
        if layer.shares or layer.name in shared or layer.params is not None:
            return f"the weights of {type(layer.op).__name__} before it are shared or fixed"
    return {k: tuple([places[c] for c in range(len(places))]) for k, places in producers.items()}


def _sources(graph: Graph, i: int, readers: list[list[int]]) -> list[Channel] | str:
    """The layer and its channel that each channel of a value comes from; or what stands in the way."""
    node = graph.nodes[i]
    is_layer = isinstance(node.op, Conv2d) or (isinstance(node.op, Linear) and len(node.shape) == 2)
    if not is_layer and not _is_transparent(graph, node.op, i):
        return f"it follows {type(node.op).__name__}"
    if len(readers[i]) > 1 or -1 in readers[i]:
        return f"the {type(node.op).__name__} before it has other readers"
    if is_layer:
        return [(i, c) for c in range(node.shape[1])]
    inputs: list[Sequence[Channel]] = []
    for k in node.inputs:
        found = _sources(graph, k, readers)
        if isinstance(found, str):
            return found
        inputs.append(found)
    return moved(node.op, inputs)


def _is_transparent(graph: Graph, op: Op, i: int) -> bool:
    """Whether a node hands on every channel of its inputs once."""
    if isinstance(op, View):
        before, after = graph.nodes[graph.nodes[i].inputs[0]].shape, graph.nodes[i].shape
        return len(before) > 1 and len(after) > 1 and before[:2] == after[:2]
    return isinstance(op, ChannelShuffle) or (isinstance(op, Concat) and op.dim == 1)
