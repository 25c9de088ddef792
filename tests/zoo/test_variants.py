"""Variants of any network: another activation, and backbones that give every stage's output."""

from __future__ import annotations

from typing import Any

import pytest
from graph_reading import nodes_of

from archspace import to_module
from archspace.analysis import total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Builder
from archspace.ir.features import backbone
from archspace.ir.ops import GELU, Hardswish, Linear, Op, ReLU, ReLU6, Sigmoid, SiLU
from archspace.ir.resize import with_input
from archspace.ir.serde import from_dict, to_dict
from archspace.zoo import ZOO, build
from archspace.zoo.config import NetworkConfig
from archspace.zoo.variants import ACTIVATIONS

CLASSIFIERS = [name for name, family in ZOO.items() if issubclass(family.config, NetworkConfig)]

# Activation -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_an_activation_stands_in_the_place_of_every_relu_and_nothing_else_changes(family: str) -> None:
    plain, smooth = build(family), build(family, activation="silu")
    assert nodes_of(plain, ReLU) + nodes_of(plain, ReLU6)
    swapped = [SiLU() if isinstance(node.op, ReLU | ReLU6) else node.op for node in plain]
    assert [node.op for node in smooth] == swapped
    assert [(n.name, n.inputs, n.shape, n.block) for n in smooth] == [(n.name, n.inputs, n.shape, n.block) for n in plain]
    assert smooth.outputs == plain.outputs
    a, b = total_counts(plain), total_counts(smooth)
    assert (a.madds, a.params, a.acts) == (b.madds, b.params, b.acts)
    assert dict(smooth.config) == dict(plain.config) | {"activation": "silu"}


@pytest.mark.parametrize(
    ("name", "op"), [("relu", ReLU()), ("relu6", ReLU6()), ("silu", SiLU()), ("hardswish", Hardswish()), ("gelu", GELU())]
)
def test_an_activation_has_its_own_name(name: str, op: Op) -> None:
    graph = build("mobilenet_v2", activation=name, se_reduction=4)
    # conv1, two in each of 17 blocks but the first (which does not expand), one in each squeeze-and-excitation, the last convolution.
    assert len(nodes_of(graph, type(op))) == 1 + 2 * 17 - 1 + 17 + 1
    assert len(nodes_of(graph, Sigmoid)) == 17  # gates stay
    assert ACTIVATIONS[name] == op


def test_every_activation_is_named_above() -> None:
    assert list(ACTIVATIONS) == ["relu", "relu6", "silu", "hardswish", "gelu"]


# Backbones ------------------------------------------------------------------------------------------------------------------------

# family: (channels, side) of every stage's output at the family's own input
STAGES: dict[str, list[tuple[int, int]]] = {
    "shufflenet_v1": [(240, 28), (480, 14), (960, 7)],
    "xception_like": [(144, 28), (288, 14), (576, 7)],
    "shufflenet_v2": [(116, 28), (232, 14), (464, 7)],
    "mobilenet_v1": [(64, 112), (128, 56), (256, 28), (512, 14), (1024, 7)],
    "mobilenet_v2": [(16, 112), (24, 56), (32, 28), (64, 14), (96, 14), (160, 7), (320, 7)],
    "resnet": [(256, 56), (512, 28), (1024, 14), (2048, 7)],
    "fenet": [(64, 28), (128, 14), (128, 14), (256, 7), (256, 7)],
    "xception_light": [(144, 28), (288, 14), (576, 7)],
    "densenet": [(256, 56), (512, 28), (1024, 14), (1024, 7)],  # 64 + 6 * 32, then half of it + 12 * 32, ...
    "densenet_light": [(100, 28), (226, 14), (201, 7)],
    "condensenet": [(16 + 4 * 8, 112), (48 + 6 * 16, 56), (144 + 8 * 32, 28), (400 + 10 * 64, 14), (1040 + 8 * 128, 7)],
    "igcv2": [(96, 112), (192, 56), (384, 28), (768, 14), (1024, 7)],
    "igcv3_d": [(16, 112), (24, 56), (32, 28), (64, 14), (96, 14), (160, 7), (320, 7)],
    "nasnet_a": [(6 * 44, 28), (6 * 88, 14), (6 * 176, 7)],
    "pnasnet_5": [(5 * 54, 28), (5 * 108, 14), (5 * 216, 7)],
    "darts": [(4 * 48, 28), (4 * 96, 14), (4 * 192, 7)],
    "shiftnet": [(64, 56), (128, 28), (256, 14), (512, 7)],
    "shiftresnet": [(16, 32), (32, 16), (64, 8)],
    "as_resnet": [(50, 56), (100, 28), (200, 14), (400, 7)],
    "resnext": [(256, 56), (512, 28), (1024, 14), (2048, 7)],
    "senet": [(256, 56), (512, 28), (1024, 14), (2048, 7)],
    "resnet_cifar": [(16, 32), (32, 16), (64, 8)],
    "vgg": [(64, 112), (128, 56), (256, 28), (512, 14), (512, 7)],
    "alexnet": [(96, 27), (256, 13), (384, 13), (384, 13), (256, 6)],
    "googlenet": [(480, 28), (832, 14), (1024, 7)],
    "squeezenet": [(256, 55), (512, 27), (512, 13)],
    "pvanet": [(64, 56), (128, 28), (256, 14), (384, 7)],
    "vgg_like": [(25, 28), (50, 14), (100, 7)],
    "resnet_like": [(96, 28), (192, 14), (384, 7)],
    "resnext_like": [(96, 28), (192, 14), (384, 7)],
    # 64 to a multiple of the next stage's 3 groups, 192 of 3 and of 2
    "mixed": [(63, 28), (192, 14), (232, 14), (352, 7)],
}


