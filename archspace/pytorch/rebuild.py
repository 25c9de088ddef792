"""Rebuilding: a module as a graph and as the module built of that graph, with the weights that the original computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from archspace.analysis.opaque import check_known
from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import Parameter
from archspace.pytorch.importer.assemble import graph_with_origins
from archspace.pytorch.importer.capture import capture
from archspace.pytorch.importer.naming import Origins
from archspace.pytorch.importer.own_layers import LAYER
from archspace.pytorch.importer.program import Program, Ref, Step
from archspace.pytorch.lower import Network, to_module
from archspace.pytorch.settle import settled

# What overloads call the weight and the bias of a layer, where it is something else; these have the weight transposed.
WORDS: dict[str, dict[str, str]] = {
    "aten.addmm.default": {"weight": "mat2", "bias": "self"},
    "aten.matmul.default": {"weight": "other"},
    "aten.mm.default": {"weight": "mat2"},
}

ABSENT = {"weight": 1.0, "bias": 0.0}  # what a norm that has one of them alone computes with in the place of the other


def rebuild(module: nn.Module, *inputs: Any) -> tuple[Graph, Network]:
    """The graph of a module, and the module built of it, in eval mode, which returns what the original returns in eval mode.

    `inputs` are real ones: forward runs on them once, and the weights are taken as it uses them. Those that it computes from others
    (standardised ones, position tables) or shares in part are tensors of their own here, and work on weights alone is done: `params` and
    `madds` may differ from those of `from_torch`. The original stays as it is, and shares no memory. Needs memory for all intermediate
    tensors at once.
    Raises LawError as `from_torch` does, also for opaque nodes, and as `to_module` does.
    """
    if not isinstance(module, nn.Module) or not inputs:
        raise LawError(f"rebuild takes a torch.nn.Module and its example inputs, but got {type(module).__name__} and {len(inputs)} inputs")
    program = capture(module, inputs, trace=True)
    imported, origins = graph_with_origins(program)
    tensors = {**_results(imported, origins, program), **origins.tensors}
    graph = settled(imported, tensors)
    nodes = tuple([node if node.shares else replace(node, params=None) for node in graph])
    law = "a module is rebuilt of known ops alone"
    graph = check_known(replace(graph, nodes=nodes), strict=True, law=law, way="Run the module itself, as the backend eager does.")
    built = to_module(graph, seed=0).eval()
    layers = {name: layer for name, layer in built.named_modules() if type(layer) is not nn.Module}  # scopes may bear the name of a call
    with torch.no_grad():
        for name, step in origins.steps.items():
            if step >= 0 and name in layers:
                _fill(name, layers[name], _given(program, program.steps[step], layers[name]))
        for node in graph:
            if isinstance(node.op, Parameter) and not node.shares:
                _set(built, node.name, program.values[tensors[node.name]])
    return graph, built


def _results(graph: Graph, origins: Origins, program: Program) -> dict[str, int]:
    """The tensors that nodes are, by name: of each step with one result, which it writes anew, the last node."""
    last = {origins.steps[node.name]: node for node in graph if node.name in origins.steps}
    found: dict[str, int] = {}
    for i, node in last.items():
        if i < 0 or program.steps[i].written or len(program.steps[i].outputs) != 1:
            continue
        number = program.steps[i].outputs[0]
        if number is not None and program.data[number].shape == node.shape:
            found[node.name] = number
    return found


def _given(program: Program, step: Step, layer: nn.Module) -> Mapping[str, Tensor]:
    """The weights of a call by the names that `layer` has for them."""
    arguments = step.arguments
    if step.target == LAYER:
        own: Mapping[str, Tensor] = arguments["module"].state_dict()
        return own
    if isinstance(layer, nn.RNNBase):
        return {name: program.values[ref.index] for name, ref in zip(layer._flat_weights_names, arguments["params"], strict=True)}
    words = WORDS.get(step.target, {})
    found = {key: arguments.get(words.get(key, key)) for key in layer.state_dict()}
    values = {key: program.values[ref.index] for key, ref in found.items() if isinstance(ref, Ref)}
    return {key: value.T if words and key == "weight" else value for key, value in values.items()}


def _fill(name: str, layer: nn.Module, given: Mapping[str, Tensor]) -> None:
    for key, own in layer.state_dict().items():
        if key in given:
            own.copy_(given[key].reshape(own.shape))
        elif key in ABSENT:
            own.fill_(ABSENT[key])
        elif key != "num_batches_tracked":
            raise LawError(f"{name}: its {key} must be an argument of the call that it was read from, but is none")


def _set(built: nn.Module, name: str, value: Tensor) -> None:
    """Give a tensor of the network's own its value, and a constant its type."""
    owner, _, last = name.rpartition(".")
    parent = built.get_submodule(owner)
    if last in parent._buffers:
        parent._buffers[last] = value.detach().clone()
    else:
        parent.get_parameter(last).copy_(value)
