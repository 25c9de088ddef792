"""Naming: dotted names, blocks and shares of the weights for the nodes of a file."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from archspace.ir.graph import Node
from archspace.ir.ops import Op, Opaque, Pointwise, Reduce, Scan, View
from archspace.onnx.assemble import Assembled, Pending
from archspace.onnx.names import Place, plain

LONGEST_BLOCK = 4  # layers with weights in a row that still read as one block
NUMBERED = re.compile(r"\d+|\w*(layer|block|unit|cell|stage)[\d_-]*\d")  # a module in a stack of its like


def named(assembled: Assembled) -> tuple[Node, ...]:
    """The nodes with their names, blocks and shares of the weights. Weights that several use are counted at the first."""
    pending = _placed(assembled.pending)
    scopes = {scope for one in pending for scope in one.place.path}
    inner = {scope.rpartition(".")[0] for scope in scopes}
    calls: dict[tuple[str, ...], set[str]] = {}
    works: dict[tuple[tuple[str, ...], str], int] = {}  # ops of each call that do the work, not views or preparations
    for one in pending:
        calls.setdefault(one.place.path, set()).add(_call(one))
        works[one.place.path, _call(one)] = works.get((one.place.path, _call(one)), 0) + (not _is_side(one))
    blocks = _Blocks(pending)
    taken: set[str] = set()
    owners: dict[str, str] = {}
    nodes: list[Node] = []
    for one in pending:
        scope, count = one.place.path[-1] if one.place.path else "", works[one.place.path, _call(one)]
        is_side = _is_side(one) and count > 0
        alone = bool(scope) and scope not in inner and len(calls[one.place.path]) == 1 and count == 1
        word = plain(one.place.word).strip("_")
        if not word or (is_side and one.inputs):
            word = _word(one.op)
        if alone and not is_side:
            name = _unique(scope, taken)
        elif alone and one.inputs:
            name = _unique(f"{scope}_{word}", taken, scopes)
        else:
            name = _unique(f"{scope}.{word}" if scope else word, taken, scopes)
        shares, params = _own_params(one, pending, owners, assembled.sizes)
        owners |= dict.fromkeys(one.weights - owners.keys(), name)
        nodes.append(Node(name, one.op, one.inputs, one.shape, blocks.of(one.place.path) or name, shares, params))
    return tuple(nodes)


def _placed(pending: Sequence[Pending]) -> tuple[Pending, ...]:
    """The nodes; those of which the file says nothing stand in the innermost stack of modules that all their readers are in."""
    placed = list(pending)
    outer = {scope.rpartition(".")[0] for one in pending for scope in one.place.path}
    parts: dict[int, list[int]] = {}  # the nodes of one node of the file
    readers: dict[int, list[int]] = {}
    for i, one in enumerate(pending):
        parts.setdefault(one.call, []).append(i)
        for source in one.inputs:
            readers.setdefault(source, []).append(i)
    for i in reversed(range(len(placed))):
        if placed[i].place == Place(()):
            paths = [placed[j].place.path for part in parts[placed[i].call] for j in readers.get(part, ())]
            around = [path if not path or path[-1] in outer else path[:-1] for path in paths]
            placed[i] = replace(placed[i], place=Place(_common(around), call=str(placed[i].call)))
    return tuple(placed)


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What all paths begin with."""
    levels = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*paths, strict=False))
    return tuple([level[0] for level in levels])


def _word(op: Op) -> str:
    """What a node is called after its op: 'gelu', 'mul' for a Pointwise that multiplies."""
    known = op.function if isinstance(op, Pointwise | Reduce | Scan) else op.kind if isinstance(op, Opaque) else type(op).__name__
    return plain(known.rpartition(".")[2]).strip("_").lower() or "node"


def _call(one: Pending) -> str:
    """What tells a node's call from others: the exporter's name of it, else the number of the file's node."""
    return one.place.call or str(one.call)


def _is_side(one: Pending) -> bool:
    """Whether a node only prepares or finishes its call's own op."""
    return one.is_side or isinstance(one.op, View)


def _unique(name: str, taken: set[str], kept: Iterable[str] = ()) -> str:
    """`name`, or the first of `name_1`, `name_2`, ... that is neither taken nor a module's."""
    tried, count = name, 0
    while tried in taken or tried in kept:
        count += 1
        tried = f"{name}_{count}"
    taken.add(tried)
    return tried


def _own_params(one: Pending, pending: Sequence[Pending], owners: dict[str, str], sizes: dict[str, int]) -> tuple[str, int | None]:
    """Whose weights a node takes ('' for its own), and how many it is the first to use where that is not the op's number."""
    of_op = one.op.counts(tuple([pending[i].shape for i in one.inputs]), one.shape).params
    new = sum(sizes[name] for name in one.weights - owners.keys())
    if new == of_op:
        return "", None
    sharers = {owners[name] for name in one.weights & owners.keys()}
    is_shared_whole = new == 0 and len(sharers) == 1 and sum(sizes[name] for name in one.weights) == of_op
    return (sharers.pop() if is_shared_whole else ""), new


class _Blocks:
    """Building blocks: of the modules around a node the outermost that is no stack of others."""

    def __init__(self, pending: Sequence[Pending]) -> None:
        self._children: dict[str, set[str]] = {}
        self._layers: dict[str, set[str]] = {}  # the scopes with weights inside a scope
        for one in pending:
            for outer, scope in zip(("", *one.place.path), one.place.path, strict=False):
                self._children.setdefault(outer, set()).add(scope)
                if one.weights:
                    self._layers.setdefault(scope, set()).add(one.place.path[-1])
        self.is_stack = cache(self._is_stack)

    def of(self, path: tuple[str, ...]) -> str:
        """The block of a node in these modules; '' where there is none."""
        return next((scope for scope in path if not self.is_stack(scope)), "")

    def _is_stack(self, scope: str) -> bool:
        """Whether blocks follow each other somewhere in a module, so that it is more than one block itself."""
        children = self._children.get(scope, set())
        return self._is_sequence(scope, children) or any(self.is_stack(child) for child in children if child != scope)

    def _is_sequence(self, scope: str, children: set[str]) -> bool:
        """Children that are numbered, several of them with several layers each, or one alone, or more than LONGEST_BLOCK with one."""
        own = {child: child.removeprefix(f"{scope}.") for child in children}
        if not children or not all(NUMBERED.fullmatch(word) for word in own.values()):
            return any(re.fullmatch(r"(unit|cell)\d+", word) for word in own.values())
        layers = {child: len(self._layers.get(child, ())) for child in children}
        large = [child for child, count in layers.items() if count > 1]
        return len(large) > 1 or len(large) == len(layers) == 1 or sum(count == 1 for count in layers.values()) > LONGEST_BLOCK
