"""Objectives: what each metric measures, and what is refused."""

from __future__ import annotations

import pytest

from archspace.accuracy import prior
from archspace.analysis import analyze
from archspace.errors import LawError, SpaceError, UnknownNameError
from archspace.ir import Builder, ops
from archspace.latency import load_profile, predict
from archspace.objectives.metrics import (
    METRICS,
    check_objectives,
    excess,
    measure,
    metric_named,
    metric_text,
    notes_on,
    receptive_field,
    stage_channels,
)
from archspace.rules import lint
from archspace.zoo import build


@pytest.mark.parametrize(
    ("member", "channels"),
    [
        ("shufflenet_v1_1x_g3", 960),  # table 1 of ShuffleNet v1, stage 4
        ("shufflenet_v1_1x_g8", 1536),
        ("shufflenet_v2_1x", 464),  # table 5 of ShuffleNet v2, stage 4; conv5 is no stage
        ("mobilenet_v2_1x", 320),  # table 2 of MobileNet v2, the last bottleneck
        ("resnet50", 2048),
        ("fenet_1x", 256),  # table 4 of FE-Net, the last FE-block
    ],
)
def test_stage_channels_are_those_of_the_last_stage(member: str, channels: int) -> None:
    assert stage_channels(build(member)) == channels


def test_stage_channels_need_stages() -> None:
    b = Builder("plain")
    graph = b.build(b.add("act", ops.ReLU(), b.input((1, 3, 8, 8))))
    with pytest.raises(LawError, match=r"^plain: stage_channels needs blocks named stage1, stage2"):
        stage_channels(graph)


def test_counts_are_the_totals_of_the_analysis() -> None:
    graph = build("shufflenet_v2", width=0.5)
    totals = analyze(graph).totals
    names = ["madds", "params", "mem_elems", "acts"]
    assert measure(graph, names, None) == {name: getattr(totals, name) for name in names}


@pytest.mark.parametrize("device", ["gtx1080ti", "sd810"])
def test_latency_is_the_prediction_at_the_devices_own_batch(device: str) -> None:
    graph = build("shufflenet_v1", groups=8)
    assert measure(graph, ["latency_ms"], load_profile(device)) == {"latency_ms": pytest.approx(predict(graph, device).ms, rel=1e-12)}


def test_latency_without_a_device_says_what_to_add() -> None:
    with pytest.raises(LawError, match=r"latency_ms needs a device, but none is given\. Add --device gtx1080ti"):
        measure(build("resnet18"), ["latency_ms"], None)


def test_an_unknown_metric_is_named_with_a_near_one() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown metric 'parms'\. Did you mean 'params'\?$"):
        metric_named("parms")


def test_the_metrics_are_there_with_their_better_direction() -> None:
    better = {name: METRICS[name].better for name in ("stage_channels", "params", "madds", "mem_elems", "latency_ms")}
    assert better == {**dict.fromkeys(("params", "madds", "mem_elems", "latency_ms"), "minimize"), "stage_channels": "maximize"}


def test_objectives_must_be_some() -> None:
    with pytest.raises(SpaceError, match=r"at least one objective, but got none\. Add --maximize stage_channels"):
        check_objectives({})


def test_an_objective_must_be_a_metric() -> None:
    with pytest.raises(UnknownNameError, match="unknown metric 'accuracy'"):
        check_objectives({"params": "minimize", "accuracy": "maximize"})


def test_a_direction_is_maximize_or_minimize() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown direction of params 'maximise'\. Did you mean 'maximize'\?$"):
        check_objectives({"params": "maximise"})  # type: ignore[dict-item]


def test_the_receptive_field_is_that_of_the_last_stage() -> None:
    # Stem: 3x3 stride 2 and a 3x3 pool stride 2 span 3 + 2 * 2 = 7 pixels, 4 apart. Three stages of ShuffleNet v2 with one unit each: a 3x3
    # with stride 2 adds 2 * 4, then 2 * 8, then 2 * 16.
    graph = build("shufflenet_v2", repeats=(1, 1, 1))
    assert receptive_field(graph) == 7 + 2 * 4 + 2 * 8 + 2 * 16


def test_findings_are_the_memory_access_that_the_linter_finds_wasted() -> None:
    graph = build("shufflenet_v1", groups=8)
    assert measure(graph, ["findings"], None) == {"findings": lint(graph).waste["total"].mem_elems}
    assert lint(graph).waste["total"].mem_elems > 0


def test_the_prior_is_that_of_the_network_and_says_what_it_is_worth() -> None:
    graph = build("shufflenet_v2")
    assert measure(graph, ["prior"], None)["prior"] == prior(graph).error_pct
    (note,) = notes_on(["madds", "prior"])
    assert note.startswith("prior, not a measurement")


def test_slow_metrics_are_those_that_run_something() -> None:
    assert {name for name, metric in METRICS.items() if metric.is_slow} == {"naswot", "synflow", "zen", "zico"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("prior", 30.649, "30.6 %"), ("naswot", 209.1812, "209.2"), ("receptive_field", 391.0, "391"), ("findings", 2.5e6, "2.5M")],
)
def test_values_are_written_in_their_units(name: str, value: float, text: str) -> None:
    assert metric_text(name, value) == text


@pytest.mark.slow
def test_a_proxy_is_the_same_for_the_same_seed() -> None:
    graph = build("shufflenet_v2", width=0.5, input=(64, 64))
    once, again, other = (measure(graph, ["synflow"], None, seed)["synflow"] for seed in (0, 0, 1))
    assert once == again
    assert once != other


@pytest.mark.parametrize(
    ("value", "most", "share"), [(150.0, 100.0, 0.5), (50.0, 100.0, -0.5), (3.0, 0.0, 3.0), (-1.0, -2.0, 0.5), (0.0, 0.0, 0.0)]
)
def test_an_excess_is_a_share_of_its_bound_and_at_most_zero_where_it_is_kept(value: float, most: float, share: float) -> None:
    assert excess(value, most) == share
