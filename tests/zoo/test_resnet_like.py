"""ResNeXt, SENet and the ResNets for CIFAR: their complexity from structure, and what their knobs do."""

from __future__ import annotations

import pytest

from archspace.analysis import analyze, total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Builder, Graph, Node
from archspace.ir.ops import Conv2d, Linear, Multiply
from archspace.zoo.config import make_config
from archspace.zoo.resnet_like import FAMILIES


def net(name: str, **options: object) -> Graph:
    """A family or member of this file with its options."""
    for family_name, family in FAMILIES.items():
        if name == family_name or name in family.members:
            config = make_config(family_name, family.config, {**family.members.get(name, {}), **options})
            return family.build(config, Builder(name))
    raise UnknownNameError("network", name, FAMILIES)


def nodes(graph: Graph, kind: type, ending: str = "") -> list[Node]:
    return [node for node in graph if isinstance(node.op, kind) and node.name.endswith(ending)]


# Exact complexity -----------------------------------------------------------------------------------------------------------------

TOTALS = [  # madds; params: those of torchvision 0.28 or timm 1.0 where they have the network
    ("resnext50_32x4d", 4_230_479_872, 25_028_904),
    ("resnext101_32x4d", 7_969_996_800, 44_177_704),
    ("resnext101_64x4d", 15_460_270_080, 83_455_272),
    ("se_resnext50_32x4d", 4_232_994_816, 27_559_896),
    ("se_resnext101_32x4d", 7_974_739_968, 48_955_416),
    ("senet154", 20_688_363_520, 115_088_984),
    ("resnet20_cifar", 40_813_184, 272_474),
    ("resnet32_cifar", 69_124_736, 466_906),
    ("resnet44_cifar", 97_436_288, 661_338),
    ("resnet56_cifar", 125_747_840, 855_770),
    ("resnet110_cifar", 253_149_824, 1_730_714),
]


@pytest.mark.parametrize(("member", "madds", "params"), TOTALS)
def test_a_member_has_its_madds_and_params_to_the_last_digit(member: str, madds: int, params: int) -> None:
    found = total_counts(net(member))
    assert (found.madds, found.params) == (madds, params)


def test_every_member_is_in_the_table_above() -> None:
    assert [row[0] for row in TOTALS] == [member for family in FAMILIES.values() for member in family.members]


@pytest.mark.parametrize(
    ("member", "convention", "printed_m", "params_m"),
    [
        ("resnext50_32x4d", "paper", 4200, 25.0),  # ResNeXt table 1
        ("senet154", "paper", 20700, None),  # ShuffleNet v2 table 6
        ("resnet20_cifar", "torch", 81, 0.27),  # SSL paper table 1
        ("resnet56_cifar", "torch", 251, 0.86),  # SSL paper table 1
    ],
)
def test_a_printed_complexity_is_met_within_1_percent(member: str, convention: str, printed_m: float, params_m: float | None) -> None:
    report = analyze(net(member))
    assert abs(report.flops(convention) / 1e6 / printed_m - 1) <= 0.01
    if params_m is not None:
        assert abs(report.totals.params / 1e6 / params_m - 1) <= 0.01


# ResNeXt --------------------------------------------------------------------------------------------------------------------------


def test_resnext_50_has_the_units_of_table_1() -> None:
    graph = net("resnext50_32x4d")
    grouped = nodes(graph, Conv2d, ".conv2.conv")
    assert {node.op.groups for node in grouped} == {32}
    assert [node.op.out_channels for node in grouped] == [128] * 3 + [256] * 4 + [512] * 6 + [1024] * 3
    assert [node.op.stride for node in grouped] == [1] * 3 + [2, 1, 1, 1] + [2, 1, 1, 1, 1, 1] + [2, 1, 1]
    ends = {node.stage: node.shape for node in graph}
    assert [ends[f"stage{s}"] for s in (1, 2, 3, 4)] == [(1, 256, 56, 56), (1, 512, 28, 28), (1, 1024, 14, 14), (1, 2048, 7, 7)]
    # 16 units of three layers, conv1 and the classifier: the projections do not count.
    assert len(nodes(graph, Conv2d)) - len(nodes(graph, Conv2d, ".shortcut.conv")) + len(nodes(graph, Linear)) == 50


def test_a_unit_of_resnext_has_the_parameters_of_section_4() -> None:
    """Equation 4: C (256 d + 3 3 d d + d 256), about 70 k for C=32 and d=4."""
    graph = net("resnext50_32x4d")
    c, d = 32, 4
    weights = c * (256 * d + 3 * 3 * d * d + d * 256)
    convs = [node for node in nodes(graph, Conv2d) if node.block == "stage1.unit1"]
    assert sum(graph.counts(node).params for node in convs) == weights == 70_144


def test_cardinality_and_group_width_trade_at_a_like_complexity() -> None:
    """Table 2: 1x64d, 2x40d, 4x24d, 8x14d and 32x4d have about 70 k parameters per unit."""
    pairs = ((1, 64), (2, 40), (4, 24), (8, 14), (32, 4))
    found = [total_counts(net("resnext", cardinality=c, group_width=d)).madds for c, d in pairs]
    assert max(found) / min(found) < 1.05


