"""The roofline: ops that wait for memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspace.rules.finding import Breach
from archspace.rules.network import Network


def memory_bound(network: Network, limits: Mapping[str, float]) -> Iterator[Breach]:
    """A memory-bound op that takes most of its block's time on the device.

    Measured is the kernel's share of the block's predicted time. Needs a device.

    Why: Where a kernel's memory access takes longer than its multiply-adds, fewer multiply-adds do not make it faster; and where it
    dominates its block, nothing else does.

    Instead: Fewer or thinner maps at this place, or a fusion with a neighbour.

    Source: Williams et al., "Roofline" (CACM 2009); Ma et al., "ShuffleNet V2" (ECCV 2018), section 1: memory access "could be bottleneck
    on devices with strong computing power".

    Thresholds: share 0.5: more than the rest of the block together.
    """
    if network.latency is None:
        return
    place = {node.name: i for i, node in enumerate(network.graph.nodes)}
    blocks: dict[str, list[float]] = {}
    for row in network.latency.rows:
        blocks.setdefault(row.block, []).append(row.ms)
    known = {name for name, _ in network.known_blocks()}
    for row in network.latency.rows:
        total = sum(blocks[row.block])
        computes = any(network.counts[place[name]].madds for name in row.nodes)
        if row.block not in known or len(blocks[row.block]) < 2 or (computes and not row.compute_ms):
            continue  # a profile without a price for multiply-adds cannot tell what bounds an op that makes some
        if row.memory_ms <= row.compute_ms or row.ms <= limits["share"] * total:
            continue
        yield Breach(
            place[row.name],
            row.ms / total,
            limits["share"],
            f"{row.op_type}: {row.memory_ms:.3g} ms of memory, {row.compute_ms:.3g} ms of multiply-adds, {row.ms / total:.0%} of its block",
            "fewer or thinner maps here, or a fusion with a neighbour",
        )
