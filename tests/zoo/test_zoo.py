"""The zoo: names, and what holds for all families and members, or for all that are built from `SEEDS`."""

from __future__ import annotations

from typing import Any

import pytest
from graph_reading import counts, nodes_of

from archspace.analysis import total_counts
from archspace.errors import LawError, UnknownNameError
from archspace.ir.ops import BatchNorm2d, Conv2d, Linear
from archspace.zoo import MEMBERS, ZOO, build, build_config, resolve
from archspace.zoo.config import make_config

# The families that have test files of their own here and share this one's laws: all 32 pixels to one, a head of pool and FC.
SEEDS = ("shufflenet_v1", "xception_like", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", "resnet", "fenet")
SEED_MEMBERS = [member for member, (family, _) in MEMBERS.items() if family in SEEDS]


def test_a_member_is_its_family_with_options_and_more_may_be_given() -> None:
    assert resolve("resnet18") == ("resnet", {"depth": 18})
    assert resolve("resnet") == ("resnet", {})
    assert build("shufflenet_v1_0.5x_g8") == build("shufflenet_v1", groups=8, width=0.5) == build("shufflenet_v1", g=8, width=0.5)
    assert build("shufflenet_v1_0.5x_g8", groups=3) == build("shufflenet_v1_0.5x_g3")
    config = make_config("resnet", ZOO["resnet"].config, {"depth": 18})
    assert build_config("resnet", config) == build("resnet18")


def test_resolving_a_member_does_not_lend_out_the_table() -> None:
    resolve("resnet18")[1]["depth"] = 50
    assert resolve("resnet18") == ("resnet", {"depth": 18})


def test_no_member_is_named_twice_or_like_a_family() -> None:
    assert len(MEMBERS) == sum(len(family.members) for family in ZOO.values())
    assert not set(MEMBERS) & set(ZOO)


@pytest.mark.parametrize(
    ("written", "family", "options"),
    [
        ("NASNet-A", "nasnet_a", {}),
        ("PNASNet-5", "pnasnet_5", {}),
        ("IGCV3", "igcv3_d", {}),  # the papers also leave the last part of IGCV3-D out
        ("IGCV3-D", "igcv3_d", {}),
        ("VGG-16", "vgg", {"depth": 16}),
        ("ResNet-50", "resnet", {"depth": 50}),
        ("ShuffleNet v2", "shufflenet_v2", {}),
        ("ShuffleNet V2 1.5x", "shufflenet_v2", {"width": 1.5}),
        ("FE-Net 1.375x", "fenet", {"width": 1.375, "shift_sparsity": 0.695}),
        ("MobileNet v1", "mobilenet_v1", {}),
        ("GoogLeNet", "googlenet", {}),
        ("SqueezeNet 1.1", "squeezenet", {"version": "1.1"}),  # the point stays: it tells numbers apart
        ("Xception-like", "xception_like", {}),
    ],
)
def test_a_network_is_found_as_the_papers_write_it(written: str, family: str, options: dict[str, Any]) -> None:
    assert resolve(written) == (family, options)
    assert build(written, batch=2) == build(family, **options, batch=2)


@pytest.mark.parametrize("written", ["ShuffleNet v1-50", "SE-ShuffleNet v2-164"])
def test_a_large_network_is_found_as_the_appendix_writes_it(written: str) -> None:
    assert resolve(written) == resolve(written.lower().replace("-", "_").replace(" ", "_"))


@pytest.mark.parametrize("name", [*ZOO, *MEMBERS])
def test_no_two_names_are_one_when_case_and_hyphens_are_left_out(name: str) -> None:
    assert resolve(name.upper().replace("_", "-")) == resolve(name)
    assert resolve(name.replace("_", " ")) == resolve(name)


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("ShuffleNet", {"shufflenet_v1", "shufflenet_v2"}),
        ("MOBILENET", {"mobilenet_v1", "mobilenet_v2"}),
        ("Xception", {"xception_light", "xception_like"}),
    ],
)
def test_a_spelling_that_fits_several_families_is_met_with_them_all(written: str, near: set[str]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve(written)
    start, _, hint = str(caught.value).partition(". Did you mean ")
    assert start == f"unknown network {written!r}"
    assert set(hint.rstrip("?").replace("'", "").split(" or ")) == near


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("NASNet-B", {}, "unknown network 'NASNet-B'. Did you mean 'nasnet_a'?"),
        ("ShuffleNet v3", {}, "unknown network 'ShuffleNet v3'. Did you mean 'shufflenet_v2'?"),
        ("RESNET-51", {"activation": "gelu"}, "unknown network 'RESNET-51'. Did you mean 'resnet'?"),
        ("resnet", {"activation": "ReLU"}, "unknown value of resnet: activation 'ReLU'. Did you mean 'relu'?"),
        ("resnet", {"activation": "swish"}, "unknown value of resnet: activation 'swish'. Did you mean 'hardswish'?"),
        ("shuflenet_v2", {}, "unknown network 'shuflenet_v2'. Did you mean 'shufflenet_v2'?"),
        ("resnet5O", {}, "unknown network 'resnet5O'. Did you mean 'resnet'?"),
        ("shufflenet_v1", {"group": 3}, "unknown option of shufflenet_v1 'group'. Did you mean 'groups'?"),
        ("resnet", {"widht": 2}, "unknown option of resnet 'widht'. Did you mean 'width'?"),
        ("fenet", {"shift": "depthwize"}, "unknown value of fenet: shift 'depthwize'. Did you mean 'depthwise'?"),
    ],
)
def test_a_misspelt_network_option_or_value_gets_the_nearest_one(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        build(name, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("member", SEED_MEMBERS)
def test_the_last_feature_map_is_the_input_over_the_stride(member: str) -> None:
    graph = build(member)
    family, _ = resolve(member)
    ((_, _, height, width),) = graph.input_shapes(graph["head.pool"])
    assert ZOO[family].stride == 32
    assert (height, width) == (graph.input_shape[2] // 32, graph.input_shape[3] // 32)
    assert graph.nodes[graph.outputs[0]].shape == (1, 1000)


@pytest.mark.parametrize("family", SEEDS)
def test_a_family_takes_other_resolutions_and_batches(family: str) -> None:
    graph = build(family, input=(128, 160), batch=3, num_classes=10)
    assert graph.input_shape == (3, 3, 128, 160)
    assert graph.input_shapes(graph["head.pool"])[0][2:] == (4, 5)
    assert graph.nodes[graph.outputs[0]].shape == (3, 10)


@pytest.mark.parametrize("family", ZOO)
def test_a_batch_multiplies_the_work_and_leaves_the_parameters(family: str) -> None:
    one, three = (counts(family, input=(64, 64), batch=batch) for batch in (1, 3))
    assert (three.madds, three.acts, three.params) == (3 * one.madds, 3 * one.acts, one.params)
    assert three.mem_elems - three.weight_elems == 3 * (one.mem_elems - one.weight_elems)


@pytest.mark.parametrize("family", SEEDS)
def test_the_number_of_classes_widens_the_last_layer_alone(family: str) -> None:
    few, many = (build(family, num_classes=n) for n in (10, 11))
    (fc,) = nodes_of(few, Linear)
    features = few.input_shapes(fc)[0][1]
    assert total_counts(many).params - total_counts(few).params == features + 1
    assert total_counts(many).madds - total_counts(few).madds == features


@pytest.mark.parametrize("family", SEEDS)
def test_an_input_below_the_stride_is_refused(family: str) -> None:
    assert build(family, input=(32, 32)).input_shape == (1, 3, 32, 32)
    for size, shown in (((31, 31), "31"), ((224, 16), "224x16")):
        with pytest.raises(LawError) as caught:
            build(family, input=size)
        law = f"{family}: the input must be at least the network's stride of 32 pixels"
        assert str(caught.value) == f"{law}, but got {shown}. Smallest input: 32."


@pytest.mark.parametrize("member", MEMBERS)
def test_a_graph_says_what_it_was_built_from_and_builds_again_from_that(member: str) -> None:
    graph = build(member)
    options = dict(graph.config)
    family = options.pop("family")
    assert family == graph.name == resolve(member)[0]
    assert build(family, **options) == graph


@pytest.mark.parametrize("member", SEED_MEMBERS)
def test_every_convolution_is_without_bias_and_followed_by_batch_norm_but_in_squeeze_and_excitation(member: str) -> None:
    graph = build(member)
    normalised = {i for node in graph if isinstance(node.op, BatchNorm2d) for i in node.inputs}
    for position, node in enumerate(graph):
        if isinstance(node.op, Conv2d):
            excites = ".se." in node.name
            assert node.op.bias == excites, node.name
            assert (position in normalised) != excites, node.name


@pytest.mark.parametrize("name", ["ShuffleNet v2*", "DARTS+", "shufflenet_v2!"])
def test_a_sign_that_a_name_does_not_have_is_not_overlooked(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown network"):
        resolve(name)


@pytest.mark.parametrize(("family", "groups", "most"), [("igcv2", 100_000, 96), ("igcv3_d", 100, 16), ("igcv2", (64, 63), 96)])
def test_groups_beyond_the_narrowest_stage_of_an_interleaved_network_are_refused(family: str, groups: object, most: int) -> None:
    with pytest.raises(LawError, match=f"{family}: groups must divide the channels.*at most {most}, or a larger width"):
        build(family, groups=groups)
