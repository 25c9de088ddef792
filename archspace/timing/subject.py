"""Subjects: what is timed, with the inputs that it is timed on, and the modules that torch runs for it."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import Shape
from archspace.ir.serde import to_json
from archspace.pytorch.deploy.files import network_of
from archspace.pytorch.deploy.folding import fold_norms
from archspace.pytorch.deploy.own_module import fold_own
from archspace.pytorch.deploy.weights import fold_weights, state_of
from archspace.pytorch.lower import Network, to_module
from archspace.pytorch.oracle import example_inputs
from archspace.pytorch.rebuild import rebuild

HASH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Subject:
    """A network by name. `network` is a graph, a module, or the path of an .onnx file, whose `graph` torch's backends then build.

    `inputs` are what forward takes, batch included; random ones of the graph's shapes where none are given. Graphs get random weights.
    """

    name: str
    network: Graph | nn.Module | Path
    inputs: tuple[Tensor, ...] = ()
    graph: Graph | None = None

    def __post_init__(self) -> None:
        if isinstance(self.network, Graph):
            object.__setattr__(self, "graph", self.network)
        if not self.inputs and self.graph is not None:
            object.__setattr__(self, "inputs", example_inputs(self.graph))
        if not self.inputs or self.inputs[0].dim() == 0:
            raise LawError(f"{self.name}: a module is timed on inputs with a batch axis. Give them: Subject(name, module, (tensor,))")
        if isinstance(self.network, Path) and self.graph is None:
            raise LawError(f"{self.name}: an .onnx file is timed with its graph beside it: Subject(name, path, graph=from_onnx(path))")

    @property
    def input_shape(self) -> Shape:
        """The first input's shape."""
        return tuple(self.inputs[0].shape)

    @property
    def graph_hash(self) -> str:
        """Twelve digits that tell graphs apart; '' for a module whose graph nobody asked for."""
        return sha256(to_json(self.graph).encode()).hexdigest()[:HASH_DIGITS] if self.graph is not None else ""

    def module(self) -> nn.Module:
        """The module in eval mode: a copy, or built of the graph with weights of a fixed seed. Raises LawError for unknown ops."""
        if not isinstance(self.network, nn.Module):
            assert self.graph is not None
            return to_module(self.graph, seed=0).eval()
        module = copy.deepcopy(self.network)
        with suppress(NotImplementedError):  # an exported program has one mode, and refuses to be asked
            module.eval()
        return module

    def folded(self) -> nn.Module:
        """The module with batch norms folded into the layers before them, and nothing else changed.

        Where a batch norm is no layer of its own (a function's call, a class of timm's) the module is rebuilt from its graph for that.
        Raises LawError where forward cannot run, and for unknown ops in what must be rebuilt.
        """
        if isinstance(self.network, nn.Module):
            own = fold_own(self.module(), self.inputs)
            if own is not None:
                return own
            try:
                with torch.no_grad():
                    return folded(*rebuild(self.module(), *self.inputs))
            except LawError as error:
                raise LawError(f"a batch norm that is no plain layer folds in a rebuilt module alone: {error}") from None
        assert self.graph is not None
        return folded(self.graph, to_module(self.graph, seed=0))


def folded(graph: Graph, module: nn.Module) -> Network:
    """The module of a graph, in eval mode, with its batch norms folded and nothing else changed."""
    without, folds, _ = fold_norms(graph)
    return network_of(without, state_of(without, fold_weights(module.state_dict(), folds)), graph.name)
