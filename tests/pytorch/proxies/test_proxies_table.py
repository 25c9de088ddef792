"""What holds for all proxies: names, seeds, what they leave alone, and graphs."""

from __future__ import annotations

import copy

import pytest
import torch

from archspace.errors import ArchspaceError, LawError, UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.ops import AdaptiveAvgPool2d, Add, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, ReLU
from archspace.pytorch import to_module
from archspace.pytorch.proxies import PROXIES, proxy, qualities, quality_text
from archspace.zoo import build

GRAPH = build("shufflenet_v2", width=0.5, input=(48, 48), num_classes=10)
SHAPE = (4, 3, 48, 48)


def dropping() -> Graph:
    """A network with all that a proxy could disturb: batch norm, dropout, biases."""
    b = Builder("dropping")
    x = b.add("bn", BatchNorm2d(8), b.add("conv", Conv2d(3, 8, 3, bias=True), b.input((1, 3, 32, 32))))
    x = b.add("dropout", Dropout(0.5), b.add("relu", ReLU(), x))
    pooled = b.add("flatten", Flatten(), b.add("pool", AdaptiveAvgPool2d(1), x))
    return b.build(b.add("fc", Linear(8, 4), pooled))


DROPPING = dropping()


def test_the_tables_agree_on_names() -> None:
    assert all(name == each.name for name, each in PROXIES.items())
    assert list(qualities()) == [*PROXIES, "params", "madds", "acts"]


@pytest.mark.parametrize("name", PROXIES)
def test_a_seed_gives_one_value_and_another_seed_another(name: str) -> None:
    torch.manual_seed(1)
    one = proxy(GRAPH, name, seed=3, batch=4)
    torch.manual_seed(2)
    assert proxy(GRAPH, name, seed=3, batch=4) == one
    assert proxy(GRAPH, name, seed=4, batch=4) != one


@pytest.mark.parametrize("name", PROXIES)
def test_the_number_of_threads_changes_no_more_than_rounding(name: str) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = proxy(DROPPING, name, batch=4)
        torch.set_num_threads(2)
        two = proxy(DROPPING, name, batch=4)
    finally:
        torch.set_num_threads(before)
    assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("name", PROXIES)
def test_measuring_leaves_the_module_and_the_global_random_state_alone(name: str) -> None:
    module = to_module(DROPPING, seed=0)
    state, code = copy.deepcopy(module.state_dict()), module.code
    modes = [layer.training for layer in module.modules()]
    wanted = [p.requires_grad for p in module.parameters()]
    random = torch.get_rng_state()
    PROXIES[name].measure(module, (4, 3, 32, 32), 0)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert [layer.training for layer in module.modules()] == modes
    assert [p.requires_grad for p in module.parameters()] == wanted
    assert all(p.grad is None for p in module.parameters())
    assert not any(layer._forward_hooks for layer in module.modules())
    assert module.code == code


@pytest.mark.parametrize("name", PROXIES)
def test_a_graphs_proxy_is_that_of_its_module(name: str) -> None:
    assert proxy(GRAPH, name, seed=2, batch=4) == PROXIES[name].measure(to_module(GRAPH, seed=2), SHAPE, 2)


@pytest.mark.parametrize("name", PROXIES)
def test_another_input_is_that_of_the_resized_graph(name: str) -> None:
    assert proxy(GRAPH, name, batch=4, input=32) == proxy(GRAPH.with_input(32, 32), name, batch=4)


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("family", ["shufflenet_v1", "fenet", "mobilenet_v2", "densenet_light", "condensenet"])
def test_every_kind_of_network_of_the_zoo_has_a_value(family: str, name: str) -> None:
    value = proxy(build(family, input=(32, 32)), name, batch=2)
    assert abs(value) < 1e5


def test_an_unknown_proxy_is_named_with_its_neighbour() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown proxy 'naswott'\. Did you mean 'naswot'\?"):
        proxy(GRAPH, "naswott")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'synflow'\?"):
        quality_text("sinflow")


def test_a_graph_of_two_inputs_and_a_batch_of_none_are_refused() -> None:
    b = Builder("pair")
    two = b.build(b.add("sum", Add(), b.input((1, 3, 8, 8), "left"), b.input((1, 3, 8, 8), "right")))
    with pytest.raises(LawError, match="pair: naswot needs a network of one input, but this has 2"):
        proxy(two, "naswot")
    with pytest.raises(LawError, match="batch must be at least 1, but got 0"):
        proxy(GRAPH, "naswot", batch=0)


def test_what_a_network_lacks_is_said_with_its_name() -> None:
    b = Builder("linear_one")
    graph = b.build(b.add("conv", Conv2d(3, 4, 1), b.input((1, 3, 8, 8))))
    with pytest.raises(ArchspaceError, match="linear_one: naswot: the network must have activations"):
        proxy(graph, "naswot")
