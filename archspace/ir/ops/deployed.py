"""The ops that deployment makes of others: channels read where they were computed, and shifts whose displacements are known."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, image_of, prod


@dataclass(frozen=True, slots=True)
class ChannelGather(Op):
    """Channels of several inputs in a new order: output channel i is channel `channels[i]` of the inputs joined along axis 1.

    One movement in place of a chain of concat, shuffle and slice (ShuffleNet v2, section 3). Inputs: (n, c_k, ...), alike but in axis 1
    -> y: (n, len(channels), ...). Channels that are not named are not read.
    """

    channels: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        if not shapes or len(shapes[0]) < 2:
            raise LawError(f"ChannelGather takes inputs with a channel axis, but got {' and '.join(map(str, shapes)) or 'none'}")
        first = shapes[0]
        for shape in shapes[1:]:
            if (shape[:1], shape[2:]) != (first[:1], first[2:]):
                raise LawError(f"ChannelGather: the inputs must agree in every axis but 1, but got {' and '.join(map(str, shapes))}")
        whole = sum(shape[1] for shape in shapes)
        wrong = [c for c in self.channels if not 0 <= c < whole]
        if wrong or not self.channels:
            got = f"channel {wrong[0]}" if wrong else "none"
            raise LawError(f"ChannelGather: channels must name channels of the inputs, 0 to {whole - 1}, but got {got}")
        return (first[0], len(self.channels), *first[2:])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n = prod(out)
        return Counts(in_elems=n, out_elems=n, movement_elems=2 * n)


@dataclass(frozen=True, slots=True)
class FixedShift(Op):
    """Channel c shifted by the integers `alpha[c]` horizontally and `beta[c]` vertically (SSL paper, equation 1): a frozen sparse shift.

    x: (n, c, h, w), as is. With `inplace`, nobody else reads x: the channels whose displacements are zero stay where they lie and cost
    nothing. Without, all channels are written anew.
    """

    alpha: tuple[int, ...]
    beta: tuple[int, ...]
    inplace: bool = False

    @property
    def moved_channels(self) -> tuple[int, ...]:
        """The channels with a displacement other than zero, ascending."""
        return tuple([c for c, steps in enumerate(zip(self.alpha, self.beta, strict=True)) if steps != (0, 0)])

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = image_of(self, shapes)
        if not len(self.alpha) == len(self.beta) == shape[1]:
            raise LawError(
                "FixedShift: alpha and beta must have one displacement per channel, "
                f"but got {len(self.alpha)} and {len(self.beta)}, input channels {shape[1]}"
            )
        return shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        written = prod((out[0], len(self.moved_channels), *out[2:])) if self.inplace else prod(out)
        return Counts(in_elems=written, out_elems=written, movement_elems=2 * written)
