"""A graph's digest: equal for equal networks, whatever their nodes are called and in whatever order they stand."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from archspace.ir.graph import Graph
from archspace.ir.ops import Op, Shape

BYTES = 12


def graph_digest(graph: Graph) -> str:
    """A hexadecimal digest of what a graph computes and in which blocks: ops, shapes, edges, shared weights, outputs; no names.

    Each node is hashed with the hashes of what it reads (a Merkle DAG); the graph is the multiset of its nodes' hashes, so that two equal
    layers beside each other differ from one that is read twice. Equal across processes and machines.
    """
    hashes: list[bytes] = []
    places: dict[str, bytes] = {}
    for node in graph.nodes:
        block = node.block if node.block != node.name else ""  # a layer of its own is a block of its name
        head = _head(node.op, node.shape, block, node.params)
        if node.shares:
            head += b"shares" + places[node.shares]
        digest = blake2b(head + b"".join([hashes[i] for i in node.inputs]), digest_size=BYTES).digest()
        hashes.append(digest)
        places[node.name] = digest
    whole = blake2b(digest_size=BYTES)
    for digest in sorted(hashes):
        whole.update(digest)
    for i in graph.outputs:
        whole.update(hashes[i])
    return whole.hexdigest()


@lru_cache(maxsize=1 << 14)
def _head(op: Op, shape: Shape, block: str, params: int | None) -> bytes:
    return f"{op!r}|{shape}|{block}|{params}|".encode()
