"""Mixed networks: with one unit in every stage they are that unit's family; units may follow each other in any order."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest
from graph_reading import nodes_of, stage_outputs, units_per_stage

from archspace.analysis import total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Graph
from archspace.ir.ops import ChannelShuffle, Conv2d, Dropout, Op, ReLU, ReLU6, SparseShift
from archspace.ir.serde import load, save
from archspace.rules import lint
from archspace.zoo import build
from archspace.zoo.config import StageCountError
from archspace.zoo.mixed import STAGES, UNITS

SHUFFLE = {"strides": (2, 2, 2), "repeats": (4, 8, 4)}  # table 1 of ShuffleNet v1, table 5 of v2


def ops(graph: Graph) -> list[Op]:
    return [node.op for node in graph]


def test_every_unit_has_its_stage() -> None:
    assert tuple(STAGES) == UNITS


@pytest.mark.parametrize("groups", [1, 3, 8])
def test_with_v1_in_every_stage_it_is_shufflenet_v1(groups: int) -> None:
    channels = {1: (144, 288, 576), 3: (240, 480, 960), 8: (384, 768, 1536)}[groups]
    graph = build("mixed", unit="v1", groups=groups, stage_channels=channels, last_channels=0, **SHUFFLE)
    assert ops(graph) == ops(build("shufflenet_v1", groups=groups))


@pytest.mark.parametrize(
    "options", [{}, {"split_ratio": (0.25, 0.5, 0.75)}, {"residual": True}, {"se_reduction": (0, 4, 1)}, {"shuffle": False}]
)
def test_with_v2_in_every_stage_it_is_shufflenet_v2(options: dict[str, Any]) -> None:
    graph = build("mixed", unit="v2", stage_channels=(116, 232, 464), **SHUFFLE, **options)
    assert ops(graph) == ops(build("shufflenet_v2", **options))


@pytest.mark.parametrize("options", [{}, {"kernel_size": 5}, {"se_reduction": 4, "se_placement": "output"}])
def test_with_inverted_bottlenecks_in_every_stage_it_is_mobilenet_v2(options: dict[str, Any]) -> None:
    graph = build(
        "mixed",
        unit="inverted",
        strides=(1, 2, 2, 2, 1, 2, 1),  # table 2 of MobileNet v2
        repeats=(1, 2, 3, 4, 3, 3, 1),
        stage_channels=(16, 24, 32, 64, 96, 160, 320),
        expansion=(1, 6, 6, 6, 6, 6, 6),
        stem_channels=32,
        stem_pool=False,
        last_channels=1280,
        **options,
    )
    family = build("mobilenet_v2", **options)
    # Stem and last convolution have ReLU here, and no dropout stands in front of the classifier.
    assert [ReLU() if isinstance(op, ReLU6) else op for op in ops(family) if not isinstance(op, Dropout)] == [
        ReLU() if isinstance(op, ReLU6) else op for op in ops(graph)
    ]
    assert total_counts(graph) == total_counts(family)


@pytest.mark.parametrize("options", [{}, {"shift": "depthwise"}, {"learned_shifts": True}, {"expansion": (2, 3, 4, 5, 6)}])
def test_with_fe_blocks_in_every_stage_the_stages_are_fenets(options: dict[str, Any]) -> None:
    graph = build(
        "mixed",
        unit="fe",
        strides=(2, 2, 1, 2, 1),  # table 4 of SSL
        repeats=(3, 4, 4, 4, 3),
        stage_channels=(64, 128, 128, 256, 256),
        stem_channels=32,  # what FE-Net's IB-Pool hands to the first FE-block, at the same 56 pixels
        last_channels=1380,
        **options,
    )
    family = build("fenet", **options)

    def of_stages(network: Graph) -> list[tuple[str, Op]]:
        return [(node.name, node.op) for node in network if node.stage.startswith("stage")]

    assert of_stages(graph) == of_stages(family)


@pytest.mark.parametrize("first", UNITS)
@pytest.mark.parametrize("second", UNITS)
def test_any_unit_follows_any_other_at_either_stride(first: str, second: str) -> None:
    for stride in (1, 2):
        graph = build("mixed", unit=(first, second), strides=(2, stride), repeats=(3, 2), stage_channels=(64, 160), groups=(3, 8))
        assert units_per_stage(graph) == {"stage1": 3, "stage2": 2}
        assert {node.stage for node in graph if node.stage} >= {"stem", "stage1", "stage2", "last", "head"}
        assert [stage_outputs(graph)[stage][2] for stage in ("stem", "stage1", "stage2")] == [56, 28, 28 // stride]
        # Every op has a block of its stage, which is what the linter and --features go by.
        assert {finding.block.partition(".")[0] for finding in lint(graph).findings} <= {node.stage for node in graph}


def test_channels_go_to_a_multiple_of_what_their_stage_and_the_next_need() -> None:
    graph = build("mixed", unit=("v2", "v1", "v1", "inverted"), groups=(1, 3, 4, 1), stage_channels=(50, 100, 205, 333), width=1.01)
    # 50.5 -> a multiple of lcm(2, 3); 101 of lcm(3, 4); 207.05 of 4; 336.33 of 1, to the nearest each.
    assert [stage_outputs(graph)[f"stage{i}"][1] for i in range(1, 5)] == [48, 96, 208, 336]


def test_options_of_units_that_no_stage_has_change_nothing() -> None:
    plain = build("mixed", unit="inverted")
    assert build("mixed", unit="inverted", groups=8, bottleneck=2, split_ratio=0.25, shift_sparsity=0.9, residual=True).nodes == plain.nodes


def test_each_stage_has_its_own_options() -> None:
    graph = build("mixed", unit=("fe", "v1", "v2", "inverted"), kernel_size=(3, 5, 7, 3), se_reduction=(0, 4, 0, 4), groups=(1, 2, 1, 1))
    depthwise = {(node.stage, node.op.kernel_size) for node in nodes_of(graph, Conv2d) if node.op.groups > 8}
    assert depthwise == {("stage2", 5), ("stage3", 7), ("stage4", 3)}
    assert {node.stage for node in nodes_of(graph, Conv2d, ".se.fc1")} == {"stage2", "stage4"}
    assert {node.stage for node in nodes_of(graph, SparseShift)} == {"stage1"}
    shuffled = Counter((node.stage, node.op.groups) for node in nodes_of(graph, ChannelShuffle))
    assert shuffled == {("stage2", 2): 4, ("stage3", 2): 4}


def test_a_mixed_network_goes_through_json(tmp_path: Any) -> None:
    for i, units in enumerate(product(("v1", "fe"), ("v2", "inverted"))):
        graph = build("mixed", unit=units, strides=(2, 2), repeats=(2, 2), stage_channels=(64, 128), width=0.5)
        save(graph, tmp_path / f"{i}.json")
        assert load(tmp_path / f"{i}.json") == graph


def test_a_penalty_gives_the_sparsity_of_fe_stages_and_is_not_looked_at_elsewhere() -> None:
    graph = build("mixed", unit="fe", shift_lambda=1e-4)
    assert ops(graph) == ops(build("mixed", unit="fe", shift_sparsity=0.666))  # SSL, table 1: 66.6 % at 20 layers on CIFAR-10
    assert build("mixed", unit="v2", shift_lambda=1e-4).nodes == build("mixed", unit="v2").nodes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": ("v1", "v2")}, "mixed: unit must have one value or 4, but got 2: ('v1', 'v2')"),
        ({"repeats": (1, 1, 1)}, "mixed: repeats must have one value or 4, but got 3: (1, 1, 1)"),
    ],
)
def test_a_wrong_number_of_stages_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StageCountError) as caught:
        build("mixed", **options)
    assert str(caught.value) == message


def test_laws_of_the_units_name_the_stage() -> None:
    with pytest.raises(LawError, match=r"^stage2: a stage must have more channels than its input"):
        build("mixed", unit="v1", groups=1, strides=(2, 2), repeats=(1, 1), stage_channels=(64, 64))
    with pytest.raises(LawError, match=r"^stage1: an FE-block of n units splits its input into 2\^\(n-1\) parts"):
        build("mixed", unit="fe", strides=(2,), repeats=(6,), stage_channels=(64,))
    with pytest.raises(UnknownNameError, match=r"unknown value of mixed: unit 'inverte'. Did you mean 'inverted'\?"):
        build("mixed", unit=("v1", "v2", "inverte", "fe"))
