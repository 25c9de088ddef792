"""model.py: the classes of a graph as one readable file, and shift.py beside it where the graph shifts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch

from archspace.ir.features import feature_info
from archspace.ir.graph import Graph, Node, require_graph
from archspace.ir.ops import SparseShift
from archspace.ir.serde import to_json
from archspace.pytorch import layers
from archspace.pytorch.code.arguments import Argument, Solved, solve
from archspace.pytorch.code.classes import Again, Row, Target, Use, structures
from archspace.pytorch.code.forward import forward_lines, input_names, within
from archspace.pytorch.code.layout import INDENT, Bracket, Code, call, laid_out
from archspace.pytorch.code.literals import NUMBERS, broken, literal
from archspace.pytorch.code.naming import class_names
from archspace.pytorch.code.pieces import REQUIRED, Expression, Layer, Stored, Written
from archspace.pytorch.code.readme import readme
from archspace.pytorch.code.rows import STACK, module_dict, prefixed, row
from archspace.pytorch.code.sources import merged, sources_of
from archspace.pytorch.code.start import start_lines
from archspace.pytorch.code.tree import Scope, Tree, is_attribute
from archspace.pytorch.code.written import written
from archspace.pytorch.lower import argument_name, lower

SHIFTS = (layers.FixedShift, layers.GroupedShift, layers.SparseShift)  # what goes into a file of its own
SHIFT_FILE = "shift"
POSITIONAL = 3  # arguments of a block that are given without their names
SHOWN = 3  # scopes that a docstring names


def code_files(graph: Graph, others: Collection[str] = ()) -> dict[str, str]:
    """A graph as files of code, name -> text: model.py, shift.py where a layer shifts, graph.json, README.md.

    model.py holds one class per type of block, and last the network's, which takes `seed`. Its submodules have the nodes' names: state
    dicts are those of `to_module(graph)`, and so are outputs. `others` are the files that will lie beside these, for the README.
    Raises LawError as `to_module` does.
    """
    require_graph("code_files", graph)
    model = _Model(graph)
    files = {**model.files(), "graph.json": to_json(graph)}
    return {**files, "README.md": readme(graph, model.names[-1], {*files, *others}, has_seed=bool(model.start))}


class _Model:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        code, calls, self.ties = _pieces(graph)
        self.tree = Tree(graph, code, calls)
        self.sources = {piece.source.__name__: piece.source for piece in code if piece.source is not None}
        self.solved: list[Solved] = []
        for structure in structures(self.tree):
            self.solved.append(solve(structure, self.solved))
        self.names = class_names([one.structure for one in self.solved], self.tree, [*self.sources, "stack", "numbers"])
        has_learned_shifts = any(isinstance(node.op, SparseShift) and node.op.learned for node in graph)
        names = {piece.name for piece in code if isinstance(piece, Layer)}
        has_tensors = any(isinstance(piece, Stored) and piece.learned for piece in code)
        self.start = start_lines(names, has_learned_shifts=has_learned_shifts, has_tensors=has_tensors)

    def files(self) -> dict[str, str]:
        classes = [line for i in range(len(self.solved)) for line in ("", "", *self._class(i))]
        stack = STACK if any("stack(" in line for line in classes) else []
        stack = [*stack, *(NUMBERS if any("numbers(" in line for line in classes) else [])]
        shifts = [source for source in self.sources.values() if source in SHIFTS]
        copied = sources_of([source for source in self.sources.values() if source not in SHIFTS])
        body = [*(line for text in copied.definitions for line in ("", "", *text.splitlines())), *stack, *classes, *self.start]
        text = "\n".join(body)
        imports = ["from torch import Tensor", "from torch import nn", *copied.imports]
        imports += [line for word, line in USED_IMPORTS.items() if re.search(rf"(?<![\w.]){re.escape(word)}", text)]
        head = [f'"""{self._title()}"""', "", "from __future__ import annotations", "", *merged(imports)]
        if shifts:
            names = sorted(source.__name__ for source in shifts)
            # Whether a linter finds the file depends on where it is run: it is not to be sorted.
            head += ["", "# isort: split", f"from {SHIFT_FILE} import {', '.join(names)}"]
        files = {"model.py": "\n".join([*head, *body]) + "\n"}
        if shifts:
            files[f"{SHIFT_FILE}.py"] = _shift_file(shifts)
        return files

    def _title(self) -> str:
        shapes = " and ".join("x".join(map(str, node.shape)) for node in self.graph.inputs)
        name = re.sub(r"[^\w .:-]", "_", self.graph.name)  # it may come from a file, and stands in a docstring
        return f"{name} for an input of {shapes}, written by archspace."

    def _class(self, i: int) -> list[str]:
        solved = self.solved[i]
        is_root = i == len(self.solved) - 1
        arguments = [
            "self",
            *(_parameter(argument) for argument in solved.arguments),
            *["seed: int | None = None"] * (is_root and bool(self.start)),
        ]
        kept = self._kept(solved)
        lines = [f"class {self.names[i]}(nn.Module):", f'{INDENT}"""{self._doc(i)}"""', ""]
        lines += laid_out(call("def __init__", arguments), 1, after=" -> None:")
        lines.append(f"{INDENT * 2}super().__init__()")
        lines += [f"{INDENT * 2}self.{name} = {name}" for name in kept]
        lines += self._submodules(solved)
        lines += self._finish() if is_root else []
        inputs = self._inputs() if is_root else input_names(solved.structure.inputs)
        results = len(solved.structure.outputs)
        result = "Tensor" if results == 1 else f"tuple[{', '.join(['Tensor'] * results)}]"
        result = result if results <= 4 else "tuple[Tensor, ...]"
        lines.append("")
        lines += laid_out(call("def forward", ["self", *(f"{name}: Tensor" for name in inputs)]), 1, after=f" -> {result}:")
        lines += forward_lines(solved, self._texts(solved, kept), inputs)
        return lines

    def _inputs(self) -> list[str]:
        names = [argument_name(node.name) for node in self.graph.inputs]
        if len(names) == 1:
            return ["x"]
        return names if len(set(names)) == len(names) and all(map(is_attribute, names)) else input_names(len(names))

    def _doc(self, i: int) -> str:
        scopes = [scope.name for scope in self.solved[i].structure.scopes]
        if i == len(self.solved) - 1:
            return f"The whole network: {self._shapes(self.tree.root)}."
        shown = ", ".join(scopes[1:SHOWN])
        more = f" and {len(scopes) - SHOWN} more" if len(scopes) > SHOWN else ""
        also = f"; also {shown}{more}" if shown else ""
        return f"{scopes[0]}: {self._shapes(self.solved[i].structure.scopes[0])}{also}."

    def _shapes(self, scope: Scope) -> str:
        nodes = self.graph.nodes
        before = [_shape(nodes[k]) for k in self.tree.reads(scope.members)]
        after = [_shape(nodes[k]) for k in self.tree.results(scope.members)]
        return f"{' and '.join(before)} -> {' and '.join(after)}"

    def _kept(self, solved: Solved) -> list[str]:
        """The arguments that forward needs."""
        used = [
            text
            for place, text in zip(solved.places, solved.code, strict=True)
            if place.varies and text and isinstance(solved.structure.units[place.unit].target, Expression)
        ]
        return [argument.name for argument in solved.arguments if any(argument.name in text.split() for text in used)]

    def _texts(self, solved: Solved, kept: Sequence[str]) -> list[list[str]]:
        """The code of each part's slots in forward, where arguments are attributes."""
        texts: list[list[str]] = [[] for _ in solved.structure.units]
        for place, text in zip(solved.places, solved.code, strict=True):
            if isinstance(solved.structure.units[place.unit].target, Expression):
                words = (text or literal(place.values[0])).split(" ")
                texts[place.unit].append(" ".join(f"self.{word}" if place.varies and word in kept else word for word in words))
        return texts

    def _submodules(self, solved: Solved) -> Iterator[str]:
        """The lines that make the submodules, those of open scopes in a ModuleDict each."""
        structure = solved.structure
        slots: dict[int, list[str | None]] = {u: [] for u in range(len(structure.units))}
        for place, text in zip(solved.places, solved.code, strict=True):
            slots[place.unit].append(text)
        made: dict[str, Any] = {}
        tensors: list[tuple[list[str], str, str, Code]] = []
        for u in structure.building_order:
            unit = structure.units[u]
            if isinstance(unit.target, Expression | Again):
                continue
            *path, last = unit.path
            inside = made
            for part in path:
                inside = inside.setdefault(part, {})
            if isinstance(unit.target, Stored):
                tensors.append((path, unit.target.kind, last, unit.target.write([text or "" for text in slots[u]])))
            else:
                inside[last] = self._constructor(unit.target, iter(slots[u]))
        # A module's own tensors come first in its state dict: they are written first where they can be.
        yield from (line for path, kind, last, code in tensors if not path for line in _assigned(f"register_{kind}", last, code))
        for name, one in made.items():
            yield from _assigned("add_module", name, module_dict(one) if isinstance(one, dict) else one)
        for path, kind, last, code in tensors:
            if path:
                yield from laid_out(call(f"{within(path)}.register_{kind}", [f'"{last}"', code]), 2)

    def _constructor(self, target: Target, texts: Iterator[str | None]) -> Code:
        if isinstance(target, Row):
            members = [(name, self._constructor(member, texts)) for name, member in target.members]
            return row(members)
        if isinstance(target, Use):
            name, slots = self.names[target.index], [(one.name, one.default) for one in self.solved[target.index].arguments]
            positional = POSITIONAL
        else:
            assert isinstance(target, Layer)
            name, slots, positional = target.name, [(slot.word, slot.default) for slot in target.slots], len(target.slots)
        arguments: list[Code] = []
        for k, (word, default) in enumerate(slots):
            text = next(texts)
            if text is not None:
                value = broken(text)
                arguments.append(value if default is REQUIRED and k < positional else prefixed(f"{word}=", value))
        return call(name, arguments)

    def _finish(self) -> Iterator[str]:
        """What the network does once its submodules are there: shared weights, start values, what it says about its outputs."""
        for name, owner in self.ties:
            yield f'{INDENT * 2}for name, parameter in self.get_submodule("{owner}").named_parameters():'
            yield f'{INDENT * 3}setattr(self.get_submodule("{name}"), name, parameter)'
        info = feature_info(self.graph) if len(self.graph.outputs) > 1 else ()
        if info:
            items = [Bracket("{", tuple(f'"{key}": {literal(value)}' for key, value in one.items()), "}") for one in info]
            yield from laid_out(Bracket("[", tuple(items), "]"), 2, "self.feature_info = ")
        if self.start:
            yield f"{INDENT * 2}init_weights(self, seed)"


