"""Export: a built module as an .onnx file, by torch's own exporter, under the graph's names.

The file holds eval mode at the graph's own input shapes: batch norm is folded into the convolution before it, dropout is gone, learned
shifts only move.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspace.errors import FileError, LawError, MissingPackageError
from archspace.files import check_writable
from archspace.ir.graph import Graph, require_graph
from archspace.ir.ops import Embedding, GroupedShift, SparseShift
from archspace.ir.serde import attrs_of
from archspace.onnx.names import LAYER_KEY, SCOPES_KEY, parents, scopes_of

if TYPE_CHECKING:
    import onnx
    from torch import fx, nn

OPSET = 20
LARGEST_FILE = 2**31 - 1  # bytes: what one protobuf message can hold
WHOLE_LAYERS = (GroupedShift, SparseShift)  # ops that ONNX spells in several nodes, and that say themselves what they are together


def export_onnx(module: nn.Module, graph: Graph, path: str | Path, *, force: bool = False) -> None:
    """Write the module that was built of `graph` as an ONNX file of eval mode, at the graph's input shapes. The module is not changed.

    Inputs and outputs bear the names of the graph's nodes, and every node says under `pkg.torch.onnx.name_scopes` which node of the
    graph it comes from. Raises FileError when the file exists (without `force`), cannot be written or would exceed 2 GB, LawError for a
    module that torch cannot export, MissingPackageError without torch, onnx or onnxscript.
    """
    require_graph("export_onnx", graph)
    target = check_writable(path, force=force)
    scalars = sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers()))
    if scalars > LARGEST_FILE:
        raise FileError(f"{path}: an ONNX file holds at most {LARGEST_FILE} bytes, but the weights are {scalars}. Save it as a .pt2 file.")
    model = _exported(module, graph)
    _label(model, graph)
    _write(target, model.SerializeToString(deterministic=True))


def _exported(module: nn.Module, graph: Graph) -> onnx.ModelProto:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        import torch
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "onnx", "torch" if error.name == "torch" else "onnx") from None
    model = copy.deepcopy(module).eval()
    if isinstance(model, torch.fx.GraphModule):
        _name_calls(model, graph)
    numbers = {graph.nodes[i].name for node in graph if isinstance(node.op, Embedding) for i in node.inputs}
    inputs = tuple([torch.zeros(node.shape, dtype=torch.int64 if node.name in numbers else torch.float32) for node in graph.inputs])
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), silent():
            program = torch.onnx.export(
                model,
                inputs,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[node.name for node in graph.inputs],
                output_names=_output_names(graph),
            )
    except (RuntimeError, TypeError, ValueError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise LawError(f"{graph.name}: torch must be able to export the module as ONNX, but raised: {first}") from None
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    return proto


def _output_names(graph: Graph) -> list[str]:
    """The outputs' names; one that is an input too, or stands twice, gets a number behind."""
    taken = {node.name for node in graph.inputs}
    names: list[str] = []
    for i in graph.outputs:
        name, count = graph.nodes[i].name, 0
        while name in taken:
            count += 1
            name = f"{graph.nodes[i].name}_{count}"
        taken.add(name)
        names.append(name)
    return names


def _name_calls(model: fx.GraphModule, graph: Graph) -> None:
    """Make a submodule under the graph's name of every call of a function, so that the exporter knows where it stands."""
    from torch import nn

    class Called(nn.Module):
        def __init__(self, function: Any, args: Any, kwargs: Any) -> None:
            super().__init__()
            self.function, self.rest, self.words = function, args, kwargs

        def forward(self, *tensors: Any) -> Any:
            remaining = list(tensors)
            args, kwargs = torch_map((self.rest, self.words), lambda _: remaining.pop(0))
            return self.function(*args, **kwargs)

    from torch.fx.node import map_arg as torch_map

    names = {re.sub(r"\W", "_", node.name): node.name for node in graph}
    for node in list(model.graph.nodes):
        name = names.get(node.name)
        if node.op != "call_function" or name is None or not _is_free(model, name):
            continue
        tensors: list[fx.Node] = []
        torch_map((node.args, node.kwargs), tensors.append)
        model.add_submodule(name, Called(node.target, node.args, node.kwargs))
        with model.graph.inserting_before(node):
            call = model.graph.call_module(name, tuple(tensors))
        node.replace_all_uses_with(call)
        model.graph.erase_node(node)
    model.recompile()


def _is_free(model: nn.Module, name: str) -> bool:
    """Whether a submodule can be put under a dotted name."""
    place: Any = model
    for part in name.split("."):
        if not hasattr(place, part):
            return True
        place = getattr(place, part)
    return False


def _label(model: onnx.ModelProto, graph: Graph) -> None:
    """Names and places after the graph; what else the exporter wrote about the code (paths on this machine among it) is dropped."""
    known = {node.name: node for node in graph}
    taken: set[str] = set()
    model.graph.name = graph.name
    for node in model.graph.node:
        scopes = scopes_of(node)
        weights = [name.rpartition(".")[0] for name in node.input if name.rpartition(".")[0] in known]
        place = weights[0] if weights else next((one for one in reversed(scopes) if one in known), "")
        scopes = (*parents(place), scopes[-1]) if place and scopes else scopes
        del node.metadata_props[:]
        node.metadata_props.add(key=SCOPES_KEY, value=str(["", *scopes]))
        op = known[place].op if place else None
        if isinstance(op, WHOLE_LAYERS):
            said = {"op": type(op).__name__, "attrs": attrs_of(op)}
            node.metadata_props.add(key=LAYER_KEY, value=json.dumps(said))
        name, count = place or node.name, 0
        while name in taken:
            count += 1
            name = f"{place or node.name}_{count}"
        taken.add(name)
        node.name = name
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.metadata_props[:], model.graph.metadata_props[:]


def _write(target: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = target.with_name(f".{target.name[:200]}.{os.getpid()}")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(target)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def silent() -> Iterator[None]:
    """Without the warnings, log lines and progress of torch's exporter."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
