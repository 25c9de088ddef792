"""Naming: the nodes of an assembled program get names, blocks and their shares of the weights from the module tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Input, Op, Parameter, Select, Shape, Slice
from archspace.pytorch.importer.program import Path, Program, Step
from archspace.pytorch.importer.scopes import Scopes

# Overloads that take an axis apart: into how many parts, and where they begin, follows from its size.
LAST = 2**62  # where a slice ends that is given no end
PARTS = ("aten.chunk.", "aten.split.", "aten.split_with_sizes.", "aten.tensor_split.", "aten.unbind.", "aten.unsafe_split.")


@dataclass(frozen=True, slots=True)
class Pending:
    """A node whose name is still to be found: its op, the positions of its inputs, the modules around it, the word for it there.

    `step` is the position of the step that it is made of; `is_side` says that it only prepares or finishes that step's own op. A parameter
    or buffer of the module has its `name` already.
    """

    op: Op
    inputs: tuple[int, ...]
    shape: Shape
    path: Path
    word: str
    step: int
    weights: frozenset[str]
    is_side: bool = False
    name: str = ""
    recipes: tuple[object, ...] = ()  # of its weights


@dataclass(frozen=True, slots=True)
class Origins:
    """Where nodes come from, by name: the step that a node is made of (-1 for inputs), the tensor that a Parameter is."""

    steps: Mapping[str, int]
    tensors: Mapping[str, int]


def named(
    program: Program, scopes: Scopes, pending: Sequence[Pending], numbers: Mapping[int, int], outputs: list[int]
) -> tuple[Graph, Origins]:
    """The graph of the pending nodes, and where its weights come from. `numbers` are the tensors that Parameter nodes are, by position."""
    return _Naming(program, scopes, pending).graph(numbers, outputs)


@dataclass(frozen=True, slots=True)
class _Naming:
    """The pending nodes of a program, and the names that its modules hand out."""

    program: Program
    scopes: Scopes
    pending: Sequence[Pending]

    def graph(self, numbers: Mapping[int, int], outputs: list[int]) -> tuple[Graph, Origins]:
        """The nodes with their names, blocks and shares of the weights, without views that nobody reads; and their origins."""
        steps: dict[Path, set[int]] = {}
        for one in self.pending:
            steps.setdefault(one.path, set()).add(one.step)
        leaving = {module for path in steps for _, module in path}
        branching = frozenset([_seen(module, leaving) for module in self.program.branching])
        kept = self._kept(outputs)
        places = {old: new for new, old in enumerate(kept)}
        owners: dict[str, str] = {}
        recipes: dict[str, tuple[object, ...]] = {}  # of the weights of each node
        whole: set[str] = set()  # scopes that are a node themselves
        weighted = {one.path[-1][1] for one in self.pending if one.path and one.weights and not isinstance(one.op, Parameter)}
        nodes: list[Node] = []
        origins, tensors = dict[str, int](), dict[str, int]()
        for i in kept:
            one = self.pending[i]
            scope = self.scopes.scope(one.path)
            if one.name:
                name = self._own_name(one.name, weighted)
            elif self.scopes.is_leaf(one.path) and len(steps[one.path]) == 1 and not one.is_side and not isinstance(one.op, Parameter):
                name = self.scopes.unique(scope) if scope in whole else scope
                whole.add(scope)
            elif self.scopes.is_leaf(one.path) and len(steps[one.path]) == 1:
                name = self.scopes.unique(f"{scope}_{one.word}")
            else:
                name = self.scopes.unique(f"{scope}.{one.word}" if scope else one.word)
            if isinstance(one.op, Parameter):
                tensors[name] = numbers[i]
            else:
                origins[name] = one.step
            shares, params = self._own_params(one, owners, recipes)
            recipes[name] = one.recipes
            owners |= dict.fromkeys(one.weights - owners.keys(), name)
            inputs = tuple([places[source] for source in one.inputs])
            block = self.program.steps[one.step].block if one.step >= 0 else ""
            block = block or self.scopes.block(one.path, name)
            nodes.append(Node(name, one.op, inputs, one.shape, block, shares, params, self._is_pinned(one, branching)))
        graph = Graph(self.program.name, tuple(nodes), tuple([places[i] for i in outputs]))
        return graph, Origins(origins, tensors)

    def _own_name(self, name: str, weighted: set[str]) -> str:
        """The name of a parameter or buffer of the module: its own, or one beside the layer that holds it and has weights as a node."""
        owner, _, last = name.rpartition(".")
        return self.scopes.unique(f"{owner}_{last}" if owner in weighted else name)

    def _kept(self, outputs: list[int]) -> list[int]:
        """The positions of the nodes that are returned, read, or cost something."""
        kept = set(outputs)
        for i in range(len(self.pending) - 1, -1, -1):
            one = self.pending[i]
            costs = self._counts(one) != Counts() and not isinstance(one.op, Parameter)
            if i in kept or costs or isinstance(one.op, Input):
                kept |= {i, *one.inputs}
        return sorted(kept)

    def _is_pinned(self, one: Pending, branching: frozenset[str]) -> bool:
        """Whether an op is what it is because of the sizes of tensors: by its arguments, or by a branch of a module around it."""
        if one.step < 0 or isinstance(one.op, Parameter):
            return False
        step = self.program.steps[one.step]
        is_part = step.target.startswith(PARTS) and isinstance(one.op, Slice | Select) and one.op.dim > 0
        fixed = step.is_measured or is_part or is_fixed_slice(step)
        return fixed or "" in branching or any(module in branching for _, module in one.path)

    def _counts(self, one: Pending) -> Counts:
        return one.op.counts(tuple([self.pending[i].shape for i in one.inputs]), one.shape)

    def _own_params(self, one: Pending, owners: Mapping[str, str], recipes: Mapping[str, tuple[object, ...]]) -> tuple[str, int | None]:
        """Whose weights a node takes ('' for its own), and how many it is the first to use where that is not the op's number."""
        of_op = self._counts(one).params
        new = sum(self.program.sizes[name] for name in one.weights - owners.keys())
        if new == of_op:
            return "", None
        sharers = {owners[name] for name in one.weights & owners.keys()}
        is_whole = new == 0 and len(sharers) == 1 and sum(self.program.sizes[name] for name in one.weights) == of_op
        is_same = is_whole and recipes[next(iter(sharers))] == one.recipes
        return (sharers.pop() if is_same else ""), new


def _seen(module: str, leaving: set[str]) -> str:
    """The innermost module around one (or itself) that has left nodes; '' for the root."""
    while module and module not in leaving:
        module = module.rpartition(".")[0]
    return module


def is_fixed_slice(step: Step) -> bool:
    """Whether a slice along an axis in space counts from its end, or ends at a place that may lie within another size."""
    if not step.target.startswith(("aten.slice.", "aten.narrow.")) or step.arguments["dim"] in (0, 1):
        return False
    ends = [step.arguments.get(name) for name in ("start", "end")]
    return any(isinstance(end, int) and end < 0 for end in ends) or (isinstance(ends[1], int) and ends[1] < LAST)
