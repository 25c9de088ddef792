"""VGG, AlexNet, GoogLeNet, SqueezeNet and PVANET: their complexity from structure, and what their knobs do."""

from __future__ import annotations

import pytest

from archspace.analysis import analyze, total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir import Builder, Graph, Node
from archspace.ir.ops import AdaptiveAvgPool2d, Add, BatchNorm2d, Concat, Conv2d, Linear, MaxPool2d
from archspace.zoo import classic, pvanet
from archspace.zoo.classic import INCEPTIONS
from archspace.zoo.config import make_config

FAMILIES = {**classic.FAMILIES, **pvanet.FAMILIES}


def net(name: str, **options: object) -> Graph:
    """A family or member of this file with its options."""
    for family_name, family in FAMILIES.items():
        if name == family_name or name in family.members:
            config = make_config(family_name, family.config, {**family.members.get(name, {}), **options})
            return family.build(config, Builder(name))
    raise UnknownNameError("network", name, FAMILIES)


def nodes(graph: Graph, kind: type) -> list[Node]:
    return [node for node in graph if isinstance(node.op, kind)]


def madds_of(graph: Graph, prefix: str) -> int:
    return sum(graph.counts(node).madds for node in graph if node.name.startswith(prefix))


# Exact complexity -----------------------------------------------------------------------------------------------------------------

TOTALS = [  # madds; params: those of torchvision 0.28 where it has the network
    ("vgg_11", 7_609_090_048, 132_863_336),
    ("vgg_13", 11_308_466_176, 133_047_848),
    ("vgg_16", 15_470_264_320, 138_357_544),
    ("vgg_19", 19_632_062_464, 143_667_240),
    ("vgg_16_bn", 15_470_264_320, 138_361_768),  # 4,224 fewer than torchvision's, whose convolutions keep a bias under the batch norm
    ("alexnet_2012", 724_406_816, 60_965_224),  # Caffe's bvlc_alexnet
    ("alexnet_2014", 714_188_480, 61_100_840),
    ("inception_v1", 1_582_671_872, 6_998_552),  # Caffe's bvlc_googlenet
    ("inception_v1_bn", 1_498_376_192, 6_624_904),
    ("squeezenet_1.0", 832_667_936, 1_248_424),
    ("squeezenet_1.1", 387_747_520, 1_235_496),
    ("pvanet_imagenet", 533_538_816, 25_359_464),
]


@pytest.mark.parametrize(("member", "madds", "params"), TOTALS)
def test_a_member_has_its_madds_and_params_to_the_last_digit(member: str, madds: int, params: int) -> None:
    found = total_counts(net(member))
    assert (found.madds, found.params) == (madds, params)


def test_every_member_is_in_the_table_above() -> None:
    assert [row[0] for row in TOTALS] == [member for family in FAMILIES.values() for member in family.members]


@pytest.mark.parametrize(
    ("member", "convention", "printed_m", "bound"),
    [
        ("vgg_16", "conv", 15300, 0.01),  # ShuffleNet v1 table 6
        ("alexnet_2012", "paper", 720, 0.01),  # ShuffleNet v1 table 6
        ("squeezenet_1.0", "paper", 833, 0.001),  # ShuffleNet v1 table 6
        ("pvanet_imagenet", "paper", 557, 0.05),  # ShuffleNet v1 table 6 (preprint): the head is not described
    ],
)
def test_a_printed_complexity_is_met(member: str, convention: str, printed_m: float, bound: float) -> None:
    assert abs(analyze(net(member)).flops(convention) / 1e6 / printed_m - 1) <= bound


# VGG ------------------------------------------------------------------------------------------------------------------------------


