"""Assembly: a program as a graph, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import ChannelSlice, Concat, Copy, Flatten, Input, Op, Opaque, Overwrite, Pad, PadNd, Parameter, Reshape, Shape, View
from archspace.pytorch.importer.aten import BROADCASTING, CHECKS, COUNTED, FACTORIES, rule_of
from archspace.pytorch.importer.calls import Call, Fed, Operand, Parts, Reading, Results
from archspace.pytorch.importer.naming import Origins, Pending, is_fixed_slice, named
from archspace.pytorch.importer.own_layers import LAYER, LAYERS
from archspace.pytorch.importer.patterns import find_shuffles
from archspace.pytorch.importer.program import Program, Ref, Step, refs_in
from archspace.pytorch.importer.recipes import Recipes
from archspace.pytorch.importer.scopes import Scopes

# Ops that only prepare or finish a call's own op.
SIDE_WORDS: dict[type[Op], str] = {Pad: "pad", PadNd: "pad", Flatten: "flatten", Copy: "copy"}


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that no input has a part in; `names` are the parameters that it is made of, `step` where it is made of one by a call."""

    names: frozenset[str]
    step: int = -1


Held = int | Weight  # what a tensor of the program is: a position among the pending nodes, or weights


def graph_of(program: Program) -> Graph:
    """The graph of a program. Raises LawError when nothing that comes from the inputs is returned."""
    return graph_with_origins(program)[0]


def graph_with_origins(program: Program) -> tuple[Graph, Origins]:
    """The graph of a program, and where its weights come from. Raises LawError as `graph_of`."""
    assembly = _Assembly(program)
    outputs = assembly.run()
    numbers = {position: number for number, position in assembly.parameters.items()}
    return named(program, assembly.scopes, assembly.pending, numbers, outputs)


