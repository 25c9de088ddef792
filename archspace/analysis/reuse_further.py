"""Feature reuse through the ops that only networks from elsewhere have: the few that hand on whole channels unchanged."""

from __future__ import annotations

from collections.abc import Sequence

from archspace.analysis.provenance import Rows
from archspace.analysis.reuse import Carry
from archspace.ir.ops import Copy, Op, Permute, Shape, Slice


def _kept(op: Copy, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    return inputs[0]


def _permuted(op: Permute, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Where batch and channels stay in front, a channel is the same one with its positions in another order."""
    rank = len(out)
    return inputs[0] if [dim % rank for dim in op.dims[:2]] == [0, 1] else own


def _sliced(op: Slice, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Some of the channels; a part of each channel is another one."""
    return inputs[0][op.start : op.stop : op.step] if op.dim % len(out) == 1 else own


FURTHER_CARRIES: dict[type[Op], Carry] = {Copy: _kept, Permute: _permuted, Slice: _sliced}
