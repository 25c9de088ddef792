"""The linter: order, summaries, what is wasted in all, per stage and in milliseconds, selections, thresholds and the JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import archspace
from archspace import Builder, Graph, build, predict
from archspace.errors import LawError, UnknownNameError
from archspace.ir.ops import ChannelShuffle, Conv2d, Opaque, ReLU
from archspace.latency import Profile, load_profile
from archspace.latency.terms import Coefficients
from archspace.rules import RULES, Lint, lint


@cache
def v1(device: str | None = None) -> Lint:
    return lint(build("shufflenet_v1"), device=device)


@cache
def mobilenet() -> Lint:
    return lint(build("mobilenet_v2"))


def test_findings_come_by_what_they_cost() -> None:
    wasted = [finding.excess_mem_elems for finding in v1().findings]
    assert wasted == sorted(wasted, reverse=True)
    assert wasted[0] > wasted[-1]
    assert all(finding.excess_ms is None for finding in v1().findings)


def test_with_a_device_findings_come_by_milliseconds() -> None:
    ms = [finding.excess_ms or 0.0 for finding in v1("gtx1080ti").findings]
    assert ms == sorted(ms, reverse=True)
    assert ms[0] > 0
    assert v1("gtx1080ti").device == "gtx1080ti"
    assert v1().device is None


def test_the_summary_counts_findings_per_group_of_those_that_were_asked() -> None:
    by_group = Counter(finding.code[:2] for finding in v1().findings)
    assert v1().summary == {group: by_group[group] for group in ("G1", "G2", "G3", "G4", "S1", "R1")}
    assert v1().summary["G2"] == 18
    assert lint(build("shufflenet_v1"), select=["G3", "S"]).summary == {"G3": 0, "S1": 0}


def bottleneck() -> Graph:
    """64 -> 8 -> 64 channels at 10x10: both convolutions break G101, and G102 blames both again."""
    b = Builder("bottleneck")
    x = b.input((1, 64, 10, 10))
    with b.block("stage1.unit0"):
        x = b.add("first", Conv2d(64, 8, 1), x)
    with b.block("stage1.unit0"):
        return b.build(b.add("second", Conv2d(8, 64, 1), x))


def test_an_op_counts_once_per_guideline_by_the_finding_that_blames_it_most() -> None:
    found = lint(bottleneck(), select=["G1"])
    excess = int(100 * (64 + 8) - 2 * 100 * (64 * 8) ** 0.5)  # of one convolution; the weights are in both terms
    assert {finding.code: finding.excess_mem_elems for finding in found.findings} == {"G101": excess, "G102": 2 * excess}
    assert found.waste["G101"].mem_elems == found.waste["G102"].mem_elems == found.waste["total"].mem_elems == 2 * excess
    assert (found.waste["G101"].findings, found.waste["G102"].findings, found.waste["total"].findings) == (2, 1, 3)


def test_the_total_adds_up_over_guidelines() -> None:
    found = mobilenet()
    groups = [lint(build("mobilenet_v2"), select=[group]).waste["total"] for group in ("G1", "G2", "G3", "G4", "S1", "R1")]
    assert found.waste["total"].mem_elems == sum(waste.mem_elems for waste in groups)
    assert found.waste["total"].findings == sum(waste.findings for waste in groups) == len(found.findings)
    # Within guideline 4, G401 and G402 blame the same ReLUs and depthwise convolutions.
    both = found.waste["G401"].mem_elems + found.waste["G402"].mem_elems
    assert max(found.waste["G401"].mem_elems, found.waste["G402"].mem_elems) < groups[3].mem_elems < both


def test_the_waste_of_the_stages_adds_up_to_that_of_the_rule() -> None:
    for found in (v1("gtx1080ti"), mobilenet(), lint(build("shufflenet_v2_1x"))):
        for code in RULES:
            parts = [waste for (rule, _), waste in found.waste_by_stage.items() if rule == code]
            whole = found.waste[code]
            assert sum(part.findings for part in parts) == whole.findings
            assert sum(part.mem_elems for part in parts) == whole.mem_elems
            if whole.ms is not None:
                assert sum(part.ms or 0.0 for part in parts) == pytest.approx(whole.ms)


def test_stages_are_those_of_the_network_in_its_order() -> None:
    stages = [stage for code, stage in v1().waste_by_stage if code == "G101"]
    assert stages == ["input", "stem", "stage2", "stage3", "stage4", "head"]
    assert v1().waste_by_stage["G201", "stem"] == archspace.rules.Waste(0, 0, None)


def device(fusion: str = "none", batch: int = 1, **rows: Coefficients) -> Profile:
    return replace(load_profile("gtx1080ti"), fusion=fusion, batch=batch, coefficients=rows)


def test_wasted_elements_cost_what_the_devices_kernel_pays_per_element() -> None:
    profile = device(default=Coefficients(), dense=Coefficients(ms_per_gb_in=3e6, ms_per_gb_out=1e6))
    (worst, *_) = lint(bottleneck(), select=["G102"], device=profile).findings
    # 4 bytes an element, 2 ms per kB on average of reading and writing.
    assert worst.excess_ms == pytest.approx(worst.excess_mem_elems * 4 * 2e-3)


def test_a_batch_of_the_device_multiplies_the_milliseconds() -> None:
    coefficients = Coefficients(ms_per_gb_in=1.0, ms_per_gb_out=1.0)
    one, eight = (lint(bottleneck(), device=device(batch=n, default=coefficients)).waste["total"].ms for n in (1, 8))
    assert one is not None
    assert eight == pytest.approx(8 * one)


def idle() -> Graph:
    """A convolution and a shuffle that permutes nothing."""
    b = Builder("idle")
    x = b.add("conv", Conv2d(8, 8, 1), b.input((1, 8, 10, 10)))
    return b.build(b.add("act", ReLU(), b.add("shuffle", ChannelShuffle(1), x)))


def test_an_op_that_can_go_costs_its_launch_as_well_by_its_own_type() -> None:
    profile = device(default=Coefficients(us_per_kernel=5), movement=Coefficients(us_per_kernel=7, ms_per_gb_in=1e3, ms_per_gb_out=1e3))
    (finding,) = lint(idle(), select=["S102"], device=profile).findings
    assert finding.excess_ms == pytest.approx(1600 * 4e-9 * 1e3 + 7e-3)
    assert lint(idle(), select=["S102"], device=profile).waste["total"].ms == finding.excess_ms


def test_an_op_that_is_fused_into_another_costs_nothing() -> None:
    profile = device("paper", default=Coefficients(us_per_kernel=5, ms_per_gb_in=1e3, ms_per_gb_out=1e3))
    assert [row.nodes for row in predict(idle(), profile).rows] == [("conv", "shuffle"), ("act",)]
    (finding,) = lint(idle(), select=["S102"], device=profile).findings
    assert (finding.excess_mem_elems, finding.excess_ms) == (1600, 0)


def test_what_shufflenet_v2_moves_separately_costs_nothing_where_it_is_fused() -> None:
    fused, apart = (lint(build("shufflenet_v2"), select=["G403"], device=profile) for profile in (load_profile("gtx1080ti"), _unfused()))
    assert fused.waste["G403"].mem_elems == apart.waste["G403"].mem_elems
    assert fused.waste["G403"].ms == 0
    assert (apart.waste["G403"].ms or 0) > 0


def _unfused() -> Profile:
    return replace(load_profile("gtx1080ti"), fusion="none")


@pytest.mark.parametrize(
    ("select", "ignore", "codes"),
    [
        ((), (), tuple(RULES)),
        (["G101"], (), ("G101",)),
        (["g1", " S "], (), ("G101", "G102", "S101", "S102", "S103", "S104")),
        ("G1,G401", "G102", ("G101", "G401")),
        ((), ["G", "S"], ("R101",)),
        (["G1"], ["G"], ()),
        ([""], (), tuple(RULES)),
    ],
)
def test_rules_are_chosen_by_codes_and_their_beginnings(select: Any, ignore: Any, codes: tuple[str, ...]) -> None:
    found = lint(bottleneck(), select=select, ignore=ignore)
    assert found.codes == codes
    assert {finding.code for finding in found.findings} <= set(codes)
    assert set(found.waste) == {*codes, "total"}


@pytest.mark.parametrize(
    ("word", "hint"), [("G1O1", "Did you mean 'G101'?"), ("s1o1", "Did you mean 'S101'?"), ("X", "Known: G101, G102, ")]
)
def test_an_unknown_rule_is_answered_with_near_ones(word: str, hint: str) -> None:
    for options in ({"select": [word]}, {"ignore": [word]}):
        with pytest.raises(UnknownNameError) as error:
            lint(bottleneck(), **options)
        assert str(error.value).startswith(f"unknown rule {word.upper()!r}. {hint}")


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"G101": {"ration": 2}}, "G101: it has the thresholds ratio, but got 'ration'"),
        ({"S103": {"ratio": 2}}, "S103: it has the thresholds (none), but got 'ratio'"),
        ({"G101": {"ratio": 0.5}}, "G101.ratio must be a number from 1 to 100, but got 0.5"),
        ({"G401": {"share": 1.01}}, "G401.share must be a number from 0 to 1, but got 1.01"),
        ({"G401": {"share": float("nan")}}, "G401.share must be a number from 0 to 1, but got nan"),
        ({"G401": {"share": "half"}}, "G401.share must be a number from 0 to 1, but got 'half'"),
        ({"G101": {"ratio": True}}, "G101.ratio must be a number from 1 to 100, but got True"),
        ({"G101": 2}, "G101: thresholds must be a table of names and numbers, but got 2"),
        ({"G1O1": {"ratio": 2}}, "unknown rule 'G1O1'. Did you mean 'G101'?"),
    ],
)
def test_bad_thresholds_are_named_also_of_rules_that_are_not_asked(thresholds: Any, message: str) -> None:
    with pytest.raises((LawError, UnknownNameError)) as error:
        lint(bottleneck(), select=["S102"], thresholds=thresholds)
    assert str(error.value) == message


def test_both_ends_of_every_threshold_are_allowed() -> None:
    graph = build("shufflenet_v1")
    for end in ("low", "high"):
        given = {code: {name: getattr(t, end) for name, t in rule.thresholds.items()} for code, rule in RULES.items()}
        assert all(finding.excess_mem_elems >= 0 for finding in lint(graph, thresholds=given, device="gtx1080ti").findings)


def test_an_unknown_device_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sd810'"):
        lint(bottleneck(), device="sd801")


def test_a_device_may_be_a_profile_or_a_path() -> None:
    path = Path(archspace.__file__).parent / "latency" / "devices" / "sd810.json"
    assert lint(bottleneck(), device=path).waste == lint(bottleneck(), device=load_profile("sd810")).waste


def test_what_is_no_graph_is_refused() -> None:
    name: Any = "shufflenet_v1"
    with pytest.raises(LawError, match="lint takes a Graph, but got str"):
        lint(name)


def test_severities_are_ordered() -> None:
    found = lint(build("shufflenet_v2"), select=["G403"])
    assert found.at_least("info") == found.findings
    assert found.at_least("warning") == ()
    assert v1().at_least("warning") == v1().findings
    with pytest.raises(UnknownNameError, match="Did you mean 'warning'"):
        found.at_least("warnings")


def test_the_json_has_the_keys_of_the_contract() -> None:
    data = json.loads(json.dumps(v1("gtx1080ti").to_dict()))
    assert set(data) == {"schema", "model", "config", "input_shape", "device", "findings", "summary", "waste", "caveats", "opaque"}
    assert (data["schema"], data["model"], data["device"], data["opaque"]) == (1, "shufflenet_v1", "gtx1080ti", [])
    assert data["input_shape"] == [1, 3, 224, 224]
    wanted = {"code", "node", "block", "measured", "bound", "excess_mem_elems", "message", "instead"}
    assert all(set(finding) == wanted | {"severity", "excess_ms"} for finding in data["findings"])
    assert data["summary"] == v1("gtx1080ti").summary
    assert set(data["waste"]) == {*RULES, "total"}
    assert set(data["waste"]["total"]) == {"findings", "mem_elems", "ms"}


def test_opaque_nodes_are_listed_and_linted_around() -> None:
    b = Builder("strange")
    x = b.input((1, 64, 10, 10))
    with b.block("stage1.unit0"):
        x = b.add("odd", Opaque("torch.erfinv", x.shape), x)
        x = b.add("narrow", Conv2d(64, 8, 1), x)  # an op of known work is judged by itself
        x = b.add("act", ReLU(), x)
    found = lint(b.build(x), device="gtx1080ti")
    assert found.opaque == ("stage1.unit0.odd",)
    # Work of unknown kind may see the whole image, and be any part of its block's time.
    assert {finding.code for finding in found.findings} == {"G101"}


def test_memory_access_of_the_whole_network_is_that_of_the_analysis() -> None:
    graph = build("shufflenet_v1")
    assert v1().mem_elems == archspace.analyze(graph).totals.mem_elems


def test_the_package_gives_the_linter() -> None:
    assert archspace.lint is lint


def test_an_op_wastes_no_more_than_it_accesses_whatever_guidelines_blame_it() -> None:
    graph = build("nasnet_a_mobile")
    found = lint(graph)
    accessed = {node.name: graph.counts(node).mem_elems for node in graph}
    blamed: dict[str, int] = {}
    for finding in found.findings:
        blamed[finding.node] = blamed.get(finding.node, 0) + finding.excess_mem_elems
    assert found.waste["total"].mem_elems < sum(waste.mem_elems for code, waste in found.waste.items() if code != "total")
    assert found.waste["total"].mem_elems <= sum(accessed.values())


def test_a_profile_says_where_it_extrapolates_and_what_it_has_no_price_for() -> None:
    assert lint(build("shufflenet_v1_1x_g3"), device="gtx1080ti", ignore=["R1"]).caveats == ()
    phone = load_profile("sd810")
    free = replace(phone, coefficients={**phone.coefficients, "grouped": Coefficients(ms_per_gmadd=1.0)})
    (unpriced,) = lint(build("shufflenet_v1_1x_g3"), device=free).caveats
    assert unpriced == "sd810 has no price for the memory access of grouped_pointwise ops: 0 ms of waste there"
    assert any("kernels, fitted on 29 to 139" in caveat for caveat in lint(build("nasnet_a_mobile"), device="gtx1080ti").caveats)
    assert lint(build("nasnet_a_mobile")).caveats == ()


def test_the_vector_width_is_the_devices_unless_one_is_given() -> None:
    graph = build("shufflenet_v1_1x_g8")  # bottlenecks of 96, 192 and 384 channels in 8 groups: 12 and more in each
    wide = replace(load_profile("sd810"), vector_width=16)
    assert not lint(graph, select=["G202"], device="sd810").findings  # 4, as its profile says
    assert {finding.bound for finding in lint(graph, select=["G202"], device=wide).findings} == {16}
    given = lint(graph, select=["G202"], device=wide, thresholds={"G202": {"vector_width": 13}}).findings
    assert {finding.bound for finding in given} == {13}
    assert load_profile("sd810").vector_width == 4
    assert load_profile("gtx1080ti").vector_width is None
