"""Other units in ShuffleNet's skeleton: published complexities, section 4.2's structure, knobs, bad knobs."""

from __future__ import annotations

import re

import pytest

from archspace.analysis import analyze, total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Builder, Graph
from archspace.ir.ops import Add, Conv2d, Linear
from archspace.zoo.config import make_config
from archspace.zoo.skeleton import FAMILIES


def net(name: str, **options: object) -> Graph:
    """A family or member of this file with its options."""
    for family_name, family in FAMILIES.items():
        if name == family_name or name in family.members:
            config = make_config(family_name, family.config, {**family.members.get(name, {}), **options})
            return family.build(config, Builder(name))
    raise UnknownNameError("network", name, FAMILIES)


def stage_channels(graph: Graph) -> list[int]:
    return [stage_ends(graph)[f"stage{i}"][1] for i in (2, 3, 4)]


def stage_ends(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {node.stage: node.shape for node in graph}


# Complexity -----------------------------------------------------------------------------------------------------------------------

TOTALS = [  # member, printed M (ShuffleNet v1, table 4: convolutions alone), madds, params
    ("vgg_like_140m", 140, 144_762_112, 1_173_821),
    ("vgg_like_38m", 38, 38_941_790, 321_257),
    ("resnet_like_140m", 140, 143_987_712, 1_446_304),
    ("resnet_like_38m", 38, 38_125_056, 461_428),
    ("resnet_like_13m", 13, 12_853_248, 166_012),
    ("resnet_like_40m_arch2", 40, 39_808_704, 511_064),
    ("resnet_like_13m_arch2", 13, 12_627_144, 171_410),
    ("resnext_like_140m", 140, 143_084_544, 1_496_992),
    ("resnext_like_38m", 38, 38_237_952, 475_396),
    ("resnext_like_13m", 13, 12_994_368, 170_836),
    ("resnext_like_40m_arch2", 40, 39_821_952, 521_660),
    ("resnext_like_13m_arch2", 13, 13_239_136, 185_506),
]
BY_NAME = {row[0]: row for row in TOTALS}


@pytest.mark.parametrize(("member", "printed_m", "madds", "params"), TOTALS)
def test_a_member_has_its_madds_and_params_to_the_last_digit(member: str, printed_m: int, madds: int, params: int) -> None:
    found = total_counts(net(member))
    assert (found.madds, found.params) == (madds, params)


@pytest.mark.parametrize(("member", "printed_m", "madds", "params"), TOTALS)
def test_the_printed_complexity_is_met_within_4_percent(member: str, printed_m: int, madds: int, params: int) -> None:
    assert abs(analyze(net(member)).flops("conv") / 1e6 / printed_m - 1) <= 0.04


def test_every_member_is_in_the_table_above() -> None:
    assert [row[0] for row in TOTALS] == [member for family in FAMILIES.values() for member in family.members]


def test_the_vgg_like_network_at_38_m_has_the_madds_of_its_formula() -> None:
    # (input channels, channels, output side, units): the first convolution of a stage takes the channels of the stage before.
    rows = [(12, 13, 28, 4), (13, 25, 14, 8), (25, 50, 7, 4)]
    stem = 112 * 112 * 9 * 3 * 12
    units = sum(side * side * 9 * (c_in * c + (2 * n - 1) * c * c) for c_in, c, side, n in rows)
    assert stem + units + 50 * 1000 == BY_NAME["vgg_like_38m"][2]


def test_the_resnet_like_network_at_38_m_has_the_madds_of_its_formula() -> None:
    # Section 3.2: hw(2cm + 9m^2) in a unit of c channels with a bottleneck of m. The first of a stage has its 1x1 before the stride, on
    # four times the pixels, and a projection.
    total = 112 * 112 * 9 * 3 * 12
    for c_in, c, side, n in [(12, 48, 28, 4), (48, 96, 14, 8), (96, 192, 7, 4)]:
        hw, m = side * side, c // 4
        total += 4 * hw * c_in * m + hw * (9 * m * m + m * c + c_in * c) + (n - 1) * hw * (2 * c * m + 9 * m * m)
    assert total + 192 * 1000 == BY_NAME["resnet_like_38m"][2]


def test_the_resnext_like_network_at_38_m_has_the_madds_of_its_formula() -> None:
    # Section 3.2: hw(2cm + 9m^2 / g) in a unit. The first of a stage takes c_in channels, its stride on the first 1x1, and a projection.
    total = 112 * 112 * 9 * 3 * 12
    for c_in, c, side, n, g in [(12, 48, 28, 4, 12), (48, 96, 14, 8, 16), (96, 192, 7, 4, 16)]:
        hw, m = side * side, c // 2
        total += hw * (c_in * m + 9 * m * m // g + m * c + c_in * c) + (n - 1) * hw * (2 * c * m + 9 * m * m // g)
    assert total + 192 * 1000 == BY_NAME["resnext_like_38m"][2]


def test_a_vgg_like_unit_has_its_weights_and_two_batch_norms() -> None:
    graph = net("vgg_like_38m")
    unit = [node for node in graph if node.block == "stage4.unit1"]
    assert sum(graph.counts(node).params for node in unit) == 2 * (9 * 50 * 50 + 2 * 50)


# Structure ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("member", "channels"), [("vgg_like_38m", 50), ("resnet_like_38m", 192), ("resnext_like_38m", 192)])
def test_stage_4_has_the_channels_of_section_4_2(member: str, channels: int) -> None:
    assert stage_channels(net(member))[-1] == channels


@pytest.mark.parametrize("member", BY_NAME)
def test_a_member_has_the_skeleton_of_table_1(member: str) -> None:
    graph = net(member)
    ends = stage_ends(graph)
    assert graph["stem.conv1.conv"].shape[2:] == (112, 112)
    assert [ends[stage][2] for stage in ("stem", "stage2", "stage3", "stage4")] == [56, 28, 14, 7]
    units = [len({node.block for node in graph if node.stage == f"stage{i}"}) for i in (2, 3, 4)]
    assert units == ([4, 6, 4] if member.endswith("arch2") else [4, 8, 4])
    assert ends["head"] == (1, 1000)


@pytest.mark.parametrize(
    ("member", "layers"),
    [
        ("vgg_like_140m", 1 + 2 * 16 + 1),
        ("resnet_like_140m", 50),  # section 4.3: ShuffleNet's own units have three convolutions too
        ("resnext_like_140m", 50),
        ("resnet_like_40m_arch2", 44),
        ("resnext_like_13m_arch2", 44),
    ],
)
def test_a_member_has_as_many_layers_as_units_of_its_kind_give(member: str, layers: int) -> None:
    weighted = [node for node in net(member) if isinstance(node.op, Conv2d | Linear) and ".shortcut." not in node.name]
    assert len(weighted) == layers


@pytest.mark.parametrize(
    ("member", "channels", "stem"),
    [
        ("vgg_like_140m", [25, 50, 100], 24),
        ("vgg_like_38m", [13, 25, 50], 12),  # 12.5 goes up
        ("resnet_like_140m", [96, 192, 384], 24),
        ("resnet_like_38m", [48, 96, 192], 12),
        ("resnet_like_13m", [24, 48, 96], 12),
        ("resnet_like_40m_arch2", [52, 104, 212], 12),  # 1.1035 * (48, 96, 192) to multiples of 4
        ("resnet_like_13m_arch2", [24, 52, 100], 12),  # 1.05 * (24, 48, 96)
        ("resnext_like_140m", [96, 192, 384], 24),
        ("resnext_like_38m", [48, 96, 192], 12),
        ("resnext_like_13m", [24, 48, 96], 12),
        ("resnext_like_40m_arch2", [52, 104, 208], 12),  # to multiples of 2 * 13
        ("resnext_like_13m_arch2", [26, 52, 104], 12),
    ],
)
def test_the_width_sets_the_channels_of_stages_and_conv1(member: str, channels: list[int], stem: int) -> None:
    graph = net(member)
    assert stage_channels(graph) == channels
    assert graph["stem.conv1.conv"].shape[1] == stem


@pytest.mark.parametrize("member", [name for name in BY_NAME if name.startswith("resnext")])
def test_the_cardinality_is_16_or_the_largest_divisor_below_and_the_bottleneck_is_1_to_2(member: str) -> None:
    graph = net(member)
    for stage, channels in zip((2, 3, 4), stage_channels(graph), strict=True):
        op = graph[f"stage{stage}.unit1.conv2.conv"].op
        assert isinstance(op, Conv2d)
        assert op.out_channels == channels // 2
        assert op.groups == max(g for g in range(1, 17) if op.out_channels % g == 0)


def test_a_vgg_like_unit_has_no_shortcut_and_the_others_project_theirs_once_per_stage() -> None:
    assert not [node for node in net("vgg_like") if isinstance(node.op, Add)]
    for family in ("resnet_like", "resnext_like"):
        graph = net(family)
        assert sum(isinstance(node.op, Add) for node in graph) == 16
        assert [n.name for n in graph if n.name.endswith("shortcut.conv")] == [f"stage{i}.unit0.shortcut.conv" for i in (2, 3, 4)]


def test_the_stride_is_on_the_first_3x3_but_in_resnext_on_the_first_1x1() -> None:
    def strided(name: str, **options: object) -> list[str]:
        unit = [node for node in net(name, **options) if node.block == "stage3.unit0"]
        return [node.name.split(".")[2] for node in unit if isinstance(node.op, Conv2d) and node.op.stride == 2]

    assert strided("vgg_like") == ["conv1"]
    assert strided("resnet_like") == strided("resnext_like", stride_on_3x3=True) == ["conv2", "shortcut"]
    assert strided("resnext_like") == strided("resnet_like", stride_on_3x3=False) == ["conv1", "shortcut"]


def test_pooling_resnexts_shortcut_would_count_as_moving_its_stride_to_the_1x1() -> None:
    # Stride on the 3x3: the first 1x1 runs on 4 hw. Shortcut pooled and concatenated: no projection, c_in channels fewer to compute.
    on_3x3 = analyze(net("resnext_like", stride_on_3x3=True)).flops("conv")
    saved = sum(side * side * (c_in * c + c_in * (c // 2)) for c_in, c, side in [(24, 96, 28), (96, 192, 14), (192, 384, 7)])
    assert analyze(net("resnext_like")).flops("conv") == on_3x3 - saved


# Knobs ----------------------------------------------------------------------------------------------------------------------------


def test_the_knobs_set_channels_units_kernels_and_groups() -> None:
    vgg = net("vgg_like", stage_channels=(16, 32, 64), repeats=(1, 2, 1), stem_channels=8, kernel_size=5)
    assert stage_channels(vgg) == [16, 32, 64]
    assert vgg["stem.conv1.conv"].shape[1] == 8
    assert vgg["stage3.unit1.conv2.conv"].op == Conv2d(32, 32, 5, padding=2)
    assert "stage2.unit1.conv1.conv" not in {node.name for node in vgg}
    resnext = net("resnext_like", groups=(4, 8, 8), bottleneck=4, stage_channels=(64, 128, 256), se_reduction=8)
    assert resnext["stage2.unit1.conv2.conv"].op == Conv2d(16, 16, 3, padding=1, groups=4)
    assert resnext["stage4.unit0.se.fc1"].op == Conv2d(256, 32, 1, bias=True)


def test_scaled_channels_go_to_the_nearest_multiple_that_the_groups_can_share() -> None:
    # 48, 96, 192 to multiples of 2 * 16: 48 lies between 32 and 64 and goes up.
    assert stage_channels(net("resnext_like", width=0.5)) == [64, 96, 192]


def test_a_resnext_like_network_of_cardinality_1_is_the_resnet_like_one() -> None:
    same = net("resnext_like", cardinality=1, bottleneck=4, stride_on_3x3=True)
    assert [(node.name, node.op) for node in same] == [(node.name, node.op) for node in net("resnet_like")]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "resnext_like",
            {"stage_channels": (48, 96, 192)},
            "resnext_like: the channels of stage 2 must be a multiple of bottleneck x cardinality = 2 x 16, but got 48. Nearest: 32, 64.",
        ),
        (
            "resnext_like",
            {"cardinality": (16, 16, 256)},
            "resnext_like: the channels of stage 4 must be a multiple of bottleneck x cardinality = 2 x 256, but got 384. Nearest: 512.",
        ),
        (
            "resnet_like",
            {"stage_channels": (96, 190, 384)},
            "resnet_like: the channels of stage 3 must be a multiple of bottleneck = 4, but got 190. Nearest: 188, 192.",
        ),
        ("resnext_like", {"cardinality": (16, 8)}, "resnext_like: cardinality must have one value or 3, but got 2: (16, 8)"),
        ("resnet_like", {"stage_channels": (96, 192)}, "resnet_like: stage_channels must have one value or 3, but got 2: (96, 192)"),
        ("vgg_like", {"repeats": (4, 8)}, "vgg_like: repeats must have one value or 3, but got 2: (4, 8)"),
        ("vgg_like", {"kernel_size": 4}, "vgg_like: kernel_size must be odd, but got 4. Near: 3, 5."),
        ("vgg_like", {"width": 0.0}, "vgg_like: width must be above 0, but got 0"),
    ],
)
def test_a_network_that_cannot_exist_breaks_a_law(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError, match=f"^{re.escape(words)}$"):
        net(name, **options)
