"""The thin Xception: published complexities, structure, knobs, bad knobs."""

from __future__ import annotations

import pytest

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir.builder import Builder
from archspace.ir.graph import Graph
from archspace.ir.ops import Add, Conv2d
from archspace.zoo.config import make_config
from archspace.zoo.xception_light import FAMILIES

(FAMILY,) = FAMILIES.values()


def make(**options: object) -> Graph:
    return FAMILY.build(make_config("xception_light", FAMILY.config, options), Builder("xception_light"))


@pytest.mark.parametrize(
    ("member", "millions", "madds", "params"),
    [
        ("xception_light_0.5x", 40, 40_799_632, 571_568),
        ("xception_light_1x", 145, 142_512_928, 1_629_176),
        ("xception_light_1.5x", 305, 305_139_888, 3_173_824),
        ("xception_light_2x", 525, 528_680_512, 5_205_512),
    ],
)  # ShuffleNet v2, table 8
def test_the_thin_xception_lies_within_2_percent_of_the_published_complexity(member: str, millions: int, madds: int, params: int) -> None:
    found = total_counts(make(**FAMILY.members[member]))
    assert (found.madds, found.params) == (madds, params)
    assert abs(madds / 1e6 / millions - 1) <= 0.02


def test_the_thin_xception_has_the_stages_of_light_head_r_cnn() -> None:
    graph = make()
    assert graph["stem.conv1.conv"].shape == (1, 24, 112, 112)
    assert [graph[f"stage{i}.unit3.act"].shape[1:] for i in (2, 3, 4)] == [(144, 28, 28), (288, 14, 14), (576, 7, 7)]
    assert [len({n.block for n in graph if n.name.startswith(f"stage{i}.")}) for i in (2, 3, 4)] == [4, 8, 4]


def test_a_unit_costs_three_separable_convolutions() -> None:
    graph = make()
    c, inner, pixels = 288, 64, 14 * 14
    unit = [node for node in graph if node.block == "stage3.unit1"]
    by_hand = pixels * (9 * (c + inner + inner) + c * inner + inner * inner + inner * c)
    assert sum(graph.counts(node).madds for node in unit) == by_hand


def test_a_unit_sees_seven_pixels_and_its_depthwise_halves_have_no_batch_norm() -> None:
    graph = make()
    kernels = [node.op.kernel_size for node in graph if node.block == "stage3.unit1" and isinstance(node.op, Conv2d)]
    assert kernels == [3, 1, 3, 1, 3, 1]
    assert 1 + sum(k - 1 for k in kernels if isinstance(k, int)) == 7  # ShuffleNet v2, section 4
    assert not [node for node in graph if node.name.endswith("dw.bn")]


def test_units_have_a_shortcut_where_the_shape_stays() -> None:
    assert sum(isinstance(node.op, Add) for node in make()) == 3 + 7 + 3


def test_the_knobs_set_channels_units_and_kernels() -> None:
    graph = make(stage_channels=(16, 32, 64), bottleneck_channels=(4, 8, 16), repeats=(1, 2, 1), stem_channels=8, kernel_size=5, width=2.0)
    assert [graph[f"stage{i}.unit0.act"].shape[1] for i in (2, 3, 4)] == [32, 64, 128]
    assert [graph[f"stage{i}.unit0.sep2.pw.conv"].shape[1] for i in (2, 3, 4)] == [8, 16, 32]
    assert graph["stem.conv1.conv"].shape[1] == 16
    assert graph["stage3.unit1.sep1.dw"].op == Conv2d(64, 64, 5, padding=2, groups=64)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel_size": 4}, "xception_light: kernel_size must be odd, but got 4. Near: 3, 5."),
        ({"stage_channels": (144, 288)}, "xception_light: stage_channels must have one value or 3, but got 2"),
        ({"bottleneck_channels": (32, 64)}, "xception_light: bottleneck_channels must have one value or 3, but got 2"),
        ({"width": 0.0}, "xception_light: width must be above 0, but got 0"),
    ],
)
def test_a_network_that_cannot_exist_breaks_a_law(options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError, match=words):
        make(**options)
