"""Independent judges of a built module: what torch and fvcore find in it beside what the graph says, and six tools' own "FLOPs"."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archspace.errors import LawError, MissingPackageError, UnknownNameError
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph
from archspace.ir.ops import Embedding, Input, Recurrent, ScaledDotProductAttention, Shape
from archspace.ir.resize import with_input

# fvcore's operators that `madds` means, one flop per multiply-add. It counts batch norm, adaptive pooling and others beside them, and
# set_op_handle(name, None) does not turn a default handler off (fvcore 0.1.5), so the sum is taken over these.
FVCORE_MADDS = ("conv", "addmm", "linear", "matmul", "mm", "bmm", "einsum")


@dataclass(frozen=True, slots=True)
class OracleRow:
    """One comparison: what the graph says, what a tool finds in the module."""

    what: str
    expected: int | tuple[Shape, ...]
    found: int | tuple[Shape, ...]

    @property
    def ok(self) -> bool:
        """Whether they agree, to the last digit."""
        return self.expected == self.found


def check(graph: Graph, module: nn.Module) -> tuple[OracleRow, ...]:
    """Compare a built module with its graph: parameters, output shapes, multiply-adds by two tools, gradients.

    Works on a copy of the module, at the graph's own input shapes; the gradients come from a pass in training mode (with at least two
    images, because batch norm needs them). fvcore is not asked where it counts attention and recurrence as nothing.
    Raises MissingPackageError without fvcore, and what `module` raises on the graph's inputs.
    """
    model = copy.deepcopy(module)
    counted = Counts.total(graph.counts(node) for node in graph)
    inputs, several = example_inputs(graph), example_inputs(graph, least_batch=_least_batch(graph))
    found_params = sum(p.numel() for p in model.parameters())
    tensors = len(list(model.parameters()))
    on_meta = copy.deepcopy(model).to("meta"), tuple([x.to("meta") for x in inputs])  # on the CPU torch's counter is blind to attention
    by_fvcore = () if _is_beyond_fvcore(graph) else (OracleRow("madds by fvcore", counted.madds, fvcore_madds(model, inputs)),)
    return (
        OracleRow("params", counted.params, found_params),
        OracleRow("output shapes", tuple(graph.nodes[i].shape for i in graph.outputs), output_shapes(model, inputs)),
        OracleRow("madds by torch's flop counter", counted.madds, torch_madds(*on_meta)),
        *by_fvcore,
        OracleRow("parameters with a finite gradient", tensors, finite_gradients(model, several)),
    )


def _least_batch(graph: Graph) -> int:
    """Two, as batch norm of one value needs, where the graph takes two: an op may have been made for one image."""
    try:
        with_input(graph, (max(2, graph.input_shape[0]), *graph.input_shape[1:]))
    except LawError:
        return 1
    return 2


def _is_beyond_fvcore(graph: Graph) -> bool:
    """Whether there are multiply-adds that fvcore counts as nothing: fused attention and recurrent layers."""
    return any(isinstance(node.op, ScaledDotProductAttention | Recurrent) for node in graph)


def example_inputs(graph: Graph, least_batch: int = 1) -> tuple[Tensor, ...]:
    """Random tensors of the graph's input shapes, from a generator of their own, with `least_batch` images or more.

    What an embedding reads is zeros.
    """
    generator = torch.Generator().manual_seed(0)
    numbers = {i for node in graph if isinstance(node.op, Embedding) for i in node.inputs}
    made = []
    for i, node in enumerate(graph):
        if isinstance(node.op, Input):
            shape = (max(least_batch, node.shape[0]), *node.shape[1:])
            made.append(torch.zeros(shape, dtype=torch.int64) if i in numbers else torch.randn(shape, generator=generator))
    return tuple(made)


def output_shapes(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Shape, ...]:
    """The shapes of what the module returns in eval mode, which is left on."""
    with torch.no_grad():
        return tuple(tuple(y.shape) for y in _outputs(module.eval()(*inputs)))


def torch_madds(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Multiply-adds by torch's flop counter, which counts two per multiply-add, in eval mode, which is left on. Meta tensors do."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(*inputs)
    return int(counter.get_total_flops()) // 2


def fvcore_madds(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Multiply-adds by fvcore, in eval mode, which is left on. Raises MissingPackageError without fvcore."""
    with quiet(), torch.no_grad():
        counted = _fvcore_analysis(module, inputs).by_operator()
    return sum(int(counted[name]) for name in FVCORE_MADDS)