# A word in the code -> the import that it needs.
USED_IMPORTS: dict[str, str] = {
    "torch.": "import torch",
    "functional.": "from torch.nn import functional",
    "OrderedDict(": "from collections import OrderedDict",
    "prod(": "from math import prod",
    "sqrt(": "from math import sqrt",
}


def _pieces(graph: Graph) -> tuple[list[Written], list[str], list[tuple[str, str]]]:
    """The code of every node, the name of the module that it calls, and which modules take the weights of which."""
    code: list[Written] = []
    called: list[str] = []
    ties: list[tuple[str, str]] = []
    place = {node.name: i for i, node in enumerate(graph)}
    described: list[str] = []
    with torch.device("meta"):  # shapes alone: no memory, no random numbers
        for node in graph:
            lowered = lower(node)
            described.append(repr(lowered))
            code.append(written(node.op, lowered, graph.input_shapes(node)))
            shares = node.shares if isinstance(code[-1], Layer | Stored) else ""
            is_same = bool(shares) and described[place[shares]] == described[-1]
            called.append(shares if is_same else node.name)
            if shares and not is_same:
                ties.append((node.name, shares))
    return code, called, ties


def _assigned(otherwise: str, name: str, code: Code) -> list[str]:
    """The lines that give the module a part: as an attribute, or where its name is none by that method."""
    return laid_out(code, 2, f"self.{name} = ") if is_attribute(name) else laid_out(call(f"self.{otherwise}", [f'"{name}"', code]), 2)


