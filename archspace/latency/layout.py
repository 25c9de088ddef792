"""Blocked layouts: where a runtime rearranges tensors around convolutions, as kernels of their own.

ONNX Runtime's CPU convolutions work on tensors whose channels lie in blocks of the vector width (its NCHWc transformer). A convolution or
pool that qualifies reads and writes blocked tensors; element-wise ops between such pass the blocks on; every other op needs plain ones.
Each change of layout is one pass over a tensor, made once for all that read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Activation, Add, AvgPool2d, BatchNorm2d, Concat, Conv2d, MaxPool2d, Multiply, Op
from archspace.ir.ops.base import Shape

ALIGNMENT = 4  # input channels must be a multiple; the last block is padded


def is_unaligned(op: Op, shape: Shape, block: int | None) -> bool:
    """Whether a convolution or pool misses the fast path: blocks, or channels per group that are multiples of 4 where there are none."""
    if block is not None:
        return isinstance(op, Conv2d | MaxPool2d | AvgPool2d) and not _wishes(op, shape, block)[1]
    if not isinstance(op, Conv2d):
        return False
    groups = 1 if op.is_depthwise else op.groups
    return bool(op.in_channels // groups % ALIGNMENT or op.out_channels // groups % ALIGNMENT)


def reorders(graph: Graph, block: int) -> tuple[tuple[int, bool], ...]:
    """The tensors that are rearranged, by the node that makes them, in order: (node, whether into blocks rather than out of them)."""
    is_blocked: list[bool] = []
    found: dict[tuple[int, bool], None] = {}
    for node in graph.nodes:
        is_first, wants = _wishes(node.op, node.shape, block)
        passes = not wants and bool(node.inputs) and all(is_blocked[p] for p in node.inputs) and _passes_blocks(graph.nodes, node, block)
        for p in node.inputs:
            if is_blocked[p] and (is_first or not (wants or passes)):
                found[(p, False)] = None
            elif not is_blocked[p] and wants and not is_first:
                found[(p, True)] = None
        is_blocked.append(wants or passes)
    found.update({(i, False): None for i in graph.outputs if is_blocked[i]})
    return tuple(sorted(found))


@lru_cache(maxsize=4096)
def _wishes(op: Op, shape: Shape, block: int) -> tuple[bool, bool]:
    """Whether an op is a first convolution, and whether it works on blocks at all."""
    is_first = _reads_plain(op, block)
    return is_first, is_first or _wants_blocks(op, shape, block)


def _wants_blocks(op: Op, shape: Shape, block: int) -> bool:
    """Whether it is worth blocks: a convolution or pool whose channels fit. Output channels of one group are padded."""
    if isinstance(op, Conv2d):
        if op.groups == 1 or op.is_depthwise:
            return op.in_channels % ALIGNMENT == 0
        return op.in_channels // op.groups % block == 0 and op.out_channels // op.groups % block == 0
    return isinstance(op, MaxPool2d | AvgPool2d) and shape[1] % block == 0


def _reads_plain(op: Op, block: int) -> bool:
    """A first convolution: fewer input channels than a block are read as they are."""
    return isinstance(op, Conv2d) and op.groups == 1 and op.in_channels < block


def _passes_blocks(nodes: Sequence[Node], node: Node, block: int) -> bool:
    """Whether it works on blocks as they are."""
    if isinstance(node.op, Concat):
        return all(nodes[p].shape[1] % block == 0 for p in node.inputs)
    if isinstance(node.op, Add | Multiply):
        return all(nodes[p].shape == node.shape for p in node.inputs)
    return isinstance(node.op, Activation | BatchNorm2d)
