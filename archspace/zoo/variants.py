"""Variants that any network can be asked for: another activation, and a backbone without the classifier."""

from __future__ import annotations

from dataclasses import replace

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import GELU, Hardswish, Op, ReLU, ReLU6, SiLU

# What the knob `activation` may name.
ACTIVATIONS: dict[str, Op] = {"relu": ReLU(), "relu6": ReLU6(), "silu": SiLU(), "hardswish": Hardswish(), "gelu": GELU()}


def with_activation(graph: Graph, name: str) -> Graph:
    """The same network with the activation of that name in the place of every ReLU and ReLU6."""
    op = ACTIVATIONS[name]
    return replace(graph, nodes=tuple(replace(node, op=op) if isinstance(node.op, ReLU | ReLU6) else node for node in graph))


def backbone(graph: Graph) -> Graph:
    """The part of `graph` that its stages need; the outputs are those of the stages, in order.

    A stage is what its blocks' names begin with: `stage2` of `stage2.unit0`. What follows the last stage (a last 1x1 convolution, the
    classifier) is left out, as in the backbones that ShuffleNet v2, section 4, puts under a detector. Raises LawError without stages.
    """
    ends = {node.stage: index for index, node in enumerate(graph) if node.stage.startswith("stage")}
    if not ends:
        stages = ", ".join(sorted({node.stage for node in graph}))
        raise LawError(f"{graph.name}: a backbone must have stages, blocks named stage1.unit0 and so on, but this graph has {stages}")
    needed: set[int] = set()
    waiting = list(ends.values())
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting.extend(graph.nodes[index].inputs)
    kept = sorted(needed)
    place = {old: new for new, old in enumerate(kept)}
    nodes = tuple(replace(graph.nodes[old], inputs=tuple(place[i] for i in graph.nodes[old].inputs)) for old in kept)
    return replace(graph, nodes=nodes, outputs=tuple(place[i] for i in ends.values()))
