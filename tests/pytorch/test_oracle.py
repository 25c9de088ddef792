"""Built modules against the graph, with torch's flop counter and fvcore as judges; and the six tools' own numbers."""

from __future__ import annotations

import sys

import pytest
import torch

from archspace.errors import MissingPackageError, UnknownNameError
from archspace.ir import Counts
from archspace.pytorch import check, to_module, tool_flops
from archspace.pytorch.oracle import TOOLS, example_inputs, fvcore_madds, torch_madds
from archspace.zoo import MEMBERS, build

# What each tool prints for torchvision's resnet50 at batch 1, 224 x 224, in eval mode (measured before this code was written).
RESNET50_FLOPS = {
    "torch": 8_178_368_512,
    "thop": 4_133_742_592,
    "ptflops": 4_132_436_968,
    "fvcore": 4_111_512_576,
    "torchprofile": 4_100_300_288,
    "torchinfo": 4_089_238_376,
}
SMALL = {
    "shufflenet_v1": {"width": 0.25},
    "shufflenet_v2": {"width": 0.5},
    "mobilenet_v1": {"width": 0.25},
    "mobilenet_v2": {"width": 0.35},
    "resnet": {"depth": 18},
    "fenet": {"width": 0.5, "learned_shifts": True},
}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_published_member_has_the_madds_and_params_of_its_graph_to_the_last_digit(member: str) -> None:
    graph = build(member)
    counted = Counts.total(graph.counts(node) for node in graph)
    module = to_module(graph, seed=0)
    inputs = example_inputs(graph)
    assert sum(p.numel() for p in module.parameters()) == counted.params
    assert torch_madds(module, inputs) == counted.madds
    assert fvcore_madds(module, inputs) == counted.madds


@pytest.mark.parametrize("family", SMALL)
def test_every_family_passes_every_check_forward_and_backward(family: str) -> None:
    graph = build(family, input=(64, 64), num_classes=10, **SMALL[family])
    rows = check(graph, to_module(graph, seed=0))
    assert len(rows) == 5
    assert [row for row in rows if not row.ok] == []
    assert rows[1].found == ((1, 10),)


def test_a_batch_is_counted_whole() -> None:
    graph = build("shufflenet_v2", width=0.5, input=(64, 64), batch=3)
    assert all(row.ok for row in check(graph, to_module(graph, seed=0)))


def test_a_module_of_another_graph_fails_the_check_and_shows_both_numbers() -> None:
    graph, other = (build("shufflenet_v2", width=0.5, input=(64, 64), num_classes=n) for n in (10, 11))
    rows = {row.what: row for row in check(graph, to_module(other, seed=0))}
    assert not rows["params"].ok
    assert rows["params"].found - rows["params"].expected == 1024 + 1  # one more class: a row of 1024 weights and a bias
    assert rows["output shapes"].found == ((1, 11),)
    assert not rows["madds by fvcore"].ok
    assert not rows["madds by torch's flop counter"].ok
    assert rows["parameters with a finite gradient"].ok


def test_a_parameter_without_a_finite_gradient_fails_the_check() -> None:
    graph = build("shufflenet_v2", width=0.5, input=(32, 32), num_classes=10)
    module = to_module(graph, seed=0)
    with torch.no_grad():
        module.head.fc.weight[0, 0] = float("nan")
    row = check(graph, module)[-1]
    assert (row.what, row.ok) == ("parameters with a finite gradient", False)


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_prints_for_our_resnet50_what_it_prints_for_torchvisions(tool: str) -> None:
    assert tool_flops(tool, to_module(build("resnet50"), seed=0), (1, 3, 224, 224)) == RESNET50_FLOPS[tool]


def test_tools_and_checks_leave_the_module_as_it_was() -> None:
    graph = build("shufflenet_v1", width=0.25, input=(64, 64))
    module = to_module(graph, seed=0)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    random_state = torch.get_rng_state()
    for tool in TOOLS:
        tool_flops(tool, module, (1, 3, 64, 64))
    check(graph, module)
    assert module.training
    assert list(module.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_an_unknown_tool_and_a_missing_one_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    module = to_module(build("resnet18", input=(32, 32)), seed=0)
    with pytest.raises(UnknownNameError, match="Did you mean 'fvcore'"):
        tool_flops("fvcor", module, (1, 3, 32, 32))
    monkeypatch.setitem(sys.modules, "thop", None)
    with pytest.raises(MissingPackageError, match=r"'thop'.*extra 'dev'"):
        tool_flops("thop", module, (1, 3, 32, 32))
