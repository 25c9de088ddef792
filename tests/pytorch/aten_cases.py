"""Cases of the ATen table: a call of an overload, the ops that it becomes, and what holds of every such case."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir import Graph
from archspace.ir.ops import Input, Op, Opaque, Parameter
from archspace.pytorch import to_module
from archspace.pytorch.importer.assemble import graph_of
from archspace.pytorch.importer.capture import META, twin
from archspace.pytorch.importer.exported import program_of
from archspace.pytorch.importer.program import Program
from archspace.pytorch.importer.record import record
from archspace.pytorch.importer.tree import tree_of
from archspace.pytorch.oracle import torch_madds

TOLERANCE = 1e-5  # largest difference between a call and what is built of its ops, in float32

aten = torch.ops.aten


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normally distributed numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def between(low: float, high: float, *shape: int, seed: int = 0) -> Tensor:
    """Evenly distributed numbers."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * (high - low) + low


def numbers(below: int, *shape: int, seed: int = 0) -> Tensor:
    """Whole numbers from 0 on."""
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


X = drawn(2, 12, 6, 10)  # an image, whose axes all differ
Y = drawn(2, 12, 6, 10, seed=1)
POSITIVE = between(0.1, 2.0, 2, 12, 6, 10)
SEQUENCE = drawn(2, 12, 10)
VOLUME = drawn(2, 12, 4, 6, 5)
MASK = X > 0
IDS = numbers(7, 2, 5)


@dataclass(frozen=True, slots=True)
class Case:
    """A module that makes a call on `inputs`, and the ops that it becomes, inputs and weights left out.

    `refused` is what lowering says of ops that cannot be built. `routes` are those by which torch makes this very call.
    """

    make: Callable[[], nn.Module]
    ops: tuple[Op, ...]
    inputs: tuple[Tensor, ...]
    refused: str = ""
    routes: tuple[str, ...] = ("recorded", "exported")


class Function(nn.Module):
    """A function of inputs and then of weights as a module."""

    def __init__(self, function: Callable[..., Any], weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.function = function
        for name, weight in weights.items():
            self.register_parameter(name, nn.Parameter(weight, requires_grad=False))

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs, *self.parameters(recurse=False))


class First(nn.Sequential):
    """A layer of whose outputs only the first is asked for."""

    def forward(self, *inputs: Tensor) -> Any:
        return self[0](*inputs)[0]


class Holder(nn.Module):
    """A layer under a name."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *inputs: Tensor) -> Any:
        return self.layer(*inputs)


def call(
    function: Callable[..., Any],
    *ops: Op,
    inputs: tuple[Tensor, ...] = (X,),
    weights: Mapping[str, Tensor] | None = None,
    refused: str = "",
    routes: tuple[str, ...] = ("recorded", "exported"),
) -> Case:
    """A function of inputs and then of weights."""
    return Case(lambda: Holder(Function(function, weights or {})), ops, inputs, refused, routes)


def layer(make: Callable[[], nn.Module], *ops: Op, inputs: tuple[Tensor, ...] = (X,), refused: str = "") -> Case:
    """A layer, its weights and statistics drawn at random."""

    def made() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = make()
            for name, tensor in module.state_dict().items():
                if name.endswith("running_var"):
                    tensor.uniform_(0.5, 1.5)
                elif tensor.is_floating_point():
                    tensor.normal_(0, 0.5)
        return Holder(module)

    return Case(made, ops, inputs, refused)


@cache
def recorded(case: Case) -> Program:
    """What a recording on the meta device sees."""
    with torch.no_grad(), _quiet():
        return record(twin(case.make(), META), _on_meta(case), "recorded")


@cache
def exported(case: Case) -> Program:
    """What torch.export sees."""
    model = twin(case.make(), META)
    with torch.no_grad(), _quiet():
        program = torch.export.export(model, _on_meta(case), strict=False)
    return program_of(program, "exported", tree=tree_of(model), module=model)


ROUTES: dict[str, Callable[[Case], Program]] = {"recorded": recorded, "exported": exported}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch warns of: that a call takes a slow way, or is going to change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _on_meta(case: Case) -> tuple[Tensor, ...]:
    return tuple([torch.empty_like(one, device=META) for one in case.inputs])


def routed(cases: Mapping[str, Case]) -> list[tuple[str, str]]:
    """Every case by each of its routes."""
    return [(key, route) for key, case in cases.items() for route in case.routes]


def ops_of(graph: Graph) -> list[Op]:
    """The ops of a graph, inputs and weights left out."""
    return [node.op for node in graph if not isinstance(node.op, Input | Parameter)]


def assert_becomes_its_ops(key: str, case: Case, route: str) -> None:
    """The call is of the overload that the key names, by one route at least, and becomes the case's ops by this one."""
    overload = f"aten.{key.partition(',')[0]}"
    called = {step.target for one in case.routes for step in ROUTES[one](case).steps}
    assert overload in called, called
    found = ops_of(graph_of(ROUTES[route](case)))
    assert found == list(case.ops), found


def assert_counts_what_torch_counts(case: Case) -> None:
    """Multiply-adds are those of torch's counter on the meta device, parameters those of the module."""
    graph, module = graph_of(ROUTES[case.routes[0]](case)), case.make()
    total = total_counts(graph)
    assert total.madds == torch_madds(twin(module, META), _on_meta(case))
    assert total.params == sum(p.numel() for p in module.parameters())


def assert_computes_the_same(case: Case) -> None:
    """What is built of the ops, with the same weights, gives the call's outputs in their types; or it is refused in the case's words."""
    module, graph = case.make().eval(), graph_of(ROUTES[case.routes[0]](case))
    if case.refused:
        with pytest.raises(LawError, match=case.refused):
            to_module(graph)
        return
    built = to_module(graph, seed=0).eval()
    built.load_state_dict({name: _fitted(name, one, module.state_dict()) for name, one in built.state_dict().items()})
    with torch.no_grad(), _quiet():
        expected, found = (_tensors(run(*[one.clone() for one in case.inputs])) for run in (module, built))
    assert [(one.shape, one.dtype) for one in found] == [(one.shape, one.dtype) for one in expected]
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b, a, rtol=0, atol=TOLERANCE)


def _fitted(name: str, own: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """The weight of that name, as the op has it: what a product is taken with is transposed in a linear layer."""
    given = state[name]
    is_turned = given.dim() == 2 and given.shape != own.shape == given.mT.shape
    return given.mT if is_turned else given.reshape(own.shape)


def _tensors(returned: Any) -> list[Tensor]:
    return [one for one in tree_leaves(returned) if isinstance(one, Tensor)]


def assert_is_opaque(case: Case) -> None:
    """By either route the call becomes unknown work, in the shape of its output."""
    for see in ROUTES.values():
        graph = graph_of(see(case))
        assert any(isinstance(node.op, Opaque) for node in graph), graph
        with torch.no_grad():
            shapes = [tuple(one.shape) for one in _tensors(case.make().eval()(*[one.clone() for one in case.inputs]))]
        assert [graph.nodes[i].shape for i in graph.outputs] == shapes
