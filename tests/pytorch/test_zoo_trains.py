"""The whole zoo as modules: every family runs forward and backward, exports, and compiles."""

from __future__ import annotations

import pytest
import torch

from archspace.ir import Graph
from archspace.ir.ops import Op
from archspace.pytorch import to_module
from archspace.zoo import MEMBERS, ZOO, build


def small(name: str) -> Graph:
    """A family or member at 64 pixels."""
    return build(name, input=(64, 64))


def kinds_of(name: str) -> set[type[Op]]:
    return {type(node.op) for node in build(name)}


def one_per_kind() -> list[str]:
    """Small members that between them have every op kind of the zoo."""
    found: list[str] = []
    for member in sorted(MEMBERS, key=lambda name: len(build(name))):
        if kinds_of(member).difference(*map(kinds_of, found)):
            found.append(member)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("family", ZOO)
def test_every_family_runs_forward_and_backward(family: str) -> None:
    graph = small(family)
    module = to_module(graph, seed=0)
    x = torch.randn((2, *graph.input_shape[1:]), generator=torch.Generator().manual_seed(0))
    y = module(x)
    assert tuple(y.shape) == (2, *graph.nodes[graph.outputs[0]].shape[1:])
    y.square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in module.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("family", ZOO)
def test_every_family_exports(family: str) -> None:
    graph = small(family)
    module = to_module(graph, seed=0).eval()
    x = torch.randn(graph.input_shape, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(module, (x,))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), module(x), rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("member", one_per_kind())
def test_a_network_per_op_kind_compiles_and_gives_the_same_gradients(member: str) -> None:
    torch.compiler.reset()
    graph = small(member)
    gradients = []
    for is_compiled in (False, True):
        module = to_module(graph, seed=0).eval()
        run = torch.compile(module, backend="aot_eager", fullgraph=True) if is_compiled else module
        run(torch.randn(graph.input_shape, generator=torch.Generator().manual_seed(0))).square().sum().backward()
        gradients.append([p.grad for p in module.parameters()])
    for eager, traced in zip(*gradients, strict=True):
        assert (eager is None) == (traced is None)  # learned displacements have none in eval mode
        if eager is not None:
            torch.testing.assert_close(eager, traced, rtol=1e-3, atol=1e-4 * float(eager.abs().max()))


def test_the_compiled_networks_have_every_op_kind_of_the_zoo() -> None:
    assert set().union(*map(kinds_of, one_per_kind())) == set().union(*map(kinds_of, MEMBERS))
