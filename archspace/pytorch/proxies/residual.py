"""Networks without their residual links, and without what comes after the last map: what the Zen-score is taken on."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from archspace.pytorch import functions

ADDS: frozenset[Callable[..., Any]] = frozenset((operator.add, operator.iadd, torch.add, functions.add))
POOLS = (
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._MaxPoolNd,
)
POOL_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
    (torch.mean, torch.amax, functional.adaptive_avg_pool2d, functional.avg_pool2d, functional.max_pool2d)
)


def remove_residual_links(network: fx.GraphModule) -> int:
    """Take the link out of every residual addition, in place; returns how many there were.

    An addition of two tensors is residual where one of them, the link, is what the other was computed of: itself or through a projection
    (a single convolution, norms, pools, movements, no activation). Both being so (cells), none is a link.
    """
    graph, removed = network.graph, 0
    above: dict[fx.Node, frozenset[fx.Node]] = {}
    for node in graph.nodes:
        above[node] = frozenset(node.all_input_nodes).union(*(above[one] for one in node.all_input_nodes))
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target not in ADDS or len(node.all_input_nodes) != 2:
            continue
        one, other = node.all_input_nodes
        links = [_is_link(network, one, other, above), _is_link(network, other, one, above)]
        if links[0] != links[1]:
            node.replace_all_uses_with(other if links[0] else one)
            graph.erase_node(node)
            removed += 1
    graph.eliminate_dead_code()
    network.recompile()
    return removed


def end_before_pooling(network: fx.GraphModule) -> None:
    """Return, in place, what enters the last pooling (global, as a rule) instead of what comes of it; nothing where nothing pools."""
    graph = network.graph
    pools = [node for node in graph.nodes if _is_pool(network, node)]
    if pools:
        output = next(node for node in graph.nodes if node.op == "output")
        output.args = (pools[-1].all_input_nodes[0],)
        graph.eliminate_dead_code()
        network.recompile()


def _is_link(network: fx.GraphModule, link: fx.Node, body: fx.Node, above: dict[fx.Node, frozenset[fx.Node]]) -> bool:
    """Whether `link` is, or is projected from, a tensor that `body` was computed of."""
    convolutions = 0
    while link not in above[body]:
        layer = network.get_submodule(str(link.target)) if link.op == "call_module" else None
        convolutions += isinstance(layer, nn.Conv2d)
        if link.op in ("placeholder", "get_attr") or convolutions > 1 or _is_nonlinear(layer) or len(link.all_input_nodes) != 1:
            return False
        link = link.all_input_nodes[0]
    return True


def _is_nonlinear(layer: nn.Module | None) -> bool:
    return layer is not None and type(layer).__module__ == "torch.nn.modules.activation"


def _is_pool(network: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(network.get_submodule(str(node.target)), POOLS)
    return node.op == "call_function" and node.target in POOL_FUNCTIONS
