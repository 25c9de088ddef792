"""Deployed networks compute what the original ones do, with fewer nodes and less memory access."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from random_graphs import graphs
from trained import trained

from archspace import analyze, deploy
from archspace.errors import LawError
from archspace.ir import Builder, Graph
from archspace.ir.ops import BatchNorm2d, ChannelShuffle, ChannelSlice, Concat, Conv2d, Dropout, FixedShift, SparseShift
from archspace.pytorch import deployment, from_torch, load_module, save_module, to_module
from archspace.pytorch.deploy.agreement import difference, in_float64
from archspace.zoo import ZOO, build

# The seed families, each small; families of other papers and large ones run in the slow tests.
SEED: dict[str, dict[str, Any]] = {
    "shufflenet_v1": {"groups": 3, "width": 0.5},
    "shufflenet_v2": {"width": 0.5},
    "shufflenet_v2 se residual": {"width": 0.5, "se_reduction": 2, "residual": True},
    "mobilenet_v1": {"width": 0.25},
    "mobilenet_v2": {"width": 0.35},
    "resnet": {"width": 0.25},
    "fenet": {"width": 0.5, "learned_shifts": True},
    "fenet fixed": {"width": 0.5},
    "shiftnet": {"shift": "active"},
    "shiftresnet": {},
    "densenet_light": {},
    "condensenet": {"repeats": (2, 2, 2, 2, 2)},
    "googlenet": {"width": 0.25},
    "squeezenet": {"width": 0.25},
}


def small(key: str) -> Graph:
    family, options = key.split()[0], SEED[key]
    return build(family, input=(32, 32) if family != "squeezenet" else (64, 64), num_classes=10, **options)


def apart(graph: Graph, seed: int = 0) -> tuple[float, float, Graph]:
    """The difference of a network and its deployed form in float32 and in float64, and the deployed graph."""
    module = trained(graph, seed)
    deployed_graph, state = deploy(graph, module.state_dict())
    deployed = to_module(deployed_graph)
    deployed.load_state_dict(state)
    exact_module = in_float64(module)
    exact = to_module(deployed_graph).double()
    exact.load_state_dict(deploy(graph, exact_module.state_dict())[1])
    return difference(module, deployed, graph), difference(exact_module, exact, graph), deployed_graph


@pytest.mark.parametrize("key", SEED)
def test_a_deployed_network_equals_the_original(key: str) -> None:
    graph = small(key)
    in_single, in_double, deployed = apart(graph)
    assert in_single < 1e-5
    assert in_double < 1e-13
    before, after = analyze(graph).totals, analyze(deployed).totals
    assert after.madds == before.madds
    assert after.mem_elems <= before.mem_elems
    assert after.nodes <= before.nodes


MAGNIFY = ("igcv3_d", "senet")  # so deep that, with random weights, they magnify rounding itself beyond the limit


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(set(ZOO) - {key.split()[0] for key in SEED} - {*MAGNIFY}))
def test_every_other_family_equals_its_original(family: str) -> None:
    graph = build(family, input=(64, 64)) if ZOO[family].checks_input else build(family)
    in_single, in_double, deployed = apart(graph)
    assert in_single < 1e-5
    assert in_double < 1e-12
    assert analyze(deployed).totals.mem_elems <= analyze(graph).totals.mem_elems


@pytest.mark.slow
@pytest.mark.parametrize("family", MAGNIFY)
def test_a_network_that_magnifies_rounding_equals_its_original_in_float64(family: str) -> None:
    graph = build(family, input=(64, 64))
    module = trained(graph)
    x = torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = in_float64(module)(x.double())
        assert float((module(x) - exact).abs().max() / exact.abs().max()) > 1e-5  # the original, of itself
    assert apart(graph)[1] < 1e-8


@settings(deadline=None, max_examples=60)
@given(graphs(most_nodes=12))
def test_any_small_network_equals_its_original(graph: Graph) -> None:
    module = in_float64(trained(graph))
    found = deployment(graph, module.state_dict())
    deployed = to_module(found.graph).double()
    deployed.load_state_dict(found.state)
    assert difference(module, deployed, graph) < 1e-12
    if not any(isinstance(node.op, SparseShift) for node in graph):  # whose counts say that unmoved channels cost nothing anywhere
        assert analyze(found.graph).totals.mem_elems <= analyze(graph).totals.mem_elems
    again = deployment(found.graph, found.state)
    assert again.graph.nodes == found.graph.nodes  # nothing is left to do


def test_neither_the_graph_nor_the_weights_are_changed() -> None:
    graph = small("fenet")
    state = trained(graph).state_dict()
    before, nodes = {key: tensor.clone() for key, tensor in state.items()}, copy.deepcopy(graph.nodes)
    deploy(graph, state)
    assert graph.nodes == nodes
    assert state.keys() == before.keys()
    assert all(torch.equal(state[key], before[key]) for key in state)


def test_a_batch_norm_folds_by_the_formula() -> None:
    # Weight 2, batch norm weight 3, bias 5, mean 7, var 15, eps 1: 3 / sqrt(16) = 0.75, so weight 1.5 and bias 5 - 7 * 0.75 = -0.25.
    b = Builder("one")
    x = b.add("conv", Conv2d(1, 1, 1), b.input((1, 1, 2, 2)))
    graph = b.build(b.add("bn", BatchNorm2d(1, eps=1.0), x))
    norm = {"weight": 3.0, "bias": 5.0, "running_mean": 7.0, "running_var": 15.0}
    state = {"conv.weight": torch.full((1, 1, 1, 1), 2.0), **{f"bn.{key}": torch.tensor([value]) for key, value in norm.items()}}
    deployed, weights = deploy(graph, state)
    assert [type(node.op) for node in deployed.nodes[1:]] == [Conv2d]
    assert {key: tensor.flatten().tolist() for key, tensor in weights.items()} == {"conv.weight": [1.5], "conv.bias": [-0.25]}


def parts(*, through: str) -> Graph:
    """Two convolutions, something between, a batch norm."""
    b = Builder("parts")
    x = b.input((2, 4, 6, 6))
    y = b.add("left", Conv2d(4, 6, 1, bias=True), x)
    if through == "dropout":
        y = b.add("dropout", Dropout(0.5), y)
    elif through == "slice":
        y = b.add("slice", ChannelSlice(2, 6), y)
    elif through != "nothing":
        y = b.add("concat", Concat(), y, b.add("right", Conv2d(4, 2, 3, padding=1), x))
        y = b.add("shuffle", ChannelShuffle(2), y) if through == "shuffle" else y
    return b.build(b.add("bn2", BatchNorm2d(y.channels), b.add("bn", BatchNorm2d(y.channels), y)))


@pytest.mark.parametrize("through", ["nothing", "dropout", "concat", "shuffle"])
def test_batch_norms_fold_through_what_hands_on_whole_channels(through: str) -> None:
    graph = parts(through=through)
    module = trained(graph)
    found = deployment(graph, module.state_dict())
    assert found.kept == ()
    assert not any(isinstance(node.op, BatchNorm2d | Dropout) for node in found.graph)
    assert apart(graph)[1] < 1e-14


@pytest.mark.parametrize(
    ("through", "why"),
    [("slice", "it follows ChannelSlice"), ("read", "the Conv2d before it has other readers"), ("input", "it follows Input")],
)
def test_a_batch_norm_that_cannot_fold_stays_and_says_why(through: str, why: str) -> None:
    if through == "slice":
        graph = parts(through="slice")
    else:
        b = Builder("kept")
        x = b.input((2, 4, 6, 6))
        y = b.add("conv", Conv2d(4, 4, 1), x) if through == "read" else x
        z = b.add("bn", BatchNorm2d(4), y)
        graph = b.build(z, y) if through == "read" else b.build(z)
    module = trained(graph)
    found = deployment(graph, module.state_dict())
    assert (found.kept[0].node, found.kept[0].why) == ("bn", why)
    assert apart(graph)[1] < 1e-14


def test_shared_weights_are_left_alone() -> None:
    b = Builder("shared")
    x = b.add("conv", Conv2d(4, 4, 1), b.input((1, 4, 4, 4)))
    graph = b.build(b.add("bn", BatchNorm2d(4), b.add("again", Conv2d(4, 4, 1), x)))
    nodes = [node if node.name != "again" else type(node)(*node_fields(node), "conv", 0) for node in graph]
    graph = Graph(graph.name, tuple(nodes), graph.outputs)
    found = deployment(graph, trained(graph).state_dict())
    assert [kept.why for kept in found.kept] == ["the weights of Conv2d before it are shared or fixed"]


def node_fields(node: Any) -> tuple[Any, ...]:
    return node.name, node.op, node.inputs, node.shape, node.block


def test_the_moved_channels_are_read_from_the_weights() -> None:
    b = Builder("shifts")
    x = b.add("conv", Conv2d(3, 4, 1), b.input((1, 3, 8, 8)))
    x = b.add("second", Conv2d(4, 4, 1), b.add("shift", SparseShift(4, 2, learned=True), x))
    graph = b.build(b.add("still", SparseShift(4, 4, learned=True), x))
    state = to_module(graph, seed=0).state_dict()
    state["shift.alpha"] = torch.tensor([0.4, 1.6, -0.5, 0.0])  # rounded: 0 2 0 0; halves go to the even neighbour
    state["shift.beta"] = torch.tensor([0.2, 0.0, 0.5, -1.2])  # 0 0 0 -1
    state["still.alpha"] = state["still.beta"] = torch.tensor([0.1, -0.4, 0.3, 0.0])
    deployed, weights = deploy(graph, state)
    shift = deployed["shift"].op
    assert shift == FixedShift((0, 2, 0, 0), (0, 0, 0, -1), inplace=True)
    assert deployed.counts(deployed["shift"]).movement_elems == 2 * 2 * 64  # two channels read and written, the paper's two stay
    assert not [key for key in weights if "alpha" in key or "beta" in key]
    assert deployed.counts(deployed["shift"]).params == 0


def test_a_shift_that_moves_nothing_vanishes() -> None:
    b = Builder("still")
    x = b.add("conv", Conv2d(3, 4, 1), b.input((1, 3, 8, 8)))
    graph = b.build(b.add("after", Conv2d(4, 4, 1), b.add("shift", SparseShift(4, 2, learned=True), x)))
    state = to_module(graph, seed=0).state_dict()
    state["shift.alpha"] = state["shift.beta"] = torch.tensor([0.1, -0.4, 0.3, 0.5])
    assert [node.name for node in deploy(graph, state)[0]] == ["input", "conv", "after"]


def test_a_shift_whose_input_is_read_again_writes_all_channels_anew() -> None:
    b = Builder("twice")
    x = b.add("conv", Conv2d(3, 9, 1), b.input((1, 3, 8, 8)))
    graph = b.build(b.add("shift", SparseShift(9, 2), x), x)
    deployed = deploy(graph, to_module(graph, seed=0).state_dict())[0]
    shift = deployed["shift"]
    assert isinstance(shift.op, FixedShift)
    assert not shift.op.inplace
    assert deployed.counts(shift).mem_elems == 2 * 9 * 64
    assert apart(graph)[1] == 0


def test_in_a_shufflenet_v2_only_what_is_convolved_or_leaves_is_moved() -> None:
    graph = build("shufflenet_v2", width=1.0)
    before, after = (
        sum(row.counts.movement_elems for row in analyze(one).rows) for one in (graph, deploy(graph, trained(graph).state_dict())[0])
    )
    # Per stage of c channels and n pixels with u units. Before: concat and shuffle of c in every unit, two halves in every unit but the
    # first. After: the half that each unit but the first convolves, and whole c once at the stage's end, each read and written.
    stages = ((116, 28 * 28, 4), (232, 14 * 14, 8), (464, 7 * 7, 4))
    assert before == sum(2 * n * (2 * c * u + c * (u - 1)) for c, n, u in stages)
    assert after == sum(2 * n * (c // 2 * (u - 1) + c) for c, n, u in stages)


def test_slices_in_place_stay_views() -> None:
    graph = build("fenet", width=0.5, input=(32, 32))
    deployed = deploy(graph, trained(graph).state_dict())[0]
    assert sum(deployed.counts(node).movement_elems for node in deployed if isinstance(node.op, Concat | ChannelSlice)) == 0


def test_a_run_of_neighbours_is_a_view_and_a_whole_value_is_itself() -> None:
    b = Builder("runs")
    x, y = b.input((1, 4, 4, 4), "x"), b.input((1, 2, 4, 4), "y")
    joined = b.add("joined", Concat(), x, y)
    whole = b.add("whole", Conv2d(4, 4, 1), b.add("first", ChannelSlice(0, 4), joined))
    part = b.add("part", Conv2d(2, 2, 1), b.add("run", ChannelSlice(1, 3), joined))
    graph = b.build(whole, part)
    deployed = deploy(graph, to_module(graph, seed=0).state_dict())[0]
    assert [node.name for node in deployed] == ["x", "y", "whole", "run", "part"]
    assert deployed["run"].op == ChannelSlice(1, 3, copies=False)
    assert deployed["whole"].inputs == (0,)


@pytest.mark.parametrize("key", ["fenet", "shufflenet_v2"])
def test_a_deployed_network_is_exported_and_imported_again(key: str, tmp_path: Any) -> None:
    graph = small(key)
    deployed, state = deploy(graph, trained(graph).state_dict())
    module = to_module(deployed)
    module.load_state_dict(state)
    save_module(module, deployed, tmp_path / "deployed.pt2")
    program, stored = load_module(tmp_path / "deployed.pt2")
    x = torch.randn(3, 3, 32, 32)
    assert stored == deployed
    assert torch.equal(program(x), module.eval()(x))
    again = from_torch(module, x[:1], strict=True)
    assert [type(node.op) for node in again] == [type(node.op) for node in deployed]
    assert analyze(again).totals.madds == analyze(deployed).totals.madds


def test_gradients_pass_through_a_deployed_network() -> None:
    graph = small("fenet")
    deployed, state = deploy(graph, trained(graph).state_dict())
    module = to_module(deployed)
    module.load_state_dict(state)
    module(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn.running_var": None}, "the weights must hold bn.running_var, but do not"),
        ({"bn.running_var": torch.ones(3)}, r"bn.running_var: the weights must fit the graph: 6 channels, but got shape \(3,\)"),
        ({"left.weight": torch.ones(3, 4, 1, 1)}, r"left.weight: the weights must fit the graph: 6 channels, but got shape \(3, 4, 1, 1\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    graph = parts(through="nothing")
    state = {**trained(graph).state_dict(), **change}
    with pytest.raises(LawError, match=message):
        deploy(graph, {key: tensor for key, tensor in state.items() if tensor is not None})
    with pytest.raises(LawError, match="deploy takes a Graph, but got str"):
        deploy("shufflenet_v1", {})  # type: ignore[arg-type]
