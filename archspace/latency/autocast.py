"""What eager PyTorch launches on a GPU under automatic mixed precision, kernel by kernel.

Three things decide the bytes that move, and a graph of ops does not show them: which tensors are 4 bytes wide (norms, softmax and sums
compute in float32, whatever is added to them stays there, products need 2 bytes: each change is a kernel), which lie with their
channels last (a permuted layer norm leaves them so, and convolutions go on with it), and which views have to be copied to be
multiplied. Elements are counted in the 2 bytes of the profile's dtype: a float32 element is two.
"""

from __future__ import annotations

from itertools import pairwise

from archspace.ir.graph import Graph
from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    BatchNormNd,
    ChannelSlice,
    Concat,
    Conv2d,
    Copy,
    Dropout,
    Einsum,
    GroupNorm,
    Index,
    Input,
    LayerNorm,
    Linear,
    LogSoftmax,
    MatMul,
    MaxPool2d,
    Opaque,
    Parameter,
    Pointwise,
    PReLU,
    Reduce,
    ScaledDotProductAttention,
    Softmax,
)
from archspace.ir.ops.arrange import Movement
from archspace.ir.ops.base import prod
from archspace.ir.ops.convolution import Convolution
from archspace.ir.ops.movement import View
from archspace.ir.ops.recurrent import Recurrent
from archspace.latency.fusion import Kernel
from archspace.latency.op_types import op_type
from archspace.latency.strides import (
    Strides,
    channels_last,
    contiguous,
    dense_like,
    is_channels_last,
    is_contiguous,
    strides_of_view,
    viewed,
)

VIEWS = (View, ChannelSlice, Dropout)
HALF, FULL = 1, 2  # elements of the profile's dtype that one element takes
MULTIPLYING = (Convolution, Linear, MatMul, Einsum, ScaledDotProductAttention, Recurrent, PReLU)
IN_FULL = frozenset({"pow", "exp", "log", "rsqrt"})  # pointwise functions that autocast runs in float32
MOVED = (Movement, Index)  # they read no more than they write
SUMS_IN_FULL = frozenset({"sum", "prod", "norm"})
KEEPING_ORDER = (BatchNorm2d, BatchNormNd, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, Concat)  # channels last if all they read is
POINTWISE_TYPES = frozenset({"elementwise", "activation", "hard_activation", "transcendental", "gelu"})
LAST = {"dense": "dense_last", "pointwise": "pointwise_last", "grouped": "grouped_last", "depthwise": "depthwise_last"}


def launched(graph: Graph, *, full_scores: bool) -> tuple[Kernel, ...]:
    """The kernels of one forward pass, in order.

    `full_scores`: attention that no fused kernel takes keeps its scores in float32, as from PyTorch 2.5 on.
    """
    launches = _Launches(graph, full_scores)
    for i in range(len(graph.nodes)):
        launches.run(i)
    return tuple(launches.kernels)


