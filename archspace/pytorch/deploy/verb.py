"""`deploy`: a graph and its weights as they run at inference, and what could not be folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from archspace.ir.graph import Graph, require_graph
from archspace.pytorch.deploy.folding import Kept, fold_norms, without_identities
from archspace.pytorch.deploy.merging import merge_movement
from archspace.pytorch.deploy.shifts import displacements, freeze, write_in_place
from archspace.pytorch.deploy.weights import fold_weights, state_of


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed network: its graph, the state dict of that graph's module, and the batch norms that stay, each with the reason."""

    graph: Graph
    state: dict[str, Tensor]
    kept: tuple[Kept, ...]


def deployment(graph: Graph, state: Mapping[str, Tensor]) -> Deployment:
    """Fold batch norms into the layers before them, freeze sparse shifts, merge concat, shuffle and slice, drop dropout.

    `state` is the state dict of `to_module(graph)`, which the result equals in eval mode up to rounding (`to_module(result.graph)` takes
    `result.state`). Neither argument is changed. Raises LawError where the weights lack a tensor that the graph needs, or do not fit it.
    """
    require_graph("deploy", graph)
    steps = displacements(graph, state)
    folded, folds, kept = fold_norms(freeze(without_identities(graph), steps))
    merged = write_in_place(merge_movement(folded))
    return Deployment(merged, state_of(merged, fold_weights(state, folds)), kept)


def deploy(graph: Graph, state: Mapping[str, Tensor]) -> tuple[Graph, dict[str, Tensor]]:
    """The graph and weights of a network as it runs at inference: `deployment` without what it says about what stayed.

    Raises LawError where the weights lack a tensor that the graph needs, or do not fit it.
    """
    found = deployment(graph, state)
    return found.graph, found.state
