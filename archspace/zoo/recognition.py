"""Which network of the zoo a graph is, whatever its nodes are called: options are read off it, and rebuilding them must give it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from archspace.errors import LawError
from archspace.ir.digest import graph_digest
from archspace.ir.graph import Graph
from archspace.ir.ops import (
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelSlice,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Input,
    Linear,
    Multiply,
    Op,
)
from archspace.zoo import ZOO, build, chosen_options
from archspace.zoo.read_bottlenecks import read_fenet, read_mobilenet_v2
from archspace.zoo.read_layers import NotReadError, Read, read
from archspace.zoo.read_shufflenets import read_v1, read_v2

BYTES = 12
TRANSPARENT = (BatchNorm2d, Dropout, Flatten)  # what a deployed network goes without, or writes in another way
TRANSPARENT_NAMES = ("Copy", "Identity", "Reshape", "Squeeze")
COMMUTATIVE = (Add, Multiply)

# family -> candidates for its options, read off a graph.
READERS: dict[str, Callable[[Read], Iterator[dict[str, Any]]]] = {
    "shufflenet_v1": read_v1,
    "shufflenet_v2": read_v2,
    "mobilenet_v2": read_mobilenet_v2,
    "fenet": read_fenet,
}


@dataclass(frozen=True, slots=True)
class Recognised:
    """A family and the options (those that differ from its defaults) that build a graph again.

    `is_exact`: to the last op, blocks included, as its config says; else equal but for names, blocks, batch norms and biases that may be
    folded into convolutions, dropout, and whether slices are views.
    """

    family: str
    options: Mapping[str, Any]
    is_exact: bool

    def build(self) -> Graph:
        """The zoo's network."""
        return build(self.family, **self.options)


def recognised(graph: Graph) -> Recognised:
    """The network of the zoo that a graph is. Raises LawError when it is none that can be read, with the families that can."""
    by_config = _by_config(graph)
    if by_config is not None:
        return by_config
    wanted = structure_digest(graph)
    near = []
    try:
        found = read(graph)
        for family, reader in READERS.items():
            for options in _candidates(reader, found):
                candidate = _built(family, options)
                if candidate is not None and structure_digest(candidate) == wanted:
                    return Recognised(family, _short(family, candidate, wanted), False)
                near.append(family)
    except NotReadError as error:
        raise LawError(f"{graph.name}: {error}. {_known()}") from None
    likeness = f" (rebuilt as {near[0]} it is another network)" if near else ""
    raise LawError(f"{graph.name}: its structure must be that of a known family, but is that of none{likeness}. {_known()}")


def _candidates(reader: Callable[[Read], Iterator[dict[str, Any]]], found: Read) -> Iterator[dict[str, Any]]:
    """What a reader finds; nothing from where the graph is not built as its family."""
    try:
        yield from reader(found)
    except NotReadError:
        return


def _known() -> str:
    return f"Graphs without a config are recognised of the families {', '.join(READERS)}; of any other, name the zoo network."


def structure_digest(graph: Graph) -> str:
    """A digest of what a graph computes, without names, blocks and shapes beyond the input's, and without what `Recognised` leaves open."""
    hashes: list[bytes] = []
    seen: list[bytes] = []
    for node in graph.nodes:
        if isinstance(node.op, TRANSPARENT) or type(node.op).__name__ in TRANSPARENT_NAMES:
            hashes.append(hashes[node.inputs[0]])
            continue
        parts = [hashes[i] for i in node.inputs]
        parts = sorted(parts) if isinstance(node.op, COMMUTATIVE) else parts
        head = f"{node.shape}" if isinstance(node.op, Input) else repr(_plain(node.op))
        hashes.append(blake2b(head.encode() + b"|" + b"".join(parts), digest_size=BYTES).digest())
        seen.append(hashes[-1])
    whole = blake2b(b"".join(sorted(seen)) + b"".join([hashes[i] for i in graph.outputs]), digest_size=BYTES)
    return whole.hexdigest()


def _plain(op: Op) -> Op:
    """The op without what deploying or importing may change of it."""
    if isinstance(op, Conv2d | Linear):
        return replace(op, bias=False)
    if isinstance(op, ChannelSlice | Concat):
        return replace(op, copies=False)
    return AdaptiveAvgPool2d(1) if type(op).__name__ == "Mean" else op


def _by_config(graph: Graph) -> Recognised | None:
    """What a graph's config says, where that is true: a graph may have been changed since."""
    family = graph.config.get("family")
    if family not in ZOO:
        return None
    options = chosen_options(graph.config)
    candidate = _built(family, options)
    if candidate is None or graph_digest(candidate) != graph_digest(graph):
        return None
    return Recognised(family, options, True)


def _built(family: str, options: Mapping[str, Any]) -> Graph | None:
    """The graph of options; None where there is none."""
    try:
        return build(family, **options)
    except LawError:
        return None


def _short(family: str, candidate: Graph, wanted: str) -> dict[str, Any]:
    """The candidate's options that differ from the defaults, without those that may be left out all the same."""
    options = chosen_options(candidate.config)
    for name in list(options):
        fewer = {key: value for key, value in options.items() if key != name}
        shorter = _built(family, fewer)
        if shorter is not None and structure_digest(shorter) == wanted:
            options = fewer
    return options