def test_vgg_16_has_thirteen_3x3_convolutions_and_three_fully_connected_layers() -> None:
    graph = net("vgg_16")
    convs, fcs = nodes(graph, Conv2d), nodes(graph, Linear)
    assert (len(convs), len(fcs)) == (13, 3)
    assert {node.op.kernel_size for node in convs} == {3}
    assert [node.shape for node in nodes(graph, MaxPool2d)] == [
        (1, c, s, s) for c, s in ((64, 112), (128, 56), (256, 28), (512, 14), (512, 7))
    ]
    weights = 3 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 2 * 256 * 256 + 256 * 512 + 5 * 512 * 512
    biases = 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512
    fc = (512 * 49 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    assert total_counts(graph).params == 9 * weights + biases + fc


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vggs_depth_counts_the_layers_with_weights(depth: int) -> None:
    graph = net("vgg", depth=depth)
    assert len(nodes(graph, Conv2d)) + len(nodes(graph, Linear)) == depth


def test_vgg_has_no_batch_norm_unless_asked_for() -> None:
    plain, normed = net("vgg_16"), net("vgg_16_bn")
    assert nodes(plain, BatchNorm2d) == []
    assert len(nodes(normed, BatchNorm2d)) == 13
    # A batch norm has two parameters per channel where the bias had one; there are 4,224 channels.
    assert total_counts(normed).params - total_counts(plain).params == 4224
    assert total_counts(normed).madds == total_counts(plain).madds


def test_vggs_width_and_repeats_change_its_stages() -> None:
    graph = net("vgg", width=0.5, repeats=(1, 1, 1, 1, 1), hidden=(100,))
    assert [node.op.out_channels for node in nodes(graph, Conv2d)] == [32, 64, 128, 256, 256]
    assert [node.op.out_features for node in nodes(graph, Linear)] == [100, 1000]


def test_vggs_fully_connected_layers_take_any_resolution() -> None:
    small, large = net("vgg", input=(64, 96)), net("vgg")
    assert total_counts(small).params == total_counts(large).params
    assert small.nodes[small.outputs[0]].shape == (1, 1000)


# AlexNet --------------------------------------------------------------------------------------------------------------------------


def test_alexnets_halves_see_each_other_in_the_third_convolution_alone() -> None:
    convs = nodes(net("alexnet_2012"), Conv2d)
    assert [(node.op.out_channels, node.op.kernel_size, node.op.groups) for node in convs] == [
        (96, 11, 1),  # figure 2
        (256, 5, 2),
        (384, 3, 1),
        (384, 3, 2),
        (256, 3, 2),
    ]
    assert [node.shape[2] for node in convs] == [55, 27, 13, 13, 13]
    assert 59e6 < total_counts(net("alexnet_2012")).params < 61e6  # "60 million parameters"


def test_alexnets_madds_add_up_by_layer() -> None:
    convs = [55**2 * 96 * 3 * 121, 27**2 * 256 * 48 * 25, 13**2 * 384 * 256 * 9, 13**2 * 384 * 192 * 9, 13**2 * 256 * 192 * 9]
    fcs = [256 * 36 * 4096, 4096 * 4096, 4096 * 1000]
    assert total_counts(net("alexnet_2012")).madds == sum(convs) + sum(fcs)


def test_without_groups_alexnets_second_fourth_and_fifth_convolution_cost_twice() -> None:
    two, one = (net("alexnet", groups=g) for g in (2, 1))
    for stage, factor in ((1, 1), (2, 2), (3, 1), (4, 2), (5, 2)):
        assert madds_of(one, f"stage{stage}.") == factor * madds_of(two, f"stage{stage}.")


def test_alexnets_scaled_channels_stay_multiples_of_the_groups() -> None:
    convs = nodes(net("alexnet", width=0.33, groups=4), Conv2d)
    assert all(node.op.out_channels % 4 == 0 for node in convs)


# GoogLeNet ------------------------------------------------------------------------------------------------------------------------


def test_the_inception_modules_have_the_outputs_of_table_1() -> None:
    concats = nodes(net("inception_v1"), Concat)
    channels = [256, 480, 512, 512, 512, 528, 832, 832, 1024]  # table 1, "output size"
    sizes = [28] * 2 + [14] * 5 + [7] * 2
    assert [node.shape for node in concats] == [(1, c, s, s) for c, s in zip(channels, sizes, strict=True)]
    assert [row[0] + row[2] + row[4] + row[5] for rows in INCEPTIONS.values() for row in rows] == channels


def test_googlenet_is_22_layers_deep() -> None:
    """Section 5: 22 layers with parameters. On the longest way: conv1, two for conv2, two in each of nine modules, the classifier."""
    graph = net("inception_v1")
    depth: dict[str, int] = {}
    for node in graph:
        before = max((depth[graph.nodes[i].name] for i in node.inputs), default=0)
        depth[node.name] = before + isinstance(node.op, Conv2d | Linear)
    assert depth[graph.nodes[graph.outputs[0]].name] == 1 + 2 + 2 * 9 + 1 == 22


def test_table_1_of_googlenet_has_another_count_for_its_first_convolution() -> None:
    graph = net("inception_v1")
    table_m = {"stem.conv2": 360, "stage3.unit0": 128, "stage3.unit1": 304, "stage4.unit0": 73, "stage4.unit1": 88}
    table_m |= {"stage4.unit2": 100, "stage4.unit3": 119, "stage4.unit4": 170, "stage5.unit0": 54, "stage5.unit1": 71, "head": 1}
    found_m = {prefix: madds_of(graph, prefix) / 1e6 for prefix in table_m}
    # The 54 M of module 5a are those of 48 channels in its 5x5 reduction, while the same row of the table says 32.
    found_m["stage5.unit0"] += (832 * (48 - 32) + (48 - 32) * 25 * 128) * 49 / 1e6
    assert all(abs(found_m[prefix] - millions) < 1 for prefix, millions in table_m.items())
    assert 34 + sum(table_m.values()) == 1502  # the table gives 34 M to the first convolution; ShuffleNet v1 prints 1500 M
    assert madds_of(graph, "stem.conv1.") == 7 * 7 * 3 * 64 * 112 * 112 == 118_013_952


def test_torchvisions_variant_has_3x3_kernels_and_batch_norm() -> None:
    convs = nodes(net("inception_v1_bn"), Conv2d)
    assert {node.op.kernel_size for node in convs} == {1, 3, 7}
    assert {node.op.bias for node in convs} == {False}


def test_an_even_large_kernel_is_refused_with_its_neighbours() -> None:
    with pytest.raises(LawError, match=r"^googlenet: large_kernel must be odd, but got 4\. Near: 3, 5\.$"):
        net("googlenet", large_kernel=4)


# SqueezeNet -----------------------------------------------------------------------------------------------------------------------


def test_the_fire_modules_have_the_channels_of_table_1() -> None:
    graph = net("squeezenet_1.0")
    squeeze = [node.shape[1] for node in nodes(graph, Conv2d) if node.name.endswith(".squeeze.conv")]
    expand = [node.shape[1] for node in nodes(graph, Conv2d) if ".expand" in node.name]
    assert squeeze == [16, 16, 32, 32, 48, 48, 64, 64]
    assert expand == [64] * 4 + [128] * 4 + [192] * 4 + [256] * 4
    assert graph["stem.conv1.conv"].shape == (1, 96, 111, 111)
    assert [graph[f"stage{s}.unit0.concat"].shape[2] for s in (1, 2, 3)] == [55, 27, 13]
    assert graph["head.conv10.conv"].shape == (1, 1000, 13, 13)
    assert nodes(graph, Linear) == []


def test_squeezenet_1_1_pools_earlier_and_keeps_the_parameters_of_its_fire_modules() -> None:
    old, new = net("squeezenet_1.0"), net("squeezenet_1.1")
    assert total_counts(old).madds / total_counts(new).madds > 2
    assert new["stem.conv1.conv"].shape == (1, 64, 113, 113)
    # conv1: 7x7x3x96 and 96 biases against 3x3x3x64 and 64; fire2's squeeze reads 96 or 64 channels into 16.
    assert total_counts(old).params - total_counts(new).params == (147 + 1) * 96 - (27 + 1) * 64 + (96 - 64) * 16


def test_squeezenets_metaparameters_set_every_fire_module() -> None:
    graph = net("squeezenet", expand_channels=64, expand_step=32, expand_every=4, squeeze_ratio=0.5, share_3x3=0.25)
    assert graph["stage1.unit0.squeeze.conv"].shape[1] == 32
    assert (graph["stage1.unit0.expand1.conv"].shape[1], graph["stage1.unit0.expand3.conv"].shape[1]) == (48, 16)
    assert [node.shape[1] for node in nodes(graph, Concat)] == [64] * 4 + [96] * 4


def test_simple_bypass_skips_the_four_fire_modules_that_keep_their_channels() -> None:
    plain, bypass = net("squeezenet"), net("squeezenet", bypass=True)
    fires = [node.block for node in nodes(bypass, Concat)]
    assert [fires.index(node.block) + 2 for node in nodes(bypass, Add)] == [3, 5, 7, 9]  # figure 2
    assert total_counts(plain).params == total_counts(bypass).params


def test_a_fire_module_without_1x1_expansion_is_refused() -> None:
    with pytest.raises(LawError, match=r"fire2 must keep expand channels for its 1x1 kernels, but share_3x3=1 of its 128 gives 128"):
        net("squeezenet", share_3x3=1.0)


# PVANET ---------------------------------------------------------------------------------------------------------------------------


def test_pvanets_backbone_meets_the_complexity_that_its_paper_prints() -> None:
    """Table 1, at 1056x640: 7942 M. It includes convf, 1x1 from 128 + 256 + 384 channels to 512 at stride 16, and a 4x4 upsampling."""
    graph = net("pvanet", input=(640, 1056))
    backbone = total_counts(graph).madds - madds_of(graph, "head.")
    convf = 66 * 40 * (128 + 256 + 384) * 512
    upsampling = 66 * 40 * 384 * 16
    assert abs((backbone + convf + upsampling) / 7942e6 - 1) <= 0.001


def test_pvanets_stages_have_the_outputs_of_table_1() -> None:
    graph = net("pvanet")
    ends = {node.stage: node.shape for node in graph}
    assert ends["stem"] == (1, 32, 56, 56)
    assert [ends[f"stage{s}"] for s in (2, 3, 4, 5)] == [(1, 64, 56, 56), (1, 128, 28, 28), (1, 256, 14, 14), (1, 384, 7, 7)]


def test_a_crelu_doubles_the_channels_of_its_convolution() -> None:
    graph = net("pvanet")
    assert graph["stage3.unit1.conv2"].shape[1] == 48
    assert graph["stage3.unit1.crelu.act"].shape[1] == graph["stage3.unit1.conv3"].op.in_channels == 96
    assert graph["stem.conv1"].shape[1] == 16
    assert graph["stem.crelu.act"].shape[1] == 32


def test_only_the_first_unit_of_an_inception_stage_has_a_pooled_branch_and_a_projection() -> None:
    graph = net("pvanet")
    assert [node.block for node in nodes(graph, MaxPool2d)] == ["stem", "stage4.unit0", "stage5.unit0"]
    projections = [node.block for node in graph if node.name.endswith(".proj")]
    assert projections == ["stage2.unit0", "stage3.unit0", "stage4.unit0", "stage5.unit0"]


@pytest.mark.parametrize(
    ("head", "millions"),
    [((4096, 4096), 534), ((1,), 511)],
)
def test_pvanets_head_is_what_its_published_complexity_leaves_open(head: tuple[int, ...], millions: int) -> None:
    assert round(total_counts(net("pvanet", hidden=head)).madds / 1e6) == millions


# All of them ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_alone_depends_on_the_classes(family: str) -> None:
    few, many = (total_counts(net(family, num_classes=n)).params for n in (10, 11))
    features = {"vgg": 4096, "alexnet": 4096, "googlenet": 1024, "squeezenet": 512, "pvanet": 4096}[family]
    assert many - few == features + 1


@pytest.mark.parametrize("family", FAMILIES)
def test_other_widths_resolutions_and_batches_build(family: str) -> None:
    graph = net(family, width=0.3, input=(128, 160), batch=2)
    assert graph.nodes[graph.outputs[0]].shape == (2, 1000)
    assert total_counts(graph).params < total_counts(net(family)).params


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("vgg", {"depth": 17}, r"vgg: depth must be one of 11, 13, 16, 19, but got 17"),
        ("vgg", {"repeats": (1, 2)}, r"vgg: repeats must have one value or 5, but got 2"),
        (
            "alexnet",
            {"groups": 3},
            r"stage2\.unit0\.conv\.conv: groups must divide out_channels, but got groups=3, out_channels=256\. .*: 2, 4\.",
        ),
        ("alexnet", {"stage_channels": (96, 256)}, r"alexnet: stage_channels must have one value or 5, but got 2"),
        ("alexnet", {"input": (32, 32)}, r"alexnet: the input must be at least 63 pixels, .*got 32\. Smallest input: 63\."),
        ("alexnet", {"input": (224, 62)}, r"got 224x62\. Smallest input: 63\."),
        ("squeezenet", {"input": (28, 28)}, r"squeezenet: the input must be at least 29 pixels, .*got 28\. Smallest input: 29\."),
        ("squeezenet", {"input": (24, 24), "version": "1.1"}, r"got 24\. Smallest input: 25\."),
        ("squeezenet", {"repeats": (4, 4)}, r"squeezenet: repeats must have one value or 3, but got 2"),
        ("googlenet", {"repeats": (2, 5)}, r"googlenet: repeats must have one value or 3, but got 2"),
        ("pvanet", {"repeats": (1, 2, 3)}, r"pvanet: repeats must have one value or 4, but got 3"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_law_and_a_way_out(family: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(LawError, match=message):
        net(family, **options)


@pytest.mark.parametrize(
    ("family", "options", "least"),
    [
        ("vgg", {}, 32),
        ("alexnet", {}, 63),
        ("googlenet", {}, 32),
        ("squeezenet", {}, 29),
        ("squeezenet", {"version": "1.1"}, 25),
        ("pvanet", {}, 32),
    ],
)
def test_the_smallest_input_builds(family: str, options: dict[str, object], least: int) -> None:
    graph = net(family, input=(least, least), **options)
    (pool,) = nodes(graph, AdaptiveAvgPool2d)
    assert graph.input_shapes(pool)[0][2:] == (1, 1)


@pytest.mark.parametrize(
    ("family", "repeats", "convolutions"),
    [
        ("alexnet", (2, 1, 1, 1, 3), 8),
        ("googlenet", (1, 1, 3), 3 + 6 * 5),  # three of the stem, six per module
        ("squeezenet", (1, 2, 2), 1 + 3 * 5 + 1),  # conv1, three per fire module, conv10
        ("pvanet", (1, 1, 1, 1), 1 + 4 + 4 + 9 + 9),  # conv1; three and a projection; six, pool projection, out and a projection
    ],
)
def test_repeats_set_the_number_of_units(family: str, repeats: tuple[int, ...], convolutions: int) -> None:
    assert len(nodes(net(family, repeats=repeats), Conv2d)) == convolutions


def test_more_inception_modules_than_table_1_has_repeat_the_last() -> None:
    concats = nodes(net("googlenet", repeats=(4, 1, 1)), Concat)
    assert [node.shape[1] for node in concats] == [256, 480, 480, 480, 512, 832]


def test_an_unknown_version_of_squeezenet_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"1\.2"):
        net("squeezenet", version="1.2")
