"""Classes: scopes of equal structure share one, whose arguments are the values in which they differ."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from archspace.ir.ops import Input
from archspace.pytorch.code.pieces import Expression, Layer, Stored
from archspace.pytorch.code.tree import Scope, Tree


@dataclass(frozen=True, slots=True)
class Use:
    """A submodule of a class that the code defines."""

    index: int


@dataclass(frozen=True, slots=True)
class Row:
    """Modules that run one after the other: nn.Sequential."""

    members: tuple[tuple[str, Target], ...]


@dataclass(frozen=True, slots=True)
class Again:
    """A module that was called before, or a tensor that was read before, under its path in the class."""

    path: tuple[str, ...]
    tensor: str = ""  # "parameter" or "buffer"


Target = Layer | Expression | Stored | Use | Row | Again
Value = tuple[int, int]  # (-1, k): the k-th argument of forward; (u, k): the k-th result of part u


@dataclass(frozen=True, slots=True)
class Unit:
    """One part of a class: where it stands, what it is, and what it reads."""

    path: tuple[str, ...]
    target: Target
    inputs: tuple[Value, ...]
    results: int


@dataclass(slots=True)
class Structure:
    """A class: its parts in running order, how many values come in, which go out, and one row of values per scope that is one of it.

    `data` holds, per scope and part, the values of its slots, or which instance of its class the part is.
    """

    index: int
    units: tuple[Unit, ...]
    building_order: tuple[int, ...]
    inputs: int
    outputs: tuple[Value, ...]
    scopes: list[Scope] = field(default_factory=list)
    data: list[tuple[Any, ...]] = field(default_factory=list)


def structures(tree: Tree) -> list[Structure]:
    """The classes of a tree, each after those that it uses; the root's is the last."""
    collector = _Collector(tree)
    collector.add(tree.root)
    return list(collector.found.values())


class _Collector:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.found: dict[Hashable, Structure] = {}

    def add(self, scope: Scope) -> tuple[int, int]:
        """Find or make the class of a scope; returns its index and the scope's place among its instances."""
        tree = self.tree
        parts = tree.running_order(scope)
        is_root = scope is tree.root
        reads = [i for i, node in enumerate(tree.graph) if isinstance(node.op, Input)] if is_root else tree.reads(scope.members)
        known: dict[int, Value] = {k: (-1, place) for place, k in enumerate(reads)}
        units, data = [], []
        for u, part in enumerate(parts):
            target, values = self._target(part.child, scope)
            # A layer or an expression may read one value twice; a class takes it once.
            sources = tree.graph.nodes[part.child].inputs if isinstance(part.child, int) else tuple(tree.reads(part.members))
            results = [part.child] if isinstance(part.child, int) else tree.results(part.members)
            units.append(Unit(part.path, target, tuple([known[k] for k in sources]), len(results)))
            data.append(values)
            known |= {k: (u, place) for place, k in enumerate(results)}
        outputs = tree.graph.outputs if is_root else tree.results(scope.members)
        order = tuple(sorted(range(len(parts)), key=lambda u: tree.place(parts[u].members)))
        structure = Structure(len(self.found), tuple(units), order, len(reads), tuple([known[k] for k in outputs]))
        key = ("root" if is_root else "", tuple(map(_unit_key, units)), order, len(reads), structure.outputs)
        structure = self.found.setdefault(key, structure)
        structure.scopes.append(scope)
        structure.data.append(tuple(data))
        return structure.index, len(structure.data) - 1

    def _target(self, child: Scope | int, around: Scope) -> tuple[Target, Any]:
        tree = self.tree
        if isinstance(child, int):
            called = tree.calls[child]
            piece = tree.code[child]
            if not isinstance(piece, Expression) and not tree.is_own(child):
                path = called.removeprefix(f"{around.name}." if around.name else "").split(".")
                return Again(tuple(path), piece.kind if isinstance(piece, Stored) else ""), ()
            return piece, tuple([slot.value for slot in piece.slots])
        if tree.is_row(child) and (child.is_stack or not all(name.isidentifier() for name in child.children)):
            pairs = [(name, *self._target(one, child)) for name, one in child.children.items()]
            return Row(tuple([(name, target) for name, target, _ in pairs])), tuple([values for *_, values in pairs])
        index, place = self.add(child)
        return Use(index), place


def _unit_key(unit: Unit) -> Hashable:
    return unit.path, _key(unit.target), unit.inputs, unit.results


def _key(target: Target) -> Hashable:
    """What two parts must agree in to be written as the same code, values apart."""
    if isinstance(target, Layer):
        return "layer", target.name, tuple([slot.word for slot in target.slots])
    if isinstance(target, Stored):
        return "tensor", target.learned, len(target.slots)
    if isinstance(target, Expression):
        return "expression", target.form, tuple([slot.word for slot in target.slots])
    if isinstance(target, Row):
        return "row", tuple([(name, _key(member)) for name, member in target.members])
    return target