def _parameter(argument: Argument) -> str:
    kind = "int" if all(type(value) is int for value in argument.values) else _kinds(argument.values)
    return f"{argument.name}: {kind}" + ("" if argument.default is REQUIRED else f" = {literal(argument.default)}")


def _kinds(values: Sequence[Any]) -> str:
    """The annotation of an argument that takes these values."""
    names = {_kind(value) for value in values}
    return " | ".join(sorted(names, key=lambda name: (name == "None", name)))


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        kinds = list(map(_kind, value))
        return f"tuple[{kinds[0]}, ...]" if len(kinds) > SHOWN and len(set(kinds)) == 1 else f"tuple[{', '.join(kinds) or '()'}]"
    return "None" if value is None else type(value).__name__


def _shape(node: Node) -> str:
    return f"({', '.join(map(str, ('n', *node.shape[1:])))})"


def _shift_file(shifts: Sequence[Callable[..., Any]]) -> str:
    """The shift layers as a file of their own, cut out of the package's."""
    found = sources_of(shifts)
    head = ['"""Shift layers (Chen et al., "All You Need is a Few Shifts", CVPR 2019), written by archspace."""', ""]
    body = [line for text in found.definitions for line in ("", "", *text.splitlines())]
    return "\n".join([*head, "from __future__ import annotations", "", *merged(found.imports), *body]) + "\n"
