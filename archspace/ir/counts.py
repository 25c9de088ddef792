"""Counts: the raw facts of one node, or a sum of them. Exact integers; conventions weigh them elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What can be counted of an op without weights. The batch is included in everything but `params`."""

    madds: int = 0  # multiply-adds of convolution, linear and matmul
    params: int = 0  # learnable scalars
    acts: int = 0  # output elements of convolution and linear
    in_elems: int = 0  # elements read from input tensors
    weight_elems: int = 0  # elements read from weights and statistics
    out_elems: int = 0  # elements written
    elementwise_elems: int = 0  # the part of mem_elems due to element-wise work (guideline 4)
    movement_elems: int = 0  # the part of mem_elems that only moves data

    @property
    def mem_elems(self) -> int:
        """Memory access in elements, each tensor once (the "MAC" of ShuffleNet v2, section 2, G1)."""
        return self.in_elems + self.weight_elems + self.out_elems

    @staticmethod
    def total(parts: Iterable[Counts]) -> Counts:
        """The field-wise sum.

        >>> Counts.total([Counts(madds=2, params=1), Counts(madds=3)]).madds
        5
        """
        rows = [(c.madds, c.params, c.acts, c.in_elems, c.weight_elems, c.out_elems, c.elementwise_elems, c.movement_elems) for c in parts]
        return Counts(*(sum(column) for column in zip(*rows, strict=True))) if rows else Counts()
