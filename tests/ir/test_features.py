"""Backbones of any graph: stages by name or by resolution, and what their maps are."""

from __future__ import annotations

import pytest

from archspace.errors import LawError
from archspace.ir import Builder, Graph, Value, ops
from archspace.ir.features import backbone, feature_info, reductions
from archspace.zoo import build


def step(b: Builder, name: str, x: Value, channels: int, stride: int) -> Value:
    with b.block(name):
        x = b.add("expand", ops.Conv2d(x.channels, 2 * channels, 1), x)
        return b.add("conv", ops.Conv2d(2 * channels, channels, 3, stride=stride, padding=1), x)


def numbered(*rows: tuple[int, int]) -> Graph:
    """A network as importers give it, without stages by name: layers.0, layers.1, ..., then a classifier. rows: (channels, stride)."""
    b = Builder("numbered")
    x = b.input((1, 3, 64, 64))
    for i, (channels, stride) in enumerate(rows):
        x = step(b, f"layers.{i}", x, channels, stride)
    with b.block("head"):
        x = b.add("flatten", ops.Flatten(1), b.add("pool", ops.AdaptiveAvgPool2d(1), x))
        return b.build(b.add("fc", ops.Linear(rows[-1][0], 10), x))


def test_without_names_a_stage_ends_where_the_image_shrinks() -> None:
    graph = backbone(numbered((8, 2), (8, 1), (16, 2), (24, 1), (32, 2)))
    assert [graph.nodes[i].name for i in graph.outputs] == ["layers.1.conv", "layers.3.conv", "layers.4.conv"]
    assert feature_info(graph) == (
        {"module": "layers.1", "num_chs": 8, "reduction": 2},
        {"module": "layers.3", "num_chs": 24, "reduction": 4},
        {"module": "layers.4", "num_chs": 32, "reduction": 8},
    )
    assert not any(isinstance(node.op, ops.Linear | ops.AdaptiveAvgPool2d) for node in graph)


def test_the_inside_of_a_block_is_no_stages_end() -> None:
    # layers.2.expand still has the resolution of layers.1, but leaves no block.
    assert "layers.2.expand" not in {info["module"] for info in feature_info(backbone(numbered((8, 2), (8, 1), (16, 2))))}


@pytest.mark.parametrize(
    ("family", "strides"),
    [
        ("shufflenet_v2", [8, 16, 32]),
        ("mobilenet_v2", [2, 4, 8, 16, 16, 32, 32]),
        ("resnet", [4, 8, 16, 32]),
        ("alexnet", [8, 16, 16, 16, 32]),  # maps of 27, 13, 13, 13 and 6 pixels at 224: the strides, not what rounding leaves of them
        ("nasnet_a", [8, 16, 32]),
    ],
)
def test_a_stages_reduction_is_the_product_of_its_strides(family: str, strides: list[int]) -> None:
    assert [info["reduction"] for info in feature_info(build(family, features=True))] == strides


def test_cutting_a_graph_is_what_the_zoos_knob_does() -> None:
    for family in ("shufflenet_v2", "fenet", "guideline1"):
        assert backbone(build(family)) == build(family, features=True)
    again = build("resnet", features=True)
    assert backbone(again) == again


def test_reductions_follow_height_and_width_apart_and_shrink_where_the_image_grows() -> None:
    b = Builder("odd")
    x = b.input((1, 4, 16, 16))
    x = b.add("conv", ops.Conv2d(4, 4, 3, stride=(2, 1), padding=1), x)
    x = b.add("pool", ops.AdaptiveAvgPool2d((4, 4)), x)
    y = b.add("pad", ops.Pad((4, 4, 4, 4)), x)
    graph = b.build(x, y)
    assert reductions(graph) == [(1, 1), (2, 1), (4, 4), (1, 1)]
    assert [info["reduction"] for info in feature_info(graph)] == [4, 1]


def test_outputs_that_are_no_maps_have_no_info() -> None:
    assert feature_info(build("shufflenet_v2")) == ()


def test_a_graph_that_never_shrinks_has_no_backbone() -> None:
    with pytest.raises(LawError, match=r"^numbered: a backbone must have stages, .* but this graph has head, input, layers$"):
        backbone(numbered((8, 1), (8, 1)))
