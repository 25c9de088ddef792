"""The importer against the zoo: what a built graph becomes when it is imported again."""

from __future__ import annotations

import pytest
import torch

from archspace.analysis import analyze
from archspace.ir import Graph
from archspace.pytorch import from_torch, to_module
from archspace.zoo import ZOO, build


def imported(graph: Graph) -> Graph:
    return from_torch(to_module(graph, seed=0), *(torch.empty(node.shape, device="meta") for node in graph.inputs), strict=True)


def assert_the_same(graph: Graph) -> None:
    """The same ops in the same order on the same shapes in the same blocks, and so the same counts."""
    again = imported(graph)
    assert [(node.op, node.shape, node.inputs) for node in again] == [(node.op, node.shape, node.inputs) for node in graph]
    assert analyze(again).totals == analyze(graph).totals


@pytest.mark.parametrize("member", ["shufflenet_v1", "shufflenet_v2", "resnet"])
def test_names_and_blocks_of_a_built_network_come_back(member: str) -> None:
    graph = build(member)
    again = imported(graph)
    assert [node.name for node in again] == [node.name for node in graph]
    in_stages = [node.name for node in graph if node.block.startswith("stage")]
    assert [again[name].block for name in in_stages] == [graph[name].block for name in in_stages]


SMALL = ("alexnet", "fenet", "googlenet", "guideline4", "mobilenet_v2", "shiftnet", "shufflenet_v1", "shufflenet_v2", "squeezenet")


@pytest.mark.parametrize("family", SMALL)
def test_a_network_comes_back_op_by_op(family: str) -> None:
    assert_the_same(build(family))


@pytest.mark.slow
@pytest.mark.parametrize("family", [family for family in ZOO if family not in SMALL])
def test_every_family_comes_back_op_by_op(family: str) -> None:
    assert_the_same(build(family))


# Members that have ops or an arrangement of them which their family has not.
SPECIAL = (
    "fenet_1.375x_se_v2",
    "inception_v1_bn",
    "mobilenet_v1_1x_se",
    "se_resnext50_32x4d",
    "shiftresnet_20_ssl_5e-4",
    "shufflenet_v1_50",
    "shufflenet_v2_0.5x_residual",
    "shufflenet_v2_1x_star",
    "shufflenet_v2_2x_se",
    "vgg_16_bn",
)


@pytest.mark.slow
@pytest.mark.parametrize("member", SPECIAL)
def test_a_member_of_another_structure_comes_back_op_by_op(member: str) -> None:
    assert_the_same(build(member))


def test_learned_shifts_keep_their_parameters() -> None:
    assert_the_same(build("fenet", learned_shifts=True))


def test_a_batch_and_another_resolution_come_from_the_inputs() -> None:
    assert_the_same(build("shufflenet_v2", input=(96, 160), batch=3))
