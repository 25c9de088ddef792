"""Feature reuse through the ops that only networks from elsewhere have: the few that hand on whole channels unchanged."""

from __future__ import annotations

from collections.abc import Sequence

from archspace.analysis.provenance import Rows
from archspace.analysis.reuse import Carry
from archspace.ir.ops import Copy, Op, Shape, Slice


def _kept(op: Copy, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    return inputs[0]


def _sliced(op: Slice, own: Rows, inputs: Sequence[Rows], shapes: Sequence[Shape], out: Shape) -> Rows:
    """Some of the channels; a part of each channel is another one."""
    return inputs[0][op.start : op.stop : op.step] if op.dim % len(out) == 1 else own


FURTHER_CARRIES: dict[type[Op], Carry] = {Copy: _kept, Slice: _sliced}
