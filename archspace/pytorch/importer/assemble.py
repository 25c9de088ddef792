"""Assembly: a captured program as a graph, call by call."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind, OutputKind

from archspace.errors import LawError
from archspace.ir.graph import Graph, Node
from archspace.ir.ops import Flatten, Input, Op, Opaque, Pad, Shape
from archspace.pytorch.importer.aten import ATEN, CHECKS, VIEWS
from archspace.pytorch.importer.capture import Captured
from archspace.pytorch.importer.patterns import LAYERS, find_shuffles, layer_call, shape_of
from archspace.pytorch.importer.readings import ACTIVATION, Call, Parts, Weight
from archspace.pytorch.importer.scopes import Path, Scopes, path_of, traced_words

BROADCASTING = ("aten.add.", "aten.add_.", "aten.mul.", "aten.mul_.", "aten.multiply.")
SIDE_WORDS: dict[type[Op], str] = {Pad: "pad", Flatten: "flatten"}  # ops that only prepare or finish a call's own op


@dataclass(frozen=True, slots=True)
class Pending:
    """A node whose name is still to be found: its op, the positions of its inputs, the modules around it, the word for it there.

    `call` is the position of the fx node that it is made of; `is_side` says that it only prepares or finishes that call's own op.
    """

    op: Op
    inputs: tuple[int, ...]
    shape: Shape
    path: Path
    word: str
    call: int
    weights: frozenset[str]
    is_side: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """A call with several outputs, whose nodes are made when they are read."""

    outputs: tuple[Op, ...]
    inputs: tuple[int, ...]
    node: fx.Node
    weights: frozenset[str] = frozenset()


Held = int | Weight | Split | None  # what a fx node stands for: a position among the pending nodes, weights, several outputs, no tensor


def graph_of(captured: Captured) -> Graph:
    """The graph of a captured program. Raises LawError when nothing that comes from the inputs is returned."""
    assembly = _Assembly(captured)
    outputs = assembly.run()
    if not outputs:
        raise LawError(f"{captured.name}: forward must return a tensor that comes from its inputs, but returns none")
    return Graph(captured.name, assembly.named(), tuple(outputs))


class _Assembly:
    """One pass over a program: `held` says what each fx node stands for, `pending` are the nodes so far."""

    def __init__(self, captured: Captured) -> None:
        self.program = captured.program
        self.nodes = list(self.program.graph.nodes)
        self.modules = dict(captured.module.named_modules(remove_duplicate=False))
        self.scopes = Scopes({name: module for name, module in self.modules.items() if name})
        self.held: dict[fx.Node, Held] = {}
        self.pending: list[Pending] = []
        self.storage: dict[fx.Node, fx.Node] = {}  # whose memory a node's result lies in
        self.order = {node: i for i, node in enumerate(self.nodes)}
        self.parameters = _parameters(self.program, captured.module)
        self.sizes = {name: p.numel() for name, p in captured.module.named_parameters()}
        self.shuffles, self.inside_shuffles = find_shuffles(self.program.graph)
        calls = {node: call for node in self.nodes if (call := layer_call(node, self.modules)) is not None}
        self.layers = calls
        own = [node for node in self.nodes if node.op == "call_function" and not path_of(node)]  # calls of the root itself
        words = traced_words(captured.module)
        self.words = dict(zip(own, words, strict=True)) if len(own) == len(words) else {}
        self.layer_ends = {key: node for node, (key, _) in calls.items()}  # the last node of each call

    def run(self) -> list[int]:
        """Every node in order; returns the positions of what the program returns."""
        for node in self.nodes:
            self.storage[node] = node
            if node.op == "placeholder":
                self.held[node] = self._placeholder(node)
            elif node.op == "get_attr":
                self.held[node] = Weight(shape_of(node))
            elif node.op == "call_function" and node not in self.inside_shuffles and not str(node.target).startswith(CHECKS):
                self.held[node] = self._call(node)
        by_name = {node.name: node for node in self.nodes}
        returned = [
            self.held.get(by_name[spec.arg.name])
            for spec in self.program.graph_signature.output_specs
            if spec.kind == OutputKind.USER_OUTPUT and getattr(spec.arg, "name", None) in by_name
        ]
        return [held for held in returned if isinstance(held, int)]

    def _placeholder(self, node: fx.Node) -> Held:
        if node.name in self.parameters:
            return Weight(shape_of(node), self.parameters[node.name])
        if not isinstance(node.meta.get("val"), torch.Tensor):
            return None
        return self._append(Input(shape_of(node)), (), shape_of(node), node, frozenset(), word=node.name)

    def _call(self, node: fx.Node) -> Held:
        if node in self.layers:
            return self._layer(node)
        if node.target is operator.getitem:
            return self._item(node)
        if node in self.shuffles:
            source, shuffle = self.shuffles[node]
            held = self.held[source]
            if isinstance(held, int):
                return self._append(shuffle, (held,), shape_of(node), node, frozenset())
        sources = [source for source in node.all_input_nodes if isinstance(self.held.get(source), int | Weight)]
        flowing = [held for source in _tensors(node) if isinstance(held := self.held.get(source), int)]
        weights = frozenset(name for source in sources if isinstance(held := self.held[source], Weight) for name in held.names)
        if not flowing:
            return Weight(shape_of(node), weights)
        return self._read(node, flowing, weights)

    def _layer(self, node: fx.Node) -> Held:
        """A layer of archspace's own is one op at the last of its calls."""
        key, layer = self.layers[node]
        if self.layer_ends[key] is not node:
            return None
        members = {one for one, (other, _) in self.layers.items() if other == key}
        sources = [source for one in self.nodes if one in members for source in one.all_input_nodes if source not in members]
        flowing = [held for source in sources if isinstance(held := self.held[source], int)]
        names = frozenset(name for source in sources if isinstance(held := self.held[source], Weight) for name in held.names)
        return self._append(LAYERS[type(layer)](layer), tuple(dict.fromkeys(flowing)), shape_of(node), node, names)

    def _item(self, node: fx.Node) -> Held:
        source, index = node.args[0], node.args[1]
        assert isinstance(source, fx.Node)
        self.storage[node] = self.storage[source]
        held = self.held.get(source)
        if not node.users:
            return None  # a tuple is taken apart whole, whatever is read of it
        if not isinstance(held, Split) or not isinstance(index, int):
            return Weight(shape_of(node), held.names) if isinstance(held, Weight) else None
        op = held.outputs[index]
        return self._append(op, held.inputs, shape_of(node), held.node, held.weights)

    def _read(self, node: fx.Node, flowing: list[int], weights: frozenset[str]) -> Held:
        """A call with activations, as the table reads it; Opaque where it cannot, or where the shapes disagree."""
        kind = str(node.target)
        call = Call(self._arguments(node), tuple([self.pending[i].shape for i in flowing]), shape_of(node))
        clean = not kind.partition(".")[2].partition(".")[0].endswith("_") or self._may_write(node)
        reading = ATEN[kind](call) if kind in ATEN and clean else None
        if kind.startswith("aten.expand") and clean and all(str(user.target).startswith(BROADCASTING) for user in node.users):
            reading = ()  # the op that reads it broadcasts by itself
        if kind in VIEWS or reading == () or kind.partition(".")[2].partition(".")[0].endswith("_"):
            first = node.all_input_nodes[0]
            self.storage[node] = self.storage[first]
        if isinstance(reading, Parts):
            return Split(reading.ops, tuple(flowing[:1]), node)
        if reading is not None:
            made = self._chain(node, reading, flowing, weights)
            if made is not None:
                return made
        return self._opaque(node, kind if clean else f"{kind} into a view", flowing, weights)

    def _chain(self, node: fx.Node, ops: tuple[Op, ...], flowing: list[int], weights: frozenset[str]) -> int | None:
        """The nodes of ops in a row; None when an op's law or the last shape says that they are not what was called."""
        if not ops:
            return flowing[0]
        shapes = [self.pending[i].shape for i in flowing]
        outs: list[Shape] = []
        try:
            for op in ops:
                outs.append(op.out_shape(*(outs[-1:] or shapes)))
        except LawError:
            return None
        if outs[-1] != shape_of(node):
            return None
        last = 0
        for i, (op, shape) in enumerate(zip(ops, outs, strict=True)):
            is_side = len(ops) > 1 and type(op) in SIDE_WORDS
            word = SIDE_WORDS[type(op)] if is_side else ""
            inputs = tuple(flowing) if i == 0 else (last,)
            last = self._append(op, inputs, shape, node, frozenset() if is_side else weights, word=word, is_side=is_side)
        return last

    def _opaque(self, node: fx.Node, kind: str, flowing: list[int], weights: frozenset[str]) -> Held:
        value = node.meta.get("val")
        elems = sum(self.sizes[name] for name in weights)
        if isinstance(value, torch.Tensor):
            return self._append(Opaque(kind, tuple(value.shape), elems), tuple(flowing), tuple(value.shape), node, weights)
        if isinstance(value, tuple | list):
            outputs = tuple([Opaque(kind, tuple(one.shape), elems) for one in value if isinstance(one, torch.Tensor)])
            return Split(outputs, tuple(flowing), node, weights) if len(outputs) == len(value) else None
        return None

    def _may_write(self, node: fx.Node) -> bool:
        """Whether nobody reads the memory that a call writes into under another name later on."""
        target = node.all_input_nodes[0]
        place, memory = self.order[node], self.storage[target]
        sharing = [one for one, owner in self.storage.items() if owner is memory and one is not node]
        return not any(self.order[user] > place for one in sharing for user in one.users)

    def _arguments(self, node: fx.Node) -> dict[str, Any]:
        """The arguments by the schema's names, defaults filled in, tensors as `Weight` or ACTIVATION."""
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            return {}
        given = {argument.name: value for argument, value in zip(schema.arguments, node.args, strict=False)} | dict(node.kwargs)
        return {argument.name: self._plain(given.get(argument.name, argument.default_value)) for argument in schema.arguments}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            held = self.held.get(value)
            return held if isinstance(held, Weight) else ACTIVATION
        return [self._plain(one) for one in value] if isinstance(value, list | tuple) else value

    def _append(
        self,
        op: Op,
        inputs: tuple[int, ...],
        shape: Shape,
        node: fx.Node,
        weights: frozenset[str],
        *,
        word: str = "",
        is_side: bool = False,
    ) -> int:
        word = word or self.words.get(node) or _word(node)
        self.pending.append(Pending(op, inputs, shape, path_of(node), word, self.order[node], weights, is_side))
        return len(self.pending) - 1

    def named(self) -> tuple[Node, ...]:
        """The nodes with their names, blocks and shares of the weights."""
        calls: dict[Path, set[int]] = {}
        for one in self.pending:
            calls.setdefault(one.path, set()).add(one.call)
        owners: dict[str, str] = {}
        whole: set[str] = set()  # scopes that are a node themselves
        nodes: list[Node] = []
        for one in self.pending:
            scope = self.scopes.scope(one.path)
            if self.scopes.is_leaf(one.path) and len(calls[one.path]) == 1 and not one.is_side:
                name = self.scopes.unique(scope) if scope in whole else scope
                whole.add(scope)
            elif self.scopes.is_leaf(one.path) and len(calls[one.path]) == 1:
                name = self.scopes.unique(f"{scope}_{one.word}")
            else:
                name = self.scopes.unique(f"{scope}.{one.word}" if scope else one.word)
            shares, params = self._own_params(one, owners)
            owners |= dict.fromkeys(one.weights - owners.keys(), name)
            nodes.append(Node(name, one.op, one.inputs, one.shape, self.scopes.block(one.path, name), shares, params))
        return tuple(nodes)

    def _own_params(self, one: Pending, owners: dict[str, str]) -> tuple[str, int | None]:
        """Whose weights a node takes ('' for its own), and how many it is the first to use where that is not the op's number."""
        of_op = one.op.counts(tuple([self.pending[i].shape for i in one.inputs]), one.shape).params
        new = sum(self.sizes[name] for name in one.weights - owners.keys())
        if new == of_op:
            return "", None
        sharers = {owners[name] for name in one.weights & owners.keys()}
        is_shared_whole = new == 0 and len(sharers) == 1 and sum(self.sizes[name] for name in one.weights) == of_op
        return (sharers.pop() if is_shared_whole else ""), new


def _word(node: fx.Node) -> str:
    """What a functional call is named after: 'relu' for aten.relu_.default."""
    parts = str(node.target).split(".")
    return (parts[1] if len(parts) > 1 else parts[0]).strip("_")


def _tensors(node: fx.Node) -> list[fx.Node]:
    """The fx nodes among a call's arguments in order, each as often as it stands there."""
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), found.append)
    return found


def _parameters(program: torch.export.ExportedProgram, module: nn.Module) -> dict[str, frozenset[str]]:
    """The placeholders that are not inputs: the parameter that each is, under its first name; none for buffers and constants."""
    first: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        first.setdefault(id(parameter), name)
    every = dict(module.named_parameters(remove_duplicate=False))
    found: dict[str, frozenset[str]] = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.PARAMETER:
            found[spec.arg.name] = frozenset([first[id(every[str(spec.target)])]])
        elif spec.kind != InputKind.USER_INPUT:
            found[str(getattr(spec.arg, "name", ""))] = frozenset()
    return found
