"""Guideline 2 of ShuffleNet v2: excessive group convolution increases memory access."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt

from archspace.ir.ops.base import prod
from archspace.rules.finding import Breach
from archspace.rules.network import Network


def group_convolution(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A pointwise group convolution.

    Measured is its memory access over that of the dense convolution with the same input and as many multiply-adds.

    Why: Groups allow more channels for the same B multiply-adds, but the channels are accessed: hw*c1 + B*g/c1 + B/hw elements, which grows
    with g. Table 2 runs stacks of equal B: with 8 groups a GPU is 3.9 times slower than with one, a phone 1.4 times.

    Instead: Dense convolutions of c1/sqrt(g) to c2/sqrt(g) channels make as many multiply-adds (so does table 2 hold B fixed), and so do
    those of c1 to c2/g. Choose the groups for the platform, not for the width they allow.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2, G2, equation 2, table 2.

    Thresholds: ratio 1.2 is less than two groups cost where maps are large (1.33); table 2 has them 30 % slower on a GPU, 12 % on a phone.
    """
    for i, conv in network.pointwise():
        g, written = conv.groups, prod(network.node(i).shape)
        accessed, _ = network.access(i)
        excess = written * (g - 1) // g
        ratio = accessed / (accessed - excess)
        if ratio <= limits["ratio"]:
            continue
        c1, c2 = conv.in_channels, conv.out_channels
        yield Breach(
            i,
            ratio,
            limits["ratio"],
            f"{c1} -> {c2} channels in {g} groups at {network.size(i)} access {ratio:.2f} times the memory of as many dense multiply-adds",
            f"dense, {max(1, round(c1 / sqrt(g)))} -> {max(1, round(c2 / sqrt(g)))} channels make as many multiply-adds",
            {i: excess},
        )


def narrow_groups(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A group convolution with fewer channels per group than the device computes at once.

    Measured is the smaller of a group's input and output channels.

    Why: Kernels work on vectors of channels (4 of float32 in a 128-bit register). A narrower group leaves lanes empty: memory is accessed
    and arithmetic done in whole vectors. The excess is the empty lanes of the maps, which `mem_elems` does not count.

    Instead: Fewer groups, or as many channels per group as a vector holds.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2, G2: the group number "should be carefully chosen based on the target
    platform".

    Thresholds: vector_width 4 is a 128-bit register of float32, as in the paper's ARM core; a device's profile may say another.
    """
    width = int(limits["vector_width"])
    for i, conv in network.convolutions():
        if conv.groups == 1:
            continue
        c1, c2 = conv.in_channels // conv.groups, conv.out_channels // conv.groups
        narrow = min(c1, c2)
        if narrow >= width:
            continue
        (source,) = network.graph.input_shapes(network.node(i))
        padding = sum(prod(shape) // c * (-c % width) for shape, c in ((source, c1), (network.node(i).shape, c2)))
        most = max(1, min(conv.in_channels, conv.out_channels) // width)
        yield Breach(
            i,
            narrow,
            width,
            f"groups of {c1} -> {c2} channels at {network.size(i)}, where vectors hold {width}",
            f"at most {most} groups" if most > 1 else "no groups",
            {i: padding},
        )
