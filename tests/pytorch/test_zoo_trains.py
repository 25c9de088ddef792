"""The whole zoo as modules and as code, at its smallest: every family runs forward and backward, exports, and its code is the module."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from small_networks import small_network
from torch import Tensor, nn

from archspace.ir import Graph
from archspace.pytorch import Network, code_files, to_module
from archspace.zoo import ZOO

# Beside the families: what their defaults leave out.
NETWORKS: dict[str, dict[str, Any]] = {
    **{family: {} for family in ZOO},
    "fenet, learned": {"learned_shifts": True},
    "shufflenet_v2, backbone": {"features": True},
    "nasnet_a, backbone": {"features": True},
}


def of_name(name: str) -> Graph:
    return small_network(name.partition(",")[0], **NETWORKS[name])


def images(graph: Graph, batch: int = 2) -> Tensor:
    return torch.randn((batch, *graph.input_shape[1:]), generator=torch.Generator().manual_seed(batch))


def listed(outputs: Tensor | tuple[Tensor, ...]) -> Sequence[Tensor]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.fixture(scope="module", params=NETWORKS)
def built(request: pytest.FixtureRequest) -> tuple[Graph, Network]:
    """A network's graph and its module, which all tests of the network share."""
    graph = of_name(request.param)
    return graph, to_module(graph, seed=3)


@pytest.fixture
def written(built: tuple[Graph, Network], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The network's class, imported as a user would: from the folder of its code."""
    for name, text in code_files(built[0]).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("model", "shift"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = import_module("model")
    yield [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, nn.Module) and one.__module__ == "model"][-1]
    for name in ("model", "shift"):
        sys.modules.pop(name, None)


def test_its_code_has_the_modules_state_dict_start_values_and_outputs(built: tuple[Graph, Network], written: Any) -> None:
    graph, module = built
    start, network = to_module(graph, seed=3).state_dict(), written(seed=3)
    for (name, mine), (same, its) in zip(network.state_dict().items(), start.items(), strict=True):
        assert name == same
        assert torch.equal(mine, its), name
    network.load_state_dict(module.state_dict())
    x = images(graph, 1)
    with torch.no_grad():
        found, expected = listed(network.eval()(x)), listed(module.eval()(x))
    assert len(found) == len(expected)
    assert all(map(torch.equal, found, expected))
    assert getattr(network, "feature_info", []) == module.feature_info


def test_it_runs_forward_and_backward(built: tuple[Graph, Network]) -> None:
    graph, module = built
    outputs = listed(module.train()(images(graph)))
    assert [tuple(y.shape) for y in outputs] == [(2, *graph.nodes[i].shape[1:]) for i in graph.outputs]
    torch.stack([y.square().mean() for y in outputs]).sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in module.parameters())


@pytest.mark.slow
def test_it_exports_for_any_batch(built: tuple[Graph, Network]) -> None:
    graph, module = built
    program = torch.export.export(module.eval(), (images(graph),), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    with torch.no_grad():
        for mine, its in zip(listed(program(images(graph, 3))), listed(module(images(graph, 3))), strict=True):
            torch.testing.assert_close(mine, its, rtol=0, atol=1e-6)