def test_squeeze_and_excitation_adds_two_small_layers_per_unit() -> None:
    plain, se = (total_counts(net(f"{prefix}resnext50_32x4d")) for prefix in ("", "se_"))
    per_stage = [(256, 3), (512, 4), (1024, 6), (2048, 3)]
    assert se.madds - plain.madds == sum(n * 2 * c * (c // 16) for c, n in per_stage)
    assert se.params - plain.params == sum(n * (2 * c * (c // 16) + c // 16 + c) for c, n in per_stage)


@pytest.mark.parametrize(("family", "groups"), [("resnext", 32), ("senet", 64)])
def test_a_width_scales_every_layer_and_keeps_the_cardinality(family: str, groups: int) -> None:
    graph = net(family, width=0.5, repeats=(1, 1, 1, 1))
    grouped = [node for node in nodes(graph, Conv2d, ".conv2.conv") if node.stage != "stem"]
    assert [node.shape[1] for node in nodes(graph, Conv2d, ".conv3.conv") if node.stage != "stem"] == [128, 256, 512, 1024]
    assert [node.shape[1] for node in grouped] == [2 * groups * 2**i for i in range(4)]
    assert {node.op.groups for node in grouped} == {groups}


# SENet ----------------------------------------------------------------------------------------------------------------------------


def test_senet_154_is_a_resnext_152_with_halved_first_layers() -> None:
    graph = net("senet154")
    units = (3, 8, 36, 3)
    first, grouped, last = (nodes(graph, Conv2d, f"{name}.conv") for name in (".conv1", ".conv2", ".conv3"))
    stem = [node for node in nodes(graph, Conv2d) if node.stage == "stem"]
    assert [node.op.out_channels for node in stem] == [64, 64, 128]
    assert [node.op.stride for node in stem] == [2, 1, 1]
    assert len(last) - 1 == sum(units) == len(nodes(graph, Multiply))
    assert all(node.op.groups == 64 for node in grouped[1:])
    assert all(2 * a.op.out_channels == b.op.out_channels for a, b in zip(first[1:], grouped[1:], strict=True))
    # 50 units of three layers, the three convolutions of the stem and the classifier.
    assert 3 * sum(units) + len(stem) + len(nodes(graph, Linear)) == 154


def test_senets_projections_are_3x3_where_they_have_a_stride() -> None:
    shortcuts = nodes(net("senet154"), Conv2d, ".shortcut.conv")
    assert [(node.op.kernel_size, node.op.stride) for node in shortcuts] == [(1, 1), (3, 2), (3, 2), (3, 2)]


def test_the_printed_complexity_of_senet_is_that_at_224_pixels() -> None:
    at_224, at_320 = (total_counts(net("senet154", input=(n, n))).madds for n in (224, 320))
    assert round(at_224 / 1e9, 1) == 20.7  # ShuffleNet v2 table 6
    assert round(at_320 / 1e9, 1) == 42.2


def test_a_reduction_sets_the_hidden_channels_of_senet() -> None:
    graph = net("senet", depth=50, se_reduction=8)
    assert [graph[f"stage{s}.unit0.se.fc1"].shape[1] for s in (1, 2, 3, 4)] == [32, 64, 128, 256]


# ResNets for CIFAR ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_cifar_resnets_depth_counts_its_layers(depth: int) -> None:
    graph = net("resnet_cifar", depth=depth)
    layers = len(nodes(graph, Conv2d)) - len(nodes(graph, Conv2d, ".shortcut.conv")) + len(nodes(graph, Linear))
    assert layers == depth
    ends = {node.stage: node.shape for node in graph}
    assert [ends[f"stage{s}"] for s in (1, 2, 3)] == [(1, 16, 32, 32), (1, 32, 16, 16), (1, 64, 8, 8)]
    assert graph.nodes[graph.outputs[0]].shape == (1, 10)


def test_resnet_20s_madds_add_up_by_stage() -> None:
    per_conv = 1024 * 16 * 16 * 9  # the same in each stage: half the side, twice the channels
    first_of_stage = per_conv // 2  # reads half as many channels
    projection = first_of_stage // 9
    madds = 1024 * 3 * 16 * 9 + 16 * per_conv + 2 * first_of_stage + 2 * projection + 64 * 10
    assert total_counts(net("resnet20_cifar")).madds == madds


def test_the_projections_make_the_0_86_million_params_that_the_sparse_shift_paper_prints() -> None:
    params = total_counts(net("resnet56_cifar")).params
    projections = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)  # weights and batch norm
    assert round(params / 1e6, 2) == 0.86  # SSL paper, table 1
    assert round((params - projections) / 1e6, 2) == 0.85  # He et al., table 6: shortcuts without parameters


# Bad knobs ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_other_widths_resolutions_batches_and_classes_build(family: str) -> None:
    graph = net(family, width=0.3, input=(64, 96), batch=2, num_classes=7)
    assert graph.nodes[graph.outputs[0]].shape == (2, 7)


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("resnext", {"depth": 34}, r"resnext: depth must be one of 50, 101, 152, but got 34"),
        ("resnext", {"repeats": (3, 4)}, r"resnext: repeats must have one value or 4, but got 2"),
        (
            "resnext",
            {"se_reduction": 512},
            r"stage1\.unit0\.se: squeeze-and-excitation must keep a hidden channel.*se_reduction=512, channels=256\.",
        ),
        ("senet", {"depth": 154}, r"senet: depth must be one of 50, 101, 152, but got 154"),
        ("senet", {"group_width": 5}, r"senet: group_width must be even, .* but got 5\. Nearest: 4, 6\."),
        ("resnet_cifar", {"depth": 21}, r"resnet_cifar: depth must be 6n \+ 2 .*but got 21\. Nearest: 20, 26\."),
        ("resnet_cifar", {"stage_channels": (16, 32)}, r"resnet_cifar: stage_channels must have one value or 3, but got 2"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_law_and_a_way_out(family: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(LawError, match=message):
        net(family, **options)


def test_repeats_take_the_place_of_a_cifar_resnets_depth() -> None:
    graph = net("resnet_cifar", repeats=(1, 2, 3))
    units = {node.block for node in graph if ".unit" in node.block}
    assert sorted(units) == [f"stage{s}.unit{i}" for s in (1, 2, 3) for i in range(s)]
