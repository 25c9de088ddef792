"""Guideline 1 of ShuffleNet v2: equal channel widths minimise memory access."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt

from archspace.ir.ops import Add, Concat, Conv2d, Linear, Opaque
from archspace.ir.ops.base import prod
from archspace.rules.finding import Breach
from archspace.rules.network import Network


def unequal_widths(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A pointwise convolution whose input and output widths differ much.

    Measured is its memory access over the least that as many multiply-adds need at its own group count.

    Why: A 1x1 convolution of c1 to c2 channels on hw pixels in g groups makes B = hw*c1*c2/g multiply-adds and accesses hw*(c1 + c2) +
    c1*c2/g elements. For a given B that is at least 2*sqrt(hw*B*g) + B/hw, reached when c1 = c2. Table 1 runs stacks of equal B: at 1:6 a
    GPU is 41 % slower than at 1:1, a phone 9 %.

    Instead: Give both sides sqrt(c1*c2) channels: as many multiply-adds, the least memory access. Where a stride makes the output
    smaller, give it as many times more channels as it has fewer pixels: the least is where both maps have as many elements.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2, G1, equation 1, table 1.

    Thresholds: ratio 1.2 lies between 1:2 (1.06 times the least on a large map; 12 % slower on the GPU) and 1:6 (1.43 times).
    """
    for i, conv in network.pointwise():
        accessed, least = network.access(i)
        if accessed <= limits["ratio"] * least:
            continue
        c1, c2, g = conv.in_channels, conv.out_channels, conv.groups
        (source,) = network.graph.input_shapes(network.node(i))
        pixels = prod(source[2:]) / prod(network.node(i).shape[2:])  # per pixel of the output: 1 without a stride
        inner, outer = (g * max(1, round(sqrt(c1 * c2 * scale) / g)) for scale in (1 / pixels, pixels))
        groups = f" in {g} groups" if g > 1 else ""
        yield Breach(
            i,
            accessed / least,
            limits["ratio"],
            f"{c1} -> {c2} channels{groups} at {network.size(i)} access {accessed / least:.2f} times the least memory that would do",
            f"{inner} -> {outer} channels make as many multiply-adds",
            {i: int(accessed - least)},
        )


def bottleneck(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A block that narrows or widens inside: a bottleneck or an inverted bottleneck.

    Measured is how many times narrower or wider the inside is than the ends of its two convolutions.

    Why: Both convolutions have unequal widths, so both access more memory than their multiply-adds need, and in an inverted bottleneck
    everything element-wise inside works on the thick maps. The paper names ShuffleNet v1's bottleneck-like blocks and MobileNet v2's
    inverted ones.

    Instead: Keep the width through the block, as ShuffleNet v2's branch does; a split keeps the number of channels affordable.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2 (conclusion of the guidelines) and section 3.

    Thresholds: expansion 2 is the step of table 1 (1:2) that loses least: 12 % on a GPU, 4 % on a phone.
    """
    for i, first in network.convolutions():
        for k in _next_convolutions(network, i):
            last = network.node(k).op
            assert isinstance(last, Conv2d)
            inner, ends = first.out_channels, (first.in_channels, last.out_channels)
            narrower, wider = min(ends) / inner, inner / max(ends)
            expansion = max(narrower, wider)
            if expansion <= limits["expansion"]:
                continue
            kind = "a bottleneck" if narrower > wider else "an inverted bottleneck"
            waste = {j: int(accessed - least) for j, (accessed, least) in ((j, network.access(j)) for j in (i, k))}
            yield Breach(
                i,
                expansion,
                limits["expansion"],
                f"{kind}: {ends[0]} -> {inner} -> {ends[1]} channels at {network.size(i)}, {expansion:.3g} times "
                f"{'narrower' if narrower > wider else 'wider'} inside",
                "keep one width through the block",
                waste,
            )


def _next_convolutions(network: Network, start: int) -> Iterator[int]:
    """The convolutions of a block that read what the one at `start` gives, through ops that keep its channels apart."""
    block, channels = network.node(start).block, network.node(start).shape[1]
    waiting, seen = list(network.readers[start]), set()
    while waiting:
        i = waiting.pop()
        node = network.node(i)
        if i in seen or node.block != block or isinstance(node.op, Concat | Add | Linear | Opaque):
            continue
        seen.add(i)
        if isinstance(node.op, Conv2d) and node.op.in_channels == channels and node.op.out_channels != channels:
            if node.shape[2:] != (1, 1):
                yield i
        elif len(node.shape) == 4 and node.shape[1] == channels and node.shape[2:] != (1, 1):
            waiting.extend(network.readers[i])
