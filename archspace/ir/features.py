"""Backbones: a graph without its head, whose outputs are the last maps of its stages, and what those maps are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspace.errors import LawError
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Op, Shape, pair

STAGE = "stage"  # what the blocks of a stage are called: stage2.unit0
Reduction = tuple[int, int]


def backbone(graph: Graph) -> Graph:
    """The part of `graph` that its stages need; the outputs are the stages' last maps, in order.

    A stage is what its blocks' names begin with: `stage2` of `stage2.unit0`. What follows the last stage (a last 1x1 convolution, the
    classifier) is left out, as in the backbones that ShuffleNet v2, section 4, puts under a detector. A graph without such names, an
    imported one, has a stage per resolution: the last map that a block hands on before the image shrinks, up to the global pool.
    Raises LawError where there are neither.
    """
    ends = list(_named_ends(graph) or _resolution_ends(graph))
    if not ends:
        stages = ", ".join(sorted({node.stage for node in graph}))
        raise LawError(
            f"{graph.name}: a backbone must have stages, blocks named stage1.unit0 and so on or images that shrink, "
            f"but this graph has {stages}"
        )
    needed: set[int] = set()
    waiting = list(ends)
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting.extend(graph.nodes[index].inputs)
    kept = sorted(needed)
    place = {old: new for new, old in enumerate(kept)}
    nodes = tuple(replace(graph.nodes[old], inputs=tuple(place[i] for i in graph.nodes[old].inputs)) for old in kept)
    config = {**graph.config, "features": True} if "features" in graph.config else graph.config
    return replace(graph, nodes=nodes, outputs=tuple(place[i] for i in ends), config=config)


def _named_ends(graph: Graph) -> list[int]:
    return list({node.stage: index for index, node in enumerate(graph) if node.stage.startswith(STAGE)}.values())


def _resolution_ends(graph: Graph) -> list[int]:
    """Per reduction above 1, the last map that leaves its block, before the first node that has no image any more or pools all of it."""
    handed_on = set(graph.outputs)
    for node in graph:
        handed_on |= {k for k in node.inputs if graph.nodes[k].block != node.block}
    ends: dict[Reduction, int] = {}
    for index, (node, reduction) in enumerate(zip(graph, reductions(graph), strict=True)):
        if max(reduction) > 1 and len(node.shape) == 4 and min(node.shape[2:]) > 1 and index in handed_on:
            ends[reduction] = index
    return sorted(ends.values())


def reductions(graph: Graph) -> list[Reduction]:
    """Input pixels per pixel of each node's map, by height and width: the product of the strides on the way, (1, 1) without any."""
    found: list[Reduction] = []
    for node in graph:
        before = [found[i] for i in node.inputs]
        most = (max((one[0] for one in before), default=1), max((one[1] for one in before), default=1))
        shapes = graph.input_shapes(node)
        found.append(_after(node.op, most, shapes[0], node.shape) if shapes else most)
    return found


def _after(op: Op, before: Reduction, shape: Shape, out: Shape) -> Reduction:
    """The reduction after an op: times its stride, or, where it has none, as the image shrinks or grows."""
    if len(shape) != 4 or len(out) != 4:
        return before
    stride = getattr(op, "stride", None)
    if isinstance(stride, int | tuple) and out[2] <= shape[2] and out[3] <= shape[3]:
        sh, sw = pair(stride)
        return before[0] * sh, before[1] * sw
    (rh, rw), (h, w), (oh, ow) = before, shape[2:], out[2:]
    return max(1, round(rh * h / oh)), max(1, round(rw * w / ow))


def feature_info(graph: Graph) -> tuple[dict[str, Any], ...]:
    """What the outputs are, in order, in timm's words: `num_chs` channels, `reduction` (input pixels per pixel), the `module` they leave.

    `reduction` is a pair where height and width differ. Empty unless all outputs are maps (n, c, h, w).
    """
    outputs = [(graph.nodes[i], reduction) for i, reduction in enumerate(reductions(graph)) if i in set(graph.outputs)]
    if not all(len(node.shape) == 4 for node, _ in outputs):
        return ()
    of = {node.name: _info(node, reduction) for node, reduction in outputs}
    return tuple(of[graph.nodes[i].name] for i in graph.outputs)


def _info(node: Node, reduction: Reduction) -> dict[str, Any]:
    value: Any = reduction[0] if reduction[0] == reduction[1] else reduction
    return {"module": node.stage if node.stage.startswith(STAGE) else node.block, "num_chs": node.shape[1], "reduction": value}
