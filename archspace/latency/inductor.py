"""What torch.compile launches on a CPU: calls of libraries for products, and loops that everything between them is fused into.

A loop runs over one range of elements: ops join it while they work on as many and nothing that they read has to wait for another call.
Views cost nothing by themselves, but a loop that reads across the order of a tensor, or through an index, is not vectorised.
Convolutions work with their channels last; what is given to them otherwise is copied first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from archspace.ir.counts import Counts
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Copy,
    Dropout,
    Einsum,
    Input,
    Interpolate,
    Linear,
    MatMul,
    Opaque,
    Pad,
    Parameter,
    Reduce,
    ScaledDotProductAttention,
)
from archspace.ir.ops.arrange import Movement
from archspace.ir.ops.base import Shape, prod
from archspace.ir.ops.convolution import Convolution
from archspace.ir.ops.lookup import Index
from archspace.ir.ops.movement import View
from archspace.ir.ops.recurrent import Recurrent
from archspace.latency.kernel import Kernel, Run, work_of
from archspace.latency.op_types import op_type
from archspace.latency.strides import Strides, channels_last, contiguous, dense_like, is_channels_last, strides_of_view, viewed

CALLS = (Convolution, Linear, MatMul, Einsum, ScaledDotProductAttention, Recurrent, Opaque)
VIEWS = (View, ChannelSlice, Dropout)
INDEXED = Concat | ChannelShuffle | Pad | Interpolate | Index
REDUCING = frozenset({"global_pool"})
# What takes computing beside the memory that a loop moves: a part of the loop's kernel of its own.
PARTS = frozenset({"softmax", "norm", "pool", "max_pool", "global_pool", "gelu", "transcendental"})
LEAST_TABLE = 1000  # elements of a parameter that is more than a value per channel or head


@dataclass(slots=True)
class _Loop:
    """A loop over `elems` elements, after `depth` calls."""

    elems: int
    depth: int
    nodes: list[int] = field(default_factory=list)
    scattered_elems: int = 0  # read across the order of their tensor
    table_elems: int = 0  # computed from values of a table, one at a time


def launched(graph: Graph) -> list[Run]:
    """The kernels of one forward pass: loops stand where their first op does."""
    return _Launches(graph).runs()


class _Launches:
    """The state of a forward pass: of every tensor its storage, its strides, and the loop that writes it."""

    def __init__(self, graph: Graph) -> None:
        n = len(graph.nodes)
        self.graph, self.nodes = graph, graph.nodes
        self.source = list(range(n))  # the node that wrote what a view shows
        self.strides: list[Strides] = [contiguous(node.shape) for node in graph.nodes]
        self.is_indexed = [False] * n  # seen through a reshape that no strides express
        self.from_input = [False] * n
        self.depth = [0] * n
        self.loop_of: list[_Loop | None] = [None] * n
        self.readers: list[list[int]] = [[] for _ in range(n)]
        self.counts: list[Counts | None] = [None] * n
        self.order: list[_Loop | Kernel] = []

    def runs(self) -> list[Run]:
        """Run every node, then sum up the loops."""
        for i, node in enumerate(self.nodes):
            if isinstance(node.op, Input | Parameter):
                self.from_input[i] = isinstance(node.op, Input)
                continue
            self.from_input[i] = any(self.from_input[p] for p in node.inputs)
            self.depth[i] = max((self.depth[p] for p in node.inputs), default=0)
            if isinstance(node.op, VIEWS):
                self._view(i)
                continue
            for p in node.inputs:
                self.readers[self.source[p]].append(i)
            self.counts[i] = node.op.counts(tuple([self.nodes[p].shape for p in node.inputs]), node.shape)
            if isinstance(node.op, CALLS):
                self._call(i)
            else:
                self._join(i)
        outputs = {self.source[i] for i in self.graph.outputs}
        return [kernel for one in self.order for kernel in ([one] if isinstance(one, Kernel) else self._loop(one, outputs))]

    def _view(self, i: int) -> None:
        node, p = self.nodes[i], self.nodes[i].inputs[0]
        self.source[i], self.is_indexed[i] = self.source[p], self.is_indexed[p]
        strides = (
            self.strides[p] if isinstance(node.op, Dropout) else strides_of_view(node.op, node.shape, self.nodes[p].shape, self.strides[p])
        )
        if strides is None:
            self.is_indexed[i] = True
        else:
            self.strides[i] = strides

    def _call(self, i: int) -> None:
        node, counts = self.nodes[i], self.counts[i]
        assert counts is not None
        self.depth[i] += 1
        op, out = node.op, prod(node.shape)
        if copied := sum([prod(self.nodes[p].shape) for p in node.inputs if self._must_be_copied(i, p)]):
            work = work_of(Copy(), "movement", copied, copied, 0, 0, is_batched=self.from_input[i])
            self.order.append(Kernel((f"{node.name} (copy)",), node.block, work))
        if isinstance(op, Convolution) and len(node.shape) > 2:
            self.strides[i] = channels_last(node.shape)
        elif isinstance(op, ScaledDotProductAttention) and len(node.shape) == 4:
            heads, e = node.shape[1], node.shape[3]
            self.strides[i] = dense_like(node.shape, (out, e, e * heads, 1))  # the heads of a token lie side by side
        kind = "vector" if isinstance(op, Linear) and out == op.out_features else op_type(op)
        work = work_of(op, kind, counts.in_elems, out, counts.weight_elems, counts.madds, is_batched=self.from_input[i])
        self.order.append(Kernel((node.name,), node.block, work))

    def _must_be_copied(self, i: int, p: int) -> bool:
        """Whether a library cannot take a tensor as it lies."""
        op, shape, strides = self.nodes[i].op, self.nodes[p].shape, self.strides[p]
        if isinstance(op, Convolution):
            return len(shape) == 4 and shape[2] * shape[3] > 1 and not is_channels_last(shape, strides)
        if isinstance(op, Linear):
            return self.is_indexed[p] or viewed(shape, strides, (prod(shape[:-1]), shape[-1])) is None
        if isinstance(op, MatMul | Einsum) and len(shape) > 2:
            return self.is_indexed[p] or viewed(shape, strides, (prod(shape[:-2]), *shape[-2:])) is None
        return False

    def _join(self, i: int) -> None:
        """Into the loop of what it reads, or a new one."""
        node = self.nodes[i]
        shapes = [self.nodes[p].shape for p in node.inputs]
        reduces = op_type(node.op) in REDUCING or isinstance(node.op, Reduce)
        elems = prod(shapes[0] if reduces and shapes else node.shape)
        loop = None
        for p in node.inputs:
            found = self.loop_of[self.source[p]]
            if found is not None and (found.depth, found.elems) == (self.depth[i], elems):
                loop = found
                break
        if loop is None:
            loop = _Loop(elems, self.depth[i])
            self.order.append(loop)
        loop.nodes.append(i)
        self.loop_of[i] = loop
        same = [p for p in node.inputs if self.nodes[p].shape == node.shape]
        if isinstance(node.op, Copy):
            loop.scattered_elems += elems if self._crosses(node.shape, self.strides[i], node.inputs[0]) else 0
            return
        if same:
            order = self.strides[same[0]]
            self.strides[i] = dense_like(node.shape, order) if self.source[same[0]] != same[0] else order
        elif node.inputs and is_channels_last(shapes[0], self.strides[node.inputs[0]]) and len(node.shape) == 4:
            self.strides[i] = channels_last(node.shape)
        indexed = isinstance(node.op, INDEXED | Movement)
        for p in node.inputs if not reduces else ():
            read = prod(self.nodes[p].shape)
            if not self.from_input[p]:
                loop.table_elems += elems if read > LEAST_TABLE and self.from_input[i] else 0
            elif 4 * read >= elems and (indexed or self._is_crossed(i, p)):
                loop.scattered_elems += read

    def _is_crossed(self, i: int, p: int) -> bool:
        """Whether an op reads a tensor across its order."""
        node = self.nodes[i]
        return self.is_indexed[p] or (self.nodes[p].shape == node.shape and self._crosses(node.shape, self.strides[i], p))

    def _crosses(self, shape: Shape, strides: Strides, p: int) -> bool:
        """Whether the axis that a loop runs along is not the innermost of what it reads."""
        if self.is_indexed[p]:
            return True
        if self.strides[p] == strides:
            return False
        axes = [(step, -axis) for axis, (size, step) in enumerate(zip(shape, strides, strict=True)) if size > 1 and step]
        return bool(axes) and self.strides[p][-min(axes)[1]] > 1

    def _loop(self, loop: _Loop, outputs: set[int]) -> list[Kernel]:
        """The kernel of a loop, and what it computes as parts that launch nothing."""
        inside = set(loop.nodes)
        read: dict[int, int] = {}
        written = weights = 0
        for i in loop.nodes:
            node, counts = self.nodes[i], self.counts[i]
            assert counts is not None
            weights += counts.weight_elems
            for p in node.inputs:
                if self.source[p] not in inside:
                    read.setdefault(self.source[p], min(prod(self.nodes[p].shape), prod(self.nodes[self.source[p]].shape)))
            if i in outputs or any(reader not in inside for reader in self.readers[i]):
                written += prod(node.shape)
        lead = self.nodes[loop.nodes[0]]
        names = tuple([self.nodes[i].name for i in loop.nodes])
        batched = any(self.from_input[i] for i in loop.nodes)
        parts: dict[str, int] = {}
        for i in loop.nodes:
            if (kind := op_type(self.nodes[i].op)) in PARTS:
                parts[kind] = parts.get(kind, 0) + self._worked(i, kind)
        if loop.scattered_elems:
            parts["scattered"] = loop.scattered_elems
        if loop.table_elems:
            parts["table"] = loop.table_elems
        work = work_of(lead.op, "elementwise", sum(read.values()), written, weights, 0, is_batched=batched)
        beside = [work_of(lead.op, kind, 0, n, 0, 0, is_batched=batched, is_part=True) for kind, n in parts.items()]
        return [Kernel(names, lead.block, one) for one in (work, *beside)]

    def _worked(self, i: int, kind: str) -> int:
        """Elements that a part computes: of a reduction what it reads, of a pool each window."""
        node = self.nodes[i]
        if kind == "global_pool":
            return prod(self.nodes[node.inputs[0]].shape)
        window = getattr(node.op, "kernel_size", 1) if kind in ("pool", "max_pool") else 1
        return prod(node.shape) * (prod(window) if isinstance(window, tuple) else window * window)