class _Launches:
    """The state of a forward pass: of every tensor its width, its strides, and whether it depends on the input."""

    def __init__(self, graph: Graph, full_scores: bool) -> None:
        self.nodes = graph.nodes
        self.score_width = FULL if full_scores else HALF
        self.kernels: list[Kernel] = []
        self.width = [FULL] * len(graph.nodes)
        self.strides: list[Strides] = [()] * len(graph.nodes)
        self.batched = [False] * len(graph.nodes)
        self.kept: set[int] = set()  # parameters whose cast is kept for the pass

    def run(self, i: int) -> None:
        """Launch a node."""
        node = self.nodes[i]
        op = node.op
        self.strides[i] = contiguous(node.shape)
        if isinstance(op, Input | Parameter):
            self.batched[i] = isinstance(op, Input)
            return
        self.batched[i] = any(self.batched[p] for p in node.inputs)
        if node.inputs:
            self.width[i] = max(self.width[p] for p in node.inputs)
        if isinstance(op, VIEWS):
            self._view(i)
        elif isinstance(op, MULTIPLYING):
            self._multiply(i)
        elif isinstance(op, LayerNorm | GroupNorm):
            self._norm(i)
        else:
            self._other(i)

    def _emit(
        self, i: int, kind: str, read: int, written: int, *, madds: int = 0, weights: int = 0, is_batched: bool | None = None
    ) -> None:
        node = self.nodes[i]
        batched = self.batched[i] if is_batched is None else is_batched
        self.kernels.append(Kernel((node.name,), node.op, kind, node.block, read, written, weights, madds, False, batched))

    def _cast(self, p: int, width: int) -> None:
        """A tensor in another width; a parameter's is kept for the rest of the pass."""
        if self.width[p] == width or p in self.kept:
            return
        if isinstance(self.nodes[p].op, Parameter):
            self.kept.add(p)
        elems = prod(self.nodes[p].shape)
        self._emit(p, "cast", elems * self.width[p], elems * width)

    def _copy(self, i: int, p: int, width: int) -> None:
        elems = prod(self.nodes[p].shape) * width
        self._emit(i, "movement", elems, elems)

    def _view(self, i: int) -> None:
        node, p = self.nodes[i], self.nodes[i].inputs[0]
        strides = self.strides[p] if isinstance(node.op, Dropout) else strides_of_view(node, self.nodes[p].shape, self.strides[p])
        if strides is None:
            self._copy(i, p, self.width[p])
        else:
            self.strides[i] = strides

    def _multiply(self, i: int) -> None:
        node = self.nodes[i]
        op, shapes = node.op, [self.nodes[p].shape for p in node.inputs]
        for p in node.inputs:
            self._cast(p, HALF)
        self.width[i] = HALF
        counts = op.counts(tuple(shapes), node.shape)
        if counts.weight_elems:  # read in 4 bytes, written in 2
            self._emit(i, "cast", 0, 0, weights=3 * counts.weight_elems, is_batched=False)
        kind, out = op_type(op), prod(node.shape)
        has_bias = False
        strides = self.strides[node.inputs[0]]
        if isinstance(op, Conv2d):
            last = is_channels_last(shapes[0], strides)
            if last:
                kind, self.strides[i] = LAST[kind], channels_last(node.shape)
                if dense_like(shapes[0], strides) != strides and strides[0] != prod(shapes[0]):
                    self._copy(i, node.inputs[0], HALF)
            elif not is_contiguous(shapes[0], strides):
                self._copy(i, node.inputs[0], HALF)
            has_bias = op.bias and (last or not op.is_depthwise)  # the plain depthwise kernel adds its own
        elif isinstance(op, Linear):
            rows = (prod(shapes[0][:-1]), shapes[0][-1])
            if len(shapes[0]) > 2 and (strides[-1] != 1 or viewed(shapes[0], strides, rows) is None):
                self._copy(i, node.inputs[0], HALF)
        elif isinstance(op, MatMul | Einsum):
            for p in node.inputs:
                if self._must_be_copied(p):
                    self._copy(i, p, HALF)
        elif isinstance(op, ScaledDotProductAttention) and len(node.shape) != 4:
            self._attend_unfused(i)
            return
        elif isinstance(op, ScaledDotProductAttention):
            heads, e = node.shape[1], node.shape[3]
            self.strides[i] = dense_like(node.shape, (out, e, e * heads, 1))  # the heads of a token lie side by side
            kind = "attention_masked" if len(shapes) > 3 else kind
        self._emit(i, kind, counts.in_elems, out, madds=counts.madds, weights=counts.weight_elems)
        if has_bias:
            self._emit(i, "elementwise", out, out)

    def _attend_unfused(self, i: int) -> None:
        """The fused kernels take four axes: with more or fewer the scores go to memory (`_scaled_dot_product_attention_math`)."""
        node, width = self.nodes[i], self.score_width
        q, k, v = [self.nodes[p].shape for p in node.inputs[:3]]
        out, scores = prod(node.shape), prod(q[:-1]) * k[-2]
        kind = "matmul_full" if width == FULL else "matmul"
        for p in node.inputs if width == FULL else ():
            elems = prod(self.nodes[p].shape)
            self._emit(i, "cast", elems * HALF, elems * FULL)
        for elems in (prod(q), prod(k)):  # each takes the square root of the scale
            self._emit(i, "elementwise", elems * width, elems * width)
        self._emit(i, kind, (prod(q) + prod(k)) * width, scores * width, madds=scores * q[-1])
        if len(node.inputs) > 3:
            self._emit(i, "elementwise", 2 * scores * width, scores * width)
        self._emit(i, "softmax", scores * width, scores * width)
        self._emit(i, kind, (scores + prod(v)) * width, out * width, madds=out * k[-2])
        if width == FULL:
            self._emit(i, "cast", out * FULL, out * HALF)

    def _must_be_copied(self, p: int) -> bool:
        """Whether a factor's leading axes are no single batch of matrices."""
        shape, strides = self.nodes[p].shape, self.strides[p]
        if len(shape) <= 3:
            return len(shape) > 1 and 1 not in strides[-2:]
        lead = [(size, step) for k, (size, step) in enumerate(zip(shape[:-2], strides[:-2], strict=True)) if size > 1 or not k]
        return self.batched[p] and any(a[1] != b[0] * b[1] for a, b in pairwise(lead))

    def _norm(self, i: int) -> None:
        node, p = self.nodes[i], self.nodes[i].inputs[0]
        self._cast(p, FULL)
        self.width[i] = FULL
        if isinstance(node.op, GroupNorm) and is_channels_last(node.shape, self.strides[p]):
            self.strides[i] = channels_last(node.shape)
        elif not is_contiguous(node.shape, self.strides[p]):
            self._copy(i, p, FULL)
        elems = prod(node.shape) * FULL
        self._emit(i, op_type(node.op), elems, elems)

    def _other(self, i: int) -> None:
        """Ops without weights of their own: how wide they write, and in which order."""
        node = self.nodes[i]
        op, shapes = node.op, [self.nodes[p].shape for p in node.inputs]
        kind, out = op_type(op), prod(node.shape)
        if isinstance(op, Opaque) or not node.inputs:
            self.width[i] = HALF
            counts = op.counts(tuple(shapes), node.shape)
            self._emit(i, kind, counts.in_elems, counts.out_elems, weights=counts.weight_elems)
            return
        first = node.inputs[0]
        if (isinstance(op, Pointwise) and op.function in IN_FULL) or (isinstance(op, Reduce) and op.function == "norm"):
            self._cast(first, FULL)
            self.width[i] = FULL
        in_width = self.width[i]
        if isinstance(op, Softmax | LogSoftmax) and not is_contiguous(shapes[0], self.strides[first]):
            self._copy(i, first, in_width)
        if isinstance(op, Copy):
            self._copy(i, first, in_width)
            return
        if isinstance(op, Softmax | LogSoftmax) or (isinstance(op, Reduce) and op.function in SUMS_IN_FULL):
            self.width[i] = FULL
        least = in_width if kind == "global_pool" else HALF
        read = sum([prod(shape) * max(self.width[p], least) for p, shape in zip(node.inputs, shapes, strict=True)])
        if isinstance(op, MOVED):
            read = min(read, out * in_width)
        else:
            same = [p for p in node.inputs if self.nodes[p].shape == node.shape]
            if isinstance(op, KEEPING_ORDER):
                if len(node.shape) == 4 and all(is_channels_last(self.nodes[p].shape, self.strides[p]) for p in node.inputs):
                    self.strides[i] = channels_last(node.shape)
            elif kind in POINTWISE_TYPES:
                kind = "elementwise"  # at the speed of memory, whatever the function
                if same:
                    order = self.strides[same[0]]
                    self.strides[i] = dense_like(node.shape, order) if isinstance(self.nodes[same[0]].op, VIEWS) else order
        self._emit(i, kind, read, out * self.width[i])
