"""Capture: what a module computes, as torch.export sees it before any op is taken apart. The module itself is left as it was."""

from __future__ import annotations

import copy
import io
import logging
import random
import sys
import sysconfig
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from archspace.errors import ArchspaceError, LawError
from archspace.pytorch.importer.exported import program_of
from archspace.pytorch.importer.program import Program
from archspace.pytorch.importer.record import record
from archspace.pytorch.importer.tree import tree_of

TORCH = str(Path(torch.__file__).parent)
ARCHSPACE = str(Path(__file__).parents[2])
STANDARD_LIBRARY = sysconfig.get_path("stdlib")
META = torch.device("meta")

# What code of others may raise: anything, exceptions of its own and sys.exit among it. Each is told in one line.
FOREIGN_ERRORS = (Exception, SystemExit)

# How torch words that a branch or a shape depends on the values in a tensor.
DATA_DEPENDENT = ("data-dependent", "data dependent", "on meta tensors", "is_nonzero", "local_scalar_dense", "item() on")

EMPTY = (dict, OrderedDict, set)
HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs",
    "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip


def capture(module: nn.Module, inputs: tuple[Any, ...], *, trace: bool = False) -> Program:
    """What `module` computes in eval mode on example inputs.

    It is run on the meta device, every call written down; where it makes tensors on the CPU or looks into them, torch.export follows it.
    With `trace` a copy with weights is run on copies of the example inputs, and branches are taken as they say; no weight is read or copied
    but then. Train flag, parameters, buffers, hooks and random states stay as they are, also when forward raises. Hooks are not called,
    but those by which torch.nn.utils computes weights.
    Raises LawError that names the line of forward that raised.
    """
    plain = unwrap(module)
    name = type(plain).__name__
    with torch.no_grad(), same_random_state(), _silent(), _whole_attention():
        try:
            if trace:
                return record(twin(plain, None, copies=True), pytree.tree_map_only(Tensor, torch.clone, inputs), name)
            return record(twin(plain, META), _on_meta(inputs), name)
        except ArchspaceError:
            raise
        except FOREIGN_ERRORS as error:
            if trace:
                raise LawError(_message(name, error)) from None
        for device in (META, None):
            try:
                model = twin(plain, device)
                exported = torch.export.export(model, inputs if device is None else _on_meta(inputs), strict=False)
                return program_of(exported, name, tree=tree_of(model), module=model)
            except ArchspaceError:
                raise
            except FOREIGN_ERRORS as error:
                failed = error
        raise LawError(_message(name, failed)) from None


def _on_meta(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    moved: tuple[Any, ...] = pytree.tree_map_only(Tensor, lambda t: torch.empty_like(t, device=META), inputs)
    return moved


def unwrap(module: nn.Module) -> nn.Module:
    """The user's own module inside torch.compile, DistributedDataParallel and DataParallel."""
    while True:
        if isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel):
            module = module.module
        elif isinstance(module, torch._dynamo.OptimizedModule):
            module = module._orig_mod
        else:
            return module


def twin(module: nn.Module, device: torch.device | None, *, copies: bool = False) -> nn.Module:
    """A copy in eval mode without hooks, with the module's own tensors (or `copies` of them), or with empty ones on `device`.

    Raises LawError for a module that cannot be copied.
    """
    memo: dict[int, Any] = {}
    for layer in module.modules():
        for value in (*layer._parameters.values(), *layer._buffers.values(), *vars(layer).values()):
            if isinstance(value, Tensor) and not copies:
                memo[id(value)] = value if device is None else _empty(value, device)
            elif type(value) in EMPTY and not value:  # a dozen in each layer, which copy.deepcopy takes most of its time for
                memo[id(value)] = type(value)()
    try:
        model = unwrap(copy.deepcopy(module, memo))
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise LawError(f"{type(module).__name__}: the module must be one that copy.deepcopy can copy, but it raised: {error}") from None
    for layer in model.modules():
        layer.training = False
        layer._compiled_call_impl = None
        for child, inner in layer._modules.items():
            if inner is not None:
                layer._modules[child] = unwrap(inner)
        for kind in HOOKS:
            hooks = getattr(layer, kind)
            for key in [key for key, hook in hooks.items() if not type(hook).__module__.startswith("torch.nn.utils")]:
                del hooks[key]
    return model


def _empty(tensor: Tensor, device: torch.device) -> Tensor:
    if type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided and not tensor.is_quantized:  # empty_like is slow on meta
        empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
    else:
        empty = torch.empty_like(tensor, device=device)
    return nn.Parameter(empty, requires_grad=False) if isinstance(tensor, nn.Parameter) else empty


def has_hooks(module: nn.Module) -> bool:
    """Whether layers of a module have forward hooks that a capture leaves out."""
    kinds = ("_forward_hooks", "_forward_pre_hooks")
    hooks = [hook for layer in module.modules() for kind in kinds for hook in getattr(layer, kind).values()]
    return not all(_is_of_torch(hook) for hook in hooks)


def _is_of_torch(hook: Any) -> bool:
    """Whether a hook is torch's own: one that computes weights, or one of a lazy layer."""
    return type(hook).__module__.startswith("torch.nn.utils") or str(getattr(hook, "__module__", "")).startswith("torch.")


@contextmanager
def same_random_state() -> Iterator[None]:
    """Afterwards the random states of Python, torch and NumPy (where it is loaded) are what they were."""
    python, numpy = random.getstate(), sys.modules.get("numpy")
    of_numpy = numpy.random.get_state() if numpy else None
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            if numpy:
                numpy.random.set_state(of_numpy)


@contextmanager
def _whole_attention() -> Iterator[None]:
    """Without the fused kernel of torch's attention layers, which hides its parts."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def _silent() -> Iterator[None]:
    """Without what torch logs, prints (pages, before it raises) and warns of."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _is_foreign(filename: str) -> bool:
    """Whether a file is none of the user's: torch's, archspace's, or Python's own."""
    of_python = filename.startswith(STANDARD_LIBRARY) and "site-packages" not in filename
    return filename.startswith((TORCH, ARCHSPACE, "<")) or of_python


def _message(name: str, error: BaseException) -> str:
    """One line: what went wrong, and on which line of the user's code."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_foreign(frame.filename)]
    place = f", {Path(own[-1].filename).name} line {own[-1].lineno}: {own[-1].line}" if own else ""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if any(words in str(error).lower() for words in DATA_DEPENDENT) or "DataDependent" in type(error).__name__:
        return (
            f"{name}: forward must not branch on the values of a tensor, but it does{place}. "
            "Follow the branches that example inputs take with --trace (trace=True), or import the part of the network without it."
        )
    return f"{name}: forward must run on the example inputs, but raised {type(error).__name__}{place} ({first})"
