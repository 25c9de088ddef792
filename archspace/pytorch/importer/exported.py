"""Exported programs: what torch.export made, as a program of steps."""

from __future__ import annotations

import operator
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind, OutputKind

from archspace.errors import FileError, LawError
from archspace.pytorch.importer.own_layers import LAYER, LAYERS
from archspace.pytorch.importer.program import Datum, Path, Program, Ref, Step, in_order_of
from archspace.pytorch.importer.tree import Tree, tree_of_names
from archspace.pytorch.state import refuse_pickles

# Overloads whose schema says that the result lies in the memory of their first argument, which it does where the elements lie so already.
RESHAPES = frozenset(f"aten.{name}" for name in ("flatten.using_ints", "ravel.default", "reshape.default", "reshape_as.default"))
CONVERSIONS = frozenset(f"aten.to.{name}" for name in ("device", "dtype", "dtype_layout", "other"))
# Overloads with sizes among their arguments that networks compute from their input's.
SIZED = tuple(f"aten.{name}." for name in (
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool2d", "constant_pad_nd", "expand", "max_pool2d", "pad", "repeat", "slice",
    "upsample_bicubic2d", "upsample_bilinear2d", "upsample_nearest2d",
))  # fmt: skip
ATTENTION = "aten.scaled_dot_product_attention.default"


def program_of(exported: torch.export.ExportedProgram, name: str, *, tree: Tree | None = None, module: nn.Module | None = None) -> Program:
    """The program of an exported one. `tree` and `module` are those it was made of; without, names alone say what there was.

    A size that may vary has its example's value. Raises LawError where that is lost.
    """
    return _Reader(exported, dict(module.named_modules()) if module else {}).program(name, tree)


