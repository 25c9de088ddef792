"""The proxies by name, and how one is measured on a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from archspace.errors import LawError, UnknownNameError
from archspace.ir.graph import Graph, require_graph
from archspace.ir.ops import Shape
from archspace.pytorch.lower import to_module
from archspace.pytorch.proxies.naswot import naswot
from archspace.pytorch.proxies.synflow import synflow
from archspace.pytorch.proxies.zen import zen
from archspace.pytorch.proxies.zico import zico


@dataclass(frozen=True, slots=True)
class Proxy:
    """A number that an untrained network is judged by instead of its accuracy.

    `measure(module, input_shape, seed)` takes the shape with the batch, (n, c, h, w), leaves the module and torch's global random state as
    they are, and raises LawError for a network that lacks what the proxy looks at. `batch` is n where none is asked for.
    """

    name: str
    better: Literal["maximize"]
    summary: str
    paper: str
    batch: int
    measure: Callable[[nn.Module, Shape, int], float]


PROXIES: dict[str, Proxy] = {
    "naswot": Proxy(
        "naswot",
        "maximize",
        "how differently activations switch on for different images",
        "Mellor et al., Neural Architecture Search without Training (ICML 2021)",
        16,
        naswot,
    ),
    "synflow": Proxy(
        "synflow",
        "maximize",
        "how much signal flows through the absolute weights (logarithm)",
        "Tanaka et al., Pruning neural networks without any data (NeurIPS 2020)",
        1,
        synflow,
    ),
    "zen": Proxy(
        "zen",
        "maximize",
        "how much the last map moves when the image does",
        "Lin et al., Zen-NAS (ICCV 2021)",
        8,
        zen,
    ),
    "zico": Proxy(
        "zico",
        "maximize",
        "how large and steady gradients are over batches of noise",
        "Li et al., ZiCo (ICLR 2023); random data, not training data",
        8,
        zico,
    ),
}


def proxy_named(name: str) -> Proxy:
    """The proxy of that name. Raises UnknownNameError with near names."""
    if name not in PROXIES:
        raise UnknownNameError("proxy", name, PROXIES)
    return PROXIES[name]


def proxy(
    graph: Graph,
    name: str,
    seed: int = 0,
    batch: int | None = None,
    input: int | tuple[int, int] | None = None,  # noqa: A002 (the word that build() has)
) -> float:
    """A proxy's value of a graph: built with the weights of `seed`, measured on images of `seed`.

    `batch` images (the proxy's own number unless given) of the graph's size or `input` pixels. The same arguments give the same value.
    Raises UnknownNameError for a name that is none of PROXIES, LawError for a graph that cannot be built, takes several inputs, does not
    take another batch or size (some imported ones) or lacks what the proxy looks at.
    """
    require_graph("proxy", graph)
    chosen = proxy_named(name)
    if len(graph.inputs) != 1:
        raise LawError(f"{graph.name}: {name} needs a network of one input, but this has {len(graph.inputs)}. Judge its backbone.")
    if batch is not None and batch < 1:
        raise LawError(f"{graph.name}: batch must be at least 1, but got {batch}")
    size = () if input is None else (input,) if isinstance(input, int) else input
    sized = graph.with_input(*size, batch=batch or chosen.batch)
    try:
        return chosen.measure(to_module(sized, seed=seed), sized.input_shape, seed)
    except LawError as error:
        raise error.at(graph.name) from None
