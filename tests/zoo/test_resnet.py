"""ResNet: torchvision's numbers, the place of the stride, its depths, its knobs."""

from __future__ import annotations

import pytest
from graph_reading import counts, stage_outputs, units_per_stage

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir.ops import Conv2d, Linear
from archspace.zoo import build


@pytest.mark.parametrize(
    ("name", "madds", "params"), [("resnet18", 1_814_073_344, 11_689_512), ("resnet50", 4_089_184_256, 25_557_032)]
)  # torchvision's models
def test_resnets_are_torchvisions_to_the_last_digit(name: str, madds: int, params: int) -> None:
    found = counts(name)
    assert (found.madds, found.params) == (madds, params)


def test_a_stride_on_the_first_1x1_computes_that_convolution_at_half_the_resolution() -> None:
    ours, papers = counts("resnet50"), counts("resnet50_v1")
    # Stages 2 to 4 begin with a unit whose 1x1 works at 4 times the pixels when the stride is on the 3x3: c1 = 256, 512, 1024 into c1 / 2.
    first_1x1s = [256 * 128 * 28 * 28, 512 * 256 * 14 * 14, 1024 * 512 * 7 * 7]
    assert ours.madds - papers.madds == 3 * sum(first_1x1s)
    assert ours.params == papers.params


@pytest.mark.parametrize(
    ("depth", "params"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)]
)  # torchvision's models
def test_every_depth_has_torchvisions_parameters_and_as_many_layers_as_its_name_says(depth: int, params: int) -> None:
    graph = build("resnet", depth=depth)
    assert total_counts(graph).params == params
    layers = [node for node in graph if isinstance(node.op, Conv2d | Linear) and ".shortcut." not in node.name]
    assert len(layers) == depth


def test_resnet_refuses_other_depths_and_takes_other_units() -> None:
    with pytest.raises(LawError) as caught:
        build("resnet", depth=19)
    assert str(caught.value) == "resnet: depth must be one of 18, 34, 50, 101, 152, but got 19"
    assert tuple(units_per_stage(build("resnet", repeats=(1, 2, 1, 3))).values()) == (1, 2, 1, 3)
    with pytest.raises(LawError, match="resnet: repeats must have one value or 4, but got 2"):
        build("resnet", repeats=(3, 4))


def test_the_channels_of_resnet_may_differ_per_stage_and_are_those_inside_a_unit() -> None:
    for depth, outside in ((18, 1), (50, 4)):
        graph = build("resnet", depth=depth, stage_channels=(8, 20, 24, 40))
        assert [stage_outputs(graph)[f"stage{i}"][1] for i in (1, 2, 3, 4)] == [outside * c for c in (8, 20, 24, 40)]
        assert graph["stage3.unit1.conv1.conv"].shape[1] == 24
    with pytest.raises(LawError) as caught:
        build("resnet", stage_channels=(64, 128, 256))
    assert str(caught.value) == "resnet: stage_channels must have one value or 4, but got 3: (64, 128, 256)"