def test_every_classifier_is_in_the_table_above() -> None:
    assert list(STAGES) == CLASSIFIERS


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_a_backbone_gives_the_output_of_every_stage_in_order(family: str) -> None:
    graph = build(family, features=True)
    outputs = [graph.nodes[i] for i in graph.outputs]
    assert [node.shape for node in outputs] == [(1, c, side, side) for c, side in STAGES[family]]
    numbers = [int(node.stage.removeprefix("stage")) for node in outputs]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    # Each is what its stage hands on: the next stage reads it, or, in the classifier, what follows the last.
    full = build(family)
    place = {node.name: i for i, node in enumerate(full)}
    for node in outputs:
        assert any(place[node.name] in later.inputs and later.stage != node.stage for later in full), node.name


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_a_backbone_is_the_part_of_the_classifier_that_its_stages_need(family: str) -> None:
    graph, full = build(family, features=True), build(family)
    kept = {node.name for node in graph}
    assert [(n.name, n.op, n.shape, n.block) for n in graph] == [(n.name, n.op, n.shape, n.block) for n in full if n.name in kept]
    for node in graph:
        assert [graph.nodes[i].name for i in node.inputs] == [full.nodes[i].name for i in full[node.name].inputs]
    left_out = {node.stage for node in full if node.name not in kept}
    assert "head" in left_out
    assert not any(stage.startswith(("input", "stem", "stage")) for stage in left_out)
    assert nodes_of(full, Linear) or family == "squeezenet"  # whose classifier is a convolution
    assert nodes_of(graph, Linear) == []
    needed, waiting = set(graph.outputs), list(graph.outputs)
    while waiting:
        new = set(graph.nodes[waiting.pop()].inputs) - needed
        needed |= new
        waiting += new
    assert needed == set(range(len(graph)))


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_a_backbone_goes_to_json_and_back_and_to_other_inputs_and_is_built_again_from_its_config(family: str) -> None:
    graph = build(family, features=True, activation="hardswish")
    assert from_dict(to_dict(graph)) == graph
    options = dict(graph.config)
    assert build(options.pop("family"), **options) == graph
    other = build(family, features=True, activation="hardswish", batch=2, input=(96, 128))
    assert with_input(graph, (2, 3, 96, 128)) == other
    assert {other.nodes[i].shape[0] for i in other.outputs} == {2}
    assert total_counts(other).params == total_counts(graph).params


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("shufflenet_v2", {"width": 0.5, "residual": True, "se_reduction": 2}),
        ("mobilenet_v2", {"width": 0.25, "activation": "hardswish"}),
        ("densenet_light", {"width": 0.5}),
        ("nasnet_a", {"channels": 8, "repeats": (1, 1, 1)}),
    ],
)
def test_a_backbone_runs_and_returns_a_tuple(family: str, options: dict[str, Any]) -> None:
    import torch

    graph = build(family, **options, features=True, batch=2, input=(64, 96))
    module = to_module(graph, seed=0).eval()
    with torch.no_grad():
        outputs = module(torch.randn(graph.input_shape))
    assert isinstance(outputs, tuple)
    assert [tuple(y.shape) for y in outputs] == [graph.nodes[i].shape for i in graph.outputs]
    assert all(torch.isfinite(y).all() for y in outputs)
    assert sum(p.numel() for p in module.parameters()) == total_counts(graph).params


def test_a_backbone_of_resnet_50_has_its_parameters_but_the_classifiers() -> None:
    assert total_counts(build("resnet50", features=True)).params == total_counts(build("resnet50")).params - (2048 * 1000 + 1000)


def test_a_graph_without_stages_has_no_backbone() -> None:
    b = Builder("tiny")
    x = b.input((1, 8, 4, 4))
    with b.block("stem"):
        x = b.add("act", ReLU(), x)
    with pytest.raises(LawError) as caught:
        backbone(b.build(x))
    law = "tiny: a backbone must have stages, blocks named stage1.unit0 and so on or images that shrink"
    assert str(caught.value) == f"{law}, but this graph has input, stem"


@pytest.mark.parametrize("family", ["guideline1", "guideline2", "guideline3", "guideline4"])
def test_a_stack_has_no_classifier_and_is_its_own_backbone(family: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown option of {family} 'num_classes'"):
        build(family, num_classes=10)
    assert build(family, features=True).nodes == build(family).nodes
    assert build(family, features=True).outputs == build(family).outputs
