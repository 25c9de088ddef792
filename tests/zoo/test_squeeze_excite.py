"""Squeeze-and-excitation in the families that take it: where it stands, what it computes, how far it reduces."""

from __future__ import annotations

from typing import Any

import pytest
from graph_reading import nodes_of

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir.ops import AdaptiveAvgPool2d, Conv2d, Multiply, ReLU, Sigmoid
from archspace.zoo import build

RESNET_50 = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
MOBILENET_V1 = [64] + [128] * 2 + [256] * 2 + [512] * 6 + [1024] * 2
# Units of ShuffleNet v1 (g = 3) and v2 after the first of a stage compute all or half of the channels; the first keeps what it reads.
SHUFFLENET_V1 = [240 - 24, 240, 240, 240, 480 - 240, *[480] * 7, 960 - 480, 960, 960, 960]
SHUFFLENET_V2 = [116 - 24, 58, 58, 58, *[116] * 8, *[232] * 4]
SHUFFLENET_V2_REDUCED = [58] * 4 + [116] * 8 + [232] * 4  # half of the block's (ShuffleNet v2, appendix table 2)
# MobileNet v2: what each block reads times the expansion (1 in the first), and what it gives.
MOBILENET_V2_EXPANDED = [32, *(6 * c for c in (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160))]
MOBILENET_V2_GIVEN = [16] + [24] * 2 + [32] * 3 + [64] * 4 + [96] * 3 + [160] * 3 + [320]
# FE-Net: IB-SSL, IB-Pool, then the parts of each FE-block; a last unit reads all channels and gives the block's.
FENET_EXPANDED = [4 * 16, 5 * 16, *(6 * c for c in (8, 16, 32, 8, 16, 32, 64, 16, 32, 64, 128, 16, 32, 64, 128, 64, 128, 256))]
FENET_GIVEN = [16, 32, 8, 16, 64, 8, 16, 32, 128, 16, 32, 64, 128, 16, 32, 64, 256, 64, 128, 256]

# family, options, channels of each squeeze-and-excitation
NETWORKS: list[tuple[str, dict[str, Any], list[int]]] = [
    ("shufflenet_v1", {}, SHUFFLENET_V1),
    ("shufflenet_v2", {}, SHUFFLENET_V2),
    ("shufflenet_v2", {"residual": True}, SHUFFLENET_V2),
    ("mobilenet_v1", {}, MOBILENET_V1),
    ("mobilenet_v2", {}, MOBILENET_V2_EXPANDED),
    ("mobilenet_v2", {"se_placement": "output"}, MOBILENET_V2_GIVEN),
    ("resnet", {"depth": 50}, RESNET_50),
    ("resnet", {"depth": 18}, [64] * 2 + [128] * 2 + [256] * 2 + [512] * 2),
    ("fenet", {}, FENET_GIVEN),
    ("fenet", {"se_placement": "expansion"}, FENET_EXPANDED),
]


