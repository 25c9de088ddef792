"""Kernels: ops that a runtime runs as one, and the work that they do.

Networks repeat their blocks, so hundreds of kernels do the same work: each points at one `Work`, which is made once and priced once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from archspace.ir.ops import FURTHER, Conv2d, Linear, Op


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a kernel computes and moves, wherever it stands. Elements and multiply-adds are for the graph's batch.

    Made by `work_of`, which gives one object for all equal ones: finding its price is one look-up.
    """

    op: Op  # the leading one
    op_type: str
    in_elems: int  # tensors from outside the kernel, each once
    out_elems: int  # tensors that are read outside it
    weight_elems: int
    madds: int
    is_unaligned: bool = False  # its channels do not fit what the runtime's fast path works on
    is_batched: bool = True  # False: it works on weights alone, once for all images
    is_part: bool = False  # what the kernel before it computes besides: nothing is launched for it

    @property
    def channels_per_group(self) -> tuple[int, int]:
        """Input and output channels per group of what the leading op multiplies with; (1, 1) when it multiplies with nothing."""
        op = self.op
        if isinstance(op, Conv2d):
            return op.in_channels // op.groups, op.out_channels // op.groups
        if isinstance(op, Linear):
            return op.in_features, op.out_features
        if self.madds and type(op).__name__ in FURTHER:
            from archspace.latency.fusion_further import further_channels

            return further_channels(op, self.madds, self.out_elems)
        return 1, 1


work_of = lru_cache(maxsize=16384)(Work)


Run = tuple[tuple[str, ...], str, Work]  # a kernel as a plain tuple: a prediction makes hundreds


class Kernel(NamedTuple):
    """Work at a place in a graph."""

    names: tuple[str, ...]  # its nodes, the leading one first
    block: str  # the leading one's
    work: Work

    @property
    def op(self) -> Op:
        """The leading node's."""
        return self.work.op

    @property
    def op_type(self) -> str:
        """The key of its coefficients."""
        return self.work.op_type

    @property
    def in_elems(self) -> int:
        """Elements of tensors from outside the kernel, each once."""
        return self.work.in_elems

    @property
    def out_elems(self) -> int:
        """Elements of tensors that are read outside it."""
        return self.work.out_elems

    @property
    def weight_elems(self) -> int:
        """Elements of weights and statistics."""
        return self.work.weight_elems

    @property
    def madds(self) -> int:
        """Multiply-adds."""
        return self.work.madds
