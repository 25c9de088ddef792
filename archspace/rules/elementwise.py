"""Guideline 4 of ShuffleNet v2: element-wise operations are non-negligible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspace.ir.ops import BatchNorm2d, ChannelShuffle, ChannelSlice, Concat, Conv2d
from archspace.ir.ops.base import prod
from archspace.ir.ops.elementwise import Activation
from archspace.rules.finding import Breach
from archspace.rules.network import Network


def elementwise_share(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A block that spends much of its memory access on element-wise work.

    Measured is the share of activations, additions, multiplications, biases and depthwise convolutions. Batch norm is left out on both
    sides: it is folded into the convolution before it.

    Why: These make few multiply-adds and access as much memory as a convolution. Without ReLU and shortcut a ResNet bottleneck runs 15 to
    24 % faster on a GPU (table 4); in MobileNet v2 and ShuffleNet v1 element-wise work takes a good part of the time (figure 2).

    Instead: Drop activations and additions that are not needed; let a part of the channels pass untouched, as ShuffleNet v2 does.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2, G4, table 4, figure 2.

    Thresholds: share 0.6 lies between the bottleneck of table 4 with ReLU and shortcut (0.66 at 128 channels) and without one of the two
    (0.50).
    """
    for _, members in network.known_blocks():
        work = [i for i in members if not isinstance(network.node(i).op, BatchNorm2d)]
        total = sum(network.counts[i].mem_elems for i in work)
        parts = {i: network.counts[i].elementwise_elems for i in work if network.counts[i].elementwise_elems}
        own = sum(parts.values())
        if not network.fragments(members) or own <= limits["share"] * total:
            continue
        # What would have to go for the share to fall to the bound: x of (own - x) / (total - x) = share.
        over = (own - limits["share"] * total) / (1 - limits["share"]) if limits["share"] < 1 else 0.0
        yield Breach(
            max(parts, key=lambda i: parts[i]),
            own / total,
            limits["share"],
            f"{own / total:.0%} of the block's memory access is element-wise",
            "fewer activations, additions and depthwise convolutions, or fewer channels in them",
            {i: int(over * elems / own) for i, elems in parts.items()},
        )


def thick_elementwise(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """An activation or a depthwise convolution on a map that is thicker than the ends of its block.

    Measured is its channels over those of the block's thicker end.

    Why: Element-wise work is paid by the element, and an inverted bottleneck does it where there are most: MobileNet v2 "uses depthwise
    convolutions and ReLUs on thick feature maps".

    Instead: Do it on the block's own width or less.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2 (conclusion), G4.

    Thresholds: ratio 1: as thick as the thicker end is not thick.
    """
    for _, members in network.known_blocks():
        ends = network.ends(members)
        thick = max(ends, default=0) * limits["ratio"]
        allowed = max(1, int(thick))
        for i in members:
            node = network.node(i)
            works = isinstance(node.op, Activation) or (isinstance(node.op, Conv2d) and node.op.is_depthwise)
            if not works or not ends or len(node.shape) != 4 or prod(node.shape[2:]) == 1 or node.shape[1] <= thick:
                continue
            ratio = node.shape[1] / max(ends)
            what = "a depthwise convolution" if isinstance(node.op, Conv2d) else f"{type(node.op).__name__}"
            counts = network.counts[i]
            yield Breach(
                i,
                ratio,
                limits["ratio"],
                f"{what} on {node.shape[1]} channels at {network.size(i)}, {ratio:.3g} times the block's thicker end",
                f"at most {allowed} channels here",
                {i: (counts.in_elems + counts.out_elems) * (node.shape[1] - allowed) // node.shape[1]},
            )


def separate_movement(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A concat, a shuffle and a split behind each other that could be one operation.

    Measured is how many ops move the same channels.

    Why: Each reads and writes every element; one kernel that writes each channel to where the split wants it does all three. The paper's
    implementation merges them.

    Instead: Run them as one kernel, as a compiler or a hand-written op does.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 3: "merged into a single element-wise operation".

    Thresholds: operations 1.
    """
    for i, node in enumerate(network.graph.nodes):
        if not isinstance(node.op, Concat) or not network.counts[i].mem_elems:
            continue
        chain = [i]
        while len(readers := network.only_readers(chain[-1])) == 1 and isinstance(network.node(readers[0]).op, ChannelShuffle):
            chain.append(readers[0])
        slices = [k for k in readers if isinstance(network.node(k).op, ChannelSlice) and network.counts[k].mem_elems]
        if len(slices) < len(readers):
            slices = []  # somebody reads the whole as well
        operations = len(chain) + bool(slices)
        if operations <= limits["operations"]:
            continue
        others = [*chain[1:], *slices]
        yield Breach(
            i,
            operations,
            limits["operations"],
            f"{operations} ops move the same {node.shape[1]} channels at {network.size(i)}",
            "one operation that concatenates, shuffles and splits",
            # One kernel reads the inputs and writes the outputs, as the concat alone does.
            {k: network.counts[k].mem_elems for k in others},
            saves_ops=True,
        )