def finite_gradients(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """How many parameter tensors get a finite gradient from one forward and backward pass in training mode, which is left on."""
    if not list(module.parameters()):
        return 0
    module.train()
    module.zero_grad()
    with torch.random.fork_rng(devices=[]):  # dropout draws from the global state
        torch.manual_seed(0)
        loss = torch.stack([y.square().mean() for y in _outputs(module(*inputs))]).sum()
    torch.autograd.backward(loss)
    return sum(p.grad is not None and bool(p.grad.isfinite().all()) for p in module.parameters())


def tool_flops(name: str, module: nn.Module, input_shape: Shape) -> int:
    """What the tool `name` prints by default as the "FLOPs" of `module` in eval mode, on one input of `input_shape` (batch included).

    Their definitions differ (`archspace.analysis.conventions`): torch counts two flops per multiply-add, ptflops always runs one image.
    The module itself is not touched: tools get a copy.
    Raises UnknownNameError for a tool not in TOOLS, MissingPackageError when it is not installed.
    """
    if name not in TOOLS:
        raise UnknownNameError("flops tool", name, TOOLS)
    model = copy.deepcopy(module).eval()
    with quiet(), torch.no_grad():
        return TOOLS[name](model, input_shape)


def _torch(module: nn.Module, shape: Shape) -> int:
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(shape))
    return int(counter.get_total_flops())


def _fvcore(module: nn.Module, shape: Shape) -> int:
    return int(_fvcore_analysis(module, (torch.zeros(shape),)).total())


def _torchinfo(module: nn.Module, shape: Shape) -> int:
    return int(_package("torchinfo").summary(module, input_data=torch.zeros(shape), verbose=0).total_mult_adds)


def _thop(module: nn.Module, shape: Shape) -> int:
    return int(_package("thop").profile(module, inputs=(torch.zeros(shape),), verbose=False)[0])


def _ptflops(module: nn.Module, shape: Shape) -> int:
    # It makes the batch axis itself, of one image, prints its own exceptions and returns None for them.
    total, _ = _package("ptflops").get_model_complexity_info(
        module, tuple(shape[1:]), as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )
    if total is None:
        raise LawError(f"ptflops could not run the module on an input of shape {tuple(shape)}; it printed why above.")
    return int(total)


def _torchprofile(module: nn.Module, shape: Shape) -> int:
    return int(_package("torchprofile").profile_macs(module, torch.zeros(shape)))


# One row per tool: its total with its defaults.
TOOLS: dict[str, Callable[[nn.Module, Shape], int]] = {
    "torch": _torch,
    "fvcore": _fvcore,
    "torchinfo": _torchinfo,
    "thop": _thop,
    "ptflops": _ptflops,
    "torchprofile": _torchprofile,
}


def _package(name: str, extra: str = "dev") -> Any:
    try:
        with quiet():
            return import_module(name)
    except ModuleNotFoundError as error:  # the tool, or what it needs: thop wants distutils, which is setuptools' from Python 3.12 on
        raise MissingPackageError(error.name or name, extra) from None


def _fvcore_analysis(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    analysis = _package("fvcore.nn", "torch").FlopCountAnalysis(module.eval(), inputs)
    return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")


def _outputs(returned: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (returned,) if isinstance(returned, Tensor) else returned


@contextmanager
def quiet(logger: str = "fvcore.nn.jit_analysis") -> Iterator[None]:
    """Neither warnings (deprecated torch.jit and distutils, ops without a handler) nor what `logger` logs below an error."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
