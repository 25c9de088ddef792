"""MobileNet v1 and v2: their published complexities, their stages, their knobs."""

from __future__ import annotations

import pytest
from graph_reading import counts, nodes_of, stage_outputs, units_per_stage

from archspace.errors import LawError
from archspace.ir.ops import AdaptiveAvgPool2d, Conv2d
from archspace.zoo import MEMBERS, build


@pytest.mark.parametrize(("width", "millions"), [(1.0, 569), (0.75, 325), (0.5, 149), (0.25, 41)])  # MobileNets, tables 6 and 8
def test_mobilenet_v1_has_its_published_complexity(width: float, millions: int) -> None:
    assert round(counts("mobilenet_v1", width=width).madds / 1e6) == millions


def test_mobilenet_v2_has_300_million_madds_and_3_5_million_params() -> None:
    found = counts("mobilenet_v2")
    assert abs(found.madds / 300e6 - 1) <= 0.005
    assert round(found.params / 1e6, 1) == 3.5  # as the authors' code gives; the paper's table 4 prints 3.4


def test_mobilenet_v1_has_13_separable_convolutions() -> None:
    graph = build("mobilenet_v1")
    assert sum(units_per_stage(graph).values()) == 13
    assert [shape[1:3] for stage, shape in stage_outputs(graph).items() if "stage" in stage] == [
        (64, 112), (128, 56), (256, 28), (512, 14), (1024, 7),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expansion", "factors"), [(6, (1, 6, 6, 6, 6, 6, 6)), (3, (1, 3, 3, 3, 3, 3, 3)), ((2, 3, 4, 5, 6, 1, 2), (2, 3, 4, 5, 6, 1, 2))]
)
def test_mobilenet_v2_expands_by_stage(expansion: int | tuple[int, ...], factors: tuple[int, ...]) -> None:
    graph = build("mobilenet_v2", expansion=expansion)
    for stage, factor in enumerate(factors, start=1):
        for node in nodes_of(graph, Conv2d, "dw.conv"):
            if node.stage == f"stage{stage}":
                unit_input = graph.nodes[graph[f"{node.block}.expand.conv" if factor > 1 else node.name].inputs[0]]
                assert node.shape[1] == factor * unit_input.shape[1]


def test_mobilenet_v2_adds_where_the_shape_stays() -> None:
    graph = build("mobilenet_v2")
    units = units_per_stage(graph)
    adds = [node.block for node in graph if node.name.endswith(".add")]
    # A unit after the first of its stage: 17 units in 7 stages.
    assert sum(units.values()) == 17
    assert len(adds) == 17 - 7


def test_mobilenet_v2_keeps_its_last_convolution_at_1280_when_narrow() -> None:
    last = {width: stage_outputs(build("mobilenet_v2", width=width))["last"][1] for width in (0.5, 1.0, 1.4)}
    assert last == {0.5: 1280, 1.0: 1280, 1.4: 1792}  # 1.4 * 1280
    assert stage_outputs(build("mobilenet_v2", last_channels=100))["last"][1] == 100


@pytest.mark.parametrize(
    ("family", "kernels", "channels"),
    [  # channels of the depthwise convolutions in the last two stages: what they read, times the expansion of 6 in v2
        ("mobilenet_v1", (3, 3, 3, 5, 7), ([256, 512, 512, 512, 512, 512], [512, 1024])),
        ("mobilenet_v2", (3, 3, 3, 3, 3, 5, 7), ([6 * 96, 6 * 160, 6 * 160], [6 * 160])),
    ],
)
def test_the_kernel_of_a_mobilenet_may_differ_per_stage(
    family: str, kernels: tuple[int, ...], channels: tuple[list[int], list[int]]
) -> None:
    graph, plain = build(family, kernel_size=kernels), build(family)
    for stage, k in enumerate(kernels, start=1):
        assert {node.op.kernel_size for node in nodes_of(graph, Conv2d, "dw.conv") if node.stage == f"stage{stage}"} == {k}
    assert [(node.name, node.shape) for node in graph] == [(node.name, node.shape) for node in plain]
    params = [sum(g.counts(node).params for node in g) for g in (graph, plain)]
    assert params[0] - params[1] == (25 - 9) * sum(channels[0]) + (49 - 9) * sum(channels[1])


@pytest.mark.parametrize(("family", "stages"), [("mobilenet_v1", 5), ("mobilenet_v2", 7)])
def test_a_mobilenet_refuses_even_kernels_and_a_wrong_number_of_them(family: str, stages: int) -> None:
    with pytest.raises(LawError) as caught:
        build(family, kernel_size=4)
    assert str(caught.value) == f"{family}: kernel_size must be odd, but got 4. Near: 3, 5."
    with pytest.raises(LawError) as caught:
        build(family, kernel_size=(3, 5))
    assert str(caught.value) == f"{family}: kernel_size must have one value or {stages}, but got 2: (3, 5)"


AT_OTHER_SIDES = [(m, options["input"][0]) for m, (family, options) in MEMBERS.items() if "mobilenet" in family and "input" in options]


@pytest.mark.parametrize(("member", "side"), AT_OTHER_SIDES)
def test_a_member_at_another_resolution_is_the_network_at_that_input(member: str, side: int) -> None:
    graph = build(member)
    assert f"_{side}" in member
    assert graph.input_shape == (1, 3, side, side)
    (pool,) = nodes_of(graph, AdaptiveAvgPool2d)
    assert graph.input_shapes(pool)[0][2:] == (side // 32, side // 32)


@pytest.mark.parametrize(
    ("width", "channels"),
    [  # stem, stages, last: 32, 16, 24, 32, 64, 96, 160, 320 and 1280 times the width, to the nearest whole number
        (0.6, [19, 16, 14, 19, 38, 58, 96, 192, 1280]),  # 16 and 1280 at least
        (1.4, [45, 22, 34, 45, 90, 134, 224, 448, 1792]),
    ],
)
def test_the_reimplemented_mobilenet_v2_has_the_nearest_whole_number_of_channels(width: float, channels: list[int]) -> None:
    outputs = stage_outputs(build("mobilenet_v2", width=width, reimplemented=True))
    assert [outputs[stage][1] for stage in ("stem", *(f"stage{i}" for i in range(1, 8)), "last")] == channels


def test_the_reimplemented_mobilenet_v2_is_the_published_one_at_width_1() -> None:
    assert build("mobilenet_v2", reimplemented=True).nodes == build("mobilenet_v2").nodes
