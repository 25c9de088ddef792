"""Networks are recognised by their structure: stripped of names, blocks and config, they give the options that build them again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archspace.errors import LawError
from archspace.ir import Graph, Node
from archspace.ir.ops import BatchNorm2d, Conv2d, Dropout, Flatten
from archspace.zoo import MEMBERS, build
from archspace.zoo.read_layers import reduction_of
from archspace.zoo.recognition import READERS, recognised, structure_digest


def stripped(graph: Graph) -> Graph:
    """The same network as it would come from elsewhere: nodes called n0, n1, ..., no blocks, no config."""
    nodes = [replace(node, name=f"n{i}", block=f"n{i}") for i, node in enumerate(graph.nodes)]
    return Graph("foreign", tuple(nodes), graph.outputs, {})


def folded(graph: Graph) -> Graph:
    """The same network with its batch norms folded into convolutions, which have biases then, and without dropout and flatten."""
    nodes: list[Node] = []
    place: list[int] = []
    for node in graph.nodes:
        if isinstance(node.op, BatchNorm2d | Dropout):
            place.append(place[node.inputs[0]])
            continue
        op = replace(node.op, bias=True) if isinstance(node.op, Conv2d) else node.op
        place.append(len(nodes))
        nodes.append(replace(node, op=op, inputs=tuple([place[i] for i in node.inputs])))
    return Graph(graph.name, tuple(nodes), tuple([place[i] for i in graph.outputs]), {})


KNOWN = [member for member, (family, _) in MEMBERS.items() if family in READERS]


def test_there_are_about_a_hundred_published_networks_to_recognise() -> None:
    assert len(KNOWN) > 90


@pytest.mark.parametrize("member", KNOWN)
def test_a_published_network_is_recognised_without_names(member: str) -> None:
    graph = build(member)
    found = recognised(stripped(graph))
    assert found.family == MEMBERS[member][0]
    assert not found.is_exact
    assert structure_digest(found.build()) == structure_digest(graph)
    assert [n.op for n in found.build().nodes if isinstance(n.op, Conv2d)] == [n.op for n in graph.nodes if isinstance(n.op, Conv2d)]


@pytest.mark.parametrize("member", ["shufflenet_v1_2x_se_g3", "se_shufflenet_v2_164", "mobilenet_v2_0.5x", "fenet_1.375x_se_v2"])
def test_a_deployed_network_is_recognised_too(member: str) -> None:
    assert recognised(folded(stripped(build(member)))) == recognised(stripped(build(member)))


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("shufflenet_v1", {"groups": 8, "width": 0.5}),
        ("shufflenet_v1", {"repeats": [3, 5, 2], "kernel_size": [3, 5, 5], "num_classes": 10, "input": [96, 128], "batch": 2}),
        ("shufflenet_v2", {"equal_branches": True}),
        ("shufflenet_v2", {"split_ratio": [0.5, 0.25, 0.3], "activation": "silu", "kernel_size": [3, 5, 3]}),
        ("shufflenet_v2", {"width": 0.5, "residual": True, "se_reduction": 4, "shuffle": False}),
        ("mobilenet_v2", {"width": 1.4, "expansion": [1, 4, 6, 6, 3, 6, 6], "se_reduction": 4, "se_placement": "output"}),
        ("mobilenet_v2", {"stage_channels": [16, 24, 40, 80, 112, 192, 320]}),
        ("fenet", {"shift_sparsity": 0.75, "repeats": [2, 3, 3, 4, 2], "expansion": [4, 6, 6, 3, 6]}),
    ],
)
def test_the_options_that_are_read_are_those_that_it_was_built_with(family: str, options: dict[str, Any]) -> None:
    found = recognised(stripped(build(family, **options)))
    assert (found.family, dict(found.options)) == (family, options)


def test_a_config_is_believed_where_it_is_true() -> None:
    found = recognised(build("resnet18"))
    assert (found.family, dict(found.options), found.is_exact) == ("resnet", {"depth": 18}, True)


def test_a_config_that_is_no_more_true_is_not_believed() -> None:
    graph = replace(build("shufflenet_v2", width=0.5), config=build("shufflenet_v2", width=2.0).config)
    assert dict(recognised(graph).options) == {"width": 0.5}


def test_a_shufflenet_of_one_group_is_that_family_under_whatever_name_it_was_built() -> None:
    assert recognised(stripped(build("xception_like_140m"))).options == {"groups": 1}


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "squeezenet_1.0", "mobilenet_v1_1x"])
def test_what_is_of_no_known_family_is_refused_in_one_line_that_names_those(name: str) -> None:
    with pytest.raises(LawError) as caught:
        recognised(stripped(build(name)))
    assert "recognised of the families shufflenet_v1, shufflenet_v2, mobilenet_v2, fenet" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_is_changed_in_one_layer_is_not_taken_for_the_family() -> None:
    graph = stripped(build("shufflenet_v1"))
    last = max(i for i, node in enumerate(graph.nodes) if isinstance(node.op, Conv2d) and node.op.is_depthwise)
    op = graph.nodes[last].op
    assert isinstance(op, Conv2d)
    nodes = [replace(n, op=replace(op, kernel_size=5, padding=2)) if i == last else n for i, n in enumerate(graph.nodes)]
    with pytest.raises(LawError, match="rebuilt as shufflenet_v1 it is another network"):
        recognised(replace(graph, nodes=tuple(nodes)))


def test_a_digest_tells_structures_apart_and_not_names() -> None:
    graph = build("shufflenet_v2", width=0.5)
    assert structure_digest(graph) == structure_digest(stripped(graph)) == structure_digest(folded(graph))
    without = Graph("x", tuple([n for n in graph.nodes if not isinstance(n.op, Flatten)][:3]), (2,), {})
    assert structure_digest(without) != structure_digest(graph)
    assert structure_digest(build("shufflenet_v2", width=0.5, shuffle=False)) != structure_digest(graph)


def test_the_least_reduction_that_gives_all_hidden_channels_is_taken() -> None:
    # 64 // 8 = 8 and 100 // 8 = 12; 7 would give 9 and 14.
    assert reduction_of([(64, 8), (100, 12)]) == 8
    with pytest.raises(LawError, match="do not reduce alike"):
        reduction_of([(64, 8), (64, 16)])