def load_export(path: FilePath) -> torch.export.ExportedProgram:
    """The exported program in a .pt2 file. Raises FileError for a missing, foreign, damaged or pickled file."""
    if not path.is_file():
        raise FileError(f"{path}: there is no such file")
    if not zipfile.is_zipfile(path):
        raise FileError(f"{path}: a .pt2 file is an archive that torch.export.save writes, but this is none. A pickle is never loaded.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise FileError(f"{path}: this archive is damaged ({error})") from None
    if damaged is not None:
        raise FileError(f"{path}: this archive is damaged at {damaged}")
    if not any(name.endswith("archive_format") for name in names):
        raise FileError(f"{path}: a .pt2 file holds a program of torch.export.save, but this archive holds none. A pickle is never loaded.")
    refuse_pickles(path.read_bytes(), path)
    try:
        return torch.export.load(path)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, AssertionError, OSError, pickle.UnpicklingError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise FileError(f"{path}: torch.export cannot read this file ({first})") from None


class _Reader:
    """One pass over an exported graph: `numbers` says which tensors each fx node stands for."""

    def __init__(self, exported: torch.export.ExportedProgram, modules: Mapping[str, nn.Module]) -> None:
        self.exported = exported
        self.modules = modules
        self.numbers: dict[fx.Node, tuple[int | None, ...]] = {}
        self.data: list[Datum] = []
        self.steps: list[Step] = []
        self.weights: dict[int, frozenset[str]] = {}
        self.buffers: dict[int, str] = {}
        self.inputs: list[tuple[int, str]] = []
        self.kinds: dict[str, str] = {}  # the classes of the modules that were called

    def program(self, name: str, tree: Tree | None) -> Program:
        """The whole of it."""
        parameters = dict(self.exported.named_parameters())
        first: dict[int, str] = {}
        for key, parameter in parameters.items():
            first.setdefault(id(parameter), key)
        names = {
            str(getattr(spec.arg, "name", "")): (spec.kind, first.get(id(parameters.get(str(spec.target))), str(spec.target)))
            for spec in self.exported.graph_signature.input_specs
        }
        self._read(self.exported.graph_module, names)
        outputs = {spec.arg.name for spec in self.exported.graph_signature.output_specs if spec.kind == OutputKind.USER_OUTPUT}
        returned = next(node for node in self.exported.graph.nodes if node.op == "output")
        kept = [one for one in returned.all_input_nodes if one.name in outputs]
        sizes = {key: parameter.numel() for key, parameter in parameters.items() if first[id(parameter)] == key}
        tree = tree or tree_of_names(self.kinds, [(key, parameter.dim()) for key, parameter in parameters.items()])
        order = [number for one in kept for number in self.numbers[one] if number is not None]
        return Program(
            name, tuple(self.data), tuple(self.inputs), self.weights, tuple(self.steps), tuple(order), tree, sizes, buffers=self.buffers
        )

    def _read(self, graph_module: fx.GraphModule, names: Mapping[str, tuple[InputKind, str | None]], prefix: Path = ()) -> None:
        ends = self._layer_ends(graph_module.graph)
        for node in graph_module.graph.nodes:
            if node.op == "placeholder" and node not in self.numbers:
                self._placeholder(node, *names[node.name])
            elif node.op == "get_attr" and isinstance(node.meta.get("val"), Tensor):
                self.numbers[node] = (self._datum(node.meta["val"]),)
                self.weights[self.numbers[node][0] or 0] = frozenset()
            elif node.op == "call_function":
                self._call(graph_module, node, ends)

    def _placeholder(self, node: fx.Node, kind: InputKind, parameter: str | None) -> None:
        value = node.meta.get("val")
        number = self._datum(value) if isinstance(value, Tensor) else None
        self.numbers[node] = (number,)
        if number is None:
            return
        if kind == InputKind.USER_INPUT:
            self.inputs.append((number, node.name))
        else:
            self.weights[number] = frozenset([parameter] if kind == InputKind.PARAMETER and parameter else [])
            if kind == InputKind.BUFFER and parameter:
                self.buffers[number] = parameter

    def _call(self, graph_module: fx.GraphModule, node: fx.Node, ends: Mapping[fx.Node, tuple[str, list[fx.Node]]]) -> None:
        if node.target is operator.getitem:
            source, index = node.args
            assert isinstance(source, fx.Node)
            assert isinstance(index, int)
            self.numbers[node] = (self.numbers[source][index],)
            return
        if "higher_order" in type(node.target).__module__ or isinstance(node.target, torch._ops.HigherOrderOperator):
            self._inline(graph_module, node)
            return
        value = node.meta.get("val")
        values = value if isinstance(value, list | tuple) else (value,)
        target, path = str(node.target), self._path(node)
        arguments = self._arguments(node)
        written = self._written(node)
        sources = [number for one in node.all_input_nodes for number in self.numbers.get(one, ()) if number is not None]
        memory = self._memory(node, sources, written, values)
        stride = self._known_stride(target, sources, arguments, values)
        outputs = tuple([self._datum(one, memory, stride) if isinstance(one, Tensor) else None for one in values])
        self.numbers[node] = outputs
        changes = bool(sources) and outputs[:1] != (None,) and self.data[sources[0]].shape != self.data[outputs[0] or 0].shape
        inside = self._layer(node)
        if inside is None:
            self.steps.append(
                Step(target, arguments, outputs, path, written=written, is_measured=_may_be_measured(target, arguments, changes))
            )
        elif ends[node][1][-1] is node:
            _, layer = inside
            members = ends[node][1]
            outside = [one for member in members for one in member.all_input_nodes if one not in members]
            refs = [Ref(number) for one in dict.fromkeys(outside) for number in self.numbers[one] if number is not None]
            weights = [ref for ref in refs if ref.index in self.weights]
            given = {"module": layer, "inputs": [ref for ref in refs if ref not in weights], "weights": weights}
            self.steps.append(Step(LAYER, given, outputs, path))

    def _inline(self, graph_module: fx.GraphModule, node: fx.Node) -> None:
        """A region under autocast or without gradients: its calls stand in the place of its own."""
        inner = next((one for one in node.args if isinstance(one, fx.Node) and one.op == "get_attr"), None)
        body = getattr(graph_module, str(inner.target), None) if inner is not None else None
        if inner is None or not isinstance(body, fx.GraphModule):
            raise LawError(f"{node.name}: this region of the program cannot be followed ({node.target})")
        given = [one for one in node.args[list(node.args).index(inner) + 1 :] if isinstance(one, fx.Node)]
        for place, source in zip([one for one in body.graph.nodes if one.op == "placeholder"], given, strict=True):
            self.numbers[place] = self.numbers[source]
        self._read(body, {})
        returned = next(one for one in body.graph.nodes if one.op == "output")
        self.numbers[node] = tuple([number for one in returned.all_input_nodes for number in self.numbers[one]])

    def _layer_ends(self, graph: fx.Graph) -> dict[fx.Node, tuple[str, list[fx.Node]]]:
        """Per node inside a layer of archspace's own, the call's key and all its nodes."""
        calls: dict[str, list[fx.Node]] = {}
        for node in graph.nodes:
            inside = self._layer(node) if node.op == "call_function" else None
            if inside is not None:
                calls.setdefault(inside[0], []).append(node)
        return {node: (key, nodes) for key, nodes in calls.items() for node in nodes}

    def _layer(self, node: fx.Node) -> tuple[str, nn.Module] | None:
        for key, path in self._path(node):
            if type(self.modules.get(path)) in LAYERS:
                return key, self.modules[path]
        return None

    def _path(self, node: fx.Node) -> Path:
        """The module calls around a node, without the root's."""
        stack = node.meta.get("nn_module_stack") or {}
        for name, kind in stack.values():
            self.kinds[name] = (kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]
        return tuple((key, name) for key, (name, _) in stack.items() if name)

    def _arguments(self, node: fx.Node) -> dict[str, Any]:
        """The arguments by the schema's names, defaults filled in."""
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            return {str(i): self._plain(one) for i, one in enumerate(node.args)}
        given = {argument.name: value for argument, value in zip(schema.arguments, node.args, strict=False)} | dict(node.kwargs)
        return {one.name: self._plain(given.get(one.name, one.default_value)) for one in schema.arguments}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            numbers = self.numbers.get(value, (None,))
            if len(numbers) == 1 and numbers[0] is not None:
                return Ref(numbers[0])
            known = value.meta.get("val")
            if isinstance(known, int | float | bool | torch.SymInt):
                return fixed(known)
            return [Ref(number) for number in numbers if number is not None]
        if isinstance(value, torch.SymInt):
            return fixed(value)
        return [self._plain(one) for one in value] if isinstance(value, list | tuple) else value

    def _written(self, node: fx.Node) -> tuple[int, ...]:
        schema = getattr(node.target, "_schema", None)
        written = []
        for one, value in zip(schema.arguments if schema else (), node.args, strict=False):
            if one.alias_info is not None and one.alias_info.is_write and isinstance(value, fx.Node):
                written += [number for number in self.numbers[value] if number is not None]
        return tuple(written)

    def _memory(self, node: fx.Node, sources: list[int], written: tuple[int, ...], values: Any) -> int | None:
        """Whose memory the result lies in; None for memory of its own."""
        if written:
            return self.data[written[0]].memory
        schema = getattr(node.target, "_schema", None)
        is_view = schema is not None and any(one.alias_info is not None for one in schema.returns)
        if not is_view or not sources or not isinstance(values[0], Tensor):
            return None
        first = self.data[sources[0]]
        return None if copies(first, str(node.target), values[0]) else first.memory

    def _known_stride(self, target: str, sources: list[int], arguments: Mapping[str, Any], values: Any) -> tuple[int, ...] | None:
        """The strides of a result where a program made on the meta device has others: of attention, and behind it."""
        if target == ATTENTION:
            query, result = self.data[sources[0]], values[0]
            return in_order_of(query.stride, tuple([fixed(one) for one in result.shape])) if len(query.shape) == result.dim() else None
        if target == "aten.permute.default":
            return tuple([self.data[sources[0]].stride[dim] for dim in arguments["dims"]])
        if target == "aten.transpose.int":
            first = list(self.data[sources[0]].stride)
            a, b = arguments["dim0"], arguments["dim1"]
            first[a], first[b] = first[b], first[a]
            return tuple(first)
        return None

    def _datum(self, tensor: Tensor, memory: int | None = None, stride: tuple[int, ...] | None = None) -> int:
        number = len(self.data)
        shape, strides = (tuple([fixed(one) for one in numbers]) for numbers in (tensor.shape, tensor.stride()))
        self.data.append(Datum(shape, stride or strides, tensor.dtype, number if memory is None else memory))
        return number


def fixed(size: Any) -> Any:
    """A size that may vary as the one of the example that the program was exported with. Raises LawError where that is lost."""
    if not isinstance(size, torch.SymInt):
        return size
    if not size.node.has_hint():
        raise LawError(f"the program must know the sizes that it was exported with, but {size} is open. Export it without dynamic_shapes.")
    return int(size.node.hint)


def _may_be_measured(target: str, arguments: Mapping[str, Any], changes: bool) -> bool:
    """Whether a call that changes a shape has sizes that may have been computed from those of its input: the program no longer says."""
    return changes and target.startswith(SIZED) and not arguments.get("scale_factors")


def copies(source: Datum, target: str, result: Tensor) -> bool:
    """Whether a call that views where it can must move the elements."""
    if target == "aten.contiguous.default":
        return not source.is_contiguous
    if target in CONVERSIONS:
        return source.dtype != result.dtype
    if target not in RESHAPES or 0 in result.shape:
        return False
    try:
        torch.empty_strided(source.shape, source.stride, device="meta").view(tuple([fixed(size) for size in result.shape]))
    except RuntimeError:
        return True
    return False
