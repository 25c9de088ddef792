"""Guideline 3 of ShuffleNet v2: fragmentation reduces the degree of parallelism."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspace.analysis.structure import widest_antichain
from archspace.ir.ops.base import prod
from archspace.rules.finding import Breach
from archspace.rules.network import Network


def fragments(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A block of many small convolutions and pools.

    Measured is their number; the message tells those in series from those side by side.

    Why: Each fragment is launched and synchronised on its own and gives the device less to do at once. On a GPU, table 3 has
    a block of 4 fragments 3.3 (in series) and 3.5 times (in parallel) slower than one of equal multiply-adds at c = 128; on a phone the
    loss is small.

    Instead: Fewer and larger ops: what a regular block computes in two or three.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2, G3, table 3: ResNet's units have 2 or 3 fragments, NASNet-A's cells 13.

    Thresholds: fragments 5 is what ShuffleNet v2's own unit for down-sampling has, the largest of a regular structure; Inception has 7.
    """
    most = int(limits["fragments"])
    for _, members in network.known_blocks():
        parts = network.fragments(members)
        if len(parts) <= most:
            continue
        longest, widest = _shape(network, members, parts)
        smallest = sorted(parts, key=lambda i: network.counts[i].mem_elems)[: len(parts) - most]
        yield Breach(
            parts[0],
            len(parts),
            most,
            f"{len(parts)} convolutions and pools in one block, {longest} in series, {widest} side by side",
            f"at most {most} larger ones",
            {i: network.counts[i].in_elems + network.counts[i].out_elems for i in smallest},
            saves_ops=True,
        )


def parallel_branches(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A block whose convolutions and pools stand side by side in many branches.

    Measured is how many of them could run at once.

    Why: Each branch reads the block's input again and is too small to fill the device: 4 parallel fragments are slower than 4 in series in
    table 3 (691 against 752 batches/s at c = 128), and both are far slower than one.

    Instead: One branch beside the shortcut.

    Source: Ma et al., "ShuffleNet V2" (ECCV 2018), section 2, G3, table 3.

    Thresholds: branches 2 is a shortcut and a branch, as in ResNet and both ShuffleNets.
    """
    most = int(limits["branches"])
    for _, members in network.known_blocks():
        parts = network.fragments(members)
        if len(parts) <= most:
            continue
        _, widest = _shape(network, members, parts)
        if widest <= most:
            continue
        inside = set(members)
        waste: dict[int, int] = {}
        for value in {j for i in members for j in network.node(i).inputs}:
            again = [i for i in network.readers[value] if i in inside][most:]
            # A slice reads its own channels alone, and a view nothing.
            waste |= {i: min(waste.get(i, 0) + prod(network.node(value).shape), network.counts[i].in_elems) for i in again}
        yield Breach(
            parts[0],
            widest,
            most,
            f"{widest} convolutions and pools of the block stand side by side",
            f"at most {most} branches",
            waste,
        )


def _shape(network: Network, members: tuple[int, ...], parts: tuple[int, ...]) -> tuple[int, int]:
    """The longest chain and the widest antichain of a block's fragments."""
    place = {i: k for k, i in enumerate(parts)}
    above: dict[int, int] = {}  # of each member: the fragments before it and itself, as bits
    depth: dict[int, int] = {}
    direct: list[list[int]] = []
    for i in members:
        inputs = [j for j in network.node(i).inputs if j in above]
        bits = 0
        for j in inputs:
            bits |= above[j]
        depth[i] = max((depth[j] for j in inputs), default=0)
        if i in place:
            direct.append([k for k in range(len(parts)) if bits >> k & 1])
            bits |= 1 << place[i]
            depth[i] += 1
        above[i] = bits
    return max(depth.values()), widest_antichain(direct)
