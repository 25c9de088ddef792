"""The tree of scopes behind a graph's dotted names: which scopes become modules, and in what order their parts run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import count, takewhile
from keyword import iskeyword

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import Input
from archspace.pytorch.code.pieces import Expression, Layer, Stored, Written


@dataclass(slots=True)
class Scope:
    """One part of a dotted name: its children in order, scopes or positions of nodes, and the positions of all nodes below."""

    name: str
    children: dict[str, Scope | int] = field(default_factory=dict)
    members: set[int] = field(default_factory=set)
    is_stack: bool = False  # blocks lie below: it is more than one block
    is_open: bool = False  # its parts are run by the scope around it
    has_layers: bool = False  # or tensors of its own


@dataclass(frozen=True, slots=True)
class Part:
    """What a scope runs at once: a child, or a part of an open child, under its path in the scope."""

    path: tuple[str, ...]
    child: Scope | int

    @property
    def members(self) -> set[int]:
        return {self.child} if isinstance(self.child, int) else self.child.members


class Tree:
    """A graph with its nodes' code and its scopes.

    A scope is open where it cannot be a module with a forward of its own: it has no layer or tensor of its own, reads nothing or has no
    result, or hands a value out and needs what becomes of it, or has names that are no attribute's (numbers) and is no row, or a node in
    it uses the weights of another scope.
    Raises LawError where a node's name is a scope's too.
    """

    def __init__(self, graph: Graph, code: Sequence[Written], calls: Sequence[str]) -> None:
        self.graph = graph
        self.code = code
        self.calls = calls  # the name of the module that each node calls: its own, or that of a node before
        self.readers: list[list[int]] = [[] for _ in graph.nodes]
        for i, node in enumerate(graph.nodes):
            for k in node.inputs:
                self.readers[k].append(i)
        self.root = self._scopes()
        self._open_sharing()
        self._open_unwritable(self.root)
        self._open_cycles(self.root)

    def _scopes(self) -> Scope:
        blocks = {node.block.rpartition(".")[0] for node in self.graph}
        stacks = {block[:i] for block in blocks for i in range(1, len(block) + 1) if block[i : i + 1] in (".", "")}
        names = {node.name for node in self.graph}
        scopes = {name[:i] for name in names for i, sign in enumerate(name) if sign == "."}
        root = Scope("", is_stack=True)
        for i, node in enumerate(self.graph):
            if isinstance(node.op, Input):
                continue
            *parents, last = node.name.split(".")
            if node.name in scopes and isinstance(self.code[i], Expression):  # no module bears its name: it is what the scope computes
                parents, last = [*parents, last], next(word for k in count() if f"{node.name}.{(word := 'out' + '_' * k)}" not in names)
            path, name = [root], ""
            for part in parents:
                name = f"{name}.{part}".lstrip(".")
                child = path[-1].children.setdefault(part, Scope(name, is_stack=name in stacks))
                path.append(child if isinstance(child, Scope) else self._clash(node.name, part))
            if last in path[-1].children:
                self._clash(node.name, last)
            path[-1].children[last] = i
            for one in path:
                one.members.add(i)
                one.has_layers |= self.is_own(i)
        return root

    def is_own_layer(self, i: int) -> bool:
        """Whether a node is a submodule under its own name."""
        return isinstance(self.code[i], Layer) and self.calls[i] == self.graph.nodes[i].name

    def is_own(self, i: int) -> bool:
        """Whether a node is a submodule or a tensor under its own name."""
        return isinstance(self.code[i], Layer | Stored) and self.calls[i] == self.graph.nodes[i].name

    def place(self, members: set[int]) -> int:
        """Where a set of nodes stands among the submodules, as state dicts have them: the position of its first layer or tensor."""
        return min((i for i in members if self.is_own(i)), default=len(self.code))

    def _clash(self, name: str, part: str) -> Scope:
        raise LawError(f"{name}: a scope must not be a node itself, but {part!r} is one. Rename the node or the scope.")

    def _open_sharing(self) -> None:
        """A node that calls another's module runs where both can be seen."""
        for node, called in zip(self.graph, self.calls, strict=True):
            if called == node.name:
                continue
            mine, owner = node.name.split(".")[:-1], called.split(".")[:-1]
            common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(mine, owner, strict=False)))
            scope = self.root
            for depth, part in enumerate(mine):
                child = scope.children[part]
                assert isinstance(child, Scope)
                child.is_open |= depth >= common
                scope = child

    def _open_unwritable(self, scope: Scope) -> None:
        for child in scope.children.values():
            if isinstance(child, Scope):
                self._open_unwritable(child)
                named = all(is_attribute(name) for name in child.children)
                runs = child.has_layers and self.reads(child.members) and self.results(child.members)
                child.is_open |= not runs or not (named or self.is_row(child))

    def _open_cycles(self, scope: Scope) -> None:
        cycle = self._order(scope)[1]
        while cycle:
            for part in cycle:
                if isinstance(part.child, Scope):
                    part.child.is_open = True
            cycle = self._order(scope)[1]
        for part in parts_of(scope):
            if isinstance(part.child, Scope):
                self._open_cycles(part.child)

    def running_order(self, scope: Scope) -> list[Part]:
        """The parts of a scope in the order in which they run: each after what it reads, else as the graph has them."""
        return self._order(scope)[0]

    def _order(self, scope: Scope) -> tuple[list[Part], list[Part]]:
        """The parts in running order; or, where there is none, the parts of a cycle."""
        parts = {part.path: part for part in parts_of(scope)}
        owner = {i: path for path, part in parts.items() for i in part.members}
        first = {path: min(part.members) for path, part in parts.items()}
        sorter: TopologicalSorter[tuple[str, ...]] = TopologicalSorter(dict.fromkeys(parts, ()))
        for i, path in owner.items():
            sorter.add(path, *{owner[k] for k in self.graph.nodes[i].inputs if owner.get(k, path) != path})
        try:
            sorter.prepare()
        except CycleError as error:
            return [], [parts[path] for path in error.args[1]]
        order, ready = [], list(sorter.get_ready())
        while ready:
            ready.sort(key=first.__getitem__)
            path = ready.pop(0)
            order.append(parts[path])
            sorter.done(path)
            ready.extend(sorter.get_ready())
        return order, []

    def reads(self, members: set[int]) -> list[int]:
        """The values that come into a set of nodes from outside, in the order in which they are read."""
        return list(dict.fromkeys(k for i in sorted(members) for k in self.graph.nodes[i].inputs if k not in members))

    def results(self, members: set[int]) -> list[int]:
        """The values that leave a set of nodes, in order."""
        outputs = set(self.graph.outputs)
        return [i for i in sorted(members) if i in outputs or any(k not in members for k in self.readers[i])]

    def is_row(self, scope: Scope) -> bool:
        """Whether the children are modules that run in a row, each on the one value that the one before gives."""
        value = self.reads(scope.members)
        for child in scope.children.values():
            if isinstance(child, int):
                if not self.is_own_layer(child) or len(self.graph.nodes[child].inputs) != 1:
                    return False
            elif child.is_open or not child.has_layers:
                return False
            members = {child} if isinstance(child, int) else child.members
            if len(value) != 1 or self.reads(members) != value:
                return False
            value = self.results(members)
        return value == self.results(scope.members) and len(value) == 1


def parts_of(scope: Scope) -> list[Part]:
    """What a scope runs, in the order of the names."""
    return list(_parts(scope, ()))


def _parts(scope: Scope, path: tuple[str, ...]) -> Iterator[Part]:
    for name, child in scope.children.items():
        if isinstance(child, Scope) and child.is_open:
            yield from _parts(child, (*path, name))
        else:
            yield Part((*path, name), child)


def is_attribute(name: str) -> bool:
    """Whether a child can be written as `self.name`."""
    return name.isidentifier() and not iskeyword(name)
