"""Backends: the table BACKENDS, and `runner`, which makes a network ready to be called over and over."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # its settings, which nothing loads before the first compilation
from torch import Tensor, nn

from archspace.errors import ArchspaceError, LawError, MissingPackageError, UnknownNameError
from archspace.ir.graph import Graph
from archspace.pytorch.importer.capture import FOREIGN_ERRORS
from archspace.timing.cuda import replay
from archspace.timing.rounds import Call, in_turn
from archspace.timing.subject import Subject

Make = Callable[[], Call]  # a further call of the same network, with weights and inputs of its own
DEVICES = ("cpu", "cuda")
COMPILED_AT_ONCE = 1000  # modules of one class that torch.compile keeps apart; beyond its limit it runs them uncompiled


@dataclass(frozen=True, slots=True)
class Backend:
    """What makes calls of a subject on a device with so many threads, the devices it knows, and the package whose version matters."""

    prepare: Callable[[Subject, str, int], Make]
    devices: tuple[str, ...] = DEVICES
    package: str = "torch"


@dataclass(frozen=True, slots=True)
class Runner:
    """A network that is ready: `call` runs it once and returns what it returns. On a GPU, whether it is replayed as a CUDA graph."""

    call: Call
    is_replay: bool = False


def runner(
    network: Graph | nn.Module | Subject,
    backend: str = "eager",
    inputs: Sequence[Tensor] = (),
    *,
    on: str = "cpu",
    threads: int = 1,
    copies: int = 1,
) -> Runner:
    """Make a network ready to be called: built, folded, compiled or exported, moved to its device, and run once.

    With several `copies` the calls take weights and inputs of their own in turn, so that no cache has them all. Call it inside `running`
    with the same number of threads, which is also where it must be made. Raises LawError where the backend cannot run the network,
    UnknownNameError, MissingPackageError.
    """
    check_backend(backend, on)
    subject = network if isinstance(network, Subject) else Subject(_name(network), network, tuple(inputs))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch and its compilers, about themselves
            make = BACKENDS[backend].prepare(subject, on, threads)
            calls = [make() for _ in range(copies)]
            for call in calls:
                call()
        return _replayed(calls) if on == "cuda" else Runner(_one(calls))
    except MissingPackageError:
        raise
    except ArchspaceError as error:
        raise LawError(f"{backend} cannot run {subject.name}: {error}") from None
    except FOREIGN_ERRORS as error:
        raise LawError(f"{backend} cannot run {subject.name}: {_told(error)}") from None


def check_backend(backend: str, on: str) -> None:
    """Raise UnknownNameError or LawError where the backend or the device is none, or the one does not know or find the other."""
    if backend not in BACKENDS:
        raise UnknownNameError("backend", backend, BACKENDS)
    if on not in DEVICES:
        raise UnknownNameError("device to measure on", on, DEVICES)
    if on not in BACKENDS[backend].devices:
        known = " or ".join(BACKENDS[backend].devices)
        raise LawError(f"the backend {backend} is timed on the {known} alone, but was asked for on {on}. Others: {', '.join(_able(on))}")
    if on == "cuda" and not torch.cuda.is_available():
        raise LawError(f"measuring on cuda needs a GPU and a torch built for it, but torch {torch.__version__} finds none. Use cpu.")


@contextmanager
def running(threads: int = 1) -> Iterator[None]:
    """Inference mode, with so many threads within ops; the number that torch had before comes back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def _eager(subject: Subject, on: str, threads: int) -> Make:
    with torch.inference_mode(False):
        return partial(_module_call, subject.module(), subject.inputs, on)


def _folded(subject: Subject, on: str, threads: int) -> Make:
    with torch.inference_mode(False):
        return partial(_module_call, subject.folded(), subject.inputs, on)


def _compile(subject: Subject, on: str, threads: int) -> Make:
    with torch.inference_mode(False):
        module = subject.module()

    def make() -> Call:
        call = partial(torch.compile(_on(module, on), dynamic=False), *_inputs(subject.inputs, on))
        # Beyond its limit torch.compile would run a module as it is, with no more than a log line.
        with torch._dynamo.config.patch(cache_size_limit=COMPILED_AT_ONCE, fail_on_cache_limit_hit=True):
            call()
        return call

    return make


def _onnxruntime(subject: Subject, on: str, threads: int) -> Make:
    try:
        from archspace.timing.onnx_session import onnx_bytes, session_call
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "onnx", "measure") from None
    with torch.inference_mode(False):
        source = subject.network if isinstance(subject.network, Path) else onnx_bytes(subject.module(), subject.inputs)
    return lambda: session_call(source, _inputs(subject.inputs, on), threads)


BACKENDS: dict[str, Backend] = {
    # The module as PyTorch runs it, op by op.
    "eager": Backend(_eager),
    # The same with batch norms folded into the layers before them, and nothing else changed.
    "folded": Backend(_folded),
    # torch.compile with its defaults (inductor), the compilation not counted.
    "compile": Backend(_compile),
    # ONNX Runtime with all its graph optimisations.
    "onnxruntime": Backend(_onnxruntime, devices=("cpu",), package="onnxruntime"),
}


def _module_call(module: nn.Module, inputs: tuple[Tensor, ...], on: str) -> Call:
    return partial(_on(module, on), *_inputs(inputs, on))


def _on(module: nn.Module, on: str) -> nn.Module:
    with torch.inference_mode(False):
        return copy.deepcopy(module).to(on)


def _inputs(inputs: tuple[Tensor, ...], on: str) -> tuple[Any, ...]:
    return tuple([x.clone().to(on) for x in inputs])


def _replayed(calls: Sequence[Call]) -> Runner:
    replays = [replay(call) for call in calls]
    captured = [one for one in replays if one is not None]
    return Runner(_one(captured), is_replay=True) if len(captured) == len(calls) else Runner(_one(calls))


def _one(calls: Sequence[Call]) -> Call:
    return calls[0] if len(calls) == 1 else in_turn(calls)


def _able(on: str) -> list[str]:
    return [name for name, backend in BACKENDS.items() if on in backend.devices]


def _name(network: Graph | nn.Module) -> str:
    return network.name if isinstance(network, Graph) else type(network).__name__


def _told(error: BaseException) -> str:
    """An error of foreign code in a line: its kind and the first line of what it says."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
