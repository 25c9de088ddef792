"""What eager PyTorch launches on a GPU under automatic mixed precision, kernel by kernel.

Three things decide the bytes that move, and a graph of ops does not show them: which tensors are 4 bytes wide (norms, softmax and sums
compute in float32, whatever is added to them stays there, products need 2 bytes: each change is a kernel), which lie with their
channels last (a permuted layer norm leaves them so, and convolutions go on with it), and which views have to be copied to be
multiplied. Elements are counted in the 2 bytes of the profile's dtype: a float32 element is two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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
    Op,
    Opaque,
    Parameter,
    Pointwise,
    PReLU,
    Reduce,
    ScaledDotProductAttention,
    Softmax,
)
from archspace.ir.ops.arrange import Movement
from archspace.ir.ops.base import Shape, prod
from archspace.ir.ops.convolution import Convolution
from archspace.ir.ops.movement import View
from archspace.ir.ops.recurrent import Recurrent
from archspace.latency.kernel import Run, Work, work_of
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

SOURCES = frozenset({Input, Parameter})
VIEWS = (View, ChannelSlice, Dropout)
HALF, FULL = 1, 2  # elements of the profile's dtype that one element takes
MULTIPLYING = (Convolution, Linear, MatMul, Einsum, ScaledDotProductAttention, Recurrent, PReLU)
IN_FULL = frozenset({"pow", "exp", "log", "rsqrt"})  # pointwise functions that autocast runs in float32
MOVED = (Movement, Index)  # they read no more than they write
SUMS_IN_FULL = frozenset({"sum", "prod", "norm"})
KEEPING_ORDER = (BatchNorm2d, BatchNormNd, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, Concat)  # channels last if all they read is
POINTWISE_TYPES = frozenset({"elementwise", "activation", "hard_activation", "transcendental", "gelu"})
LAST = {"dense": "dense_last", "pointwise": "pointwise_last", "grouped": "grouped_last", "depthwise": "depthwise_last"}


def launched(graph: Graph, *, full_scores: bool) -> list[Run]:
    """The kernels of one forward pass, in order.

    `full_scores`: attention that no fused kernel takes keeps its scores in float32, as from PyTorch 2.5 on.
    """
    nodes = graph.nodes
    runs: list[Run] = []
    tensors: list[_Tensor] = []
    for i, node in enumerate(nodes):
        op, inputs = node.op, node.inputs
        if type(op) in SOURCES:
            parameter = None if isinstance(op, Input) else i
            tensors.append(_tensor(op, node.shape, FULL, contiguous(node.shape), isinstance(op, Input), parameter))
            continue
        if len(inputs) == 1:
            step = _step(op, node.shape, full_scores, tensors[inputs[0]])
        else:
            step = _step(op, node.shape, full_scores, *[tensors[p] for p in inputs])
        tensors.append(step.written)
        for k, work in step.launches:
            place = node if k is None else nodes[inputs[k]]
            runs.append(((place.name,), place.block, work))
        for p in step.kept:
            tensors[p] = _tensor(nodes[p].op, nodes[p].shape, FULL, tensors[p].strides, False, p, True)
    return runs


@dataclass(frozen=True, slots=True, eq=False)
class _Tensor:
    """A tensor as its readers see it. `_tensor` gives one object for all equal ones: what is launched on it is known by it."""

    op: Op  # that wrote it
    shape: Shape
    width: int
    strides: Strides
    is_batched: bool  # it depends on the input
    parameter: int | None = None  # which node it is, of a parameter
    is_kept: bool = False  # a parameter whose cast is kept for the pass


_tensor = lru_cache(maxsize=8192)(_Tensor)


@dataclass(frozen=True, slots=True)
class _Step:
    """What an op launches."""

    launches: tuple[tuple[int | None, Work], ...]  # with which of its inputs a kernel belongs to; None is the op itself
    written: _Tensor
    kept: tuple[int, ...]  # parameters whose cast is kept from here on


@lru_cache(maxsize=8192)
def _step(op: Op, shape: Shape, full_scores: bool, *inputs: _Tensor) -> _Step:
    launch = _Launch(op, shape, inputs, FULL if full_scores else HALF)
    launch.run()
    written = _tensor(op, shape, launch.width, launch.strides, launch.is_batched)
    return _Step(tuple(launch.launches), written, tuple(launch.kept))


class _Launch:
    """One op: the kernels of its step, and how wide and in which order it writes."""

    def __init__(self, op: Op, shape: Shape, inputs: tuple[_Tensor, ...], score_width: int) -> None:
        self.op, self.shape, self.inputs = op, shape, inputs
        self.score_width = score_width
        self.launches: list[tuple[int | None, Work]] = []
        self.kept: list[int] = []
        self.is_batched = any(one.is_batched for one in inputs)
        self.width = max([one.width for one in inputs], default=FULL)
        self.strides = contiguous(shape)

    def run(self) -> None:
        """Launch it."""
        if isinstance(self.op, VIEWS):
            self._view(self.op)
        elif isinstance(self.op, MULTIPLYING):
            self._multiply(self.op)
        elif isinstance(self.op, LayerNorm | GroupNorm):
            self._norm(self.op)
        else:
            self._other(self.op)

    def _emit(self, kind: str, read: int, written: int, *, madds: int = 0, weights: int = 0, is_batched: bool | None = None) -> None:
        batched = self.is_batched if is_batched is None else is_batched
        self.launches.append((None, work_of(self.op, kind, read, written, weights, madds, is_batched=batched)))

    def _cast(self, k: int, width: int) -> None:
        """An input in another width; a parameter's is kept for the rest of the pass."""
        one = self.inputs[k]
        if one.width == width or one.is_kept or one.parameter in self.kept:
            return
        if one.parameter is not None:
            self.kept.append(one.parameter)
        elems = prod(one.shape)
        self.launches.append((k, work_of(one.op, "cast", elems * one.width, elems * width, 0, 0, is_batched=one.is_batched)))

    def _copy(self, one: _Tensor, width: int) -> None:
        elems = prod(one.shape) * width
        self._emit("movement", elems, elems)

    def _view(self, op: Op) -> None:
        one = self.inputs[0]
        strides = one.strides if isinstance(op, Dropout) else strides_of_view(op, self.shape, one.shape, one.strides)
        if strides is None:
            self._copy(one, one.width)
        else:
            self.strides = strides

    def _multiply(self, op: Op) -> None:
        first, shape = self.inputs[0], self.shape
        for k in range(len(self.inputs)):
            self._cast(k, HALF)
        self.width = HALF
        counts = op.counts(tuple([one.shape for one in self.inputs]), shape)
        if counts.weight_elems:  # read in 4 bytes, written in 2
            self._emit("cast", 0, 0, weights=3 * counts.weight_elems, is_batched=False)
        kind, out = op_type(op), prod(shape)
        has_bias = False
        strides = first.strides
        if isinstance(op, Conv2d):
            last = is_channels_last(first.shape, strides)
            if last:
                kind, self.strides = LAST[kind], channels_last(shape)
                if dense_like(first.shape, strides) != strides and strides[0] != prod(first.shape):
                    self._copy(first, HALF)
            elif not is_contiguous(first.shape, strides):
                self._copy(first, HALF)
            has_bias = op.bias and (last or not op.is_depthwise)  # the plain depthwise kernel adds its own
        elif isinstance(op, Linear):
            rows = (prod(first.shape[:-1]), first.shape[-1])
            if len(first.shape) > 2 and (strides[-1] != 1 or viewed(first.shape, strides, rows) is None):
                self._copy(first, HALF)
        elif isinstance(op, MatMul | Einsum):
            for one in self.inputs:
                if _must_be_copied(one):
                    self._copy(one, HALF)
        elif isinstance(op, ScaledDotProductAttention) and len(shape) != 4:
            self._attend_unfused()
            return
        elif isinstance(op, ScaledDotProductAttention):
            heads, e = shape[1], shape[3]
            self.strides = dense_like(shape, (out, e, e * heads, 1))  # the heads of a token lie side by side
            kind = "attention_masked" if len(self.inputs) > 3 else kind
        self._emit(kind, counts.in_elems, out, madds=counts.madds, weights=counts.weight_elems)
        if has_bias:
            self._emit("elementwise", out, out)

    def _attend_unfused(self) -> None:
        """The fused kernels take four axes: with more or fewer the scores go to memory (`_scaled_dot_product_attention_math`)."""
        width = self.score_width
        q, k, v = [one.shape for one in self.inputs[:3]]
        out, scores = prod(self.shape), prod(q[:-1]) * k[-2]
        kind = "matmul_full" if width == FULL else "matmul"
        for one in self.inputs if width == FULL else ():
            elems = prod(one.shape)
            self._emit("cast", elems * HALF, elems * FULL)
        for elems in (prod(q), prod(k)):  # each takes the square root of the scale
            self._emit("elementwise", elems * width, elems * width)
        self._emit(kind, (prod(q) + prod(k)) * width, scores * width, madds=scores * q[-1])
        if len(self.inputs) > 3:
            self._emit("elementwise", 2 * scores * width, scores * width)
        self._emit("softmax", scores * width, scores * width)
        self._emit(kind, (scores + prod(v)) * width, out * width, madds=out * k[-2])
        if width == FULL:
            self._emit("cast", out * FULL, out * HALF)

    def _norm(self, op: Op) -> None:
        one = self.inputs[0]
        self._cast(0, FULL)
        self.width = FULL
        if isinstance(op, GroupNorm) and is_channels_last(self.shape, one.strides):
            self.strides = channels_last(self.shape)
        elif not is_contiguous(self.shape, one.strides):
            self._copy(one, FULL)
        elems = prod(self.shape) * FULL
        self._emit(op_type(op), elems, elems)

    def _other(self, op: Op) -> None:
        """Ops without weights of their own: how wide they write, and in which order."""
        shape, shapes = self.shape, tuple([one.shape for one in self.inputs])
        kind, out = op_type(op), prod(shape)
        if isinstance(op, Opaque) or not self.inputs:
            self.width = HALF
            counts = op.counts(shapes, shape)
            self._emit(kind, counts.in_elems, counts.out_elems, weights=counts.weight_elems)
            return
        first = self.inputs[0]
        if (isinstance(op, Pointwise) and op.function in IN_FULL) or (isinstance(op, Reduce) and op.function == "norm"):
            self._cast(0, FULL)
            self.width = FULL
        in_width = self.width
        if isinstance(op, Softmax | LogSoftmax) and not is_contiguous(first.shape, first.strides):
            self._copy(first, in_width)
        if isinstance(op, Copy):
            self._copy(first, in_width)
            return
        if isinstance(op, Softmax | LogSoftmax) or (isinstance(op, Reduce) and op.function in SUMS_IN_FULL):
            self.width = FULL
        least = in_width if kind == "global_pool" else HALF
        read = sum([prod(one.shape) * max(one.width, least) for one in self.inputs])
        if isinstance(op, MOVED):
            read = min(read, out * in_width)
        else:
            same = [one for one in self.inputs if one.shape == shape]
            if isinstance(op, KEEPING_ORDER):
                if len(shape) == 4 and all(is_channels_last(one.shape, one.strides) for one in self.inputs):
                    self.strides = channels_last(shape)
            elif kind in POINTWISE_TYPES:
                kind = "elementwise"  # at the speed of memory, whatever the function
                if same:
                    order = same[0].strides
                    self.strides = dense_like(shape, order) if isinstance(same[0].op, VIEWS) else order
        self._emit(kind, read, out * self.width)


def _must_be_copied(one: _Tensor) -> bool:
    """Whether a factor's leading axes are no single batch of matrices."""
    shape, strides = one.shape, one.strides
    if len(shape) <= 3:
        return len(shape) > 1 and 1 not in strides[-2:]
    lead = [(size, step) for k, (size, step) in enumerate(zip(shape[:-2], strides[:-2], strict=True)) if size > 1 or not k]
    return one.is_batched and any(a[1] != b[0] * b[1] for a, b in pairwise(lead))