@pytest.mark.parametrize("reduction", [1, 5, 8])
@pytest.mark.parametrize(("family", "options", "channels"), NETWORKS)
def test_every_unit_gets_two_small_layers_with_biases(family: str, options: dict[str, Any], channels: list[int], reduction: int) -> None:
    graph, plain = build(family, **options, se_reduction=reduction), build(family, **options)
    assert [node.shape[1] for node in nodes_of(graph, Multiply)] == channels
    hidden = [c // reduction for c in (SHUFFLENET_V2_REDUCED if family == "shufflenet_v2" else channels)]
    assert [node.shape for node in nodes_of(graph, Conv2d, ".se.fc1")] == [(1, h, 1, 1) for h in hidden]
    a, b = total_counts(plain), total_counts(graph)
    assert b.madds - a.madds == sum(2 * c * h for c, h in zip(channels, hidden, strict=True))
    assert b.params - a.params == sum(2 * c * h + h + c for c, h in zip(channels, hidden, strict=True))
    assert [(n.name, n.op, n.shape) for n in graph if ".se." not in n.name] == [(n.name, n.op, n.shape) for n in plain]


def test_each_channel_is_scaled_by_what_two_layers_make_of_all_means() -> None:
    graph = build("mobilenet_v1", se_reduction=16)
    parts = {node.name.rpartition(".")[2]: node for node in graph if node.name.startswith("stage3.unit0.se.")}
    assert [(name, node.op) for name, node in parts.items()] == [
        ("pool", AdaptiveAvgPool2d(1)),
        ("fc1", Conv2d(256, 16, 1, bias=True)),
        ("act", ReLU()),
        ("fc2", Conv2d(16, 256, 1, bias=True)),
        ("gate", Sigmoid()),
        ("scale", Multiply()),
    ]
    reads = {name: [graph.nodes[i].name.rpartition("stage3.unit0.")[2] for i in node.inputs] for name, node in parts.items()}
    assert reads["pool"] == ["pw.act"]
    assert [reads[name] for name in ("fc1", "act", "fc2", "gate")] == [["se.pool"], ["se.fc1"], ["se.act"], ["se.fc2"]]
    assert reads["scale"] == ["pw.act", "se.gate"]


@pytest.mark.parametrize(
    ("family", "options", "unit", "before", "after"),
    [
        ("shufflenet_v1", {}, "stage2.unit0", "pw2.bn", "concat"),
        ("shufflenet_v1", {}, "stage2.unit1", "pw2.bn", "add"),
        ("shufflenet_v2", {}, "stage2.unit0.branch", "pw2.act", "concat"),
        ("shufflenet_v2", {}, "stage2.unit1.branch", "pw2.act", "concat"),  # appendix figure 2b
        ("shufflenet_v2", {"residual": True}, "stage2.unit1.branch", "pw2.bn", "add"),  # appendix figure 2c
        ("mobilenet_v1", {}, "stage2.unit0", "pw.act", "conv"),
        ("mobilenet_v2", {}, "stage2.unit1", "dw.act", "conv"),
        ("mobilenet_v2", {"se_placement": "output"}, "stage2.unit1", "project.bn", "add"),
        ("resnet", {"depth": 18}, "stage2.unit0", "conv2.bn", "add"),
        ("resnet", {"depth": 50}, "stage2.unit0", "conv3.bn", "add"),
        ("fenet", {}, "stage2.unit0", "project.bn", "add"),  # SSL paper, figure 6a
        ("fenet", {"se_placement": "expansion"}, "stage2.unit0", "shift", "conv"),  # figure 6b
        ("fenet", {"se_placement": "expansion"}, "stage2.unit3", "pool", "conv"),
        ("fenet", {"se_placement": "expansion", "shift": "depthwise"}, "stage2.unit0", "dw.bn", "conv"),
    ],
)
def test_squeeze_and_excitation_stands_where_it_was_asked_for(
    family: str, options: dict[str, Any], unit: str, before: str, after: str
) -> None:
    graph = build(family, **options, se_reduction=4)
    scale = graph[f"{unit}.se.scale"]
    assert graph.nodes[scale.inputs[0]].name == f"{unit}.{before}"
    readers = [node.name.rpartition(".")[2] for node in graph if graph.nodes.index(scale) in node.inputs]
    assert readers == [after]


def test_the_way_out_of_a_large_reduction_works_in_the_narrowest_unit_too() -> None:
    with pytest.raises(LawError) as caught:
        build("fenet", se_reduction=5000)  # refused first by the stem's 16 channels; the first FE-block begins with 8
    assert str(caught.value).endswith("se_reduction=5000, channels=16. Largest in all units: 8.")
    build("fenet", se_reduction=8)


@pytest.mark.parametrize(
    ("family", "options", "largest", "place"),
    [  # the first unit that has fewer channels than the reduction
        ("shufflenet_v1", {}, 216, "stage2.unit0"),
        ("shufflenet_v2", {}, 58, "stage2.unit0.branch"),
        ("mobilenet_v1", {}, 64, "stage1.unit0"),
        ("mobilenet_v2", {}, 32, "stage1.unit0"),
        ("mobilenet_v2", {"se_placement": "output"}, 16, "stage1.unit0"),
        ("resnet", {"depth": 18}, 64, "stage1.unit0"),
        ("resnet", {"depth": 50}, 256, "stage1.unit0"),
        ("fenet", {}, 8, "stage1.unit0"),
        ("fenet", {"se_placement": "expansion"}, 48, "stage1.unit0"),
    ],
)
def test_a_reduction_above_the_channels_names_the_place_and_the_largest_that_works(
    family: str, options: dict[str, Any], largest: int, place: str
) -> None:
    graph = build(family, **options, se_reduction=largest)
    assert min(node.shape[1] for node in nodes_of(graph, Conv2d, ".se.fc1")) == 1
    with pytest.raises(LawError) as caught:
        build(family, **options, se_reduction=largest + 1)
    law = f"{place}.se: squeeze-and-excitation must keep a hidden channel, so its reduction must be at most its channels"
    assert str(caught.value) == f"{law}, but got se_reduction={largest + 1}, channels={largest}. Largest in all units: {largest}."


@pytest.mark.parametrize("family", ["shufflenet_v1", "mobilenet_v1", "mobilenet_v2", "resnet", "fenet"])
def test_a_reduction_is_a_positive_whole_number(family: str) -> None:
    for reduction, words in ((0, "at least 1, but got 0"), (0.5, "a whole number, but got 0.5"), (True, "a whole number, but got True")):
        with pytest.raises(LawError) as caught:
            build(family, se_reduction=reduction)
        assert str(caught.value) == f"{family}: se_reduction must be {words}"


def test_a_reduction_of_0_leaves_a_stage_of_shufflenet_v2_without() -> None:
    graph = build("shufflenet_v2", se_reduction=(0, 4, 0))
    assert {node.stage for node in nodes_of(graph, Conv2d, ".se.fc1")} == {"stage3"}
    assert len(nodes_of(graph, Conv2d, ".se.fc1")) == 8  # table 5: eight units
    assert build("shufflenet_v2", se_reduction=0).nodes == build("shufflenet_v2").nodes
    with pytest.raises(LawError, match="shufflenet_v2: se_reduction must be at least 0, but got -1"):
        build("shufflenet_v2", se_reduction=(0, -1, 0))


@pytest.mark.parametrize(("family", "stages"), [("mobilenet_v2", 7), ("fenet", 5)])
def test_each_stage_may_place_its_squeeze_and_excitation_elsewhere_or_not_at_all(family: str, stages: int) -> None:
    placements = ("output", "none", "expansion", *["none"] * (stages - 3))
    graph = build(family, se_reduction=4, se_placement=placements)
    by_stage = {node.stage: graph.nodes[node.inputs[0]].name.rpartition(".")[0] for node in graph if node.name.endswith("se.scale")}
    assert {stage for stage in by_stage if stage != "stem"} == {"stage1", "stage3"}
    assert by_stage["stage1"].endswith("project")
    assert "project" not in by_stage["stage3"]
    everywhere = build(family, se_reduction=4, se_placement="none")
    assert everywhere.nodes == build(family).nodes


@pytest.mark.parametrize("family", ["mobilenet_v2", "fenet"])
def test_a_placement_without_a_reduction_changes_nothing(family: str) -> None:
    assert build(family, se_placement="output").nodes == build(family, se_placement="expansion").nodes == build(family).nodes
