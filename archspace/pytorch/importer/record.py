"""Recording: a module run once on tensors without data (or with), every ATen call of it written down.

On the meta device this takes a tenth of what torch.export takes. What torch's dispatcher takes apart before it can be seen (linear layers,
attention, LSTMs, dropout) is caught one floor above it, by WHOLE; so is batch norm, whose meta kernel takes longer than all the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import count
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from archspace.pytorch.importer.measured import holds_measured, measured_size
from archspace.pytorch.importer.own_layers import LAYER, LAYERS
from archspace.pytorch.importer.program import Datum, Path, Program, Ref, Step, in_order_of
from archspace.pytorch.importer.tree import tree_of
from archspace.pytorch.importer.whole import ATTENTION, KEEPS, LIKE_INPUT, LIKE_INPUT_IN_PLACE, OPENED, RECURRENT, SAME_WORDS, WHOLE

MEASURES = frozenset((inspect.getattr_static(Tensor, "shape").__get__, Tensor.size))  # how code asks for the size of a tensor
COUNTS = frozenset((Tensor.numel, Tensor.nelement, Tensor.__len__, Tensor.__iter__, torch.numel))  # and how it asks without saying which
# Calls that sizes may be handed to: what they make of another size follows, or breaks their law.
RESHAPES = frozenset((torch.reshape, torch.flatten, torch.unflatten, Tensor.reshape, Tensor.view, Tensor.flatten, Tensor.unflatten))


def record(module: nn.Module, inputs: tuple[Any, ...], name: str) -> Program:
    """The program of one run of `module`, which gets hooks: give it a copy. Raises what its forward raises."""
    recorder = _Recorder(module, inputs)
    with _Whole(recorder), recorder:
        runs = _Interpreter(module, recorder).run if isinstance(module, fx.GraphModule) else module
        returned = runs(*inputs)
    return recorder.program(name, returned)


class _Recorder(TorchDispatchMode):
    """Writes down every call that reaches the dispatcher. `path` are the module calls that are running."""

    def __init__(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        TorchDispatchMode.__init__(self)
        self.steps: list[Step] = []
        self.data: list[Datum] = []
        self.kept: list[Tensor] = []  # so that no other tensor takes their id
        self.numbers: dict[int, int] = {}
        self.path: Path = ()
        self.word = ""  # what a traced module calls the call that is running
        self.function = ""  # what Python calls it
        self.is_paused = False
        self.is_measured = False  # whether the arguments of the call that is running come from sizes of tensors
        self.is_in_place = False  # whether a graph of archspace says that the call that is running copies nothing
        self.block = ""  # which block it says that the call belongs to
        self.branching: set[str] = set()
        self.module = module
        self.given = tuple([(self.number(tensor), word) for word, tensor in named_inputs(module, inputs)])
        calls = count()
        for path, layer in module.named_modules():
            if path:
                layer.register_forward_pre_hook(partial(self._enter, path, calls), with_kwargs=True)
                layer.register_forward_hook(partial(self._leave, path), with_kwargs=True)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        quick = _like_input(str(func), args)
        result = func(*args, **kwargs) if quick is None else quick
        if not self.is_paused:
            names, written = _signature(func)
            arguments = self._numbered(dict(zip(names, args, strict=False)) | kwargs)
            before = tuple([arguments[key].index for key in written if isinstance(arguments.get(key), Ref)])
            self.note(str(func), _defaults(func) | arguments, result, before)
        return result

    def note(self, target: str, arguments: Mapping[str, Any], result: Any, written: tuple[int, ...] = ()) -> None:
        """Write a call down. What it returns is new, also where it is the tensor that it was given."""
        outputs = result if isinstance(result, list | tuple) else (result,)
        numbers = tuple([self._new(one) if isinstance(one, Tensor) else None for one in outputs])
        word, marks = self.word or self.function, (self.is_measured, self.is_in_place, self.block)
        self.steps.append(Step(target, arguments, numbers, self.path, word, written, *marks))

    def number(self, tensor: Tensor) -> int:
        """The number of a tensor, a new one where it comes from outside."""
        found = self.numbers.get(id(tensor))
        return self._new(tensor) if found is None else found

    def branches(self) -> None:
        """The module that is running asks what a size is."""
        self.branching.add(self.path[-1][1] if self.path else "")

    def numbered(self, value: Any) -> Any:
        """Arguments with numbers in the place of tensors."""
        return self._numbered(value)

    def _numbered(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return Ref(self.number(value))
        if isinstance(value, dict):
            return {key: self._numbered(one) for key, one in value.items()}
        return [self._numbered(one) for one in value] if isinstance(value, list | tuple) else value

    def _new(self, tensor: Tensor) -> int:
        number = len(self.data)
        self.numbers[id(tensor)] = number
        self.kept.append(tensor)
        self.data.append(Datum(tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype, tensor.untyped_storage()._cdata))
        return number

    def _enter(self, path: str, calls: count[int], layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.path = (*self.path, (f"{path}@{next(calls)}", path))
        self.is_paused = self.is_paused or type(layer) in LAYERS

    def _leave(self, path: str, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if type(layer) in LAYERS:
            self.is_paused = False
            weights = list(layer.parameters())
            self.note(LAYER, {"module": layer, "inputs": self._numbered(list(args)), "weights": self._numbered(weights)}, result)
        self.path = self.path[:-1]

    def program(self, name: str, returned: Any) -> Program:
        """What was recorded."""
        first: dict[int, str] = {}
        for key, parameter in self.module.named_parameters(remove_duplicate=False):
            first.setdefault(self.numbers.get(id(parameter), -1), key)
        known = {number for step in self.steps for number in step.outputs} | {number for number, _ in self.given}
        weights = {number: frozenset([first[number]] if number in first else []) for number in range(len(self.data)) if number not in known}
        outputs = tuple([self.number(one) for one in pytree.tree_leaves(returned) if isinstance(one, Tensor)])
        sizes = {key: parameter.numel() for key, parameter in self.module.named_parameters()}
        buffers = {self.numbers.get(id(buffer), -1): key for key, buffer in self.module.named_buffers()}
        return Program(
            name,
            tuple(self.data),
            self.given,
            weights,
            tuple(self.steps),
            outputs,
            tree_of(self.module),
            sizes,
            frozenset(self.branching),
            buffers,
            self.kept,
        )


class _Whole(TorchFunctionMode):
    """Writes down the calls of WHOLE as one step each."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        known = WHOLE.get(func)
        if self.recorder.is_paused:
            return func(*args, **kwargs)
        if func in MEASURES:
            return self._size(args[0], func(*args, **kwargs), *args[1:], **kwargs)
        if func in COUNTS or (func is Tensor.__getitem__ and _cuts_space(args[1])):
            self.recorder.branches()
            return func(*args, **kwargs)
        if func in OPENED:
            with self:
                return OPENED[func](*args, **kwargs)
        name = getattr(func, "__name__", "")
        self.recorder.function = "" if name.startswith("__") else name.strip("_")
        self.recorder.is_measured = func not in RESHAPES and (holds_measured(args) or holds_measured(kwargs))
        try:
            return func(*args, **kwargs) if known is None else self._noted(func, known, args, kwargs)
        finally:
            self.recorder.function = ""
            self.recorder.is_measured = False

    def _size(self, tensor: Tensor, size: Any, dim: int | None = None) -> Any:
        """What `x.shape` and `x.size()` give, as measured numbers."""
        if not isinstance(size, torch.Size):
            return measured_size(tensor, tensor.shape, self.recorder.branches)[dim or 0]
        return measured_size(tensor, size, self.recorder.branches)

    def _noted(self, func: Any, known: tuple[str, tuple[str, ...]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        overload = _overload(known[0])
        names = known[1] or _signature(overload)[0]
        by_name = {key if key in names else SAME_WORDS.get(key, key): value for key, value in kwargs.items()}
        arguments = dict(zip(names, args, strict=False)) | by_name
        if known[0] == "einsum.default":
            operands = args[1] if isinstance(args[1], list | tuple) else args[1:]
            arguments = {"equation": args[0], "tensors": list(operands)}
        if known[0] in RECURRENT and not isinstance(arguments.get("has_biases"), bool):
            return func(*args, **kwargs)  # packed sequences
        is_more = arguments.pop("return_indices", False)
        if known[0].endswith("pool1d.default") and (is_more or arguments["input" if "input" in arguments else "self"].dim() != 3):
            return func(*args, **kwargs)  # indices too, or no batch
        numbered = self.recorder.numbered(arguments)
        target = str(overload)
        self.recorder.is_paused = True
        try:
            result = _result(target, func, args, kwargs)
        finally:
            self.recorder.is_paused = False
        self.recorder.note(target, _defaults(overload) | numbered, result)
        return result


def _result(target: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call of WHOLE returns: a tensor of its own where torch would hand back the input, and an empty one for batch norm on meta."""
    source = args[0] if args else kwargs.get("input", kwargs.get("query"))
    if target == "aten.batch_norm.default" and isinstance(source, Tensor) and source.is_meta:
        return _empty_like(source)
    result = func(*args, **kwargs)
    if target == ATTENTION and isinstance(source, Tensor) and source.is_meta and source.dim() == result.dim():
        return torch.empty_strided(result.shape, in_order_of(source.stride(), tuple(result.shape)), dtype=result.dtype, device="meta")
    return source.detach() if target in KEEPS and result is source and isinstance(source, Tensor) else result


def _cuts_space(key: Any) -> bool:
    """Whether an index ends at a given place of an axis in space: where it ends at the last, no slice is left to be seen."""
    keys = key if isinstance(key, tuple) else (key,)
    in_space = keys if Ellipsis in [one for one in keys if not isinstance(one, Tensor)] else keys[2:]
    return any(isinstance(one, slice) and one.stop is not None for one in in_space)


def _like_input(target: str, args: tuple[Any, ...]) -> Tensor | None:
    """What an activation of real numbers on meta returns; None for any other call."""
    source = args[0] if args else None
    if not isinstance(source, Tensor) or not source.is_meta or not source.is_floating_point():
        return None
    return source if target in LIKE_INPUT_IN_PLACE else _empty_like(source) if target in LIKE_INPUT else None


def _empty_like(source: Tensor) -> Tensor:
    """torch.empty_like, without its Python where nothing is out of order."""
    is_plain = source.is_contiguous()
    return torch.empty(source.shape, dtype=source.dtype, device=source.device) if is_plain else torch.empty_like(source)


class _Interpreter(fx.Interpreter):
    """Runs a traced module node by node, so that each call is known by the node's name."""

    def __init__(self, module: fx.GraphModule, recorder: _Recorder) -> None:
        super().__init__(module)
        self.recorder = recorder

    def run_node(self, n: fx.Node) -> Any:
        self.recorder.word = n.name if n.op in ("call_function", "call_method") else ""
        self.recorder.is_in_place, self.recorder.block = n.meta.get("copies") is False, n.meta.get("block", "")
        return super().run_node(n)


def named_inputs(module: nn.Module, inputs: tuple[Any, ...]) -> list[tuple[str, Tensor]]:
    """The tensors among the inputs with the names of forward's arguments; `name_0`, `name_1`, ... inside a list or a mapping."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    found: list[tuple[str, Tensor]] = []
    for i, value in enumerate(inputs):
        parameter = parameters[min(i, len(parameters) - 1)] if parameters else None
        word = parameter.name if parameter else "input"
        if parameter is not None and parameter.kind is parameter.VAR_POSITIONAL:
            word = f"{word}_{i - len(parameters) + 1}"
        tensors = [one for one in pytree.tree_leaves(value) if isinstance(one, Tensor)]
        found += [(word if isinstance(value, Tensor) else f"{word}_{k}", one) for k, one in enumerate(tensors)]
    return found


def _overload(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload)


@cache
def _signature(func: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of an overload's arguments, and of those that it writes into."""
    arguments: Sequence[Any] = func._schema.arguments
    written = [one.name for one in arguments if one.alias_info is not None and one.alias_info.is_write]
    return tuple([one.name for one in arguments]), tuple(written)


@cache
def _defaults(func: Any) -> dict[str, Any]:
    """What an overload's arguments are where they are not given."""
    return {one.name: one.default_value for one in func._schema.arguments}
