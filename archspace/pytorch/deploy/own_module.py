"""Batch norms folded inside a module of the user's own: every other line of its forward runs as it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from archspace.ir.graph import Graph
from archspace.pytorch.deploy.folding import Fold, fold_norms
from archspace.pytorch.deploy.weights import fold_weights
from archspace.pytorch.importer.assemble import graph_with_origins
from archspace.pytorch.importer.capture import capture, unwrap
from archspace.pytorch.importer.naming import Origins
from archspace.pytorch.importer.program import Program, Ref

LAYERS = (nn.Conv2d, nn.Linear)
NORMS = (nn.BatchNorm2d,)


def fold_own(module: nn.Module, inputs: tuple[Any, ...]) -> nn.Module | None:
    """The module itself with its batch norms folded, in place: each is an Identity then, and ops that nobody knows are no matter.

    None, and the module as it was, where a norm or what it folds into is no plain layer of torch's that is called once with weights of its
    own. `inputs` are real ones: forward runs on them once. The module must be in eval mode. Raises LawError where forward cannot run.
    """
    module = unwrap(module)
    program = capture(module, inputs, trace=True)
    graph, origins = graph_with_origins(program)
    nodes = tuple([node if node.shares else replace(node, params=None) for node in graph])  # whose weights they are, `_Own` says
    _, folds, _ = fold_norms(replace(graph, nodes=nodes))
    found = _found(module, program, origins, graph, folds)
    if found is None:
        return None
    with torch.no_grad():
        _fold(found, folds)
    names = {found[fold.norm] for fold in folds}
    for layer in list(module.modules()):
        for key, child in layer._modules.items():
            if child in names:
                layer._modules[key] = nn.Identity()
    return module


def _found(module: nn.Module, program: Program, origins: Origins, graph: Graph, folds: Iterable[Fold]) -> dict[str, nn.Module] | None:
    """The layers of the module that the norms and what they fold into are, by the names of their nodes; None where one is none."""
    own = _Own.of(module, program)
    found: dict[str, nn.Module] = {}
    for fold in folds:
        for name, kinds in ((fold.producer, LAYERS), (fold.norm, NORMS)):
            layer = own.layer(origins.steps[name], kinds)
            if layer is None:
                return None
            found[name] = layer
    return found


@dataclass(frozen=True, slots=True)
class _Own:
    """The layers of a module by name, how often each is called, and how many calls read each tensor."""

    program: Program
    layers: Mapping[str, nn.Module]
    calls: Counter[str]
    readers: Counter[int]

    @classmethod
    def of(cls, module: nn.Module, program: Program) -> _Own:
        calls = Counter(path for _, path in {one for step in program.steps for one in step.path})
        readers = Counter(number for step in program.steps for number in set(step.inputs))
        return cls(program, dict(module.named_modules()), calls, readers)

    def layer(self, step: int, kinds: tuple[type[nn.Module], ...]) -> nn.Module | None:
        """The layer that a step is the only call of, where it is of one of these kinds itself and nothing else reads its weights."""
        call = self.program.steps[step]
        path = call.path[-1][1] if call.path else ""
        layer = self.layers.get(path)
        if type(layer) not in kinds or self.calls[path] > 1:
            return None
        for key in ("weight", "bias"):
            given = call.arguments.get(key)
            if isinstance(given, Ref) and not self._is_own(given.index, f"{path}.{key}"):
                return None
        return layer

    def _is_own(self, number: int, name: str) -> bool:
        """Whether a tensor is the parameter of this name, and one call alone reads it."""
        return name in self.program.weights.get(number, ()) and self.readers[number] == 1


def _fold(layers: Mapping[str, nn.Module], folds: Iterable[Fold]) -> None:
    state: dict[str, Tensor] = {}
    for name, layer in layers.items():
        state |= {f"{name}.{key}": tensor for key, tensor in layer.state_dict().items()}
    folded = fold_weights(state, folds)
    for fold in folds:
        layer = layers[fold.producer]
        for key in ("weight", "bias"):
            value = folded[f"{fold.producer}.{key}"]
            setattr(layer, key, nn.Parameter(value, requires_grad=False))
