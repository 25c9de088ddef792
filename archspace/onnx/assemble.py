"""Assembly: a model of an ONNX file as nodes of the vocabulary, one operator after the other. Names come last (`naming`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, checker, defs, helper, numpy_helper, shape_inference

from archspace.errors import LawError
from archspace.ir.ops import Input, Op, Opaque, Parameter, Shape, View
from archspace.onnx.calls import Array, Call, Flow, Plan, Weight
from archspace.onnx.file import OWN_DOMAINS, dims_of, opset_of
from archspace.onnx.fold import GROWING, MOST_ELEMENTS, evaluate, value_of
from archspace.onnx.names import Place, place_of, place_of_weight
from archspace.onnx.table import ONNX

# Types of tensors that can be learned; int8 and its like are quantised weights.
LEARNED_TYPES = frozenset(
    getattr(TensorProto, name) for name in ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16", "INT8", "UINT8", "INT4", "UINT4")
)

# What a rule, or an op's constructor, raises on attributes that its operator may not have.
MALFORMED = (LawError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


@dataclass(frozen=True, slots=True)
class Pending:
    """A node whose name is still to be found: its op, the positions of its inputs, the names of its weights, and its place.

    `call` is the number of the file's node that it is made of; `is_side` says that it only prepares or finishes that node's own op.
    """

    op: Op
    inputs: tuple[int, ...]
    shape: Shape
    place: Place
    call: int
    weights: frozenset[str] = frozenset()
    is_side: bool = False


@dataclass(frozen=True, slots=True)
class Assembled:
    """The nodes of a file without names, which of them are returned, and the number of scalars of each initialiser."""

    pending: tuple[Pending, ...]
    outputs: tuple[int, ...]
    sizes: dict[str, int]


Held = int | Weight  # what a tensor's name stands for: a position among the pending nodes, or what no input has a part in


def assemble(model: onnx.ModelProto, shapes: dict[str, Shape]) -> Assembled:
    """The nodes of a model on inputs of these shapes.

    Raises LawError for an output shape that depends on the values in a tensor, and when nothing that comes from the inputs is returned.
    """
    assembly = _Assembly(model, shapes)
    outputs = [held for value in model.graph.output if isinstance(held := assembly.held.get(value.name), int)]
    if not outputs:
        raise LawError("the network must return what comes from its inputs, but returns constants alone")
    return Assembled(tuple(assembly.pending), tuple(outputs), assembly.sizes)


class _Assembly:
    """One pass over a model: `held` says what each tensor stands for, `pending` are the nodes so far."""

    def __init__(self, model: onnx.ModelProto, shapes: dict[str, Shape]) -> None:
        self.opsets = list(model.opset_import)
        self.opset = opset_of(model)
        self.held: dict[str, Held] = {}
        self.types: dict[str, int] = {}
        self.pending: list[Pending] = []
        self.sizes: dict[str, int] = {}
        self.parameters: dict[str, int] = {}  # of a tensor that is read as activations are: its Parameter node
        self.owned: set[str] = set()  # weights of nodes so far
        self.literals: set[str] = set()  # constants of the code: no parameters where ops read them as they read activations
        self.calls = 0
        self.broken: LawError | None = None  # the law that the node at hand breaks
        graph = model.graph
        self.used = {value.name for value in graph.output} | set(_names_read(graph.node))
        self.said = {value.name: dims_of(value) for value in (*graph.value_info, *graph.output) if value.type.HasField("tensor_type")}
        self._initialisers(graph)
        for value in graph.input:
            if value.name in shapes:
                shape = shapes[value.name]
                self.types[value.name] = value.type.tensor_type.elem_type
                self.held[value.name] = self._append(Pending(Input(shape), (), shape, Place((), value.name), self._next_call()))
        for node in graph.node:
            self._node(node)

    def _initialisers(self, graph: onnx.GraphProto) -> None:
        for tensor in graph.initializer:
            self.held[tensor.name] = self._constant(tensor.name, tuple(tensor.dims), tensor.data_type, value_of(tensor))
        for sparse in graph.sparse_initializer:
            self.held[sparse.values.name] = self._constant(sparse.values.name, tuple(sparse.dims), sparse.values.data_type, None)

    def _constant(self, name: str, shape: Shape, dtype: int, value: Array | None) -> Weight:
        self.types[name] = dtype
        self.sizes[name] = prod(shape)
        return Weight(shape, frozenset([name]) if dtype in LEARNED_TYPES else frozenset(), dtype, value)

    def _node(self, node: onnx.NodeProto) -> None:
        if node.op_type == "If" and self._branch(node):
            return
        tensors = [self._tensor(name) for name in node.input]
        attrs = {attribute.name: _plain(attribute) for attribute in node.attribute if attribute.type not in _GRAPHS}
        self.broken = None
        outs, types = self._infer(node, tensors)
        flowing = [name for name in (*node.input, *_captured(node)) if isinstance(self.held.get(name), int)]
        if node.op_type in ("Shape", "Size") and tensors and tensors[0] is not None:
            self._keep(node.output[0], _shape_value(node.op_type, tensors[0].shape, attrs))
        elif not flowing or any(out is not None and 0 in out for out in outs):
            self._fold(node, tensors, outs, types)  # what is empty depends on nothing either
        else:
            kind = node.op_type if node.domain in OWN_DOMAINS else f"{node.domain}.{node.op_type}"
            call = Call(node.op_type, attrs, tuple(tensors), tuple(outs), self.opset)
            if not self._read(node, kind, call, types):
                self._opaque(node, kind, flowing, tensors, outs, types)

    def _branch(self, node: onnx.NodeProto) -> bool:
        """An If whose condition is known is the branch that it takes."""
        condition = self.held.get(node.input[0])
        if not isinstance(condition, Weight) or condition.value is None:
            return False
        wanted = "then_branch" if condition.value.flatten()[0] else "else_branch"
        graph = next((attribute.g for attribute in node.attribute if attribute.name == wanted), None)
        if graph is None or len(graph.output) != len(node.output):
            return False
        self.said |= {value.name: dims_of(value) for value in graph.value_info if value.type.HasField("tensor_type")}
        self._initialisers(graph)
        for inner in graph.node:
            self._node(inner)
        for name, value in zip(node.output, graph.output, strict=True):
            self.held[name] = self.held[value.name]
            self.types[name] = self.types.get(value.name, TensorProto.FLOAT)
        return True

    def _tensor(self, name: str) -> Flow | Weight | None:
        held = self.held.get(name)
        return Flow(self.pending[held].shape, self.types.get(name, TensorProto.FLOAT)) if isinstance(held, int) else held

    def _infer(self, node: onnx.NodeProto, tensors: Sequence[Flow | Weight | None]) -> tuple[list[Shape | None], list[int]]:
        """Shape and type of each output, by ONNX's own inference on this one node; else as the file says."""
        domain = "" if node.domain in OWN_DOMAINS else node.domain
        given = {name: tensor for name, tensor in zip(node.input, tensors, strict=True) if name and tensor is not None}
        found: dict[str, onnx.TypeProto] = {}
        if defs.has(node.op_type, domain=domain, max_inclusive_version=self._version(domain)):
            schema = defs.get_schema(node.op_type, self._version(domain), domain)
            kinds = {name: helper.make_tensor_type_proto(tensor.dtype, tensor.shape) for name, tensor in given.items()}
            data = {
                name: numpy_helper.from_array(tensor.value)
                for name, tensor in given.items()
                if isinstance(tensor, Weight) and tensor.value is not None
            }
            try:
                found = shape_inference.infer_node_outputs(schema, node, kinds, data, opset_imports=self.opsets, ir_version=10)
            except checker.ValidationError as error:
                raise LawError(
                    f"{node.name or node.op_type}: must be a {node.op_type} as ONNX defines it, but is not: {_first(error)}"
                ) from None
            except shape_inference.InferenceError as error:
                self.broken = LawError(f"a {node.op_type} must fit its inputs, but ONNX says: {_first(error)}")
            except (RuntimeError, ValueError, TypeError):
                found = {}
        shapes, types = [], []
        for name in node.output:
            tensor_type = found[name].tensor_type if name in found else None
            shapes.append((_shape_of(tensor_type) if tensor_type is not None else None) or self._said(name))
            own = tensor_type.elem_type if tensor_type is not None else 0
            types.append(own or next((tensor.dtype for tensor in given.values()), TensorProto.FLOAT))
        return shapes, types

    def _version(self, domain: str) -> int:
        return self.opset if not domain else max((entry.version for entry in self.opsets if entry.domain == domain), default=1)

    def _said(self, name: str) -> Shape | None:
        dims = self.said.get(name)
        return None if dims is None or not all(isinstance(dim, int) for dim in dims) else tuple([int(dim) for dim in dims])

    def _fold(
        self, node: onnx.NodeProto, tensors: Sequence[Flow | Weight | None], outs: Sequence[Shape | None], types: Sequence[int]
    ) -> None:
        """A node that no input has a part in: its values where they are small and known, else its shapes."""
        weights = [tensor for tensor in tensors if isinstance(tensor, Weight)]
        names = frozenset(name for weight in weights for name in weight.names)
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            tensor = node.attribute[0].t
            self.held[node.output[0]] = self._constant(node.output[0], tuple(tensor.dims), tensor.data_type, value_of(tensor))
            self.literals.add(node.output[0])
            return
        small = all(prod(out) <= MOST_ELEMENTS if out is not None else node.op_type not in GROWING for out in outs)
        values = {name: t.value for name, t in zip(node.input, tensors, strict=True) if isinstance(t, Weight) and t.value is not None}
        known = evaluate(node, values, self.opset) if small and len(values) == len({name for name in node.input if name}) else None
        for i, name in enumerate(node.output):
            if not name:
                continue
            if known is not None and i < len(known):
                self._keep(name, known[i], names)
                continue
            shape = outs[i]
            if shape is None:
                raise self._unknown_shape(node)
            self.types[name] = types[i]
            self.held[name] = Weight(shape, names if types[i] in LEARNED_TYPES else frozenset(), types[i])

    def _keep(self, name: str, value: Array, names: frozenset[str] = frozenset()) -> None:
        dtype = helper.np_dtype_to_tensor_dtype(value.dtype)
        self.types[name] = dtype
        self.held[name] = Weight(tuple(value.shape), names if dtype in LEARNED_TYPES else frozenset(), dtype, value)

    def _read(self, node: onnx.NodeProto, kind: str, call: Call, types: Sequence[int]) -> bool:
        """The nodes of a call as the table reads it; False where it cannot, or where the shapes disagree."""
        try:
            plan = ONNX[kind](call) if kind in ONNX else None
            shapes = None if plan is None else self._shapes(node, call, plan)
        except MALFORMED as error:
            self.broken = error if isinstance(error, LawError) else self.broken
            return False
        if plan is None or shapes is None:
            return False
        wanted = [i for i, name in enumerate(node.output) if name in self.used]
        operands = {-1 - p for i in shapes for p in plan.steps[i].inputs if p < 0}
        owned = range(len(call.inputs)) if plan.weights is None else plan.weights
        main, has_params = self._main(plan, shapes, call)
        beside = [tensor for i in owned if i not in operands and isinstance(tensor := call.given(i), Weight)]
        weights = frozenset(name for tensor in beside for name in tensor.names) if has_params else frozenset()
        mine = [node.input[i] for i in owned if i < len(node.input) and node.input[i] in weights - self.owned]
        place = place_of(node, mine)
        self.owned |= weights
        number = self._next_call()
        made: dict[int, int] = {}

        def position(at: int) -> int:
            return made[at] if at >= 0 else self._operand(node, -1 - at, call, place, number)

        for i, shape in shapes.items():
            inputs = tuple([position(at) for at in plan.steps[i].inputs])
            own = weights if i == main else frozenset()
            made[i] = self._append(Pending(plan.steps[i].op, inputs, shape, place, number, own, is_side=i != main))
        for i in wanted:
            at = plan.outputs[i]
            assert at is not None
            self.held[node.output[i]] = position(at)
            self.types[node.output[i]] = types[i]
        return True

    def _shapes(self, node: onnx.NodeProto, call: Call, plan: Plan) -> dict[int, Shape] | None:
        """The shapes of the steps that lead to an output that is read; None where the plan does not give what ONNX infers."""
        wanted = [i for i, name in enumerate(node.output) if name in self.used]
        if any(i >= len(plan.outputs) or plan.outputs[i] is None for i in wanted):
            return None
        needed: set[int] = set()
        rest = [at for i in wanted if (at := plan.outputs[i]) is not None]
        while rest:
            at = rest.pop()
            if at >= 0 and at not in needed:
                needed.add(at)
                rest += plan.steps[at].inputs
        shapes: dict[int, Shape] = {}

        def shape_at(at: int) -> Shape:
            tensor = call.inputs[-1 - at] if at < 0 else None
            if at < 0 and tensor is None:
                raise LawError("an input is left out")
            return shapes[at] if tensor is None else tensor.shape

        for i in sorted(needed):
            step = plan.steps[i]
            shapes[i] = step.op.out_shape(*[shape_at(at) for at in step.inputs])
        for i in wanted:
            at, out = plan.outputs[i], call.outs[i]
            if at is not None and out is not None and shape_at(at) != out:
                return None
        return shapes

    def _main(self, plan: Plan, shapes: dict[int, Shape], call: Call) -> tuple[int, bool]:
        """The step that a node's name belongs to, and whether its weights do: the one with parameters, else the last that is no view."""
        steps = list(shapes)
        for i in steps:
            ins = tuple([shapes[at] if at >= 0 else call.shape(-1 - at) for at in plan.steps[i].inputs])
            if plan.steps[i].op.counts(ins, shapes[i]).params:
                return i, True
        return next((i for i in reversed(steps) if not isinstance(plan.steps[i].op, View)), steps[-1] if steps else -1), False

    def _operand(self, node: onnx.NodeProto, i: int, call: Call, place: Place, number: int) -> int:
        """The position of what a step reads; a tensor of weights becomes a Parameter node, one for all who read it."""
        name = node.input[i]
        held = self.held[name]
        if isinstance(held, int):
            return held
        if name not in self.parameters:
            names = held.names - self.literals
            where = place_of_weight(next(iter(names)) if len(names) == 1 else name, "weight" if names else "constant", place)
            op = Parameter(held.shape, learned=bool(names))
            self.parameters[name] = self._append(Pending(op, (), held.shape, where, number, names, is_side=True))
        return self.parameters[name]

    def _opaque(
        self,
        node: onnx.NodeProto,
        kind: str,
        flowing: list[str],
        tensors: Sequence[Flow | Weight | None],
        outs: Sequence[Shape | None],
        types: Sequence[int],
    ) -> None:
        """One node of unknown work for each output that is read; the first has the weights."""
        weights = frozenset(name for tensor in tensors if isinstance(tensor, Weight) for name in tensor.names)
        inputs = tuple([held for name in flowing if isinstance(held := self.held[name], int)])
        number = self._next_call()
        for i, name in enumerate(node.output):
            if name not in self.used:
                continue
            shape = outs[i]
            if shape is None or min(shape, default=1) < 1:
                raise self._unknown_shape(node)
            op = Opaque(kind, shape, sum(self.sizes[one] for one in weights))
            self.types[name] = types[i]
            self.held[name] = self._append(Pending(op, inputs, shape, place_of(node), number, weights))
            weights = frozenset()

    def _unknown_shape(self, node: onnx.NodeProto) -> LawError:
        """What is wrong with a node whose output shape nobody knows."""
        place = node.name or node.output[0]
        if self.broken is not None:
            return self.broken.at(place)
        return LawError(
            f"{place}: the shape of an output must follow from the inputs' shapes, but that of {node.op_type} does not. "
            "Cut the network before it with onnx.utils.extract_model."
        )

    def _append(self, one: Pending) -> int:
        self.pending.append(one)
        return len(self.pending) - 1

    def _next_call(self) -> int:
        self.calls += 1
        return self.calls


_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


def _plain(attribute: onnx.AttributeProto) -> Any:
    """An attribute's value, words as str."""
    value = helper.get_attribute_value(attribute)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _shape_of(tensor_type: onnx.TypeProto.Tensor) -> Shape | None:
    if not tensor_type.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor_type.shape.dim):
        return None
    return tuple([dim.dim_value for dim in tensor_type.shape.dim])


def _shape_value(kind: str, shape: Shape, attrs: dict[str, Any]) -> Array:
    if kind == "Size":
        return np.asarray(prod(shape), dtype=np.int64)
    return np.asarray(shape[attrs.get("start", 0) : attrs.get("end", len(shape))], dtype=np.int64)


def _first(error: Exception) -> str:
    """The first line of what was raised."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _names_read(nodes: Sequence[onnx.NodeProto]) -> Iterator[str]:
    """Every tensor's name that a node reads, or that a branch or loop inside one reads or returns."""
    for node in nodes:
        yield from node.input
        for graph in _subgraphs(node):
            yield from _names_read(graph.node)
            yield from (value.name for value in graph.output)


def _captured(node: onnx.NodeProto) -> list[str]:
    """What the branches and loops of a node read."""
    return sorted({name for graph in _subgraphs(node) for name in _names_read(graph.node)})
