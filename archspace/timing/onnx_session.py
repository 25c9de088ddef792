"""ONNX Runtime: a module written as ONNX in memory, or a file as it is, in a session that runs on so many threads."""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from archspace.errors import LawError, MissingPackageError
from archspace.onnx.export import OPSET, silent
from archspace.pytorch.importer.capture import FOREIGN_ERRORS
from archspace.timing.rounds import Call


def session_call(source: bytes | Path, inputs: tuple[Tensor, ...], threads: int) -> Call:
    """A call that runs the model on these inputs, all graph optimisations on. With one thread it runs in the calling one.

    Raises MissingPackageError without onnxruntime, LawError where the inputs are not the model's, and what onnxruntime raises.
    """
    ort = runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors; warnings of its optimiser are no one's concern here
    session = ort.InferenceSession(str(source) if isinstance(source, Path) else source, options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()
    for one, given in zip(taken, inputs, strict=True):
        fixed = [(size, got) for size, got in zip(one.shape, given.shape, strict=True) if isinstance(size, int)]
        if any(size != got for size, got in fixed):
            sizes, got = ("x".join(map(str, shape)) for shape in (one.shape, given.shape))
            raise LawError(f"the file fixes {one.name!r} at {sizes}, but {got} was asked for. Export it with open sizes.")
    # Bound once: handing over each input and output anew would cost as much as a small op.
    bound = session.io_binding()
    for one, given in zip(taken, inputs, strict=True):
        bound.bind_ortvalue_input(one.name, ort.OrtValue.ortvalue_from_numpy(given.numpy()))
    for one in session.get_outputs():
        bound.bind_output(one.name)

    def call() -> Any:
        session.run_with_iobinding(bound)
        return bound.get_outputs()

    return call


# Ops that the tracing exporter spells where the other has better ones: index_copy, which shifts of some channels are, as two scatters
# of single elements (a shift of 32 of 64 channels at 28x28 takes 0.134 ms then, and 0.055 ms as the other writes it).
TRACED_BADLY = (b"ScatterElements",)


def onnx_bytes(module: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """An ONNX model of what the module, in eval mode, does on these inputs, at their shapes and under the exporter's names.

    By torch's tracing exporter, which takes 6 ms for one op where that of torch.export takes 500; what it cannot write, or writes badly,
    the other does. Both run as fast but for that (`TRACED_BADLY`).
    Raises MissingPackageError without onnx or onnxscript, and what the module or the first exporter raises.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]), silent(), redirect_stderr(StringIO()):
        traced: bytes | None = None
        failed: BaseException | None = None
        try:
            traced = _by_tracing(module, inputs)
        except FOREIGN_ERRORS as error:
            _refuse_missing(error)
            failed = error
        if traced is not None and not any(kind in traced for kind in TRACED_BADLY):
            return traced
        try:
            return _by_torch_export(module, inputs)
        except FOREIGN_ERRORS as error:
            _refuse_missing(error)
            if traced is not None:
                return traced
        assert failed is not None
        raise failed  # it names the op; the other's first line names a step of its own


def _refuse_missing(error: BaseException) -> None:
    """Raise MissingPackageError for a package that an exporter needs."""
    if isinstance(error, ModuleNotFoundError):
        raise MissingPackageError(error.name or "onnx", "onnx") from None


def _by_tracing(module: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    # A failing export logs the whole program to C's stdout, which no setting of torch 2.13 turns off.
    with TemporaryDirectory() as folder, patch.object(torch._C, "_jit_onnx_log", lambda *words: None, create=True):
        path = Path(folder) / "model.onnx"
        torch.onnx.export(module, inputs, path, dynamo=False, opset_version=OPSET)
        return path.read_bytes()


def _by_torch_export(module: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    program = torch.onnx.export(module, inputs, dynamo=True, verbose=False, opset_version=OPSET)
    assert program is not None
    written: bytes = program.model_proto.SerializeToString()
    return written


def runtime() -> Any:
    """The package onnxruntime. Raises MissingPackageError."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise MissingPackageError("onnxruntime", "measure") from None
    return onnxruntime