class _Assembly:
    """One pass over a program: `held` says what each tensor is, `pending` are the nodes so far."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.scopes = Scopes(program.tree)
        self.held: dict[int, Held] = {number: Weight(names) for number, names in program.weights.items()}
        self.pending: list[Pending] = []
        self.parameters: dict[int, int] = {}  # the nodes of weights that are read as activations are
        self.recipes = Recipes(program)
        self.makers = {number: i for i, step in enumerate(program.steps) for number in step.outputs if number is not None}
        self.readers: dict[int, list[int]] = {}
        for i, step in enumerate(program.steps):
            for number in step.inputs:
                self.readers.setdefault(number, []).append(i)
        times = Counter(program.outputs) + Counter({number: len(steps) for number, steps in self.readers.items()})
        self.used = self._used()
        self.shuffles = find_shuffles(program, self.makers, times)
        self.inside = {one for shuffle in self.shuffles.values() for one in shuffle.steps[:-1]}
        self.sharing: dict[int, list[int]] = {}  # the tensors that lie in each memory
        for number, datum in enumerate(program.data):
            self.sharing.setdefault(datum.memory, []).append(number)

    def run(self) -> list[int]:
        """Every step in order; returns the positions of what the program returns."""
        for number, name in self.program.inputs:
            shape = self.program.data[number].shape
            if not shape or 0 in shape:
                law = "an example input must have at least one axis, and none without elements"
                raise LawError(f"{self.program.name}: {law}, but {name} has shape {shape}")
            self.held[number] = self._append(Input(shape), (), shape, -1, word=name)
        for i, step in enumerate(self.program.steps):
            if i not in self.inside and not step.target.startswith(CHECKS):
                self._step(i, step)
        outputs = [self._node(number) for number in self.program.outputs if not isinstance(self.held.get(number), Weight | None)]
        if not outputs:
            raise LawError(f"{self.program.name}: forward must return a tensor that comes from its inputs, but returns none")
        return outputs

    def _step(self, i: int, step: Step) -> None:
        if i in self.shuffles:
            shuffle = self.shuffles[i]
            if not isinstance(self.held[shuffle.source], Weight):
                fed = Fed((shuffle.op,), (self._operand(shuffle.source),))
                shuffled = self._chain(i, step, fed, frozenset())
                assert shuffled is not None
                self._hold(step, [shuffled])
                return
        operands = tuple([self._operand(number) for number in step.inputs])
        names = self._names(step)
        if operands and step.target in COUNTED and all(one.is_weight for one in operands):
            lead = refs_in(step.arguments.get("mat1", step.arguments.get("batch1")) or step.arguments)[0]
            operands = tuple([replace(one, is_weight=False) if one.index == lead else one for one in operands])
        if all(one.is_weight for one in operands) or step.target in FACTORIES:
            self._hold(step, [Weight(names, i) for _ in step.outputs])
            return
        call = Call(self._arguments(step.arguments, operands), operands, tuple([self._datum(number) for number in step.outputs]))
        results = self._made(i, step, call, self._reading(step, call), names)
        self._hold(step, results)
        if step.written:
            self._overwrite(i, step, results)

    def _reading(self, step: Step, call: Call) -> Reading:
        """What the table says; None where it has no row."""
        if step.target == LAYER:
            layer = step.arguments["module"]
            return Fed((LAYERS[type(layer)](layer),), tuple(dict.fromkeys(call.flowing)))
        if step.target.startswith("aten.expand") and self._only_broadcasts(step):
            return ()
        rule = rule_of(step.target)
        reading = rule(call) if rule is not None else None
        return _without_copies(reading) if step.is_in_place else reading

    def _made(self, i: int, step: Step, call: Call, reading: Reading, names: frozenset[str]) -> list[Held]:
        """What the outputs of a step are."""
        if isinstance(reading, Parts):
            source = self._node(call.flowing[0].index)
            return self._parts(i, step.outputs, reading.ops, (source,))
        if isinstance(reading, Results):
            first = self._chain(i, step, Fed((reading.op,), reading.operands), names)
            if first is not None and (reading.views or not any(map(self._is_read, step.outputs[1:]))):
                views = self._parts(i, step.outputs[1 : 1 + len(reading.views)], reading.views, (first,))
                return [first, *views, *[Weight(frozenset()) for _ in step.outputs[1 + len(views) :]]]
        elif reading is not None:
            if reading == () and call.shape == call.out and (step.is_measured or is_fixed_slice(step)):
                reading = (Reshape(call.out[1:]),)  # nothing, at this size: another may ask for something
            fed = reading if isinstance(reading, Fed) else Fed(reading, call.flowing)
            made = self._chain(i, step, fed, names)
            if made is not None:
                return [made]
        return self._opaque(i, step, call, names)

    def _used(self) -> set[int | None]:
        """The tensors that what is returned, or written in place, depends on."""
        used: set[int | None] = set(self.program.outputs)
        for step in reversed(self.program.steps):
            if step.written or not used.isdisjoint(step.outputs):
                used |= set(step.inputs)
        return used - {None}

    def _chain(self, i: int, step: Step, fed: Fed, names: frozenset[str]) -> int | None:
        """The nodes of ops in a row; None when an op's law or the last shape says that they are not what was called."""
        then = (fed.operands, *fed.then, *[()] * (len(fed.ops) - 1 - len(fed.then)))
        absorbed = names - {name for operands in then for one in operands for name in self._parameter_names(one)}
        if not fed.ops:
            return self._node(fed.operands[0].index)
        if any(0 in one.shape for one in fed.operands):
            return None
        outs: list[Shape] = []
        try:
            for op, operands in zip(fed.ops, then, strict=True):
                outs.append(op.out_shape(*outs[-1:], *[one.shape for one in operands]))
        except LawError:
            return None
        if outs[-1] != self._datum(step.outputs[0]).shape or 0 in outs[-1]:
            return None
        main = next((k for k, op in enumerate(fed.ops) if type(op) not in SIDE_WORDS), len(fed.ops) - 1)
        last = -1
        for k, (op, operands, shape) in enumerate(zip(fed.ops, then, outs, strict=True)):
            read = [self._node(one.index, i) for one in operands]
            inputs = (*([last] if k else []), *read)
            is_side = k != main and type(op) in SIDE_WORDS
            weights = absorbed if k == main else frozenset()
            recipes = self._recipes(step, weights)
            last = self._append(op, inputs, shape, i, weights, SIDE_WORDS[type(op)] if is_side else "", is_side, recipes=recipes)
        return last

    def _opaque(self, i: int, step: Step, call: Call, names: frozenset[str]) -> list[Held]:
        """Unknown work: one node for the first output with everything that is read, and one for each further output that is."""
        elems = sum(self.program.sizes[name] for name in names)
        inputs = tuple([self._node(one.index) for one in call.flowing])
        held: list[Held] = []
        for number in step.outputs:
            shape = self._datum(number).shape if number is not None else ()
            if number is None or 0 in shape:
                held.append(Weight(frozenset()))
            elif any(isinstance(one, int) for one in held):
                held += self._parts(i, (number,), (Opaque(step.target, shape),), inputs)
            else:
                held.append(self._append(Opaque(step.target, shape, elems), inputs, shape, i, names))
        return held

    def _parts(self, i: int, numbers: tuple[int | None, ...], ops: tuple[Op, ...], inputs: tuple[int, ...]) -> list[Held]:
        """The parts of a call's output that are read, a node each."""
        return [
            self._append(op, inputs, self._datum(number).shape, i) if self._is_read(number) else Weight(frozenset())
            for number, op in zip(numbers, ops, strict=True)
        ]

    def _is_read(self, number: int | None) -> bool:
        return number in self.used

    def _overwrite(self, i: int, step: Step, made: list[Held]) -> None:
        """What else lies in the memory that a step writes into, and is read later, has the written part from now on."""
        memory = self.program.data[step.written[0]].memory
        writer = next((one for one in made if isinstance(one, int)), None)
        for number in self.sharing[memory] if writer is not None else ():
            if number in self.held and number not in step.outputs and self._is_read_after(number, i):
                shape = self._datum(number).shape
                self.held[number] = self._append(Overwrite(), (self._node(number, i), writer or 0), shape, i, word="overwrite")

    def _is_read_after(self, number: int, i: int) -> bool:
        return any(reader > i for reader in self.readers.get(number, ())) or number in self.program.outputs

    def _only_broadcasts(self, step: Step) -> bool:
        readers = self.readers.get(step.outputs[0] or 0, [])
        is_returned = step.outputs[0] in self.program.outputs
        return not is_returned and all(self.program.steps[reader].target.startswith(BROADCASTING) for reader in readers)

    def _hold(self, step: Step, made: list[Held]) -> None:
        for number, one in zip(step.outputs, made, strict=False):
            if number is not None:
                self.held[number] = one

    def _node(self, number: int, step: int = -1) -> int:
        """The position of the node that a tensor is; a weight's is made now."""
        held = self.held[number]
        if not isinstance(held, Weight):
            return held
        if number not in self.parameters:
            viewed = self._view_of_weight(number, held)
            self.parameters[number] = self._parameter(number, held.names, step) if viewed is None else viewed
        return self.parameters[number]

    def _parameter(self, number: int, names: frozenset[str], step: int) -> int:
        shape, is_own = self._datum(number).shape, number in self.program.weights
        name = next(iter(names), self.program.buffers.get(number, "")) if is_own else ""
        word = "weight" if names else "constant"
        return self._append(Parameter(shape, bool(names)), (), shape, step, names, word, name=name, recipes=(self.recipes.of(number),))

    def _view_of_weight(self, number: int, weight: Weight) -> int | None:
        """The position of a view of a parameter, which is left as it is; None where a weight is made otherwise."""
        made_by = self.program.steps[weight.step] if weight.step >= 0 else None
        if made_by is None or made_by.written or len(made_by.inputs) != 1:
            return None
        operand = replace(self._operand(made_by.inputs[0]), is_weight=False)
        results = tuple([self._datum(one) for one in made_by.outputs])
        reading = self._reading(made_by, Call(self._arguments(made_by.arguments, (operand,)), (operand,), results))
        if isinstance(reading, Parts):
            reading = (reading.ops[made_by.outputs.index(number)],)
        ops = reading.ops if isinstance(reading, Fed) else reading
        if not isinstance(ops, tuple) or not all(isinstance(op, View | ChannelSlice) for op in ops):
            return None
        made = replace(made_by, outputs=(number,))
        return self._chain(weight.step, made, Fed(ops, (operand,)), frozenset())

    def _operand(self, number: int) -> Operand:
        return Operand(number, self.program.data[number], isinstance(self.held.get(number, Weight(frozenset())), Weight))

    def _parameter_names(self, operand: Operand) -> frozenset[str]:
        held = self.held.get(operand.index)
        return held.names if isinstance(held, Weight) else frozenset()

    def _names(self, step: Step) -> frozenset[str]:
        """The parameters among what a step reads, and behind it."""
        held = [self.held.get(number) for number in step.inputs]
        return frozenset(name for one in held if isinstance(one, Weight) for name in one.names)

    def _recipes(self, step: Step, names: frozenset[str]) -> tuple[object, ...]:
        """How the tensors that a step reads of these parameters are made of them."""
        held = [(number, self.held.get(number)) for number in step.inputs] if names else []
        return tuple([self.recipes.of(number) for number, one in held if isinstance(one, Weight) and names & one.names])

    def _arguments(self, value: Any, operands: tuple[Operand, ...]) -> Any:
        """Arguments with operands in the place of references."""
        known = {one.index: one for one in operands}

        def filled(one: Any) -> Any:
            if isinstance(one, Ref):
                return known[one.index]
            if isinstance(one, Mapping):
                return {key: filled(inner) for key, inner in one.items()}
            return [filled(inner) for inner in one] if isinstance(one, list | tuple) else one

        return filled(value)

    def _datum(self, number: int | None) -> Any:
        return None if number is None else self.program.data[number]

    def _append(
        self,
        op: Op,
        inputs: tuple[int, ...],
        shape: Shape,
        step: int,
        weights: frozenset[str] = frozenset(),
        word: str = "",
        is_side: bool = False,
        name: str = "",
        recipes: tuple[object, ...] = (),
    ) -> int:
        made_by = self.program.steps[step] if step >= 0 else None
        if made_by is not None and not word:
            word = self.scopes.under_module(made_by.word or _word(made_by.target))
        self.pending.append(Pending(op, inputs, shape, made_by.path if made_by else (), word, step, weights, is_side, name, recipes))
        return len(self.pending) - 1


def _without_copies(reading: Reading) -> Reading:
    """The same ops, slices and concats as views."""
    ops = reading.ops if isinstance(reading, Fed) else reading
    if not isinstance(ops, tuple):
        return reading
    views = tuple([replace(op, copies=False) if isinstance(op, ChannelSlice | Concat) else op for op in ops])
    return replace(reading, ops=views) if isinstance(reading, Fed) else views


def _word(target: str) -> str:
    """What a call is named after: 'relu' for aten.relu_.default."""
    parts = target.split(".")
    return (parts[1] if len(parts) > 1 else parts[0]).strip("_")
