"""The acceptance test of the rule set: how the ShuffleNet v2 paper itself reads the networks (sections 2 and 3, table 8)."""

from __future__ import annotations

import csv

import pytest

from archspace import build
from archspace.analysis.structure import fragments
from archspace.rules import lint
from archspace.zoo import MEMBERS
from archspace.zoo.published import PUBLISHED


def broken(member: str, *select: str, **options: object) -> set[str]:
    """The codes that a member breaks."""
    return {finding.code for finding in lint(build(member, **options), select=select).findings}


def table_8() -> list[str]:
    """The networks of ShuffleNet v2's table 8 that have a speed there."""
    with (PUBLISHED / "speeds.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["paper"] == "ShuffleNet v2 (ECCV 2018)" and row["table"] == "table 8"]
    return sorted({row["member"] for row in rows})


@pytest.mark.parametrize(
    ("member", "breaks"),
    [
        # "heavily depends group convolutions (against G2) and bottleneck-like building blocks (against G1)"
        *((f"shufflenet_v1_{width}x_g3", {"G102", "G201"}) for width in ("0.5", "1", "1.5", "2")),
        # "an inverted bottleneck structure that violates G1 ... depthwise convolutions and ReLUs on thick feature maps. This violates G4."
        *((f"mobilenet_v2_{width}x", {"G101", "G102", "G402"}) for width in ("0.4", "0.6", "0.75", "1", "1.4")),
        # "IGCv2 and IGCv3 are slow. This is due to usage of too many convolution groups"
        *((f"igcv2_{width}x", {"G201"}) for width in ("0.25", "0.5", "1")),
        *((f"igcv3_d_{width}x", {"G201"}) for width in ("0.7", "1", "1.4")),
        # "The auto-generated structures are highly fragmented and violate G3."
        *((member, {"G301", "G302"}) for member in ("nasnet_a_mobile", "pnasnet_5_mobile", "darts_v2", "inception_v1")),
    ],
)
def test_networks_break_what_the_paper_says_that_they_break(member: str, breaks: set[str]) -> None:
    assert breaks <= broken(member)


def test_every_unit_of_mobilenet_v2_but_the_first_is_an_inverted_bottleneck_with_thick_depthwise_convolutions() -> None:
    graph = build("mobilenet_v2_1x")
    units = {node.block for node in graph if ".unit" in node.block} - {"stage1.unit0"}  # expansion 1
    assert len(units) == 16
    found = lint(graph, select=["G102", "G402"]).findings
    assert {finding.block for finding in found if finding.code == "G102" and finding.message.startswith("an inverted")} == units
    thick = [finding for finding in found if finding.code == "G402"]
    assert {finding.block for finding in thick} == units
    assert len(thick) == 3 * 16  # ReLU6, the depthwise convolution, ReLU6


def test_every_unit_of_shufflenet_v1_but_the_first_of_each_stage_is_a_bottleneck_of_one_to_four() -> None:
    found = lint(build("shufflenet_v1_1x_g3"), select=["G102"]).findings
    assert all(finding.message.startswith("a bottleneck") and finding.measured <= 4 for finding in found)
    # A first unit at stride 2 makes c - c_in channels from 2c/4: 480 / 4 = 120 from 240 to 240 is a 1:2, which is no breach.
    assert {finding.block for finding in found} == {f"stage{s}.unit{i}" for s, n in ((2, 4), (3, 8), (4, 4)) for i in range(1, n)}


@pytest.mark.parametrize("member", ["shufflenet_v2_0.5x", "shufflenet_v2_1x", "shufflenet_v2_50", "shufflenet_v2_1x_residual"])
def test_shufflenet_v2_breaks_none_of_the_first_three_guidelines(member: str) -> None:
    assert broken(member, "G1", "G2", "G3", "G401", "G402", "S") == set()


@pytest.mark.parametrize(
    ("member", "inner", "ratio"),
    # 56x56 pixels: (hw (24 + c) + 24 c) / (2 hw sqrt(24 c) + 24 c), hw = 3136.
    [
        ("shufflenet_v2_1.5x", 88, 1.217),
        ("shufflenet_v2_2x", 122, 1.346),
    ],
)
def test_of_the_wide_ones_only_the_first_unit_breaks_the_first_guideline_because_the_stem_stays_at_24_channels(
    member: str, inner: int, ratio: float
) -> None:
    (finding,) = lint(build(member), select=["G1", "G2", "G3", "S"]).findings
    assert (finding.code, finding.node) == ("G101", "stage2.unit0.branch.pw1.conv")
    assert finding.message.startswith(f"24 -> {inner} channels at 56x56")
    assert finding.measured == pytest.approx((3136 * (24 + inner) + 24 * inner) / (2 * 3136 * (24 * inner) ** 0.5 + 24 * inner))
    assert finding.measured == pytest.approx(ratio, abs=5e-4)


def test_what_is_added_to_shufflenet_v2_breaks_the_third_guideline() -> None:
    # v2* has one depthwise convolution more: 6 in a first unit. A squeeze-and-excitation is a pool and two convolutions: 3 + 3 and 5 + 3.
    assert broken("shufflenet_v2_1x_star", "G1", "G2", "G3") == {"G301"}
    assert {finding.measured for finding in lint(build("shufflenet_v2_1x_star"), select=["G301"]).findings} == {6}
    assert {finding.measured for finding in lint(build("shufflenet_v2_2x_se"), select=["G301"]).findings} == {6, 8}


def test_shufflenet_v2s_concat_shuffle_and_split_are_to_be_merged_and_nothing_else_is_said_of_it() -> None:
    graph = build("shufflenet_v2_1x")
    found = lint(graph).findings
    assert {finding.code for finding in found} == {"G403"}
    assert len(found) == 16  # one per unit
    assert sorted({finding.measured for finding in found}) == [2, 3]
    # The last unit of each stage is followed by no split.
    assert {finding.block for finding in found if finding.measured == 2} == {"stage2.unit3", "stage3.unit7", "stage4.unit3"}


def test_mobilenet_v1_has_the_fewest_fragments_of_table_8() -> None:
    def most(member: str) -> int:
        return max(count for block, count in fragments(build(member)).items() if ".unit" in block or ".cell" in block)

    members = table_8()
    assert len(members) == 37
    mobilenet_v1 = {f"mobilenet_v1_{width}x" for width in ("0.25", "0.5", "0.75", "1")}
    assert mobilenet_v1 < set(members)
    assert {most(member) for member in mobilenet_v1} == {2}  # depthwise, pointwise
    others = {member: most(member) for member in members if member not in mobilenet_v1}
    assert {member for member, count in others.items() if count <= 2} == {m for m in others if m.startswith("densenet_light")}  # 1x1, 3x3
    assert most("shufflenet_v2_1x") == 5
    assert all(not broken(member, "G1", "G2", "G3") for member in mobilenet_v1)


WITH_GROUPS = [
    member
    for member, (family, options) in MEMBERS.items()
    if family == "shufflenet_v1" and options.get("groups", 3) > 1 and "se_reduction" not in options
]


@pytest.mark.parametrize("member", [member for member in WITH_GROUPS if not member.endswith("_noshuffle")])
def test_removing_the_shuffle_from_shufflenet_v1_raises_s101_and_putting_it_back_clears_it(member: str) -> None:
    assert broken(member, "S", shuffle=False) == {"S101"}
    assert broken(member, "S", shuffle=True) == set()


def test_without_shuffle_groups_lie_upon_groups_wherever_no_stage_begins() -> None:
    graph = build("shufflenet_v1_1x_g8_noshuffle")
    found = lint(graph, select=["S101"], thresholds={"S101": {"steps": 1}}).findings
    grouped = [node.name for node in graph if node.name.endswith(("pw1.conv", "pw2.conv"))]
    assert grouped[:3] == ["stage2.unit0.pw1.conv", "stage2.unit0.pw2.conv", "stage2.unit1.pw1.conv"]
    # The first is dense (footnote 1), so the second has none before it. The third reads 24 pooled channels in front of 8 groups of 45: its
    # own 8 groups of 48 each straddle two of them, and chain all together. From there on groups lie upon groups.
    assert {finding.node for finding in found} == set(grouped[3:])
    assert max(finding.measured for finding in found) == 8
    # Windows of four steps that begin before such a straddling excuse what follows it; the long stage 3 stays blamed.
    assert {"stage3.unit3.pw1.conv", "stage3.unit7.pw2.conv"} <= {finding.node for finding in lint(graph, select=["S101"]).findings}


def test_the_shuffles_of_shufflenet_v2_all_move_something() -> None:
    for member, (family, _) in MEMBERS.items():
        if family in ("shufflenet_v1", "shufflenet_v2") and member != "se_shufflenet_v2_164":
            assert broken(member, "S102") == set(), member


def test_nothing_in_the_zoo_is_dead_but_what_condensenets_classifier_does_not_read() -> None:
    for member in sorted({MEMBERS[m][0]: m for m in MEMBERS}.values()):
        assert bool(broken(member, "S103")) == member.startswith("condensenet"), member
    # Training finds which half of the features CondenseNet's classifier reads; the zoo takes the first half. A dense block puts what it
    # adds behind what it reads, so all that stage 5 adds lies in the other half.
    graph = build("condensenet_g8")
    dead = {finding.node for finding in lint(graph, select=["S103"]).findings}
    assert {node.name for node in graph if node.block.startswith("stage5.unit") and node.name.endswith("conv")} <= dead
    assert broken("condensenet_g8", "S103", classifier_share=1.0) == set()
