"""Patterns: what several steps of a program spell together: a channel shuffle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspace.ir.ops import ChannelShuffle
from archspace.pytorch.importer.program import Program, Step

RESHAPES = frozenset(
    ("aten.view.default", "aten.reshape.default", "aten.flatten.using_ints", "aten._unsafe_view.default", "aten.unflatten.int")
)
COPIES = frozenset(("aten.contiguous.default", "aten.clone.default"))


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A channel shuffle: the tensor that it reads, the op, and the steps that it consists of, the last one last."""

    source: int
    op: ChannelShuffle
    steps: tuple[int, ...]


def find_shuffles(program: Program, makers: Mapping[int, int], readers: Mapping[int, int]) -> dict[int, Shuffle]:
    """Every channel shuffle by the position of its last step.

    It is a view (n, c, h, w) -> (n, g, c / g, h, w), a transposition of axes 1 and 2, and a view back, between which nobody else reads.
    `makers` says which step makes a tensor, `readers` how often it is read.
    """
    found = {}
    for position, step in enumerate(program.steps):
        if step.target in RESHAPES:
            shuffle = _shuffle(program, position, makers, readers)
            if shuffle is not None:
                found[position] = shuffle
    return found


def _shuffle(program: Program, last: int, makers: Mapping[int, int], readers: Mapping[int, int]) -> Shuffle | None:
    steps, data = program.steps, program.data

    def before(position: int) -> int | None:
        """The step that makes what a step reads, when nobody else reads it."""
        source = steps[position].inputs[0]
        return makers.get(source) if readers.get(source) == 1 else None

    swap = before(last)
    chain = [last]
    while swap is not None and steps[swap].target in COPIES:
        chain.append(swap)
        swap = before(swap)
    if swap is None or not _swaps_groups(steps[swap]):
        return None
    view = before(swap)
    if view is None or steps[view].target not in RESHAPES:
        return None
    source = steps[view].inputs[0]
    whole, grouped = data[source].shape, data[steps[swap].inputs[0]].shape
    if len(whole) != 4 or len(grouped) != 5 or grouped != (whole[0], grouped[1], whole[1] // max(grouped[1], 1), *whole[2:]):
        return None
    if data[steps[last].outputs[0] or 0].shape != whole:
        return None
    return Shuffle(source, ChannelShuffle(grouped[1]), (view, swap, *reversed(chain)))


def _swaps_groups(step: Step) -> bool:
    """Whether a step swaps axes 1 and 2, of five."""
    if step.target == "aten.transpose.int":
        return sorted(step.arguments[name] % 5 for name in ("dim0", "dim1")) == [1, 2]
    return step.target == "aten.permute.default" and list(step.arguments["dims"]) == [0, 2, 1, 3, 4]
